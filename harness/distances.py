"""Distances between designs."""

from __future__ import annotations

import torch
from torch import Tensor

CHUNK = 256
ROUNDING = 1e-6  # of the width of the box: a design in float32 must not leave it by its rounding


def inside(x: Tensor, bounds: Tensor) -> Tensor:
    """Mask of designs inside a box `(2, x_dim)`, up to the rounding of float32."""
    slack = ROUNDING * (bounds[1] - bounds[0])
    return ((x >= bounds[0] - slack) & (x <= bounds[1] + slack)).all(-1)


def nearest_distance(x: Tensor, known: Tensor) -> Tensor:
    """Euclidean distance from each design `(n, x_dim)` to the nearest known one `(m, x_dim)`; NaN rows stay NaN."""
    if not len(x):
        return x.new_empty(0)
    # |k|^2 - 2 x k finds the nearest, at half the cost of cdist; the small distances that tell copies it would lose.
    squares = known.square().sum(1)
    nearest = [torch.addmm(squares, part, known.T, alpha=-2).argmin(1) for part in x.split(CHUNK)]
    return (x - known[torch.cat(nearest)]).norm(dim=1)


def mean_pairwise_distance(x: Tensor, chosen: Tensor) -> Tensor:
    """Mean distance between the chosen proposals of one target; NaN for fewer than two.

    Args:
        x: `(b, n, x_dim)`.
        chosen: mask `(b, n)`.

    Returns:
        `(b,)`.
    """
    both = chosen[:, :, None] & chosen[:, None]
    distance = torch.cdist(torch.nan_to_num(x), torch.nan_to_num(x))
    pairs = both.sum((1, 2)) - chosen.sum(1)
    total = torch.where(both, distance, 0.0).sum((1, 2))
    return torch.where(pairs > 0, total / pairs.clamp_min(1), torch.nan)


def distinct(x: Tensor) -> int:
    """How many different rows `(n, x_dim)` has; NaN rows are one."""
    return len(torch.unique(torch.nan_to_num(x, nan=float("inf")), dim=0))
