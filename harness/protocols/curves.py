"""The figures of r_T: against the number of proposals, and against what they cost; and of options of one method."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

from harness.metrics import METRICS
from harness.protocols.contract import Protocol, Shown
from harness.protocols.inference_time import InferenceTime
from harness.protocols.inference_time import Scores as Times
from harness.protocols.r_t import ERRORS, RT, curve, meaning, trials
from harness.reporting import notes
from harness.reporting.figure import Axis, Figure, Guide, Panel, Series, headings
from harness.reporting.groups import Group
from harness.reporting.rows import Row

BANDS = "bands: 95 % bootstrap interval over targets; of several seeds a factor of 1 + deviation / mean up and down"
RANKED = "best of the first"
"""How the estimator of a method that ranks begins."""
Cost = Callable[[Row, int], float | None]
"""What T proposals of a row cost; None where that is not known."""


class Curves(Protocol):
    """The figures of r_T; it asks nothing of its own."""

    name: ClassVar[str] = "curves"

    def figures(self) -> dict[str, Shown[Figure]]:
        return {
            "r_T": Shown(by_count, place=10, metrics=ERRORS, plain=True),
            "r_T-and-candidates": Shown(by_candidates, place=12, metrics=ERRORS, plain=True),
            "r_T-and-seconds": Shown(by_seconds, place=14, metrics=ERRORS, plain=True),
            "options": Shown(by_options, place=16, metrics=ERRORS, every=True),
        }


def by_count(groups: Sequence[Group], metric: str | None, published: bool) -> list[Figure]:
    """r_T against T, one panel a task."""
    return _figure("r_T", "The best of T proposals", groups, str(metric), Axis("proposals T", log=True), _count, BANDS)


def by_candidates(groups: Sequence[Group], metric: str | None, published: bool) -> list[Figure]:
    """r_T against the candidates that a method draws or optimises for a target to return T proposals."""
    said = (
        "a method that ranks its candidates needs all of them for its first proposal: its curve is a vertical line",
    )
    x = Axis("candidates per target", log=True)
    return _figure(
        "r_T-and-candidates", "The best of T proposals and the candidates", groups, str(metric), x, _candidates, *said
    )


def by_seconds(groups: Sequence[Group], metric: str | None, published: bool) -> list[Figure]:
    """r_T against the time in which a method proposes T designs, without that of simulating them."""
    said = ("in a batch of 1000 proposals; the time in which T proposals are simulated is not in it",)
    x = Axis("time to propose, per target [s]", log=True)
    found = _figure("r_T-and-seconds", "The best of T proposals and the time", groups, str(metric), x, _seconds, *said)
    return [replace(figure, notes=(*figure.notes, *notes.hardware(groups))) for figure in found]


def by_options(groups: Sequence[Group], metric: str | None, published: bool) -> list[Figure]:
    """r_T of one method with several options, one panel a task and method (Ren et al. 2020, Figs. 5 and 8)."""
    x, y = Axis("proposals T", log=True), Axis(f"r_T ({metric})", log=True)
    panels = []
    for heading, group in zip(headings(groups), groups, strict=True):
        families: dict[str, list[Row]] = {}
        for row in group.rows:
            families.setdefault(row.first.declared.method.name, []).append(row)
        for name, rows in families.items():
            series = tuple(each for row in rows for each in _series(row, str(metric), _count))
            if len(series) > 1:
                panels.append(Panel(f"{heading}: {name}", x, y, series, _floor(group, str(metric))))
    said = (meaning(str(metric)), METRICS[str(metric)].words, BANDS)
    return [Figure("options", "One method with other options", tuple(panels), said, beside="r_T")] if panels else []


def _figure(
    name: str, title: str, groups: Sequence[Group], metric: str, x: Axis, cost: Cost, *said: str
) -> list[Figure]:
    scored = [group for group in groups if trials(group)]
    y = Axis(f"r_T ({metric})", log=True)
    panels = tuple(
        Panel(heading, x, y, series, _floor(group, metric))
        for heading, group in zip(headings(scored), scored, strict=True)
        if (series := tuple(each for row in group.rows for each in _series(row, metric, cost)))
    )
    every = (meaning(metric), METRICS[metric].words, notes.INVALID, *said)
    return [Figure(name, title, panels, every, beside="r_T")] if panels else []


def _series(row: Row, metric: str, cost: Cost) -> Iterator[Series]:
    """The curve of a method; nothing where a seed has none, or one of other T, or its cost is not known."""
    if len(row.scores(RT)) < len(row.done) or len({tuple(scores.T) for scores in row.scores(RT)}) != 1:
        return
    values, counts = curve(row, metric, {}), list(row.score(RT).T)
    costs = [cost(row, count) for count in counts]
    value = [float(values[f"r_{count}"]) for count in counts]
    if len(row.done) > 1:
        spread = [float(values[f"r_{count}_deviation"] or 0.0) for count in counts]
        factors = [1 + other / one if one > 0 else 1.0 for one, other in zip(value, spread, strict=True)]
        low, high = ([one * factor**sign for one, factor in zip(value, factors, strict=True)] for sign in (-1, 1))
    else:
        low, high = ([float(values[f"r_{count}_{end}"]) for count in counts] for end in ("low", "high"))
    known = [taken for taken in costs if taken is not None]
    if len(known) == len(counts):
        bands = (tuple(low), tuple(high)) if cost is _count else ()
        yield Series(row.label, tuple(known), tuple(value), *bands)


def _floor(group: Group, metric: str) -> tuple[Guide, ...]:
    floor = group.floor(metric)
    return (Guide("y", floor, "error of the forward model itself"),) if floor else ()


def _count(row: Row, count: int) -> float:
    return float(count)


def _candidates(row: Row, count: int) -> float | None:
    """All of a ranking; else a share of those for all proposals."""
    generated = row.mean("generated", RT)
    if generated is None:
        return None
    first = row.score(RT)
    whole = first.estimator.startswith(RANKED) or generated < first.proposals
    return generated if whole else generated * count / first.proposals


def _seconds(row: Row, count: int) -> float | None:
    candidates, each = _candidates(row, count), row.mean(_per_candidate, InferenceTime)
    return None if candidates is None or each is None else candidates * each


def _per_candidate(scores: Times) -> float | None:
    return scores.seconds / scores.generated if scores.generated else None
