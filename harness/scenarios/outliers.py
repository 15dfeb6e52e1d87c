"""Pairs that do not go with those around them."""

from __future__ import annotations

import torch
from torch import Tensor

from harness.contracts import Pairs

NEIGHBOURS = 9
"""Rows that a row is compared with, itself among them where it is one of them."""
ROWS = 500  # compared with all others at once


def without_outliers(pairs: Pairs, among: Pairs, share: float, count: int) -> Pairs:
    """The pairs without a share of them, those whose y is furthest from the median of their neighbours'.

    Neighbours are the rows with the nearest other designs, each coordinate in its standard deviation; the distance of y
    is the mean square over its entries, each in its interquartile range.

    Args:
        pairs: `(n, x_dim)` and `(n, y_dim)`, physical.
        among: the rows in which neighbours are looked for, which may be the same.
        share: of the rows that is left out, from 0.
        count: the first so many entries of y are compared; the others, conditions, count among x.

    >>> x = torch.linspace(0, 1, 20, dtype=torch.float64)[:, None]
    >>> wrong = Pairs(x, x.clone())
    >>> wrong.y[7] = 5.0
    >>> 7 in (without_outliers(wrong, wrong, 0.05, 1).x * 19).round()[:, 0].tolist()
    False
    """
    left_out = round(share * len(pairs.x))
    if not left_out:
        return pairs
    inputs, others = (torch.cat([part.x, part.y[:, count:]], 1) for part in (pairs, among))
    width = others.std(0)
    unit = torch.where(width > 0, width, 1.0)
    low, high = among.y[:, :count].nanquantile(torch.tensor([0.25, 0.75], dtype=torch.float64), 0)
    spread = torch.where(high > low, high - low, 1.0)
    distance = torch.cat(
        [
            _distance(rows / unit, y[:, :count] / spread, others / unit, among.y[:, :count] / spread)
            for rows, y in zip(inputs.split(ROWS), pairs.y.split(ROWS), strict=True)
        ]
    )
    kept = distance.argsort(stable=True)[: len(pairs.x) - left_out].sort().values
    return Pairs(pairs.x[kept], pairs.y[kept])


def _distance(x: Tensor, y: Tensor, others: Tensor, known: Tensor) -> Tensor:
    """How far y `(n, c)` is from the median of its neighbours', itself among them."""
    nearest = torch.cdist(x, others).topk(min(NEIGHBOURS, len(others)), largest=False).indices
    return (y - known[nearest].nanmedian(1).values).square().nanmean(1)
