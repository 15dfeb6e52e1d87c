"""How much of a reference some proposals reach: near its draws, on its separate parts, and how far apart they are."""

from __future__ import annotations

import torch
from torch import Tensor

from harness.distances import nearest_distance

WITHIN = 0.95
"""Share of the reference that as many other draws of it reach, which says what near means."""


def radius(reference: Tensor, others: Tensor, count: int) -> float:
    """The distance within which 95 % of the draws of a reference have one of so many others."""
    return float(nearest_distance(reference, others[:count]).quantile(WITHIN))


def reached(reference: Tensor, proposals: Tensor, within: float) -> float:
    """The share of the draws of a reference `(n, d)` that have a proposal `(m, d)` within a distance."""
    if not len(proposals):
        return 0.0
    return float((nearest_distance(reference, proposals) <= within).double().mean())


def spread(x: Tensor) -> float:
    """Mean distance between two of the designs `(n, d)`; NaN for fewer than two."""
    n = len(x)
    return float(torch.cdist(x, x).sum() / (n * (n - 1))) if n > 1 else float("nan")
