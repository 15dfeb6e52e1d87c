"""What proposals look like: where they lie in a plane (iPage Figs. 4, 5; Ren Fig. 4), and what they reach."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import TYPE_CHECKING, ClassVar

from harness.metrics import ACCURATE
from harness.protocols.contract import Answered, Material, Number, Protocol, Question, Shown
from harness.protocols.shared import in_repeats, many, single
from harness.reporting.figure import Axis, Figure, Guide, Panel, Series, headings, unit_of
from harness.reporting.groups import Group
from harness.reporting.rows import Row
from harness.settings import Sizes, setting

if TYPE_CHECKING:
    from torch import Tensor


SPECTRUM = 10
"""Numbers of y from which on they are drawn as a curve."""
COUNTS = (25, 50, 100)
"""Proposals in the maps of iPage Fig. 5, but for all 200."""
DIGITS = 5
"""Significant digits that are kept, enough for a picture."""


@dataclass(frozen=True)
class Options:
    """Options of what is kept."""

    designs: int = setting(200, help="proposals for y* that are kept of a task with two numbers of x", least=1)
    targets: int = setting(100, help="targets whose first proposal is kept of a task with one number of y", least=1)
    few: int = setting(25, help="proposals for y* that are asked for by themselves, of two numbers of x", least=1)


@dataclass(frozen=True)
class Plane:
    """Proposals for y* in a plane of designs, with all designs that reach it."""

    bounds: list[list[float]]
    """Least and greatest of each x that is drawn, the prior's box."""
    labels: list[str]
    x: list[list[float | None]]
    """The proposals in their order; None for what is no number."""
    curves: list[list[list[float]]]
    """The solution curves, each a list of points: the designs of the box with exactly y*."""
    nearest: list[int | None]
    """The number of the curve to which each proposal is nearest; None of one with an nmse of 0.01 or more."""
    asked: int
    """How many proposals were asked for by themselves."""
    found: list[int]
    """The number of curves that these find, in each repeat."""


@dataclass(frozen=True)
class Scores:
    """What is drawn."""

    plane: Plane | None
    """Of a task with two continuous x and one y."""
    label: str | None
    """Of a single y; None where y is a spectrum."""
    wanted: list[float | None]
    """Of a spectrum y*, of a single y the targets; None where it is not known."""
    reached: list[float | None]
    """What the first proposal for y*, or for each target, reaches; None where it is invalid."""
    axis: str | None = None
    """Label of the axis of a spectrum, such as its wavelengths; None where the task names none."""
    places: list[float] | None = None
    """The values along that axis."""


class Solutions(Protocol):
    """Some proposals, for figures: no number of it is compared."""

    name: ClassVar[str] = "solutions"
    references: ClassVar[tuple[str, ...]] = (
        "Bi, Fung, Zhang 2023, arXiv:2212.01016, Figs. 4, 5",
        "Ren, Padilla, Malof 2020, Fig. 4",
    )
    Options: ClassVar[type] = Options
    score_type: ClassVar[type] = Scores

    def questions(self, sizes: Sizes) -> dict[str, Question]:
        few = Question("fixed", min(self.options.few, sizes.fixed_proposals), sizes.repeats)
        return {"targets": many(sizes), "fixed": single(sizes), "few": few}

    def score(self, material: Material) -> Scores | None:
        from harness.solution_curves import is_plane

        task, answers = material.task, material.answers
        known = bool(answers["fixed"].targets.y.isfinite().all())
        plane = self._plane(material) if known and is_plane(task) else None
        if task.y_dim == 1:
            first = answers["targets"].reached[: self.options.targets, 0, 0]
            wanted = answers["targets"].targets.y[: self.options.targets, 0]
        elif task.y_dim >= SPECTRUM:
            first, wanted = answers["fixed"].reached[0, 0], answers["fixed"].targets.y[0]
        else:
            return None
        label = (task.y_labels or ("y",))[0] if task.y_dim == 1 else None
        name, places = task.y_axis if label is None and task.y_axis else (None, None)
        along = None if places is None else [float(f"{place:.{DIGITS}g}") for place in places]
        return Scores(plane, label, _rounded(wanted), _rounded(first), name, along)

    def _plane(self, material: Material) -> Plane:
        from harness.solution_curves import NO_CURVE, curves

        task, answered, few = material.task, material.answers["fixed"], material.answers["few"]
        lines = curves(task, float(answered.targets.y[0, 0]))
        kept = slice(self.options.designs)
        repeats = few.question.repeats
        asked = in_repeats(_nearest(few, lines, repeats), few, repeats, material.seed)
        return Plane(
            bounds=task.bounds.T.tolist(),
            labels=list(task.x_labels or ("x1", "x2")),
            x=[_rounded(row) for row in answered.answer.x[0, kept]],
            curves=[[[round(value, 3) for value in point] for point in line.tolist()] for line in lines],
            nearest=[curve if curve != NO_CURVE else None for curve in _nearest(answered, lines, 1)[0, kept].tolist()],
            asked=few.question.n,
            found=[len({*row} - {NO_CURVE}) for row in asked.tolist()],
        )

    def numbers(self, scores: Scores) -> Iterator[Number]:
        if scores.plane is not None:
            yield None, "curves", len(scores.plane.curves)
            nearest = scores.plane.nearest
            for count in _asked(len(nearest)):
                yield None, f"found_{count}", _expected(nearest, count), count
            found = scores.plane.found
            yield None, "few_found", fmean(found), scores.plane.asked
            yield None, "few_found_std", stdev(found) if len(found) > 1 else None, scores.plane.asked

    def figures(self) -> dict[str, Shown[Figure]]:
        return {
            "solutions": Shown(_draw_solutions, place=50, plain=True),
            "solutions-by-T": Shown(_draw_by_count, place=55, plain=True),
            "responses": Shown(_draw_responses, place=60, plain=True),
        }


def _nearest(answered: Answered, lines: Sequence[Tensor], rows: int) -> Tensor:
    """The number of the curve that each proposal is nearest to `(rows, n)`; `NO_CURVE` of one that is not accurate."""
    from harness.solution_curves import NO_CURVE, nearest_curve

    x = answered.answer.x[:rows]
    nearest = nearest_curve(x.flatten(0, 1), lines).view(x.shape[:2])
    return nearest.where(answered.errors("nmse")[:rows] < ACCURATE, NO_CURVE)


def _rounded(values: Tensor) -> list[float | None]:
    return [float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None for value in values.tolist()]


def _planes(group: Group) -> Iterator[tuple[Row, Plane]]:
    for row in group.rows:
        scores = row.score(Solutions)
        if scores is not None and scores.plane is not None:
            yield row, scores.plane


def _draw_solutions(groups: Sequence[Group], metric: str | None, published: bool) -> list[Figure]:
    """The proposals of each method for y* on the solution curves, one panel a method; one figure a task."""
    return _maps("solutions", "Where proposals for y* lie", groups, lambda most: [most])


def _draw_by_count(groups: Sequence[Group], metric: str | None, published: bool) -> list[Figure]:
    """As `_draw_solutions`, after 25, 50 and 100 proposals: a row of panels for each method."""
    return _maps("solutions-by-T", "Solutions found by T proposals", groups, _counts, across=len(COUNTS))


def _maps(
    name: str, title: str, groups: Sequence[Group], counts: Callable[[int], list[int]], across: int = 0
) -> list[Figure]:
    return [
        Figure(
            name,
            f"{title}: {heading}",
            tuple(panels),
            _SAID,
            legend=False,
            across=across,
            apart=heading,
            beside="fixed-target",
        )
        for heading, group in zip(headings(groups), groups, strict=True)
        if (panels := [_map(row, plane, count) for row, plane in _planes(group) for count in counts(len(plane.x))])
    ]


def _counts(most: int) -> list[int]:
    """The numbers of proposals that are drawn; the last one alone has a figure of its own."""
    return [count for count in COUNTS if count < most] or [most]


_SOLVED = "all designs of the box with exactly y*"
_SAID = (
    "titles: to how many of the solution curves one of the first T proposals, or of all, comes with nmse below 0.01",
    "proposals outside the box are not drawn",
)


def _map(row: Row, plane: Plane, count: int) -> Panel:
    (left, right), (low, high) = plane.bounds
    points = [(across, up) for across, up in plane.x[:count] if across is not None and up is not None]
    inside = [(across, up) for across, up in points if left <= across <= right and low <= up <= high]
    x, y = zip(*inside, strict=True) if inside else ((), ())
    curves = tuple(Guide("curve", label=_SOLVED, points=tuple((a, b) for a, b in line)) for line in plane.curves)
    horizontal, vertical = (unit_of(label) for label in plane.labels)
    axes = Axis(horizontal, low=left, high=right), Axis(vertical, low=low, high=high)
    shown = row.label if count == len(plane.x) else f"{row.label}, T = {count}"
    title = f"{shown}: {_found(plane, count)} of {len(plane.curves)}"
    return Panel(title, *axes, (Series(row.label, x, y, joined=False),), curves, square=True)


def _found(plane: Plane, count: int) -> int:
    """The solution curves to which an accurate one of the first proposals is nearest."""
    return len({*plane.nearest[:count]} - {None})


def _asked(most: int) -> list[int]:
    """The numbers of proposals for which it is told how many curves they find."""
    return [*(count for count in COUNTS if count < most), most]


def _expected(nearest: Sequence[int | None], count: int) -> float:
    """How many curves so many of the proposals find, drawn at random: the mean over all ways to do it.

    Args:
        nearest: the curve that each proposal finds.
        count: T.
    """
    ways = math.comb(len(nearest), count)
    found = Counter(curve for curve in nearest if curve is not None)
    return sum(1 - math.comb(len(nearest) - times, count) / ways for times in found.values())


def _draw_responses(groups: Sequence[Group], metric: str | None, published: bool) -> list[Figure]:
    """What first proposals reach: a spectrum beside y*, or the y of each target against the one wanted."""
    found = zip(headings(groups), groups, strict=True)
    panels = tuple(panel for heading, group in found if (panel := _responses(heading, group)) is not None)
    said = (
        "curves: what the first proposal for y* reaches",
        "points: the y that the first proposal for a target reaches against the one wanted",
    )
    return [Figure("responses", "What first proposals reach", panels, said, beside="fixed-target")] if panels else []


def _responses(heading: str, group: Group) -> Panel | None:
    each = [(row.label, scores) for row in group.rows if (scores := row.score(Solutions))]
    if not each:
        return None
    first = each[0][1]
    if first.label is not None:
        axes = Axis(unit_of(first.label, "wanted")), Axis(unit_of("".join(first.label.partition("[")[1:]), "reached"))
        series = [Series(label, _known(one.wanted), _known(one.reached), joined=False) for label, one in each]
        return Panel(heading, *axes, tuple(series), (Guide("diagonal", label="reached = wanted"),))
    return _spectra(heading, each)


def _spectra(heading: str, each: Sequence[tuple[str, Scores]]) -> Panel:
    """What first proposals for y* reach, of each method, along the axis of the task where it names one."""
    first = each[0][1]
    places = tuple(first.places or (float(place) for place in range(1, len(first.wanted) + 1)))
    along = Axis(unit_of(first.axis) if first.axis else f"place in y, of {len(places)}")
    points = tuple(zip(places, _known(first.wanted), strict=True))
    wanted = Guide("curve", points=points, label="wanted, y*", front=True)
    series = [Series(label, places, _known(one.reached)) for label, one in each if any(one.reached)]
    return Panel(heading, along, Axis("reached y"), tuple(series), (wanted,))


def _known(values: Sequence[float | None]) -> tuple[float, ...]:
    return tuple(float("nan") if value is None else value for value in values)
