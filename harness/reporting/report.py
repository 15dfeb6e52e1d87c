"""The report: one HTML file that needs no network, with the figures and tables of a result folder."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from statistics import median
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from harness.durable import storage_errors, write_whole
from harness.reporting import figures_of, grouped, tables_of
from harness.reporting.figure import Figure, Panel
from harness.reporting.groups import Group
from harness.reporting.looks import looks
from harness.reporting.marks import markers, sample
from harness.reporting.numbers import number, numbered
from harness.reporting.origins import failures, provenance
from harness.reporting.svg import panels, thinned
from harness.reporting.table import Table, Text

NAME = "report.html"
PROSE = ("claim", "source", "verdict", "evidence", "check", "setting", "name")
"""Columns of texts, which may run over several lines."""
LONG = 150
"""Characters from which on such a text wants a wide column."""
DIGITS = 6
"""Significant digits of the value by which a cell is sorted: with all of them a report is 2 % larger."""
COLUMNS = 12
"""Numbers of a series that stand in the table beside its figure, at most."""
LEADING = re.compile(r"~?(-?\d[\d.]*(?:e-?\d+)?)(?: \(.*\)(e-?\d+)| (k|M|kB|MB|GB)\b)?")
"""The number that a cell begins with: `3.4e-6`, `3.4 (2.9–4.1)e-6`, `150 k`, `1.2 MB`."""
UNITS = {"k": 1e3, "M": 1e6, "kB": 1e3, "MB": 1e6, "GB": 1e9}


def write(root: Path) -> Path:
    """Write the report of a result folder into it; returns the file.

    Raises:
        UsageError: there are no records, or the folder cannot be written.
    """
    text = page(root)
    with storage_errors(root, "Free space, mend the permissions, or remove what stands there."):
        write_whole(root / NAME, text)
    return root / NAME


def page(root: Path) -> str:
    """The report as HTML text."""
    groups = grouped(root)
    tables = tables_of(groups)
    figures = figures_of(groups)
    records = [record for group in groups for record in group.records]
    labels = figures[0].labels if figures else ()
    look = looks(labels)
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    folder = files("harness.reporting") / "page"
    template = environment.from_string((folder / "page.html").read_text(encoding="utf-8"))
    return template.render(
        title=f"Results in {root.resolve().name}",
        facts=_facts(groups),
        markers=Markup(markers()),
        methods=[{"label": label, "sample": Markup(sample(look[label]))} for label in labels],
        sections=[*_sections(figures, tables, labels)],
        failures=failures(records),
        provenance=provenance(records),
        style=Markup((folder / "page.css").read_text(encoding="utf-8")),
        reading=Markup(json.dumps({"leading": f"^{LEADING.pattern}", "units": UNITS, "labels": labels})),
        script=Markup((folder / "page.js").read_text(encoding="utf-8")),
    )


def _facts(groups: Sequence[Group]) -> list[str]:
    tasks = dict.fromkeys(group.first.label.task for group in groups)
    scenarios = sorted({item.name for group in groups if (item := group.first.declared.scenario)})
    presets = dict.fromkeys(group.first.preset for group in groups)
    usual = [task for task in tasks if "[" not in task] or [*tasks]
    said = [f"{numbered(len(usual), 'task')}: {', '.join(usual)}"]
    if other := [task for task in tasks if task not in usual]:
        said.append(f"with other options {', '.join(other)}")
    if scenarios:
        said.append(f"{numbered(len(scenarios), 'scenario')}: {', '.join(scenarios)}")
    return [*said, f"preset {', '.join(presets)}"]


def _sections(figures: Sequence[Figure], tables: Sequence[Table], labels: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The figures and tables, one section for each name of a table; a figure stands with the table that it wants."""
    names = list(dict.fromkeys(table.name for table in tables))
    alone = [figure for figure in figures if figure.beside not in names]
    for place, name in enumerate(names):
        own = [table for table in tables if table.name == name]
        heading = str(own[0].facts.get("title", name))
        yield _section(name, heading, [figure for figure in figures if figure.beside == name], own, labels)
        if place == 0 and alone:
            yield _section("figures", "At a glance", alone, [], labels)


def _section(
    name: str, heading: str, figures: Sequence[Figure], tables: Sequence[Table], labels: Sequence[str]
) -> dict[str, Any]:
    places = {label: place for place, label in enumerate(labels)}
    return {
        "name": name,
        "heading": heading,
        "figures": [_figure(figure, places, bool(tables) and figure.name != name) for figure in figures],
        "tables": [_table(table, title, places) for table, title in zip(tables, _titles(tables, heading), strict=True)],
    }


def _titles(tables: Sequence[Table], heading: str) -> Iterator[str]:
    """A title for each table, with its tasks where several read the same; none where it only repeats the heading."""
    every = [table.title for table in tables]
    for table in tables:
        tasks = dict.fromkeys(str(raw["task"]) for raw in table.rows if raw.get("task"))
        several = every.count(table.title) > 1 and tasks
        yield f"{table.title}: {', '.join(tasks)}" if several else table.title * (table.title != heading)


def _figure(figure: Figure, places: dict[str, int], folded: bool) -> dict[str, Any]:
    notes = list(figure.caption)
    if any(len(thinned(panel, series)) < len(series.x) for panel in figure.panels for series in panel.series):
        notes.append("Thinned for the browser; `figures` writes all points.")
    drawn = [Markup(panel) for panel in panels(figure)]
    size = figure.across or len(drawn)
    return {
        "title": figure.title,
        "folded": folded,
        "notes": notes,
        "across": figure.across,
        "square": figure.panels[0].square,
        "rows": [drawn[first : first + size] for first in range(0, len(drawn), size)],
        "tables": [table for panel in figure.panels if not panel.square for table in _numbers(panel, places)],
    }


def _numbers(panel: Panel, places: dict[str, int]) -> Iterator[dict[str, Any]]:
    """The numbers of a panel: a row for each series, some of its points."""
    joined = [series for series in panel.series if series.joined]
    for series in joined[:1]:
        every = max(1, -(-len(series.x) // COLUMNS))
        chosen = sorted({*range(0, len(series.x), every), len(series.x) - 1})
        wanted = [series.x[place] for place in chosen]
        heads = [f"{x:.4g}" for x in wanted]
        rows = [
            {"label": one.label, "place": places[one.label], "texts": [number(at.get(x)) for x in wanted]}
            for one in joined
            for at in [dict(zip(one.x, one.y, strict=True))]
        ]
        yield {"title": f"{panel.title}: {panel.y.title} at {panel.x.title}", "heads": heads, "rows": rows}
    points = [series for series in panel.series if not series.joined and series.x]
    if points:
        rows = [
            {"label": one.label, "place": places[one.label], "texts": [number(_median(one.x)), number(_median(one.y))]}
            for one in points
        ]
        several = "medians of " * any(len(one.x) > 1 for one in points)
        heads = [several + panel.x.title, several + panel.y.title]
        yield {"title": panel.title, "heads": heads, "rows": rows}


def _median(values: Sequence[float]) -> float:
    """The median of the finite values; NaN where there are none."""
    return median([value for value in values if math.isfinite(value)] or [math.nan])


def _table(table: Table, title: str, places: dict[str, int]) -> dict[str, Any]:
    keys = [column.value or column.best or "" for column in table.columns]
    heads = [column.title for column in table.columns]
    by_method = "method" in heads  # the rows of other tables stay where a method is switched off
    rows = [
        {
            "place": places.get(str(raw.get("method"))) if by_method else None,
            "cells": [_cell(cell, raw.get(key), head) for cell, key, head in zip(cells, keys, heads, strict=True)],
        }
        for raw, cells in zip(table.rows, table.cells(), strict=True)
    ]
    stays = heads.index("method") if by_method else 0
    shown = [(head, "prose" * (head in PROSE)) for head in heads]
    return {"title": title, "heads": shown, "rows": rows, "notes": table.notes, "stays": stays}


def _cell(cell: Text, raw: float | None, head: str) -> dict[str, Any]:
    """A cell with the raw value by which it is sorted, where the column has one and the text does not say it."""
    kind, value = cell.mark.replace(" ", "-"), _value(cell.text)
    kind = kind or ("prose" + " long" * (len(cell.text) > LONG)) * (head in PROSE)
    shown = None if raw is None else float(f"{raw:.{DIGITS}g}")
    return {"text": cell.text, "beside": cell.beside, "mark": kind, "value": None if shown == value else shown}


def _value(text: str) -> float | None:
    """The number that a text begins with; None where it begins with none."""
    found = LEADING.match(text)
    try:
        return float(found[1] + (found[2] or "")) * UNITS.get(found[3], 1.0) if found else None
    except ValueError:
        return None
