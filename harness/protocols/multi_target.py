"""Many targets, one proposal each (iPage Table 2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from harness.metrics import METRICS
from harness.protocols.contract import Material, Number, Protocol, Question, Shown
from harness.protocols.novelty import Novelty
from harness.protocols.shared import ALL, ErrorScores, error_numbers, error_scores, error_table, expected, many
from harness.reporting.apart import Apart, by_targets
from harness.reporting.figure import Axis, Figure, Panel, Series, headings
from harness.reporting.groups import Group
from harness.reporting.numbers import number, share
from harness.reporting.rows import Row
from harness.reporting.table import Column, Table
from harness.settings import Sizes
from harness.statistics import Array

NOVELTY = (
    "novelty: median distance of a design to the nearest training design, standardised x; copies: share of designs "
    "that are training designs"
)


class MultiTarget(Protocol):
    """The error over many targets of one proposal each, drawn anew in each repeat."""

    name: ClassVar[str] = "multi-target"
    references: ClassVar[tuple[str, ...]] = ("Bi, Fung, Zhang 2023, arXiv:2212.01016, Table 2",)
    score_type: ClassVar[type] = ErrorScores

    def questions(self, sizes: Sizes) -> dict[str, Question]:
        return {"targets": many(sizes)}

    def score(self, material: Material) -> ErrorScores:
        return error_scores(material, material.answers["targets"], fixed=False)

    def by_target(self, material: Material) -> Mapping[str, Array]:
        """The error of each target, its mean over proposals; the mean over the targets is the score's."""
        answered = material.answers["targets"]
        return {name: expected(answered.counted(name), answered, material.sizes) for name in METRICS}

    def numbers(self, scores: ErrorScores) -> Iterator[Number]:
        return error_numbers(scores)

    def tables(self) -> dict[str, Shown[Table]]:
        return {"multi-target": Shown(_build, place=20, metrics=ALL, reads=("novelty",), plain=True)}

    def figures(self) -> dict[str, Shown[Figure]]:
        return {"profile": Shown(_draw, place=4, metrics=("nmse", "mse", "sse"), plain=True)}


def _build(groups: Sequence[Group], metric: str | None, published: bool) -> list[Table]:
    columns = [
        Column("novelty", lambda raw: number(raw["novelty"])),
        Column("copies", lambda raw: share(raw["copies"])),
    ]
    # Where nothing is done at all, this is the table that says why.
    shown = [group for group in groups if group.scored(MultiTarget) or not group.done]
    tables = [
        error_table(MultiTarget, group, str(metric), published, of_one(group, str(metric)), columns, _novelty)
        for group in shown
    ]
    return [table.noting(NOVELTY) for table in tables]


def of_one(group: Group, metric: str, key: str = "") -> Apart:
    """Whether the errors of one proposal for each target tell two rows apart; `key` as of `by_targets`."""
    return by_targets(group, metric, MultiTarget.name, metric, key)


def _novelty(row: Row) -> dict[str, Any]:
    return {
        "novelty": row.mean("nearest", Novelty),
        "copies": row.mean("copies", Novelty),
    }


def _draw(groups: Sequence[Group], metric: str | None, published: bool) -> list[Figure]:
    """The share of targets whose error is within a threshold, one panel a task, and one of all tasks together."""
    import numpy as np

    from harness.comparing import profile

    error = str(metric)
    within = 10.0 ** np.linspace(-10, 1, 111)
    scored = [group for group in groups if any(_errors(row, error).size for row in group.rows)]
    shares = [
        {row.label: profile(errors, within) for row in group.rows if (errors := _errors(row, error)).size}
        for group in scored
    ]
    panels = list(zip(headings(scored), shares, strict=True))
    if len(shares) > 1:
        everywhere = [label for label in shares[0] if all(label in each for each in shares)]
        together = {label: np.mean([each[label] for each in shares], 0) for label in everywhere}
        panels += [("all tasks alike", together)] if together else []
    x, y = Axis(f"{error} of one proposal, at most", log=True), Axis("share of targets", low=0.0, high=1.0)
    drawn = tuple(
        Panel(title, x, y, tuple(Series(label, tuple(within), tuple(one)) for label, one in curves.items()))
        for title, curves in panels
    )
    said = ("the share of targets for which one proposal has at most this error", METRICS[error].words)
    return [Figure("profile", "How many targets are reached", drawn, said)] if drawn else []


def _errors(row: Row, metric: str) -> Array:
    return row.of_targets(MultiTarget.name, metric)
