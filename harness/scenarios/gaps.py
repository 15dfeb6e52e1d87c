"""Gaps: a window of y is not known when a method is asked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Generator, Tensor

from harness.contracts import Pairs, Task
from harness.scenarios.contract import Scenario, Targets, View
from harness.settings import setting

ROWS = 256  # targets compared with all known pairs at once


@dataclass(frozen=True)
class Options:
    """Options of the scenario."""

    window: float = setting(0.3, help="share of the entries of y, side by side, that are hidden", least=0, below=1)
    fill: Literal["nearest", "native"] = setting(
        "nearest",
        help="nearest: hidden entries are those of the training y that is nearest in the others; native: they are NaN, "
        "for methods that handle gaps",
    )


class Gaps(Scenario):
    """A contiguous window of each target, at a random place, is hidden; the training pairs are complete.

    Proposals are scored against what is observed, and in views against the observed and the hidden entries alone. A
    design is free where y is hidden, so the hidden error is not a matter of right or wrong: it shows what a method
    takes for likely there.
    """

    Options: ClassVar[type] = Options

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({"gaps"} if self.options.fill == "native" else ())

    def refusal(self, task: Task) -> str | None:
        y_dim = task.y_dim
        hidden = self._hidden(y_dim)
        if self.options.window == 0 or 0 < hidden < y_dim:
            return None
        return f"y has {y_dim} entr{'y' if y_dim == 1 else 'ies'}, of which {hidden} would be hidden"

    def ask(self, task: Task, known: Pairs, targets: Targets, generator: Generator) -> Targets:
        if self.options.window == 0:
            return targets
        m, y_dim = targets.y.shape
        size = self._hidden(y_dim)
        starts = torch.randint(y_dim - size + 1, (m, 1), generator=generator)
        places = torch.arange(y_dim)
        hidden = (places >= starts) & (places < starts + size)
        observed = targets.y.masked_fill(hidden, math.nan)
        shown = targets.shown.masked_fill(hidden, math.nan)
        if self.options.fill == "nearest":
            shown = filled(shown, known.y)
        views = {"observed y": View(observed), "hidden y": View(targets.y.masked_fill(~hidden, math.nan))}
        return Targets(observed, shown, views)

    def _hidden(self, y_dim: int) -> int:
        return max(1, round(self.options.window * y_dim))


def filled(y: Tensor, known: Tensor) -> Tensor:
    """Targets `(m, y_dim)` whose NaN entries are those of the known y that is nearest in the others.

    Nearest in units of each entry's standard deviation over the known.

    Args:
        y: targets `(m, y_dim)`, physical, with NaN.
        known: y to fill from `(n, y_dim)`, physical and complete.

    >>> known = torch.tensor([[1.1, 5.0], [9.0, 6.0]], dtype=torch.float64)
    >>> filled(torch.tensor([[1.0, math.nan]], dtype=torch.float64), known).tolist()
    [[1.0, 5.0]]
    """
    scale = known.std(0).where(known.std(0) > 0, 1.0)
    parts = []
    for rows in y.split(ROWS):
        there = rows.isfinite()
        weighted, others = (rows / scale).nan_to_num(), known / scale
        # |t - k|^2 over the entries that are there, but for the part that is the same for all k.
        distance = there.double() @ others.square().T - 2 * weighted @ others.T
        parts.append(rows.where(there, known[distance.argmin(1)]))
    return torch.cat(parts)
