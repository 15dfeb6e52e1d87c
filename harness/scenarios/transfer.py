"""Transfer: a new task of a family that is known, of which there are few pairs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Generator, Tensor

from harness.contracts import Family, Pairs, Task, forward, outputs
from harness.errors import UsageError
from harness.scenarios.conditions import ATTEMPTS, BEYOND, HOLE, Conditions
from harness.scenarios.conditions import Options as Regions
from harness.scenarios.contract import Targets
from harness.scenarios.pairs import fewer
from harness.settings import setting

LEAST = 10
"""Pairs of the new task, below which nothing can be learned from them."""


@dataclass(frozen=True)
class Options(Regions):
    """Options of the scenario: those of `conditions`, and how much is known of the new task."""

    n: int = setting(100, help="pairs of the new task, the validation part included; 0: none", least=0)
    source: Literal["family", "none"] = setting(
        "family", help="what is learned first: the family, as in `conditions`, or nothing (none)"
    )
    place: Literal["hole", "beyond"] = setting(
        "beyond",
        help="where in the range of the first condition the new task lies: in the middle of the hole, or beyond",
    )


class Transfer(Conditions):
    """A task under conditions that the family does not have: its first one in the hole or beyond, the others as fixed.

    Methods learn the family first, and then few pairs of the new task; or these pairs alone (`source=none`). With
    `n=0` the family is all that they know of it. All are asked for the same targets of the new task.
    """

    Options: ClassVar[type] = Options

    def refusal(self, task: Task) -> str | None:
        if self.options.n < LEAST and (self.options.n > 0 or self.options.source == "none"):
            return f"n = {self.options.n} pairs are too few; allowed are {LEAST} or more, or 0 after a family"
        if task.family is None:
            return "the task has no conditions that could be others"
        return super().refusal(task)

    def task(self, task: Task) -> Task:
        if task.family is None:
            raise UsageError(f"The task {type(task).__name__} has no family. Select one that has, or leave it out.")
        return task.family

    def data(self, task: Task, train: Pairs, valid: Pairs, generator: Generator) -> tuple[Pairs, Pairs]:
        if not self.options.n:
            return super().data(task, train, valid, generator)
        some = fewer(self.options.n, train, valid, generator)
        return self._of_new(task, some[0]), self._of_new(task, some[1])

    def before(self, task: Task, train: Pairs, valid: Pairs, generator: Generator) -> tuple[Pairs, Pairs] | None:
        if not self.options.n or self.options.source == "none":
            return None
        return super().data(task, train, valid, generator)

    def ask(self, task: Task, known: Pairs, targets: Targets, generator: Generator) -> Targets:
        found: list[Tensor] = [] if targets.designs is None else [self._of_new(task, targets.designs).y]
        for _ in range(ATTEMPTS):
            if sum(map(len, found)) >= len(targets.y):
                break
            found.append(self._of_new(task, task.sample_prior(len(targets.y), generator)).y)
        shown = torch.cat(found)[: len(targets.y)]
        if len(shown) < len(targets.y):
            raise ValueError("Too few prior draws can be simulated under the conditions of the new task.")
        y = shown.clone()
        y[:, outputs(task) :] = math.nan
        return Targets(y, shown)

    def _of_new(self, task: Task, pairs: Pairs | Tensor) -> Pairs:
        """Designs simulated under the conditions of the new task, those that can be."""
        assert isinstance(task, Family)
        x = pairs.x if isinstance(pairs, Pairs) else pairs
        y = forward(task, x, self._new(task).expand(len(x), -1))
        valid = y.isfinite().all(1)
        return Pairs(x[valid], y[valid])

    def _new(self, task: Family) -> Tensor:
        """The conditions of the new task `(1, c)`."""
        low, high = task.conditions
        regions = {HOLE: self.options.hole + self.options.width / 2, BEYOND: (1 + self.options.beyond) / 2}
        found = low.new_tensor([[each.value for each in task.given]])
        found[0, 0] = low[0] + (high[0] - low[0]) * regions[self.options.place]
        return found
