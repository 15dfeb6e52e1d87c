"""Gaps: a part of y is not known when a method is asked, and perhaps also of the pairs that it learns from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Generator, Tensor

from harness.contracts import Pairs, Task, outputs, usable
from harness.scenarios.contract import Scenario, Targets, View
from harness.settings import setting

ROWS = 256  # targets compared with all known pairs at once
NEIGHBOURS = 8
"""Known y that are looked at where each of them has gaps of its own."""


@dataclass(frozen=True)
class Options:
    """Options of the scenario."""

    share: float = setting(0.3, help="of the entries of y that is hidden", least=0, below=1)
    hide: Literal["window", "random", "saturated"] = setting(
        "window",
        help="window: entries side by side, at a random place; random: any; saturated: values in the upper `share` of "
        "what each entry is over the known pairs, as of a detector at its limit",
    )
    training: bool = setting(False, help="hide entries of the pairs that are learned from, too")
    fill: Literal["nearest", "mean", "native"] = setting(
        "nearest",
        help="hidden entries are those of the training y that is nearest in the others (nearest), or their mean over "
        "the training part (mean, a warning); native: they are NaN, for methods that handle gaps",
    )


class Gaps(Scenario):
    """A part of each target is hidden; the training pairs are complete, or have gaps of the same kind.

    Proposals are scored against what is observed, and in views against the observed and the hidden entries alone. A
    design is free where y is hidden, so the hidden error is not a matter of right or wrong: it shows what a method
    takes for likely there. At least one entry of each y stays.
    """

    Options: ClassVar[type] = Options
    leaves_conditions = True
    _observed: Tensor | None = None
    """The training y with its gaps, once they are made: with it the gaps of targets are filled."""

    @property
    def needs(self) -> frozenset[str]:
        if self.options.fill != "native":
            return frozenset()
        return frozenset({"gaps", "partial"} if self.options.training else {"gaps"})

    @property
    def learns(self) -> bool:
        return bool(self.options.training and self.options.share)

    def refusal(self, task: Task) -> str | None:
        y_dim = outputs(task)
        hidden = 1 if self.options.hide == "saturated" else self._count(y_dim)
        if self.options.share == 0 or 0 < hidden < y_dim:
            return None
        return f"y has {y_dim} entr{'y' if y_dim == 1 else 'ies'}, of which {hidden} would be hidden"

    def data(self, task: Task, train: Pairs, valid: Pairs, generator: Generator) -> tuple[Pairs, Pairs]:
        if not self.options.training or self.options.share == 0:
            return train, valid
        limits = self._limits(usable(train).y)
        seen, held = (y.masked_fill(self._hidden(task, y, limits, generator), math.nan) for y in (train.y, valid.y))
        self._observed = seen
        return Pairs(train.x, self._shown(seen, seen)), Pairs(valid.x, self._shown(held, seen))

    def ask(self, task: Task, known: Pairs, targets: Targets, generator: Generator) -> Targets:
        if self.options.share == 0:
            return targets
        hidden = self._hidden(task, targets.shown, self._limits(known.y), generator)
        observed = targets.y.masked_fill(hidden, math.nan)
        learned = known.y if self._observed is None else self._observed
        shown = self._shown(targets.shown.masked_fill(hidden, math.nan), learned)
        views = {"observed y": View(observed), "hidden y": View(targets.y.masked_fill(~hidden, math.nan))}
        return Targets(observed, shown, views, targets.designs, at_random=self.options.hide != "saturated")

    def _shown(self, y: Tensor, known: Tensor) -> Tensor:
        """Y `(m, y_dim)` as a method is given it, its gaps filled from the known y as the option says."""
        if self.options.fill == "native":
            return y
        if self.options.fill == "mean":
            return y.where(y.isfinite(), known.nanmean(0))
        return filled(y, known)

    def _limits(self, known: Tensor) -> Tensor:
        """Where a detector saturates `(y_dim,)`."""
        return known.quantile(1 - self.options.share, 0)

    def _hidden(self, task: Task, y: Tensor, limits: Tensor, generator: Generator) -> Tensor:
        """The mask `(m, y_dim)` of what is not known of y; conditions are known."""
        number = outputs(task)
        hidden = torch.zeros(y.shape, dtype=torch.bool)
        hidden[:, :number] = self._of_outputs(y[:, :number], limits[:number], generator)
        return hidden

    def _of_outputs(self, y: Tensor, limits: Tensor, generator: Generator) -> Tensor:
        m, y_dim = y.shape
        if self.options.hide == "saturated":
            excess = y - limits
            least = torch.arange(y_dim) == excess.argmin(1, keepdim=True)
            return (excess > 0) & ~least
        size = self._count(y_dim)
        if self.options.hide == "random":
            return torch.rand(m, y_dim, generator=generator, dtype=torch.float64).argsort(1) < size
        starts = torch.randint(y_dim - size + 1, (m, 1), generator=generator)
        places = torch.arange(y_dim)
        return (places >= starts) & (places < starts + size)

    def _count(self, y_dim: int) -> int:
        return max(1, round(self.options.share * y_dim))


def filled(y: Tensor, known: Tensor) -> Tensor:
    """Y `(m, y_dim)` whose NaN entries are those of the known y that is nearest in the others.

    Nearest in units of each entry's standard deviation over the known, mean over the entries that both have. Where the
    nearest lacks an entry, too, it is that of the next nearest, and in the end the mean.

    Args:
        y: `(m, y_dim)`, physical, with NaN.
        known: y to fill from `(n, y_dim)`, physical.

    >>> known = torch.tensor([[1.1, 5.0], [9.0, 6.0]], dtype=torch.float64)
    >>> filled(torch.tensor([[1.0, math.nan]], dtype=torch.float64), known).tolist()
    [[1.0, 5.0]]
    """
    has = known.isfinite()
    mean = known.nanmean(0)
    scale = (known - mean).square().nanmean(0).sqrt()
    scale = scale.where(scale > 0, 1.0)
    others, complete = ((known - mean) / scale).nan_to_num(), bool(has.all())
    nearest = 1 if complete else min(NEIGHBOURS, len(known))
    parts = []
    for rows in y.split(ROWS):
        there = rows.isfinite()
        weighted = ((rows - mean) / scale).nan_to_num()
        distance = there.double() @ others.square().T - 2 * weighted @ others.T
        if not complete:
            both = there.double() @ has.double().T
            distance = (distance + weighted.square() @ has.double().T) / both
            distance = distance.nan_to_num(nan=torch.inf)
        found = rows
        for donor in distance.topk(nearest, largest=False).indices.T:
            found = found.where(found.isfinite(), known[donor])
        parts.append(found.where(found.isfinite(), mean))
    return torch.cat(parts)
