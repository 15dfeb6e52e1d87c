"""The report: one HTML file that needs no network, with the figures and tables of a result folder."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from harness.durable import storage_errors, write_whole
from harness.errors import UsageError
from harness.reporting import drawn, tabled
from harness.reporting.figure import Figure, Panel
from harness.reporting.numbers import number
from harness.reporting.scales import read
from harness.reporting.svg import panels, sample, thinned
from harness.reporting.table import Table, Text

NAME = "report.html"
COLUMNS = 12
"""Numbers of a series that stand in the table beside its figure, at most."""
LEADING = re.compile(r"~?(-?\d[\d.]*(?:e-?\d+)?)")
"""The number that a cell begins with."""


def write(root: Path) -> Path:
    """Write the report of a result folder into it; returns the file.

    Raises:
        UsageError: there are no records, or the folder cannot be written.
    """
    text = page(root)
    with storage_errors(root):
        write_whole(root / NAME, text)
    return root / NAME


def page(root: Path) -> str:
    """The report as HTML text."""
    tables, figures = tabled(root), list[Figure]()
    with suppress(UsageError):  # where every cell failed there is nothing to draw
        figures = drawn(["all"], root)
    labels = figures[0].labels if figures else ()
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    folder = files("harness.reporting") / "page"
    template = environment.from_string((folder / "page.html").read_text(encoding="utf-8"))
    return template.render(
        title=f"Results in {root.name}",
        facts=_facts(tables),
        methods=[{"label": label, "sample": Markup(sample(label, labels))} for label in labels],
        sections=[*_sections(figures, tables, labels)],
        style=Markup((folder / "page.css").read_text(encoding="utf-8")),
        script=Markup((folder / "page.js").read_text(encoding="utf-8")),
    )


def _facts(tables: Sequence[Table]) -> list[str]:
    tasks = dict.fromkeys(str(table.facts["task"]) for table in tables if table.facts.get("task"))
    presets = dict.fromkeys(str(table.facts["preset"]) for table in tables if table.facts.get("preset"))
    return [f"{len(tasks)} tasks: {', '.join(tasks)}", f"preset {', '.join(presets)}"]


def _sections(figures: Sequence[Figure], tables: Sequence[Table], labels: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The figures and tables, one section for each name; a figure stands with the table of its name."""
    names = list(dict.fromkeys(table.name for table in tables))
    alone = [figure for figure in figures if figure.name not in names]
    for place, name in enumerate(names):
        own = [table for table in tables if table.name == name]
        heading = str(own[0].facts.get("title", name))
        yield _section(name, heading, [figure for figure in figures if figure.name == name], own, labels)
        if place == 0 and alone:
            yield _section("figures", "At a glance", alone, [], labels)


def _section(
    name: str, heading: str, figures: Sequence[Figure], tables: Sequence[Table], labels: Sequence[str]
) -> dict[str, Any]:
    places = {label: place for place, label in enumerate(labels)}
    return {
        "name": name,
        "heading": heading,
        "figures": [_figure(figure, places) for figure in figures],
        "tables": [_table(table, places) for table in tables],
    }


def _figure(figure: Figure, places: dict[str, int]) -> dict[str, Any]:
    notes = list(figure.notes)
    if any(len(thinned(series)) < len(series.x) for panel in figure.panels for series in panel.series):
        notes.append("of so many points only every so many are drawn here; the files of `figures` have all")
    return {
        "title": figure.title,
        "notes": notes,
        "panels": [Markup(panel) for panel in panels(figure)],
        "tables": [table for panel in figure.panels for table in _numbers(panel, places)],
    }


def _numbers(panel: Panel, places: dict[str, int]) -> Iterator[dict[str, Any]]:
    """The numbers of a panel: a row for each series, some of its points."""
    joined = [series for series in panel.series if series.joined]
    for series in joined[:1]:
        every = max(1, -(-len(series.x) // COLUMNS))
        chosen = sorted({*range(0, len(series.x), every), len(series.x) - 1})
        heads = [read(series.x[place], panel.x.log) for place in chosen]
        rows = [
            {"label": one.label, "place": places[one.label], "texts": [_text(one.y, place) for place in chosen]}
            for one in joined
        ]
        yield {"title": f"{panel.title}: {panel.y.title} at {panel.x.title}", "heads": heads, "rows": rows}
    points = [series for series in panel.series if not series.joined and len(series.x) == 1]
    if points:
        rows = [
            {"label": one.label, "place": places[one.label], "texts": [number(one.x[0]), number(one.y[0])]}
            for one in points
        ]
        yield {"title": panel.title, "heads": [panel.x.title, panel.y.title], "rows": rows}


def _text(values: Sequence[float], place: int) -> str:
    return number(values[place]) if place < len(values) else number(None)


def _table(table: Table, places: dict[str, int]) -> dict[str, Any]:
    rows = [
        {"place": places.get(str(raw.get("method"))), "cells": [_cell(cell) for cell in cells]}
        for raw, cells in zip(table.rows, table.cells(), strict=True)
    ]
    heads = [column.title for column in table.columns]
    return {"title": table.title, "heads": heads, "rows": rows, "notes": table.notes}


def _cell(cell: Text) -> dict[str, Any]:
    mark = cell.mark.replace(" ", "-")
    return {"text": cell.text, "beside": cell.beside, "mark": mark, "value": _value(cell.text)}


def _value(text: str) -> float | None:
    """The number that a cell begins with, by which it is sorted."""
    found = LEADING.match(text)
    try:
        return float(found[1]) if found else None
    except ValueError:
        return None
