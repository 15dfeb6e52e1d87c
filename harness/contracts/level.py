"""A cheaper forward model of a task's designs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Level:
    """A forward model that stands for the task's own at a lower price, such as a coarser mesh."""

    simulate: Callable[[Tensor], Tensor]
    """From designs `(n, x_dim)` to y `(n, y_dim)`, physical and float64; NaN where a design cannot be simulated."""
    cost: float
    """Of one simulation, in units of one by the task's own model: measured, or what it is taken to be."""
    says: str
    """What it is, in a few words."""
