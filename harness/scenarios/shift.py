"""Shift: targets from the tail of what was learned from, and beyond what can be reached."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from harness.contracts import Pairs, Task, outputs
from harness.distances import nearest_y
from harness.scenarios.contract import Scenario, Targets, View
from harness.settings import setting


@dataclass(frozen=True)
class Options:
    """Options of the scenario."""

    tail: float = setting(
        0.1, help="share of the targets, those furthest from the middle of y, asked for", above=0, most=1
    )
    beyond: float = setting(
        0.2,
        help="how much further from the middle every second target is moved, as a share of its distance",
        least=0,
        most=1000,
    )


class Shift(Scenario):
    """The targets furthest from the middle of y, and as many moved further out; methods learn from the usual pairs.

    The distance is that from the mean, each y in its standard deviation. Half of the targets are designs' y and can be
    reached; the others are moved away from the mean, past what the known designs reach if `beyond` is large enough.
    Both are scored by their excess over the best error of all designs that the harness knows, those behind the targets
    included: 0 or more unless a method finds a better design. y* stays as it is.
    """

    Options: ClassVar[type] = Options
    leaves_conditions = True

    def ask(self, task: Task, known: Pairs, targets: Targets, generator: Generator) -> Targets:
        if len(targets.y) < 2 or (self.options.tail == 1 and self.options.beyond == 0):
            return targets
        mean, scale = known.y.mean(0), known.y.std(0).where(known.y.std(0) > 0, 1.0)
        moves = torch.arange(task.y_dim) < outputs(task)
        distance = ((targets.y - mean) / scale).square().nanmean(1)
        number = max(2, round(self.options.tail * len(targets.y)))
        chosen = distance.argsort(descending=True)[:number]
        factor = torch.ones(number, 1, dtype=torch.float64)
        factor[1::2] += self.options.beyond
        # A target that is not moved stays what it is, to the last bit.
        y, shown = (
            part[chosen].where((factor == 1) | ~moves, mean + factor * (part[chosen] - mean))
            for part in (targets.y, targets.shown)
        )
        # Of a design under other conditions it is not known what it reaches under these.
        best = nearest(y, torch.cat([known.y, targets.y]), scale) if task.conditions is None else None
        views = {"tail": View(_rows(y, factor == 1), best), "beyond": View(_rows(y, factor != 1), best)}
        return Targets(y, shown, views)


def _rows(y: Tensor, chosen: Tensor) -> Tensor:
    """The targets `(m, y_dim)` with NaN in place of the rows that are not chosen `(m, 1)`."""
    return y.where(chosen, math.nan)


def nearest(y: Tensor, known: Tensor, scale: Tensor) -> Tensor:
    """Of the known y the one that is nearest to each target `(m, y_dim)`.

    Args:
        y: targets `(m, y_dim)`, physical; an entry that is NaN does not count.
        known: y to choose from `(n, y_dim)`, physical.
        scale: the unit of each entry `(y_dim,)`.
    """
    return known[nearest_y(y / scale, known / scale)[0]]
