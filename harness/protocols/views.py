"""How the error looks in each of a scenario's views, such as against the noisy and the true y."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from harness.comparing import LEAST, logarithms
from harness.metrics import METRICS
from harness.metrics import errors as least
from harness.protocols.contract import Answered, Material, Number, Protocol, Question, Shown
from harness.protocols.multi_target import MultiTarget
from harness.protocols.shared import ErrorScores, expected, many
from harness.reporting import notes
from harness.reporting.apart import by_targets
from harness.reporting.bases import with_scenarios
from harness.reporting.build import base, table
from harness.reporting.figure import Axis, Figure, Guide, Panel, Series, headings, log_axis
from harness.reporting.groups import Group
from harness.reporting.numbers import number, share
from harness.reporting.rows import Row
from harness.reporting.table import Column, Raw, Table
from harness.scenarios.contract import View
from harness.settings import Sizes
from harness.statistics import Array

ACROSS = 4
"""Panels of one row of a figure: the views of one task, or of several."""
TRUE = "true y"
"""The view in which errors are told against the y without noise."""
USUAL = f"{TRUE}_usual"
BELOW = (
    "(in parentheses): a mean below the level of the scenario's noise in this view, where a smaller error is "
    "over-fitting"
)
WITHOUT = (
    "{} / without: the geometric mean of the mse over that of the same method that has learned the task without the "
    "scenario, from as many pairs; the targets are others of the same kind"
)
EXCESS = (
    "excess: nmse above that of the best design that the harness knows for each target; below 0, in parentheses, the "
    "designs are better than that one"
)


@dataclass(frozen=True)
class Seen:
    """nmse of first proposals in one view; over targets of which it scores an entry."""

    targets: int
    mean: float
    median: float
    excess: bool
    """Whether it is the excess over the least that is known to be possible."""
    level: float
    """The nmse below which a smaller one is no merit; 0 for none."""
    usual_expected_mse: float | None = None
    """Where the targets are drawn as those of the task without the scenario: the geometric mean over these of the mse
    of one proposal, its mean over repeats as in `multi-target`."""


@dataclass(frozen=True)
class Scores:
    """The views by name."""

    valid: float
    views: dict[str, Seen]


class Views(Protocol):
    """For scenarios that score in more than one way; its table is called `scenario`."""

    name: ClassVar[str] = "views"
    score_type: ClassVar[type] = Scores

    def questions(self, sizes: Sizes) -> dict[str, Question]:
        return {"targets": many(sizes)}

    def score(self, material: Material) -> Scores | None:
        answered = material.answers["targets"]
        views = answered.targets.views
        if not views:
            return None
        seen = {name: self._seen(answered, view, material.sizes) for name, view in views.items()}
        return Scores(answered.valid, seen)

    def _seen(self, answered: Answered, view: View, sizes: Sizes) -> Seen:
        errors = _errors(answered, view)
        scored = np.isfinite(errors)
        errors = errors[scored]
        mean, median = float(errors.mean()), float(np.median(errors))
        expected_mse = expected(answered.counted("mse", view.y), answered, sizes)[scored]
        usual = _usual(expected_mse) if view.like_base else None
        return Seen(int(scored.sum()), mean, median, view.best_known is not None, view.level, usual)

    def by_target(self, material: Material) -> Mapping[str, Array]:
        """The error of each target's first proposal by view; NaN where a view leaves the target out.

        Of a view whose targets are drawn as those of the task without the scenario also the mse of one proposal, its
        mean over repeats as in `multi-target`, as `mse NAME_usual`; where y is noisy, the nmse of that kind against the
        true one, as `true y_usual`.
        """
        answered = material.answers["targets"]
        found = {name: _errors(answered, view) for name, view in answered.targets.views.items()}
        for name, view in answered.targets.views.items():
            metric = "mse" if view.like_base else "nmse" if name == TRUE else None
            if metric is not None:
                errors = expected(answered.counted(metric, view.y), answered, material.sizes)
                kept = USUAL if name == TRUE else f"mse {name}_usual"
                found[kept] = np.where(np.isfinite(found[name]), errors, np.nan)
        return found

    def numbers(self, scores: Scores) -> Iterator[Number]:
        for name, seen in scores.views.items():
            yield from (("nmse", f"{name}_{statistic}", getattr(seen, statistic)) for statistic in ("mean", "median"))
            if seen.usual_expected_mse is not None:
                yield "mse", f"{name}_usual", seen.usual_expected_mse

    def tables(self) -> dict[str, Shown[Table]]:
        return {"scenario": Shown(_build, place=15, metrics=("nmse",), reads=(MultiTarget.name,))}

    def figures(self) -> dict[str, Shown[Figure]]:
        return {"scenario": Shown(_draw, place=45, metrics=("nmse",), reads=(MultiTarget.name,))}


def _errors(answered: Answered, view: View, metric: str = "nmse") -> Array:
    """The errors of first proposals, or the excess over the best that is known; NaN where the view leaves one out."""
    errors = answered.counted(metric, view.y)[:, 0]
    if view.best_known is not None:
        best = least(METRICS[metric], view.best_known, view.y, answered.data.y_variance)
        errors = errors - best.numpy()
    return np.where(view.y.isfinite().any(1).numpy(), errors, np.nan)


def _usual(errors: Array) -> float:
    """The geometric mean of errors `(n,)`, which a few of them do not decide."""
    return float(10 ** logarithms(errors, LEAST).mean())


def _build(groups: Sequence[Group], metric: str | None, published: bool) -> list[Table]:
    bases = {id(scenario): base for base, scenarios in with_scenarios(groups) for scenario in scenarios}
    return [_table(group, views, bases.get(id(group))) for group in groups if (views := _views(group))]


def _views(group: Group) -> dict[str, Seen]:
    first: Scores | None = group.score(Views)
    return first.views if first else {}


def _table(group: Group, views: dict[str, Seen], without: Group | None) -> Table:
    columns = [
        Column(
            f"{name}, {statistic}{' excess' if seen.excess else ''}",
            partial(_text, key=f"{name}.{statistic}"),
            best=f"{name}.{statistic}" if statistic == "mean" else None,
            value=f"{name}.{statistic}",
            floor=seen.level,
            apart=by_targets(without if without and not seen.level else group, "nmse", Views.name, name, rows=group),
        )
        for name, seen in views.items()
        for statistic in ("mean", "median")
    ]
    compared = [name for name, seen in views.items() if seen.usual_expected_mse is not None and without is not None]
    columns += [Column(f"{name} / without", partial(_text, key=f"{name}.ratio")) for name in compared]
    columns.append(Column("valid", lambda raw: share(raw["valid"])))
    extra = [
        METRICS["nmse"].words + "; of the first proposal for each target; ranking has means over repeats",
        notes.INVALID,
    ]
    extra += [BELOW] * any(seen.level for seen in views.values()) + [EXCESS] * any(
        seen.excess for seen in views.values()
    )
    counts = ", ".join(f"{name} {seen.targets}" for name, seen in views.items())
    extra += [WITHOUT.format(", ".join(compared))] * bool(compared)
    rows = [_raw(row, list(views)) for row in group.rows]
    if without is not None:
        _compare(rows, without, compared)
    return table("scenario", "The scenario's own errors", group, columns, rows, [*extra, f"Targets: {counts}"], "nmse")


def _compare(raws: Sequence[dict[str, Any]], without: Group, names: Sequence[str]) -> None:
    """Adds to each row the ratio of its error in some views to that of the same method without the scenario."""
    own = {row.label: _of_base(row) for row in without.rows}
    for raw in raws:
        for name in names:
            found, base_error = raw[f"{name}.usual_expected_mse"], own.get(raw["method"])
            raw[f"{name}.ratio"] = found / base_error if found is not None and base_error else None


def _of_base(row: Row) -> float | None:
    errors = row.of_targets(MultiTarget.name, "mse")
    return _usual(errors[np.isfinite(errors)]) if errors.size else None


def _raw(row: Row, names: Sequence[str]) -> dict[str, Any]:
    raw = {**base(row), "valid": row.mean("valid", Views)}
    for name in names:
        for statistic in ("mean", "median", "usual_expected_mse"):
            read = partial(_read, name=name, statistic=statistic)
            raw[f"{name}.{statistic}"] = row.mean(read, Views)
    return raw


def _read(scores: Scores, name: str, statistic: str) -> float | None:
    found: float | None = getattr(scores.views[name], statistic)
    return found


def _text(raw: Raw, key: str) -> str:
    return number(raw[key])


def _draw(groups: Sequence[Group], metric: str | None, published: bool) -> list[Figure]:
    """A figure for each scenario: a row of panels for each task, one for each view."""
    bases = {id(scenario): base for base, scenarios in with_scenarios(groups) for scenario in scenarios}
    together: dict[str, list[Group]] = defaultdict(list)
    for group in groups:
        if _views(group):
            together[group.first.label.scenario].append(group)
    figures = []
    for scenario, alike in together.items():
        names = list(dict.fromkeys(name for group in alike for name in _views(group)))
        panels = [
            panel
            for heading, group in zip(headings(alike), alike, strict=True)
            for panel in _panels(heading.removesuffix(f", {scenario}"), group, bases.get(id(group)), names)
        ]
        said = ["the mean nmse of the first proposal for each target, by how it is scored", METRICS["nmse"].words]
        if any(seen.excess for group in alike for seen in _views(group).values()):
            said.append(f"{EXCESS}; no mark: it is not above 0")
        figures.append(
            Figure(
                "scenario",
                f"Errors in {scenario}",
                tuple(panels),
                tuple(said),
                legend=False,
                across=len(names) * max(1, ACROSS // len(names)),
                apart=scenario,
                beside="scenario",
            )
        )
    return figures


def _panels(heading: str, group: Group, without: Group | None, names: Sequence[str]) -> Iterator[Panel]:
    """The panels of a task, a place for each of the views of the figure, all with the same range of errors."""
    views = _views(group)
    rows = [row for row in group.rows if row.score(Views)]
    found = {name: [row.mean(partial(_read, name=name, statistic="mean"), Views) for row in rows] for name in views}
    errors = {row.label: row.mean(_mean, MultiTarget) for row in without.rows} if without else {}
    usual = [(error, float(place)) for place, row in enumerate(rows) if (error := errors.get(row.label))]
    every = [error for each in found.values() for error in each if error] + [error for error, _ in usual]
    x, y = log_axis("nmse", every), Axis("", names=tuple(row.label for row in rows))
    guides = (Guide("points", label="without the scenario, a mean over repeats", points=tuple(usual)),) if usual else ()
    for name in names:
        series = tuple(
            Series(row.label, (error,), (float(place),), joined=False)
            for place, (row, error) in enumerate(zip(rows, found.get(name, [None] * len(rows)), strict=True))
            if error and error > 0
        )
        excess = name in views and views[name].excess
        yield Panel(f"{heading}: {name}{', excess' if excess else ''}", x, y, series, guides if series else ())


def _mean(scores: ErrorScores) -> float:
    return scores.errors["nmse"].mean
