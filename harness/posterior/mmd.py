"""The squared maximum mean discrepancy of two sets of designs (Gretton et al. 2012), and what chance gives.

The kernel is a sum of inverse multi-quadratics, k(a, b) = sum over widths h of h^2 / (h^2 + |a - b|^2), with the widths
of Ren et al. 2020: a design compared with itself has k = 3.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

WIDTHS = (0.05, 0.2, 0.9)
"""Of Ren, Padilla, Malof 2020, Table 4, in units of standardised x."""
SPLITS = 200
"""Random splits behind a quantile of chance."""


def kernel(a: Tensor, b: Tensor) -> Tensor:
    """K of all pairs of `(n, d)` and `(m, d)`: `(n, m)`."""
    squares = torch.cdist(a, b).square()
    return sum((width**2 / (width**2 + squares) for width in WIDTHS), torch.zeros_like(squares))


def unbiased(xx: Tensor, yy: Tensor, xy: Tensor) -> float:
    """MMD^2 from kernels `(n, n)`, `(m, m)`, `(n, m)`: of equal distributions 0 in the mean, and below it half the
    time (Gretton et al. 2012, eq. 3).
    """
    return float(_off_diagonal(xx) + _off_diagonal(yy) - 2 * xy.mean())


def biased(xx: Tensor, yy: Tensor, xy: Tensor) -> float:
    """The same with each design compared with itself, too (their eq. 5): never below 0, and above it by about
    3 / n + 3 / m. The form that is usual in public code of invertible networks, with means over whole matrices.
    """
    return float(xx.mean() + yy.mean() - 2 * xy.mean())


def _off_diagonal(square: Tensor) -> Tensor:
    n = len(square)
    return (square.sum() - square.diagonal().sum()) / (n * (n - 1))


def chance(x: Tensor, generator: Generator, splits: int = SPLITS) -> Tensor:
    """The unbiased MMD^2 `(splits,)` of random halves of draws `(2 n, d)` from one distribution."""
    n = len(x) // 2
    k = kernel(x[: 2 * n], x[: 2 * n])
    order = torch.rand(2 * n, splits, generator=generator, dtype=torch.float64).argsort(0)
    first = (order < n).double()
    rows = k @ first
    diagonal = k.diagonal()
    within = (first * rows).sum(0)
    total = k.sum()
    across = rows.sum(0) - within
    other = total - within - 2 * across
    inner = (first * diagonal[:, None]).sum(0)
    same = (within - inner + other - (diagonal.sum() - inner)) / (n * (n - 1))
    return same - 2 * across / n**2
