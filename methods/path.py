"""The path of flow matching from noise to values, straight and in unit time, and how a sampler follows it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor


def usual_end(x: Tensor, t: Tensor) -> Tensor:
    """Where x_t = (1 - t) e + t x is expected to end, `(n, d)`, if both e and x are standard normal.

    Args:
        x: x_t `(n, d)`.
        t: 0 at the noise and 1 at the end, `(n, 1)`, `(1, 1)` or as `x`.

    >>> usual_end(torch.tensor([[3.0]]), torch.tensor([[1.0]])).item()
    3.0
    """
    return t / (t.square() + (1 - t).square()) * x


def travel(x: Tensor, end: Callable[[Tensor, Tensor], Tensor], nfe: int) -> Tensor:
    """Where noise comes to, `(n, d)`, by the midpoint rule; steps end at t = 1 - (1 - i / n)^2, dense at the end.

    Args:
        x: noise `(n, d)`.
        end: from x_t and t `(1, 1)` to where the network expects it to end; the velocity is (end - x_t) / (1 - t).
        nfe: how often the network may be asked; each step asks twice.
    """

    def velocity(x: Tensor, left: float) -> Tensor:
        return (end(x, x.new_full((1, 1), 1 - left)) - x) / left

    steps = nfe // 2
    for left, after in pairwise((1 - i / steps) ** 2 for i in range(steps + 1)):
        half = (left + after) / 2
        middle = x + (left - half) * velocity(x, left)
        x = x + (left - after) * velocity(middle, half)
    return x


def fourier(values: Tensor, count: int) -> Tensor:
    """The values, and their sines and cosines with 1, 2, 4, ... radians per unit: `(n, d * (1 + 2 * count))`.

    With them a small network follows fine structure, such as solutions that lie on thin curves (Tancik et al. 2020,
    arXiv:2006.10739).

    Args:
        values: `(n, d)`.
        count: how many frequencies.

    >>> fourier(torch.zeros(1, 1), 2).tolist()
    [[0.0, 0.0, 0.0, 1.0, 1.0]]
    """
    angles = [values * 2.0**k for k in range(count)]
    return torch.cat([values, *(angle.sin() for angle in angles), *(angle.cos() for angle in angles)], 1)
