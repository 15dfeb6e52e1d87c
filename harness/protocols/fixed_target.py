"""Many proposals for the fixed target y* (iPage Table 3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from harness.protocols.contract import Material, Number, Protocol, Question, Shown
from harness.protocols.shared import ALL, ErrorScores, error_numbers, error_scores, error_table, single
from harness.reporting.apart import by_spread
from harness.reporting.groups import Group
from harness.reporting.table import Table
from harness.settings import Sizes


class FixedTarget(Protocol):
    """The error of many proposals for one target, drawn anew in each repeat."""

    name: ClassVar[str] = "fixed-target"
    references: ClassVar[tuple[str, ...]] = ("Bi, Fung, Zhang 2023, arXiv:2212.01016, Table 3",)
    score_type: ClassVar[type] = ErrorScores

    def questions(self, sizes: Sizes) -> dict[str, Question]:
        return {"fixed": single(sizes)}

    def score(self, material: Material) -> ErrorScores:
        return error_scores(material, material.answers["fixed"], fixed=True)

    def numbers(self, scores: ErrorScores) -> Iterator[Number]:
        return error_numbers(scores)

    def tables(self) -> dict[str, Shown[Table]]:
        return {"fixed-target": Shown(_build, place=30, metrics=ALL, reads=(), plain=True)}


def _build(groups: Sequence[Group], metric: str | None, published: bool) -> list[Table]:
    told = by_spread("mean", "deviation")
    shown = [group for group in groups if group.scored(FixedTarget)]
    return [error_table(FixedTarget, group, str(metric), published, told) for group in shown]
