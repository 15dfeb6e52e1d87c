"""How much of a reference some proposals reach: near its draws, on its separate parts, and how far apart they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from harness.contracts import Task
from harness.distances import nearest_distance

WITHIN = 0.95
"""Share of the reference that as many other draws of it reach, which says what near means."""
GRID = 121
"""Points of a plane in each direction, from which its solution curves are found."""


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


def is_plane(task: Task) -> bool:
    """Whether the solutions of a target are curves in a plane."""
    return task.x_dim == 2 and task.y_dim == 1 and not task.kinds and task.conditions is None


def curves(task: Task, wanted: float) -> list[Tensor]:
    """The separate curves in the prior's box of a plane on which y is what is wanted, each `(points, 2)`."""
    from contourpy import contour_generator

    low, high = task.bounds.cpu()
    across, up = (torch.linspace(float(low[i]), float(high[i]), GRID, dtype=torch.float64) for i in (0, 1))
    with torch.no_grad():
        y = task.simulate(torch.cartesian_prod(across, up)).view(GRID, GRID).T  # rows are the vertical axis
    lines: Any = contour_generator(across.numpy(), up.numpy(), y.numpy()).lines(wanted)
    return [torch.from_numpy(line) for line in lines]


def nearest_curve(x: Tensor, lines: Sequence[Tensor]) -> Tensor:
    """A mask `(n, curves)` of the curve that each design `(n, 2)` is nearest to."""
    distances = torch.stack([nearest_distance(x, line) for line in lines], 1)
    return torch.nn.functional.one_hot(distances.argmin(1), len(lines)).bool()
