"""Which designs count as solutions of a target, and how much: the likelihood of a design."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

TOLERANCE = 0.02
"""tau: how far y may be off in each of its entries, in standard deviations of y over the training part. Methods learn
from pairs without noise, so that the smaller, the nearer to what they are asked for. Half of it would need twice as
many simulations for a draw by rejection, with two y four times as many. Draws have a mean nmse of about
tau^2 min(x_dim, y_dim) / y_dim, at most 0.0004: all of them are accurate (below 0.01)."""


@dataclass(frozen=True)
class Likelihood:
    """exp(-|f(x) - y|^2 / (2 tau^2)) in units of the deviations of y, for several targets."""

    targets: Tensor
    """`(m, y_dim)`, physical; an entry that is NaN is not known and does not count. Each has one that is known."""
    variance: Tensor
    """Of y on the training part `(y_dim,)`."""
    tolerance: float = TOLERANCE

    @property
    def scale(self) -> Tensor:
        """Square root of the variance of y; 1 where it is 0, as in nmse."""
        return self.variance.where(self.variance > 0, 1.0).sqrt()

    @cached_property
    def known(self) -> Tensor:
        """Mask `(m, y_dim)` of the entries that count."""
        return self.targets.isfinite()

    def log(self, reached: Tensor) -> Tensor:
        """The logarithms `(n, m)` for what designs reach `(n, y_dim)`; those of designs that are invalid are -inf."""
        valid = reached.isfinite().all(-1)
        found, wanted = reached.where(valid[:, None], 0.0) / self.scale, self.targets / self.scale
        if wanted.shape[1] == 1:
            squares = (found - wanted.T).square()
        else:  # |a|^2 - 2 a b + |b|^2, without an array of n x m x y_dim
            wanted, counts = wanted.nan_to_num(), self.known.double()
            squares = torch.addmm(found.square() @ counts.T + wanted.square().sum(1), found, wanted.T, alpha=-2)
        return (squares / (-2 * self.tolerance**2)).where(valid[:, None], -torch.inf)

    def of(self, reached: Tensor, number: int) -> Tensor:
        """The logarithms `(n,)` for one target, to the last digits also where y is reached closely."""
        return self.residuals(reached, number).square().sum(-1).nan_to_num(nan=torch.inf) / -2

    def residuals(self, reached: Tensor, number: int) -> Tensor:
        """Of one target: vectors `(n, y_dim)` of which half the square is the negative logarithm."""
        away = (reached - self.targets[number]) / (self.scale * self.tolerance)
        return away.where(self.known[number], 0.0)

    def nmse(self, log: Tensor, number: int) -> Tensor:
        """The nmse that a logarithm stands for, of one target."""
        return -2 * self.tolerance**2 / self.known[number].sum() * log
