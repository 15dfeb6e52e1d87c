"""The figures of the posterior: where proposals lie beside draws of the reference, and how their coverage is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import ClassVar

from harness.posterior.results import Picture, Scores
from harness.protocols.contract import Protocol, Shown
from harness.protocols.posterior import Posterior
from harness.reporting.figure import Axis, Figure, Guide, Panel, Series, headings, unit_of
from harness.reporting.groups import Group
from harness.reporting.rows import Row

MARGIN = 0.5
"""How much of the reference's extent is shown on each side of it, where the prior's box goes on so far."""

EACH = 2
"""Of the levels that are kept, every second one is drawn."""


class PosteriorFigures(Protocol):
    """The figures of what `posterior` found; it asks nothing of its own."""

    name: ClassVar[str] = "posterior-figures"

    def figures(self) -> dict[str, Shown[Figure]]:
        return {"posterior": Shown(_maps, place=70), "coverage": Shown(_coverage, place=72)}


def _coverage(groups: Sequence[Group], metric: str | None, published: bool) -> list[Figure]:
    """Expected coverage against its level, one panel a task."""
    axes = Axis("level", low=0, high=1), Axis("expected coverage", low=0, high=1)
    diagonal = (Guide("diagonal", label="calibrated"),)
    panels = tuple(
        Panel(heading, *axes, series, diagonal, square=True)
        for heading, group in zip(headings(groups), groups, strict=True)
        if (series := tuple(each for row in group.rows for each in _curve(row)))
    )
    said = (
        "how many of the designs behind the targets lie in the regions of a level, which are balls about random points "
        "(TARP): above the diagonal in the right half, proposals are spread too widely; below it, too narrowly or off",
        "methods that rank their proposals have no such curve",
    )
    return [Figure("coverage", "Expected coverage", panels, said, beside="posterior")] if panels else []


def _curve(row: Row) -> Iterator[Series]:
    """The mean over seeds."""
    every = [found.calibration.coverage for found in row.scores(Posterior) if found.calibration is not None]
    if every:
        mean = [sum(values) / len(values) for values in zip(*every, strict=True)]
        levels = [place / len(mean) for place in range(1, len(mean) + 1)]
        yield Series(row.label, (0.0, *levels[EACH - 1 :: EACH]), (0.0, *mean[EACH - 1 :: EACH]))


def _maps(groups: Sequence[Group], metric: str | None, published: bool) -> list[Figure]:
    """Proposals for y* on draws of the reference: a panel, or a row of them, for each method; one figure a task."""
    found = []
    for heading, group in zip(headings(groups), groups, strict=True):
        pictures = [(row, scores.picture) for row in group.rows if (scores := _drawn(row)) and scores.picture]
        panels = tuple(panel for row, picture in pictures for panel in _pairs(row, picture))
        if panels:
            across = 0 if len(pictures[0][1].labels) == 2 else 3
            title = f"Proposals for y* and the reference: {heading}"
            found.append(
                Figure(
                    "posterior",
                    title,
                    panels,
                    _SAID,
                    legend=False,
                    across=across,
                    apart=heading,
                    beside="posterior",
                    files_only=True,
                )
            )
    return found


_SAID = (
    "titles: mean MMD² to the reference, for y*",
    "coordinates in which the reference is spread most; proposals outside the picture are not drawn",
)


def _drawn(row: Row) -> Scores | None:
    scores: Scores | None = row.score(Posterior)
    return scores


def _pairs(row: Row, picture: Picture) -> Iterator[Panel]:
    scores = _drawn(row)
    mmd = scores.own.mmd if scores and scores.own else None
    title = row.label if mmd is None else f"{row.label}: {mmd:.2g}"
    for across, up in combinations(range(len(picture.labels)), 2):
        points = tuple((draw[across], draw[up]) for draw in picture.reference)
        axes = _axis(picture, across), _axis(picture, up)
        own = [(one[across], one[up]) for one in picture.proposals]
        inside = [(x, y) for x, y in own if _within(x, axes[0]) and _within(y, axes[1])]
        series = Series(row.label, tuple(x for x, _ in inside), tuple(y for _, y in inside), joined=False)
        guide = Guide("points", label="draws of the reference", points=points)
        yield Panel(title, *axes, (series,), (guide,), square=True)


def _axis(picture: Picture, number: int) -> Axis:
    values = [draw[number] for draw in picture.reference]
    room = MARGIN * (max(values) - min(values))
    low, high = picture.bounds[number]
    least, most = min(low, min(values)), max(high, max(values))
    label = unit_of(picture.labels[number])
    return Axis(label, low=max(least, min(values) - room), high=min(most, max(values) + room))


def _within(value: float, axis: Axis) -> bool:
    assert axis.low is not None and axis.high is not None
    return axis.low <= value <= axis.high  # NaN is not
