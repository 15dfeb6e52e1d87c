"""What a task itself measures on the proposals for y*, such as the share of checkerboard in a cell of pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from harness.protocols.contract import Material, Number, Protocol, Question, Shown
from harness.protocols.shared import single
from harness.reporting.build import base, table
from harness.reporting.groups import Group
from harness.reporting.numbers import number
from harness.reporting.rows import Row
from harness.reporting.table import Column, Raw, Table
from harness.settings import Sizes, setting

NOTE = "medians over proposals for the fixed target y*; the task's page in docs/tasks tells what each number is"


@dataclass(frozen=True)
class Options:
    """Options of the diagnosis."""

    designs: int = setting(1000, help="proposals that are looked at", least=1)


@dataclass(frozen=True)
class Found:
    """One of the task's numbers."""

    designs: int
    mean: float | None
    median: float | None


@dataclass(frozen=True)
class Scores:
    """The task's numbers by name."""

    found: dict[str, Found]


class Diagnosis(Protocol):
    """For tasks that have numbers of their own to show (`Task.diagnose`)."""

    name: ClassVar[str] = "diagnosis"
    Options: ClassVar[type] = Options
    score_type: ClassVar[type] = Scores

    def questions(self, sizes: Sizes) -> dict[str, Question]:
        return {"fixed": single(sizes)}

    def score(self, material: Material) -> Scores | None:
        import torch

        task = material.task
        x = material.answers["fixed"].answer.x.flatten(0, 1)[: self.options.designs]
        with torch.no_grad():
            found = task.diagnose(x[torch.isfinite(x).all(1) & task.in_support(x)])
        if not found:
            return None
        return Scores(
            {
                name: Found(len(value), float(value.mean()), float(value.nanmedian()))
                if len(value)
                else Found(0, None, None)
                for name, value in found.items()
            }
        )

    def numbers(self, scores: Scores) -> Iterator[Number]:
        for name, found in scores.found.items():
            yield from ((None, f"{name}_mean", found.mean), (None, f"{name}_median", found.median))

    def tables(self) -> dict[str, Shown[Table]]:
        return {"diagnosis": Shown(_build, place=90, plain=True)}


def _build(groups: Sequence[Group], metric: str | None, published: bool) -> list[Table]:
    return [_table(group, names) for group in groups if (names := _names(group))]


def _names(group: Group) -> list[str]:
    first: Scores | None = group.score(Diagnosis)
    return list(first.found) if first else []


def _table(group: Group, names: Sequence[str]) -> Table:
    columns = [Column(name.replace("_", " "), partial(_text, key=name)) for name in names]
    rows = [_raw(row, names) for row in group.rows]
    return table("diagnosis", "The task's own numbers", group, columns, rows, [NOTE])


def _raw(row: Row, names: Sequence[str]) -> dict[str, Any]:
    return {**base(row), **{name: row.mean(partial(_median, name=name), Diagnosis) for name in names}}


def _median(scores: Scores, name: str) -> float | None:
    return scores.found[name].median if name in scores.found else None


def _text(raw: Raw, key: str) -> str:
    return number(raw[key])
