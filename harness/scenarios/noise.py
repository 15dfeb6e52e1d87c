"""Noise: y is observed with measurement noise, in training and in what is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from harness.contracts import Pairs, Task, outputs, usable
from harness.scenarios.contract import Scenario, Targets, View
from harness.settings import setting


@dataclass(frozen=True)
class Options:
    """Options of the scenario."""

    sd: float = setting(
        0.05, help="standard deviation of the noise, in that of each y over the known pairs", least=0, most=1000
    )


class Noise(Scenario):
    """Normal noise on every y that is learned from and asked for.

    Proposals are scored against the noisy y, and in a view against the true one. Below `sd`² the error against the
    noisy y is no merit: a method that reaches it has fitted the noise, and pays with the error against the true y.
    """

    Options: ClassVar[type] = Options
    leaves_conditions = True

    def data(self, task: Task, train: Pairs, valid: Pairs, generator: Generator) -> tuple[Pairs, Pairs]:
        scale = _scale(task, train)
        return self._noisy(train, scale, generator), self._noisy(valid, scale, generator)

    def ask(self, task: Task, known: Pairs, targets: Targets, generator: Generator) -> Targets:
        if self.options.sd == 0:
            return targets
        noise = self._noise(targets.y, _scale(task, known), generator)
        level = self.options.sd**2
        views = {"noisy y": View(targets.y + noise, level=level), "true y": View(targets.y)}
        shown = targets.shown + noise.nan_to_num()
        return Targets(targets.y + noise, shown, views, targets.designs, self.options.sd)

    def _noisy(self, pairs: Pairs, scale: Tensor, generator: Generator) -> Pairs:
        if self.options.sd == 0:
            return pairs
        return Pairs(pairs.x, pairs.y + self._noise(pairs.y, scale, generator))

    def _noise(self, y: Tensor, scale: Tensor, generator: Generator) -> Tensor:
        return self.options.sd * scale * torch.randn(y.shape, generator=generator, dtype=torch.float64)


def _scale(task: Task, pairs: Pairs) -> Tensor:
    """The deviation of each y `(y_dim,)`; 0 of a condition, which is known as it is."""
    scale = usable(pairs).y.std(0)
    scale[outputs(task) :] = 0
    return scale
