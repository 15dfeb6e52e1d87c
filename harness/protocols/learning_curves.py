"""How many pairs a method needs: its error against their number, from runs in the scenario `pairs`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from harness.protocols.contract import Protocol, Shown
from harness.protocols.multi_target import MultiTarget
from harness.reporting.bases import with_scenarios
from harness.reporting.figure import Axis, Figure, Panel, Series
from harness.reporting.groups import Group

SCENARIO = "pairs"


class LearningCurves(Protocol):
    """The figure of error against the number of pairs; it asks nothing of its own."""

    name: ClassVar[str] = "learning-curves"

    def figures(self) -> dict[str, Shown[Figure]]:
        return {"error-and-pairs": Shown(_draw, place=44, metrics=("nmse", "mse", "sse"))}


def _draw(groups: Sequence[Group], metric: str | None, published: bool) -> list[Figure]:
    axes = Axis("pairs to learn from", log=True), Axis(f"mean {metric}", log=True)
    panels = []
    for base, others in with_scenarios(groups):
        fewer = [group for group in others if _scenario(group) == SCENARIO]
        series = tuple(_curves([*fewer, base], str(metric)))
        panels += [Panel(base.task, *axes, series)] * bool(series)
    said = (
        f"the mean {metric} of one proposal for each of the same targets, of models that have learned from so many "
        "pairs, the validation part included",
    )
    found = Figure("error-and-pairs", "Error and number of pairs", tuple(panels), said, beside="ranking")
    return [found] * bool(panels)


def _scenario(group: Group) -> str:
    scenario = group.first.declared.scenario
    return scenario.name if scenario else ""


def _curves(groups: Sequence[Group], metric: str) -> Iterator[Series]:
    """A line for each method, through its errors with more and more pairs."""
    labels = dict.fromkeys(row.label for group in groups for row in group.rows)
    for label in labels:
        points = sorted(_points(groups, label, metric))
        if len(points) > 1:
            yield Series(label, tuple(n for n, _ in points), tuple(error for _, error in points))


def _points(groups: Sequence[Group], label: str, metric: str) -> Iterator[tuple[float, float]]:
    for group in groups:
        data = group.first.data
        rows = [row for row in group.rows if row.label == label]
        errors = [row.mean(lambda scores: scores.errors[metric].mean, MultiTarget) for row in rows]
        yield from ((float(data.n_train + data.n_valid), error) for error in errors if data and error is not None)
