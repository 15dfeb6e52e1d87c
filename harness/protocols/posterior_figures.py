"""Where proposals lie beside draws of the reference posterior."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import ClassVar

from harness.posterior.results import Picture, Scores
from harness.protocols.contract import Material, Protocol, Question, Shown
from harness.protocols.posterior import Posterior, Reference, asks_otherwise, likelihood_of
from harness.protocols.shared import in_repeats, many, single
from harness.reporting.figure import Axis, Figure, Guide, Panel, Series, headings, unit_of
from harness.reporting.groups import Group
from harness.reporting.rows import Row
from harness.settings import Sizes

MARGIN = 0.5
"""How much of the reference's extent is shown on each side of it, where the prior's box goes on so far."""


class PosteriorFigures(Protocol):
    """Proposals for y* and draws of the reference: what is drawn is kept apart from the numbers that tables read."""

    name: ClassVar[str] = "posterior-figures"
    Options: ClassVar[type] = Reference
    score_type: ClassVar[type] = Picture

    def questions(self, sizes: Sizes) -> dict[str, Question]:
        return {"targets": many(sizes), "fixed": single(sizes)}

    def score(self, material: Material) -> Picture | None:
        from harness.posterior.picture import picture
        from harness.posterior.scoring import reference_of, refusal

        task, data, options = material.task, material.data, self.options
        fixed, targets = material.answers["fixed"], material.answers["targets"]
        if refusal(task, data) or asks_otherwise(targets, fixed):
            return None
        (x,) = in_repeats(fixed.answer.x, fixed, 1, material.seed)
        counts = len(x), targets.answer.x.shape[1]
        reference, _ = reference_of(task, data, counts, likelihood_of(material, options), options.targets)
        return picture(task, data, reference, x)

    def figures(self) -> dict[str, Shown[Figure]]:
        return {"posterior": Shown(_maps, place=70, files_only=True, plain=True)}


def _maps(groups: Sequence[Group], metric: str | None, published: bool) -> list[Figure]:
    """Proposals for y* on draws of the reference: a panel, or a row of them, for each method; one figure a task."""
    found = []
    for heading, group in zip(headings(groups), groups, strict=True):
        pictures = [(row, picture) for row in group.rows if (picture := row.score(PosteriorFigures))]
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
                )
            )
    return found


_SAID = (
    "titles: mean MMD² to the reference, for y*",
    "coordinates in which the reference is spread most; proposals outside the picture are not drawn",
)


def _pairs(row: Row, picture: Picture) -> Iterator[Panel]:
    scores: Scores | None = row.score(Posterior)
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
