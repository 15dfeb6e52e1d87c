"""Recall of symmetric designs: in how many of the places where a target's solutions lie a method's proposals are.

Where a task knows the images of a design, which have exactly its y, the design space falls into as many sectors, each
holding one image of every design. The solutions of a target look alike in all of them, so a method that finds all
solutions has accurate proposals in every sector.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from scipy.stats import hypergeom
from torch import Generator, Tensor

CHUNK = 1000
TIE = 1e-6  # relative: a design that is its own image lies on the border of two sectors, and counts in both


def sectors(x: Tensor, images: Callable[[Tensor], Tensor], width: Tensor) -> Tensor:
    """The sectors in which each design lies, a mask `(n, k)` of the k that its images make.

    Along a fixed direction that no symmetry keeps, one image of a design comes lowest; the design is in sector j if
    that is image j. (These are the Dirichlet domains of a point in general position.)

    Args:
        x: finite designs `(n, x_dim)`, float64.
        images: all designs with exactly the y of some, themselves first: `(n, x_dim)` to `(k, n, x_dim)`.
        width: by which the dimensions become comparable, `(x_dim,)`.
    """
    direction = torch.randn(x.shape[1], generator=Generator().manual_seed(0), dtype=torch.float64) / width
    tie = TIE * float((direction * width).norm())
    heights = [(images(rows) @ direction).T for rows in x.split(CHUNK)]
    return torch.cat([height <= height.amin(1, keepdim=True) + tie for height in heights])


def expected_share(reached: Tensor, trials: Sequence[int]) -> list[float]:
    """The share of the sectors that T proposals are expected to reach, exact over all subsets of size T.

    Args:
        reached: mask `(n, k)`: which sectors each of n proposals reaches; none, where it is not accurate.
        trials: the sizes T, at most n.
    """
    count = reached.sum(0).numpy()
    return [float(1 - hypergeom.pmf(0, len(reached), count, size).mean()) for size in trials]
