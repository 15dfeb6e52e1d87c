"""Distances between designs."""

from __future__ import annotations

import torch
from torch import Tensor

CHUNK, KNOWN = 256, 1 << 17  # designs, and known ones, that are compared at once: 270 MB
ROUNDING = 1e-6  # of the width of the box: a design in float32 must not leave it by its rounding


def inside(x: Tensor, bounds: Tensor) -> Tensor:
    """Mask `(...)` of the designs inside a box, up to the rounding of float32.

    Args:
        x: designs `(..., x_dim)`; NaN is outside.
        bounds: the box `(2, x_dim)`, in the same units.

    >>> inside(torch.tensor([[0.5], [1.5]]), torch.tensor([[0.0], [1.0]])).tolist()
    [True, False]
    """
    slack = ROUNDING * (bounds[1] - bounds[0])
    return ((x >= bounds[0] - slack) & (x <= bounds[1] + slack)).all(-1)


def nearest_distance(x: Tensor, known: Tensor) -> Tensor:
    """Euclidean distance `(n,)` from each design to the nearest known one; NaN rows stay NaN.

    Args:
        x: designs `(n, x_dim)`, mostly standardised, so that all columns count alike.
        known: the designs to compare with `(m, x_dim)`, finite.

    >>> nearest_distance(torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 0.0], [9.0, 9.0]])).tolist()
    [5.0]
    """
    if not len(x):
        return x.new_empty(0)
    return torch.cat([(part - known[_nearest(part, known)]).norm(dim=1) for part in x.split(CHUNK)])


def _nearest(x: Tensor, known: Tensor) -> Tensor:
    """Which of the known designs is nearest to each design, the first of them where several are, `(n,)`."""
    least, place = x.new_full((len(x),), torch.inf), torch.zeros(len(x), dtype=torch.int64, device=x.device)
    for number, some in enumerate(known.split(KNOWN)):
        # |k|^2 - 2 x k finds the nearest at half the cost of cdist; small distances, which tell copies, it would lose.
        found = torch.addmm(some.square().sum(1), x, some.T, alpha=-2).min(1)
        nearer = found.values < least
        least = torch.where(nearer, found.values, least)
        place = torch.where(nearer, found.indices + number * KNOWN, place)
    return place


def nearest_y(y: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Which known y is nearest to each target, and how far away that is, over the entries that both have.

    Args:
        y: targets `(m, y_dim)`, in units in which all entries count alike; one that is NaN does not count.
        known: the y to choose from `(n, y_dim)`, in the same units, with NaN likewise.

    Returns:
        The number of the nearest `(m,)`, the first of them where several are, and the mean square of its distance
        `(m,)`; infinite where no known y has an entry in common.

    >>> nearest_y(torch.tensor([[1.0, torch.nan]]), torch.tensor([[4.0, 0.0], [2.0, 9.0]]))
    (tensor([1]), tensor([1.]))
    """
    centre = known.nanmean(0).nan_to_num(nan=0.0)  # large offsets would drown the distances in rounding
    has, filled = known.isfinite().to(known), (known - centre).nan_to_num(nan=0.0)
    parts = []
    for part in y.split(CHUNK):
        counts, values = part.isfinite().to(part), (part - centre).nan_to_num(nan=0.0)
        total = (filled.square() @ counts.T).addmm_(filled, values.T, alpha=-2).addmm_(has, values.square().T)
        parts.append(total.div_(has @ counts.T).nan_to_num_(nan=torch.inf).min(0).indices)
    place = torch.cat(parts) if parts else torch.zeros(0, dtype=torch.int64)
    return place, (y - known[place]).square().nanmean(1).nan_to_num(nan=torch.inf)


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
    """How many different rows there are; NaN rows are one.

    Args:
        x: `(n, x_dim)`.

    >>> distinct(torch.tensor([[1.0, 2.0], [1.0, 2.0], [2.0, 1.0]]))
    2
    """
    return len(torch.unique(torch.nan_to_num(x, nan=float("inf")), dim=0))
