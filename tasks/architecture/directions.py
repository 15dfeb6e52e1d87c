"""The modulus of a cell along any direction: one simulation gives all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Generator, Tensor

from harness.contracts import Condition, Family, Pairs
from tasks.architecture.homogenisation import modulus_along
from tasks.architecture.material import stiffness
from tasks.architecture.pairs import are_kept

if TYPE_CHECKING:
    from tasks.architecture.task import Architecture

DIRECTION = Condition("direction [deg]", 0.0, 0.0, 90.0)


class Directions(Family):
    """y = E along a direction between x and the axis across it, in degrees from x, which is given with each target.

    The stiffness of the pairs is kept, so that their modulus along another direction takes no simulation.

    Args:
        base: the task in which the direction is x.
    """

    simulated_pairs = True
    base: Architecture

    def __init__(self, base: Architecture) -> None:
        super().__init__(base, (DIRECTION,), self._along)
        self._known: dict[bytes, int] = {}
        self._kept = torch.empty(0, 3, 3, dtype=torch.float64)

    def prepare(self, n: int, generator: Generator) -> None:
        self.base.prepare(n, generator)

    def pairs(self, n: int, generator: Generator) -> Pairs:
        """Prior draws and their y along directions that are drawn uniformly.

        Args:
            n: how many.
            generator: its next number is the seed of the designs, and what follows draws the directions.
        """
        if not are_kept(n):
            return self.draw(n, generator)
        x, self._kept = self.base.solved(n, generator)
        self._known = {design: row for row, design in enumerate(_packed(x))}
        low, high = self.conditions
        angle = low + (high - low) * torch.rand(n, 1, generator=generator, dtype=torch.float64)
        return Pairs(x, torch.cat([self._along(x, angle), angle], 1))

    def _along(self, x: Tensor, conditions: Tensor) -> Tensor:
        """E `(n, 1)` of designs `(n, 1024)` along directions `(n, 1)`; NaN outside the support."""
        valid = self.in_support(x)
        found = modulus_along(self._stiffness(torch.where(valid[:, None], x, 1.0)), conditions[:, 0].deg2rad())
        return torch.where(valid, found, torch.nan)[:, None]

    def _stiffness(self, x: Tensor) -> Tensor:
        """C `(n, 3, 3)` of finite designs; those of the pairs are not simulated again."""
        whole = ((x == 0) | (x == 1)).all(1).tolist()
        rows = [self._known.get(design, -1) if solid else -1 for design, solid in zip(_packed(x), whole, strict=True)]
        known = torch.tensor(rows, dtype=torch.long) >= 0
        found = x.new_empty(len(x), 3, 3)
        found[known] = self._kept[[row for row in rows if row >= 0]].to(x)
        if not bool(known.all()):
            found[~known] = stiffness(x[~known])
        return found


def _packed(x: Tensor) -> list[bytes]:
    return [row.tobytes() for row in np.packbits(x.cpu().numpy() > 0.5, axis=1)]
