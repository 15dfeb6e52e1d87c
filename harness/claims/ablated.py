"""The table and the figure of an ablation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from statistics import fmean, stdev
from typing import Any

from harness.claims.ablation import Ablation, delivered
from harness.claims.checks import NO, YES, Pair, compared
from harness.claims.claim import Check
from harness.claims.rows import by_task, find, is_meant
from harness.claims.statistic import Side, Statistic, side, values_of
from harness.claims.tables import ranged
from harness.comparing import SEEDS
from harness.reporting import notes
from harness.reporting.figure import Figure
from harness.reporting.groups import Group
from harness.reporting.numbers import deviation, number
from harness.reporting.rows import Row
from harness.reporting.table import Column, Raw, Table

FEWER = ("seconds", "std", "mmd", "mmd_biased", "mmd_targets", "c2st", "c2st_targets")
"""Statistics without a metric, or of a spread, of which less is better."""


def tables_of(groups: Sequence[Group], ablation: Ablation) -> list[Table]:
    """A table for each task and preset in which two settings were run, of one method where the ablation has such."""
    return [_table(group, ablation, rows) for group, rows in _shown(groups, ablation)]


def settings_of(group: Group) -> list[Row]:
    """The rows that are settings of an ablation, where their method is there with its usual options."""
    labels = {label for ablation in delivered().values() for label in ablation.settings}
    names = {row.label for row in group.rows}
    return [
        row
        for row in group.rows
        if row.label != (name := row.first.declared.method.name)
        and name in names
        and any(is_meant(row, label) for label in labels)
    ]


def figures_of(groups: Sequence[Group], ablation: Ablation, build: Any) -> list[Figure]:
    """Its figure, of its settings by their own names; `build` is what draws figures of this kind."""
    shown = [
        replace(group, rows=tuple(replace(row, label=label) for label, row in rows.items()))
        for group, rows in _shown(groups, ablation)
    ]
    found: list[Figure] = build(shown, ablation.metric, False) if shown else []
    name, labels = f"ablation-{ablation.name}", ablation.settings
    return [replace(each, name=name, title=ablation.question, labels=labels) for each in found]


def _shown(groups: Sequence[Group], ablation: Ablation) -> Iterator[tuple[Group, dict[str, Row]]]:
    """The groups of the tasks, each with the rows of the settings that were run there."""
    of_several = len({label.partition("[")[0] for label in ablation.settings}) == len(ablation.settings)
    for _, tasks in by_task(groups):
        for group in (tasks[task] for task in ablation.tasks if task in tasks):
            found = {label: find(group, label) for label in ablation.settings}
            rows = {label: row for label, row in found.items() if row is not None}
            # Usual options of two methods are in every folder; they are an ablation only where it is one of methods.
            if (
                len({row.first.declared.method.name for row in rows.values()}) < len(rows) + of_several
                and len(rows) > 1
            ):
                yield group, rows


def _table(group: Group, ablation: Ablation, rows: Mapping[str, Row]) -> Table:
    every = ablation.compared()
    sides = {(label, each): side(row, each, group) for label, row in rows.items() for each in every}
    statistics = [each for each in every if any(sides[label, each] for label in rows)]
    columns = [Column("setting", lambda raw: str(raw["method"]), status=None)]
    for each in statistics:
        columns += _columns(each, ablation, {label: sides[label, each] for label in rows})
    raws = tuple(_raw(label, rows.get(label), ablation, statistics, sides) for label in ablation.settings)
    facts = {"title": "Ablations", **notes.facts(group, None)}
    title = f"Ablation {ablation.name}: {group.task} ({group.heading})"
    said = (*_notes(ablation, rows), *notes.settings([group]))
    return Table("ablation", title, facts, tuple(columns), raws, said)


def _columns(each: Statistic, ablation: Ablation, own: Mapping[str, Side | None]) -> Iterator[Column]:
    key = str(each)
    less = each.metric is not None or each.name in FEWER

    def told(one: Raw, other: Raw) -> bool | None:
        pair = _pair(each, str(other["method"]), own.get(str(other["method"])), str(one["method"]), own)
        return None if pair is None or pair.says == NO else pair.says == YES

    shown = partial(Column, each.short, partial(_text, key=key), value=key)
    yield shown(best=key, apart=told) if less else shown()
    yield Column("ratio", partial(_beside, key=key))


def _pair(each: Statistic, label: str, one: Side | None, other: str, own: Mapping[str, Side | None]) -> Pair | None:
    """Whether one setting has more of a statistic than another; None where that is not known."""
    rival = own.get(other)
    if one is None or rival is None or one.draws is None or rival.draws is None:
        return None
    return compared(Check("higher", str(each), (label,), than=(other,)), label, one, other, rival)


def _raw(
    label: str,
    row: Row | None,
    ablation: Ablation,
    statistics: Sequence[Statistic],
    sides: Mapping[tuple[str, Statistic], Side | None],
) -> dict[str, Any]:
    raw: dict[str, Any] = {"method": label, "status": row.status if row else None, "baseline": False}
    raw["seeds"] = len(row.done) if row else 0
    for each in statistics if row else ():
        key, values = str(each), values_of(row, each) if row else []
        raw[key] = fmean(values) if values else None
        raw[f"{key}_deviation"] = stdev(values) if len(values) > 1 else None
        own = {setting: sides.get((setting, each)) for setting in (label, ablation.beside)}
        pair = _pair(each, label, own[label], ablation.beside, own) if label != ablation.beside else None
        for name, found in (("mean_ratio", pair and pair.mean), ("ratio", pair and pair.ratio)):
            ends = found or (math.nan,) * 3
            keys = (f"{key}_{name}", f"{key}_{name}_low", f"{key}_{name}_high")
            raw.update(zip(keys, (None if math.isnan(end) else end for end in ends), strict=True))
    return raw


def _text(raw: Raw, key: str) -> str:
    value, spread = raw.get(key), raw.get(f"{key}_deviation")
    return number(value) if spread is None else deviation(value, spread, digits=2)


def _beside(raw: Raw, key: str) -> str:
    """The ratio target by target; that of the means where it is not known of single targets."""
    for name in ("ratio", "mean_ratio"):
        value, low, high = (raw.get(f"{key}_{name}{end}") for end in ("", "_low", "_high"))
        if value is not None:
            return ranged((value, math.nan if low is None else low, math.nan if high is None else high))
    return number(None)


def _notes(ablation: Ablation, rows: Mapping[str, Row]) -> Iterator[str]:
    yield f"{ablation.question} ({ablation.source})"
    if ablation.note:
        yield ablation.note
    yield (
        f"ratio: to that of {ablation.beside}, with its 95 % interval; the geometric mean over targets where errors of "
        "single targets are kept, else the ratio of the means. Where the interval holds 1, the difference is not "
        "known. Bold and ≈ ask for both ratios to agree"
    )
    if any(len(row.done) > 1 for row in rows.values()):
        yield "± over seeds (trainings)"
    if any(len(row.done) < SEEDS for row in rows.values()):
        yield (
            f"Fewer than {SEEDS} trainings of a setting: its intervals speak of other targets only, not of other "
            f"trainings. For that, run --seeds 0-{SEEDS - 1}"
        )
    yield notes.BEST
