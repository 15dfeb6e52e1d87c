"""How far designs are from a reference: the numbers of a method, of the reference itself, or of the prior."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean, stdev

import torch
from torch import Generator, Tensor
from torch.nn.functional import one_hot

from harness.contracts import Task
from harness.data import Standardisation
from harness.posterior import covering, mmd
from harness.posterior.c2st import c2st
from harness.posterior.reference import Reference
from harness.posterior.results import Floor, Level
from harness.sectors import expected_share
from harness.solution_curves import curves, is_plane, nearest_curve

FEWEST = 10
"""Designs on each side below which two sets are not compared."""
JOINT, JOINTLY = 50, 250_000
"""Designs of each target in the one classifier for all targets, and the numbers of all of them together, at most: the
classifier takes 5 s for these, as of five designs of 1024 pixels for 50 targets."""
DIMENSIONS = 8
"""Principal components of y that this classifier sees beside x: they tell 50 targets apart, and are read fast."""
CHANCE = 0.95
"""Quantile of what chance gives."""


@dataclass(frozen=True)
class Designs:
    """What is compared with a reference, physical; designs that are not valid are left out."""

    fixed: Sequence[Tensor]
    """For y*, one `(n, x_dim)` for each repeat."""
    accurate: Tensor
    """Of the first repeat, a mask `(n,)`."""
    targets: Sequence[Tensor]
    """For each target of the reference."""


class Yardstick:
    """A reference in halves: one is compared with, the other shows what an exact sampler gets."""

    def __init__(
        self,
        task: Task,
        reference: Reference,
        scales: tuple[Standardisation, Standardisation],
        y: tuple[Tensor, Tensor],
        counts: tuple[int, int],
        trials: Sequence[int],
    ) -> None:
        """Set up.

        Args:
            task: for the solution curves of a plane.
            reference: draws, of which at least those for y* are there.
            scales: of x and of y.
            y: y* `(1, y_dim)`, and the targets of the reference `(m, y_dim)`.
            counts: how many designs are compared, at most, for y* and for each target.
            trials: numbers of proposals whose recall is wanted.
        """
        self.task, self.x_scale, self.y_scale, (self.wanted, self.y) = task, *scales, y
        self.halves = _halves(self.x_scale.apply(reference.fixed.x), counts[0])
        parts = (self.x_scale.apply(draws.x) for draws in reference.targets)
        self.each = [_halves(part, counts[1]) if len(part) >= 2 * FEWEST else None for part in parts]
        self.used = [number for number, pair in enumerate(self.each) if pair is not None]
        self.trials = [count for count in trials if count <= len(self.halves[1])]

    @cached_property
    def n(self) -> tuple[int, int | None]:
        """Designs that are compared, for y*, and for a target in the median."""
        sizes = sorted(len(pair[0]) for pair in self.each if pair is not None)
        return len(self.halves[0]), sizes[len(sizes) // 2] if sizes else None

    def itself(self, reference: Reference) -> Designs:
        """The second half of the reference."""
        n = len(self.halves[0])
        targets = [
            draws.x[len(pair[0]) : 2 * len(pair[0])] if pair is not None else draws.x[:0]
            for draws, pair in zip(reference.targets, self.each, strict=True)
        ]
        return Designs([reference.fixed.x[n : 2 * n]], torch.ones(n, dtype=torch.bool), targets)

    def floor(self, generator: Generator) -> Floor:
        """What chance gives: random halves of the reference."""
        fixed = mmd.chance(torch.cat(self.halves), generator).quantile(CHANCE)
        means = torch.stack(self._chances).mean(0).quantile(CHANCE) if self.used else None
        return Floor(float(fixed), None if means is None else float(means))

    @cached_property
    def _chances(self) -> list[Tensor]:
        """MMD^2 of random halves for each used target."""
        generator = Generator().manual_seed(0)
        pairs = (self.each[number] for number in self.used)
        return [mmd.chance(torch.cat(pair), generator) for pair in pairs if pair is not None]

    def level(self, designs: Designs, own: bool = False) -> Level:
        """How far designs are from the first half; whether they are the second is `own`."""
        repeats = [self.x_scale.apply(x)[: self.n[0]] for x in designs.fixed if len(x) >= FEWEST]
        first = self.halves[0]
        among = mmd.kernel(first, first)
        found = [(mmd.kernel(x, x), among, mmd.kernel(x, first)) for x in repeats]
        unbiased = [mmd.unbiased(*kernels) for kernels in found]
        return Level(
            mmd=fmean(unbiased) if unbiased else None,
            mmd_deviation=stdev(unbiased) if len(unbiased) > 1 else None,
            mmd_biased=fmean(mmd.biased(*kernels) for kernels in found) if found else None,
            c2st=_finite(c2st(repeats[0], first)) if repeats else None,
            **self._targets(designs, own),
            recall=self._recall(repeats),
            diversity=self._diversity(designs),
            modes=self._modes(designs),
        )

    def _targets(self, designs: Designs, own: bool) -> dict[str, float | None]:
        values, above = [], []
        rows: tuple[list[Tensor], list[Tensor]] = [], []
        axes = _principal(self.y_scale.apply(self.y).nan_to_num())
        for place, number in enumerate(self.used):
            pair, x = self.each[number], self.x_scale.apply(designs.targets[number])
            if pair is None or len(x) < FEWEST:
                continue
            x, first = x[: len(pair[0])], pair[0]
            value = mmd.unbiased(mmd.kernel(x, x), mmd.kernel(first, first), mmd.kernel(x, first))
            values.append(value)
            above.append(value > float(self._chances[place].quantile(CHANCE)))
            same = min(self._jointly, len(x), len(first))
            for side, part in zip(rows, (x, first), strict=True):
                side.append(torch.cat([part[:same], axes[number].expand(same, -1)], 1))
        if not values:
            return {"mmd_targets": None, "above": None, "c2st_targets": None}
        x, first = torch.cat(rows[0]), torch.cat(rows[1])
        told = c2st(x, first, self._tied(x, first, own))
        return {"mmd_targets": fmean(values), "above": fmean(above), "c2st_targets": _finite(told)}

    @property
    def _jointly(self) -> int:
        """Designs of each target in the classifier for all targets."""
        width = self.task.x_dim + min(self.y.shape[1], DIMENSIONS)
        return max(1, min(JOINT, JOINTLY // (width * len(self.used))))

    def _tied(self, x: Tensor, first: Tensor, own: bool) -> tuple[Tensor, Tensor]:
        """Numbers of the rows `(n, x_dim + k)` of both sides: neighbouring targets share draws of the reference.

        A method that proposes one design again and again may be known by it: only where the other side is of the
        reference, too, are its rows tied.
        """
        designs = torch.cat([x, first] if own else [first])[:, : self.task.x_dim]
        numbers = torch.unique(designs, dim=0, return_inverse=True)[1]
        apart = len(numbers) + torch.arange(len(x))
        return (numbers[: len(x)] if own else apart), numbers[-len(first) :]

    @cached_property
    def radii(self) -> list[float]:
        """What near means, for each T."""
        return [covering.radius(*self.halves, count) for count in self.trials]

    def _recall(self, repeats: Sequence[Tensor]) -> list[float | None]:
        first = self.halves[0]
        return [
            fmean(covering.reached(first, x[:count], within) for x in repeats) if repeats else None
            for count, within in zip(self.trials, self.radii, strict=True)
        ]

    def _diversity(self, designs: Designs) -> float | None:
        if not designs.fixed:
            return None
        accurate = self.x_scale.apply(designs.fixed[0][designs.accurate])
        return _finite(covering.spread(accurate) / covering.spread(self.halves[0]))

    def _modes(self, designs: Designs) -> list[float] | None:
        if not is_plane(self.task) or not len(designs.accurate) or not self.lines:
            return None
        x, accurate = designs.fixed[0], designs.accurate
        reached = torch.zeros(len(x), len(self.lines), dtype=torch.bool)
        reached[accurate] = one_hot(nearest_curve(x[accurate], self.lines), len(self.lines)).bool()
        return expected_share(reached, [count for count in self.trials if count <= len(x)])

    @cached_property
    def lines(self) -> list[Tensor]:
        """The solution curves of a plane."""
        return curves(self.task, float(self.wanted[0, 0]))


def _halves(x: Tensor, most: int) -> tuple[Tensor, Tensor]:
    n = min(len(x) // 2, most)
    return x[:n], x[n : 2 * n]


def _principal(y: Tensor) -> Tensor:
    """The first principal components of the targets `(m, y_dim)`: `(m, k)`."""
    if y.shape[1] <= DIMENSIONS or len(y) < 2:
        return y[:, :DIMENSIONS]
    centred = y - y.mean(0)
    axes = torch.linalg.svd(centred, full_matrices=False).Vh[:DIMENSIONS]
    return centred @ axes.T


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
