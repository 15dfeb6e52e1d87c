"""Errors of proposals, and what else is worth knowing of them. Pure functions of tensors."""

from __future__ import annotations

import torch
from torch import Tensor

METRICS = ("sse", "mse", "nmse")
COPY = 1e-5  # standardised distance below which a proposal is a training design: float32 rounding, and no more
ACCURATE = 1e-2  # nmse below which a proposal counts for diversity
CHUNK = 256
ROUNDING = 1e-6  # of the width of the box: a design in float32 must not leave it by its rounding


def squared_errors(reached: Tensor, y: Tensor, y_variance: Tensor) -> dict[str, Tensor]:
    """Errors of re-simulated proposals, NaN where invalid.

    Args:
        reached: f(x) `(..., y_dim)`, NaN rows where invalid.
        y: targets, broadcastable to `reached`.
        y_variance: variance of y on the training part `(y_dim,)`.

    Returns:
        `sse` (summed over y, iPage), `mse` (mean over y, Ren et al.) and `nmse` (each dimension over its training
        variance: 1.0 is the constant prediction), each `(...)`.
    """
    square = (reached - y).square()
    safe = torch.where(y_variance > 0, y_variance, 1.0)
    return {"sse": square.sum(-1), "mse": square.mean(-1), "nmse": (square / safe).mean(-1)}


def constant_errors(y_variance: Tensor) -> dict[str, float]:
    """The error of always answering with the mean target: what an invalid proposal counts with in a mean."""
    return {"sse": float(y_variance.sum()), "mse": float(y_variance.mean()), "nmse": 1.0}


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
