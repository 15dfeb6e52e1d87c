"""Conditions: one model for a family of tasks, asked where it has learned, in a hole, and beyond."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from harness.contracts import Family, Pairs, Task, forward, outputs
from harness.errors import UsageError
from harness.scenarios.contract import Scenario, Targets, View
from harness.settings import setting

REGIONS = FIXED, SEEN, HOLE, BEYOND = ("fixed", "seen", "hole", "beyond")
ATTEMPTS = 20
"""Rounds in which what cannot be simulated is drawn again."""


@dataclass(frozen=True)
class Options:
    """Options of the scenario: parts of the range of the first condition, from 0 to 1."""

    hole: float = setting(0.1, help="where the part begins of which no pair is learned from", least=0, below=1)
    width: float = setting(0.3, help="how wide this part is", least=0, below=1)
    beyond: float = setting(0.8, help="where the upper end begins of which none is learned from", above=0, most=1)


class Conditions(Scenario):
    """The task's conditions, such as gravity, vary from pair to pair and are given with each target.

    One model learns all of them. Of the range of the first condition it sees neither a hole nor the upper end. It is
    asked, each a quarter of the targets, under the conditions that are fixed in the task itself (`fixed`), where a
    model of that task alone is its measure; under some that it has learned from (`seen`); in the hole (interpolation);
    and `beyond` (extrapolation). It learns from as many pairs as without the scenario.

    Of a task that has conditions of its own, such as columns of a file, the pairs in the hole and beyond are left out,
    and its own targets are asked for.
    """

    Options: ClassVar[type] = Options

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({"conditions"})

    def task(self, task: Task) -> Task:
        found = task if task.conditions is not None else task.family
        if found is None:
            raise UsageError(
                f"The task {type(task).__name__} has no conditions. Select one that has, or leave them out."
            )
        return found

    def refusal(self, task: Task) -> str | None:
        end = self.options.hole + self.options.width
        if end > self.options.beyond:
            return f"the hole would end at {end:g}, after {self.options.beyond:g}, where the upper end begins"
        return None if task.conditions is not None or task.family is not None else "the task has no conditions"

    def data(self, task: Task, train: Pairs, valid: Pairs, generator: Generator) -> tuple[Pairs, Pairs]:
        return self._learned(task, train, generator), self._learned(task, valid, generator)

    def _learned(self, task: Task, pairs: Pairs, generator: Generator) -> Pairs:
        """The pairs of the part that is seen; designs of the others are simulated again, under conditions in it."""
        seen = self._regions(task, _conditions(task, pairs.y)) == REGIONS.index(SEEN)
        if not isinstance(task, Family):
            return Pairs(pairs.x[seen], pairs.y[seen])
        y = pairs.y.clone()
        y[~seen] = self._simulated(task, pairs.x[~seen], SEEN, generator)
        valid = y.isfinite().all(1)
        return Pairs(pairs.x[valid], y[valid])

    def ask(self, task: Task, known: Pairs, targets: Targets, generator: Generator) -> Targets:
        if len(targets.y) < len(REGIONS):
            return targets
        shown = targets.shown.clone()
        regions = self._regions(task, _conditions(task, shown))
        if isinstance(task, Family):
            regions = torch.arange(len(shown)) % len(REGIONS)
            for number, region in enumerate(REGIONS):
                shown[regions == number] = self._drawn(task, region, int((regions == number).sum()), generator)
        y = shown.clone()
        y[:, outputs(task) :] = math.nan
        rows = {region: (regions == number)[:, None] for number, region in enumerate(REGIONS)}
        views = {
            region: View(y.where(own, math.nan), like_base=region == FIXED and isinstance(task, Family))
            for region, own in rows.items()
            if bool(own.any())
        }
        return Targets(y, shown, views)

    def _regions(self, task: Task, conditions: Tensor) -> Tensor:
        """The number in `REGIONS` of the part that conditions `(n, c)` are in; `FIXED` is none."""
        limits = task.conditions
        assert limits is not None
        share = (conditions[:, 0] - limits[0, 0]) / (limits[1, 0] - limits[0, 0])
        options = self.options
        hole = (share >= options.hole) & (share < options.hole + options.width)
        found = torch.full(share.shape, REGIONS.index(SEEN))
        found[hole] = REGIONS.index(HOLE)
        found[share >= options.beyond] = REGIONS.index(BEYOND)
        return found

    def _drawn(self, task: Family, region: str, n: int, generator: Generator) -> Tensor:
        """Y `(n, y_dim)` of prior draws that can be simulated under conditions of a region."""
        found: list[Tensor] = []
        for _ in range(ATTEMPTS):
            y = self._simulated(task, task.sample_prior(n, generator), region, generator)
            found.append(y[y.isfinite().all(1)])
            if sum(map(len, found)) >= n:
                return torch.cat(found)[:n]
        raise ValueError(f"Too few prior draws of {type(task.base).__name__} can be simulated under its conditions.")

    def _simulated(self, task: Family, x: Tensor, region: str, generator: Generator) -> Tensor:
        """Y `(n, y_dim)` of designs, each under other conditions of a region."""
        assert task.conditions is not None
        low, high = task.conditions
        share = torch.rand(len(x), len(low), generator=generator, dtype=torch.float64)
        share[:, 0] = self._placed(share[:, 0], region)
        conditions = low + (high - low) * share
        if region == FIXED:
            conditions = low.new_tensor([[each.value for each in task.given]]).expand(len(x), -1)
        return forward(task, x, conditions)

    def _placed(self, share: Tensor, region: str) -> Tensor:
        """Uniform numbers `(n,)` from 0 to 1 as places in the parts of the range that make up a region."""
        hole, width, beyond = self.options.hole, self.options.width, self.options.beyond
        if region == HOLE:
            return hole + width * share
        if region == BEYOND:
            return beyond + (1 - beyond) * share
        place = (beyond - width) * share
        return place.where(place < hole, place + width)


def _conditions(task: Task, y: Tensor) -> Tensor:
    return y[:, outputs(task) :]
