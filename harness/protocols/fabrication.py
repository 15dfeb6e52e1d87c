"""What is left of an answer when it is made: the error after a little noise on the design, as of a fabrication."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from harness.metrics import METRICS
from harness.protocols.contract import Answered, Material, Number, Protocol, Question, Shown
from harness.protocols.shared import many
from harness.reporting import notes
from harness.reporting.build import base, table
from harness.reporting.groups import Group
from harness.reporting.numbers import number, share
from harness.reporting.rows import Row
from harness.reporting.table import Column, Raw, Table
from harness.settings import Sizes, setting

if TYPE_CHECKING:
    from torch import Tensor

    from harness.contracts import Task


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
        task, answered = material.task, material.answers["targets"]
        first = _of(answered, answered.answer.x[:, :1])
        x = self._made(task, first.answer.x.expand(-1, self.options.draws, -1), material.seed)
        if x is None:
            return None
        made = _of(answered, x)
        return Scores(self.options.noise, _levels(first), _levels(made), made.valid)

    def _made(self, task: Task, x: Tensor, seed: int) -> Tensor | None:
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
        return {"fabrication": Shown(_build, place=75, metrics=("nmse", "mse", "sse"))}


def _of(answered: Answered, x: Tensor) -> Answered:
    """The same question with other designs."""
    return replace(answered, answer=replace(answered.answer, x=x))


def _levels(answered: Answered) -> dict[str, Level]:
    each = {metric: answered.counted(metric) for metric in METRICS}
    return {metric: Level(float(errors.mean()), float(np.median(errors))) for metric, errors in each.items()}


def _build(groups: Sequence[Group], metric: str | None, published: bool) -> list[Table]:
    return [_table(group, str(metric)) for group in groups if group.scored(Fabrication)]


def _table(group: Group, metric: str) -> Table:
    floor = group.floor(metric)
    columns = [
        Column(f"{metric} as proposed", partial(_text, key="proposed")),
        Column("as made", partial(_text, key="made"), best="made", floor=floor),
        Column("median as proposed", partial(_text, key="proposed_median")),
        Column("as made", partial(_text, key="made_median"), best="made_median", floor=floor),
        Column("valid as made", lambda raw: share(raw["valid"])),
    ]
    noise = next((scores.noise for row in group.rows for scores in row.scores(Fabrication)), 0.0)
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
