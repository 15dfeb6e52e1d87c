"""What is left of an answer when it is made: the error after a little noise on the design, as of a fabrication."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from harness.metrics import METRICS
from harness.protocols.contract import Answered, Material, Number, Protocol, Question, Shown
from harness.protocols.shared import many
from harness.reporting import notes
from harness.reporting.apart import by_targets
from harness.reporting.build import base, table
from harness.reporting.groups import Group
from harness.reporting.numbers import number, share
from harness.reporting.rows import Row
from harness.reporting.table import Column, Raw, Table
from harness.settings import Sizes, setting

if TYPE_CHECKING:
    from torch import Tensor

    from harness.contracts import Task
    from harness.statistics import Array


@dataclass(frozen=True)
class Options:
    """Options of the noise."""

    noise: float = setting(0.01, help="its standard deviation, in widths of the prior's box", above=0)
    draws: int = setting(3, help="times that each design is made", least=1)


@dataclass(frozen=True)
class Level:
    """Errors over designs; an invalid one counts with the mean error of a draw from the prior."""

    mean: float
    median: float


@dataclass(frozen=True)
class Scores:
    """The first proposal for each target, as it was proposed and as it is made."""

    noise: float
    proposed: dict[str, Level]
    """By metric."""
    made: dict[str, Level]
    valid: float
    """Share of the designs that are valid as they are made."""


class Fabrication(Protocol):
    """The error of first proposals after normal noise on every continuous column of x, as of a process that makes them.

    A task without a continuous column, such as one of pixels, has no scores here.
    """

    name: ClassVar[str] = "fabrication"
    Options: ClassVar[type] = Options
    score_type: ClassVar[type] = Scores

    def questions(self, sizes: Sizes) -> dict[str, Question]:
        return {"targets": many(sizes)}

    def score(self, material: Material) -> Scores | None:
        made = self._made(material)
        if made is None:
            return None
        answered = material.answers["targets"]
        first = replace(made, answer=replace(answered.answer, x=answered.answer.x[:, :1]))
        return Scores(self.options.noise, _levels(first), _levels(made), made.valid)

    def by_target(self, material: Material) -> Mapping[str, Array]:
        """The error of each target as the design is made, its mean over draws."""
        made = self._made(material)
        return {metric: made.counted(metric).mean(1) for metric in METRICS} if made else {}

    def _made(self, material: Material) -> Answered | None:
        """The first proposals, each as it is made several times; None where no column is continuous."""
        answered = material.answers["targets"]
        x = answered.answer.x[:, :1].expand(-1, self.options.draws, -1)
        moved = self._moved(material.task, x, material.seed)
        return None if moved is None else replace(answered, answer=replace(answered.answer, x=moved))

    def _moved(self, task: Task, x: Tensor, seed: int) -> Tensor | None:
        """Designs `(targets, draws, x_dim)` with noise; None where no column is continuous.

        Where a design would be moved out of the prior's box, it is moved the other way.
        """
        import torch

        from harness.kinds import discrete

        low, high = task.bounds.cpu()
        scale = (self.options.noise * (high - low)).where(~discrete(task.kinds, task.x_dim), 0.0)
        if not bool((scale > 0).any()):
            return None
        generator = torch.Generator().manual_seed(seed)
        moved = scale * torch.randn(x.shape, generator=generator, dtype=torch.float64)
        leaves = (x >= low) & (x <= high) & ((x + moved < low) | (x + moved > high))
        return x + moved.where(~leaves, -moved)

    def numbers(self, scores: Scores) -> Iterator[Number]:
        for metric, level in scores.made.items():
            yield from ((metric, name, value) for name, value in asdict(level).items())
        for metric, level in scores.proposed.items():
            yield from ((metric, f"proposed_{name}", value) for name, value in asdict(level).items())
        yield None, "valid", scores.valid

    def tables(self) -> dict[str, Shown[Table]]:
        return {"fabrication": Shown(_build, place=75, metrics=("nmse", "mse", "sse"), plain=True)}


def _levels(answered: Answered) -> dict[str, Level]:
    each = {metric: answered.counted(metric) for metric in METRICS}
    return {metric: Level(float(errors.mean()), float(np.median(errors))) for metric, errors in each.items()}


def _build(groups: Sequence[Group], metric: str | None, published: bool) -> list[Table]:
    return [_table(group, str(metric)) for group in groups if group.scored(Fabrication)]


def _table(group: Group, metric: str) -> Table:
    told = by_targets(group, metric, Fabrication.name, metric)
    floor = group.floor(metric)
    columns = [
        Column(f"{metric} as proposed", partial(_text, key="proposed"), value="proposed", floor=floor),
        Column("as made", partial(_text, key="made"), best="made", floor=floor, apart=told),
        Column("median as proposed", partial(_text, key="proposed_median"), value="proposed_median", floor=floor),
        Column("median as made", partial(_text, key="made_median"), value="made_median", floor=floor),
        Column("valid as made", lambda raw: share(raw["valid"])),
    ]
    first: Scores | None = group.score(Fabrication)
    noise = first.noise if first else 0.0
    extra = [
        f"as made: after normal noise of {100 * noise:g} % of the width of the prior's box on each continuous x of the "
        "first proposal for each target",
        METRICS[metric].words,
        notes.INVALID,
    ]
    rows = [_raw(row, metric) for row in group.rows]
    return table("fabrication", "Errors after fabrication", group, columns, rows, extra, metric)


def _raw(row: Row, metric: str) -> dict[str, Any]:
    raw: dict[str, Any] = {**base(row), "valid": row.mean("valid", Fabrication)}
    for of in ("proposed", "made"):
        raw[of] = row.mean(partial(_level, of=of, metric=metric, name="mean"), Fabrication)
        raw[f"{of}_median"] = row.mean(partial(_level, of=of, metric=metric, name="median"), Fabrication)
    return raw


def _level(scores: Scores, of: str, metric: str, name: str) -> float:
    level: Level = getattr(scores, of)[metric]
    return float(getattr(level, name))


def _text(raw: Raw, key: str) -> str:
    return number(raw[key])
