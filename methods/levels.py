"""Dimensions of x that take few values, such as pixels that are 0 or 1, for methods that model x as continuous."""

from __future__ import annotations

import torch
from torch import Tensor, nn

FEW = 8  # values up to which a dimension is one of levels
FIRST = 1000  # rows that are looked at first


class Levels(nn.Module):
    """The values of such dimensions in the training designs; all other dimensions pass unchanged.

    A density fitted to discrete values grows without bound at each of them. Uniform noise between the levels
    (dequantisation; Theis, van den Oord, Bethge 2016, section 3.1) makes it the density of a discrete variable, from
    which rounding to the nearest level draws.
    """

    values: Tensor
    gaps: Tensor

    def __init__(self, x_dim: int) -> None:
        super().__init__()
        self.register_buffer("values", torch.empty(x_dim, 0))
        """Levels `(x_dim, most)`, the last one repeated where there are fewer; infinite where x is continuous."""
        self.register_buffer("gaps", torch.zeros(x_dim))
        """The smallest distance between two levels; 0 where x is continuous."""

    def fit(self, x: Tensor) -> None:
        """Find the levels of designs `(n, x_dim)`."""
        found = [self._levels(column) for column in x.T]
        most = max(len(levels) for levels in found)
        if most:
            filled = [nn.functional.pad(levels, (0, most - len(levels)), value=torch.inf) for levels in found]
            self.values = torch.stack(filled)
            gaps = [levels.diff().min() if len(levels) > 1 else x.new_zeros(()) for levels in found]
            self.gaps = torch.stack(gaps)

    def _levels(self, column: Tensor) -> Tensor:
        """The distinct values, or none where they are many."""
        if len(column[:FIRST].unique()) > FEW or len(levels := column.unique()) > FEW:
            return column[:0]
        return levels

    def blur(self, x: Tensor) -> Tensor:
        """X with uniform noise between its levels, from the global random state."""
        return x + self.gaps * (torch.rand_like(x) - 0.5) if self.values.shape[1] else x

    def snap(self, x: Tensor) -> Tensor:
        """X `(n, x_dim)` with the nearest level in place of each value of such a dimension."""
        if not self.values.shape[1]:
            return x
        best, distance = x, torch.where(self.values[:, 0].isfinite(), torch.inf, -torch.inf).expand_as(x)
        for level in self.values.T:
            nearer = (x - level).abs() < distance
            best, distance = torch.where(nearer, level, best), torch.where(nearer, (x - level).abs(), distance)
        return best
