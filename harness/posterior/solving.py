"""Solutions of f(x) = y: Levenberg-Marquardt on the true forward model, from many starts at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from harness.posterior.priors import Density

STEP = 1e-6
"""Of a finite difference, in standard deviations of the prior: its error is of the order of 1e-6, that of rounding of
1e-10. Differences need no gradient of the forward model, and 200 numbers of y no 200 backward passes."""
DAMPING, EASED, RAISED = 1e-2, 0.2, 5.0
"""Of the first step, and the factors after one that is taken and one that is not (Marquardt 1963)."""
STILL = 1e-3
"""The fall of the objective, a negative logarithm, below which a start has arrived."""


@dataclass(frozen=True)
class Peaks:
    """Where starts have arrived, in units of the prior: (x - centre) / width."""

    u: Tensor
    """`(k, x_dim)`."""
    height: Tensor
    """The negative logarithm of likelihood and prior `(k,)`."""
    precision: Tensor
    """Of the Gaussian that is nearest to the posterior there `(k, x_dim, x_dim)`."""


def solve(residuals: Callable[[Tensor], Tensor], density: Density, starts: Tensor, steps: int) -> Peaks:
    """Follow each start to a peak of the posterior.

    Args:
        residuals: of designs `(n, x_dim)`, vectors `(n, m)` of which half the square is minus the log likelihood.
        density: the prior. One that is not normal is a box here, or nothing.
        starts: `(k, x_dim)`, physical.
        steps: at most so many.
    """
    search = _Search(residuals, density)
    u = search.inside((starts - density.centre) / density.width)
    r = search.residuals(u)
    damping = torch.full((len(u),), DAMPING, dtype=torch.float64)
    jacobian = search.jacobian(u, r)
    moving = torch.ones(len(u), dtype=torch.bool)
    for _ in range(steps):
        if not moving.any():
            break
        rows = moving.nonzero()[:, 0]
        tried = search.inside(u[rows] + search.step(u[rows], r[rows], jacobian[rows], damping[rows]))
        found = search.residuals(tried)
        fall = (r[rows].square().sum(1) - found.square().sum(1)) / 2
        better = fall > 0  # a design that cannot be simulated has NaN, which is not
        damping[rows] *= torch.where(better, EASED, RAISED)
        taken = rows[better]
        u[taken], r[taken] = tried[better], found[better]
        jacobian[taken] = search.jacobian(u[taken], r[taken])
        moving[rows] = ~better | (fall > STILL)
    precision = jacobian.mT @ jacobian + torch.diag(search.loose)
    return Peaks(u, r.square().sum(1) / 2, precision)


class _Search:
    def __init__(self, residuals: Callable[[Tensor], Tensor], density: Density) -> None:
        self.of_y, self.density = residuals, density
        self.low = (density.low - density.centre) / density.width
        self.high = (density.high - density.centre) / density.width
        self.loose = torch.where(density.normal, 0.0, 1.0).double()
        """Precision of a flat coordinate, that of a Gaussian with its deviation."""

    def inside(self, u: Tensor) -> Tensor:
        return torch.maximum(torch.minimum(u, self.high), self.low)

    def residuals(self, u: Tensor) -> Tensor:
        """Those of y, and of the coordinates that are normal."""
        r = self.of_y(u * self.density.width + self.density.centre)
        return torch.cat([r, u.where(self.density.normal, 0.0)], 1)

    def jacobian(self, u: Tensor, r: Tensor) -> Tensor:
        """`(k, m, x_dim)`; differences are taken towards the middle, where designs can be simulated."""
        dimensions = u.shape[1]
        step = torch.where(u > 0, -STEP, STEP)
        moved = u[:, None] + torch.diag_embed(step)
        found = self.residuals(moved.flatten(0, 1)).unflatten(0, (len(u), dimensions))
        return ((found - r[:, None]) / step[:, :, None]).nan_to_num().mT

    def step(self, u: Tensor, r: Tensor, jacobian: Tensor, damping: Tensor) -> Tensor:
        """The damped Gauss-Newton step; a coordinate at its bound that would leave it stays."""
        slope = (jacobian.mT @ r[:, :, None])[..., 0]
        held = ((u <= self.low) & (slope > 0)) | ((u >= self.high) & (slope < 0))
        free = (~held).double()
        square = jacobian.mT @ jacobian * free[:, :, None] * free[:, None]
        diagonal = square.diagonal(dim1=1, dim2=2)
        least = 1e-9 * diagonal.amax(1, keepdim=True) + 1e-12
        shift = damping[:, None] * torch.maximum(diagonal, least) + torch.where(held, 1.0, 1e-12)
        return -torch.linalg.solve(square + torch.diag_embed(shift), slope * free)
