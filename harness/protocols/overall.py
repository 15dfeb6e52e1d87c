"""All tasks in one number: how much smaller a method's errors are than those of the weakest baseline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean
from typing import Any, ClassVar

import numpy as np

from harness.comparing import FEW, SEEDS, Comparison, Drawn, beats, comparison, overall
from harness.metrics import ACCURATE, METRICS
from harness.protocols.contract import Protocol, Shown
from harness.protocols.multi_target import MultiTarget
from harness.reporting import notes
from harness.reporting.apart import of_row
from harness.reporting.build import METHOD, several
from harness.reporting.groups import Group
from harness.reporting.numbers import interval, share
from harness.reporting.rows import Row, order
from harness.reporting.table import Column, Raw, Table
from harness.statistics import Array


class Overall(Protocol):
    """The geometric mean over tasks and targets of the error relative to that of a baseline; it asks nothing."""

    name: ClassVar[str] = "overall"

    def tables(self) -> dict[str, Shown[Table]]:
        return {"overall": Shown(_build, place=8, metrics=("nmse", "mse", "sse"), plain=True)}


@dataclass(frozen=True)
class Errors:
    """What the bootstrap draws of the errors of one task, by the labels of the methods that have them."""

    group: Group
    metric: str
    drawn: Mapping[str, Drawn]

    def of(self, label: str, metric: str | None = None) -> Array:
        """The errors of a method on the targets `(seeds, targets)`."""
        return _read(next(row for row in self.group.rows if row.label == label), metric or self.metric)

    def compare(self, one: str, other: str) -> Comparison:
        """How the errors of one compare with those of the other."""
        won = beats(self.of(one), self.of(other), least=self.group.negligible(self.metric))
        return comparison(self.drawn[one], self.drawn[other], won)


@lru_cache(maxsize=20)  # those of a method and of the reference on some tasks, and not of all methods
def _read(row: Row, metric: str) -> Array:
    return row.of_targets(MultiTarget.name, metric)


def _build(groups: Sequence[Group], metric: str | None, published: bool) -> list[Table]:
    found = (_table([_errors(group, str(metric)) for group in together]) for together in _alike(groups))
    return [table for table in found if table is not None]


def _alike(groups: Sequence[Group]) -> list[list[Group]]:
    """Groups that may be averaged: all of a preset where each task stands there once, else those of equal settings."""
    by_preset: dict[str, list[Group]] = {}
    for group in _own(groups):
        by_preset.setdefault(group.first.preset, []).append(group)
    found: list[list[Group]] = []
    for together in by_preset.values():
        once = len({group.task for group in together}) == len(together)
        found += [together] if once else several(together)
    return found


def _own(groups: Sequence[Group]) -> list[Group]:
    """The groups without those of a scenario, or of a variant of a task, whose task itself is there, too: its errors
    would count twice.
    """
    plain = {(group.first.preset, group.task) for group in groups if group.task == group.first.declared.task.name}
    return [
        group
        for group in groups
        if (group.first.preset, group.task) in plain
        or (group.first.preset, group.first.declared.task.name) not in plain
    ]


def _errors(group: Group, metric: str) -> Errors:
    least = group.negligible(metric)
    found = {row.label: of_row(row, MultiTarget.name, metric, least) for row in group.rows}
    return Errors(group, metric, {label: values for label, values in found.items() if values is not None})


def _table(every: Sequence[Errors]) -> Table | None:
    """The table; None where there is no baseline with errors of the targets on any task."""
    tasks = [errors for errors in every if len(errors.drawn) > 1]
    reference = _weakest(tasks)
    if reference is None:
        return None

    def told(one: Raw, other: Raw) -> bool:
        ratios = np.mean([errors.drawn[one["method"]].logs - errors.drawn[other["method"]].logs for errors in tasks], 0)
        low, high = np.percentile(ratios, [2.5, 97.5])
        targets = min(len(errors.drawn[one["method"]].of_targets) for errors in tasks)
        return bool(targets >= FEW and (low > 0 or high < 0))

    rows = {row.label: row for errors in tasks for row in errors.group.rows if row.label in errors.drawn}
    raws = [_raw(row, tasks, reference) for row in sorted(rows.values(), key=order)]
    columns = (
        METHOD,
        Column(f"error / {reference}", _ratio, best="ratio", apart=told),
        Column(f"beats {reference}", lambda raw: share(raw["beats"])),
        Column(f"nmse ≤ {ACCURATE:g}", lambda raw: share(raw["accurate"])),
    )
    groups, metric = [errors.group for errors in tasks], tasks[0].metric
    facts = notes.of_several(groups[0], "All tasks together", metric) | {"budget": None}
    title = f"All tasks together: {', '.join(group.task for group in groups)} ({groups[0].first.preset})"
    return Table("overall", title, facts, columns, tuple(raws), tuple(_notes(raws, tasks, reference)))


def _weakest(tasks: Sequence[Errors]) -> str | None:
    """The baseline with the largest mean log error of those that are there on all tasks."""
    labels = dict.fromkeys(row.label for errors in tasks for row in errors.group.rows if row.baseline)
    everywhere = [label for label in labels if all(label in errors.drawn for errors in tasks)]

    def level(label: str) -> float:
        return fmean(float(errors.drawn[label].of_targets.mean()) for errors in tasks)

    return max(everywhere, key=level) if everywhere else None


def _raw(row: Row, tasks: Sequence[Errors], reference: str) -> dict[str, Any]:
    label, own = row.label, [errors for errors in tasks if row.label in errors.drawn]
    raw: dict[str, Any] = {"method": label, "baseline": row.baseline, "tasks": len(own)}
    if len(own) < len(tasks):
        return {**raw, "status": f"{len(own)} of {len(tasks)} tasks"}
    found = overall([errors.compare(label, reference) for errors in own])
    ends = {"ratio": 10**found.log_ratio, "low": 10**found.low, "high": 10**found.high}
    accurate = fmean(float((errors.of(label, "nmse") <= ACCURATE).mean()) for errors in own)
    return {**raw, "status": "ok", **ends, "beats": found.beats, "accurate": accurate, "seeds": list(found.seeds)}


def _ratio(raw: Raw) -> str:
    return interval(raw["ratio"], raw["low"], raw["high"])


def _notes(raws: Sequence[Raw], tasks: Sequence[Errors], reference: str) -> Iterator[str]:
    metric = tasks[0].metric
    yield (
        f"error / {reference}: geometric mean over targets and tasks, each task with the same weight, of the ratio of "
        f"the {metric} of one proposal to that of {reference} (95 % interval)"
    )
    yield f"beats {reference}: how often the error on a target is the smaller one; ties count half"
    yield f"nmse ≤ {ACCURATE:g}: the share of targets that one proposal reaches within this, all tasks alike"
    yield METRICS[metric].words
    if any(min(raw["seeds"]) < SEEDS for raw in raws if "seeds" in raw):
        yield f"The intervals speak of other targets only, not of other trainings: for that, run {SEEDS} seeds or more"
    yield "a method without numbers on a task has no place here"
    for errors in tasks:
        means = {label: drawn.mean for label, drawn in errors.drawn.items()}
        yield from notes.untrained(errors.group, metric, means)
    yield notes.BEST
