"""Transfer: a new task of a family that is known, of which there are few pairs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Generator, Tensor

from harness.contracts import Family, Pairs, Task, forward, outputs
from harness.errors import UsageError
from harness.scenarios.conditions import ATTEMPTS, BEYOND, HOLE, Conditions
from harness.scenarios.conditions import Options as Regions
from harness.scenarios.contract import Targets
from harness.scenarios.pairs import MOST, fewer
from harness.scenarios.process import Process
from harness.settings import setting

LEARNED, VALUES = 300, 101
"""Pairs of the family that the fingerprint is taken from, and values of the first condition that are looked at."""
WIDE = 3.46
"""Deviations that the range of a condition is wide, as of a uniform one."""
LEAST = 10
"""Pairs of the new task, below which nothing can be learned from them."""


@dataclass(frozen=True)
class Options(Regions):
    """Options of the scenario: those of `conditions`, and how much is known of the new task."""

    n: int = setting(100, help="pairs of the new task, the validation part included; 0: none", least=0, most=MOST)
    source: Literal["family", "none"] = setting(
        "family", help="what is learned first: the family, as in `conditions`, or nothing (none)"
    )
    place: Literal["hole", "beyond"] = setting(
        "beyond",
        help="where in the range of the first condition the new task lies: in the middle of the hole, or beyond",
    )
    given: Literal["known", "inferred"] = setting(
        "known",
        help="what is said of its first condition: what it is (known), or the one under which the family is most like "
        "its pairs (inferred)",
    )


class Transfer(Conditions):
    """A task under conditions that the family does not have: its first one in the hole or beyond, the others as fixed.

    Methods learn the family first, and then few pairs of the new task; or these pairs alone (`source=none`). With
    `n=0` the family is all that they know of it. All are asked for the same targets of the new task.

    With `given=inferred` the first condition of the new task is not known: the pairs have, and targets are shown with,
    that of the known task which is most like the new one (`fingerprint`).
    """

    Options: ClassVar[type] = Options
    _inferred: float | None = None
    """The first condition as the pairs of the new task tell it."""
    _true: float = math.nan
    _pairs: int = 0
    """How many of these there are, which may be fewer than were asked for."""

    def refusal(self, task: Task) -> str | None:
        if self.options.n < LEAST and (self.options.n > 0 or self.options.source == "none"):
            return f"too few pairs: n = {self.options.n}; allowed are {LEAST} or more, or 0 after a family"
        if self.options.given == "inferred" and not self.options.n:
            return "without pairs of the new task nothing can be inferred of it (n = 0)"
        if task.family is None and task.conditions is not None:
            return "the task has no family (`Task.family`), whose designs could be simulated under other conditions"
        return super().refusal(task)

    def task(self, task: Task) -> Task:
        if task.family is None:
            raise UsageError(f"The task {type(task).__name__} has no family. Select one that has, or leave it out.")
        return task.family

    def data(self, task: Task, train: Pairs, valid: Pairs, generator: Generator) -> tuple[Pairs, Pairs]:
        if not self.options.n:
            return super().data(task, train, valid, generator)
        some = fewer(self.options.n, train, valid, generator)
        new = self._of_new(task, some[0].x), self._of_new(task, some[1].x)
        if self.options.given == "known":
            return new
        assert isinstance(task, Family)
        family = super().data(task, train, valid, generator)[0]
        both = Pairs(torch.cat([new[0].x, new[1].x]), torch.cat([new[0].y, new[1].y]))
        self._true, self._pairs = float(new[0].y[0, outputs(task)]), len(both.x)
        self._inferred = fingerprint(task, family, both)
        return self._told(task, new[0]), self._told(task, new[1])

    def _told(self, task: Task, pairs: Pairs) -> Pairs:
        return Pairs(pairs.x, self._said(task, pairs.y))

    def _said(self, task: Task, y: Tensor) -> Tensor:
        """Y with the first condition as it was inferred, where it was."""
        said = y.clone()
        if self._inferred is not None:
            said[:, outputs(task)] = self._inferred
        return said

    @property
    def report(self) -> tuple[str, ...]:
        if self._inferred is None:
            return ()
        found, true = f"{self._inferred:.4g}", f"{self._true:.4g}"
        return (f"{self._pairs} pairs of the new task are most like the family at {found}; it is the one at {true}.",)

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
        return Targets(y, self._said(task, shown), actual=shown if self._inferred is not None else None)

    def _of_new(self, task: Task, x: Tensor) -> Pairs:
        """Designs simulated under the conditions of the new task, those that can be."""
        assert isinstance(task, Family)
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


def fingerprint(task: Family, family: Pairs, new: Pairs) -> float:
    """The first condition of the known task that a new one is most like.

    A Gaussian process of some pairs of the family, designs and conditions to y, predicts the y of the new pairs under
    many values of the first condition, the others as the new pairs have them. The one with the smallest error is taken.

    Args:
        task: the family.
        family: its pairs, conditions last in y.
        new: pairs of the new task, of whose conditions the first is not looked at.
    """
    count, (low, high) = outputs(task), task.conditions
    width = torch.where(family.x.std(0) > 0, family.x.std(0), 1.0)

    def inputs(x: Tensor, conditions: Tensor) -> np.ndarray:
        return torch.cat([x / width, (conditions - low) / (high - low) * WIDE], 1).numpy()

    some = slice(0, LEARNED)
    process = Process.of(inputs(family.x[some], family.y[some, count:]), family.y[some, :count].numpy())
    scale = np.where(process.spread > 0, process.spread, 1.0)
    errors = []
    values = torch.linspace(float(low[0]), float(high[0]), VALUES, dtype=torch.float64)
    for value in values:
        conditions = new.y[:, count:].clone()
        conditions[:, 0] = value
        off = (process.mean(inputs(new.x, conditions)) - new.y[:, :count].numpy()) / scale
        errors.append(float((off**2).mean()))
    return float(values[int(np.argmin(errors))])
