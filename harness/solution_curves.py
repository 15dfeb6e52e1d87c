"""The designs of a plane that reach a target: curves, by interpolation in a grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from harness.contracts import Task
from harness.distances import nearest_distance

GRID = 121
"""Points of the plane in each direction."""
NO_CURVE = -1
"""In place of the number of a curve."""


def is_plane(task: Task) -> bool:
    """Whether the designs that reach a target are curves in a plane.

    Args:
        task: any.
    """
    return task.x_dim == 2 and task.y_dim == 1 and not task.kinds and task.conditions is None


def curves(task: Task, wanted: float) -> list[Tensor]:
    """The separate curves in the prior's box on which y is what is wanted, each `(points, 2)`.

    Args:
        task: one of which `is_plane` is true.
        wanted: y, physical.
    """
    from contourpy import contour_generator

    low, high = task.bounds.cpu()
    across, up = (torch.linspace(float(low[i]), float(high[i]), GRID, dtype=torch.float64) for i in (0, 1))
    with torch.no_grad():
        y = task.simulate(torch.cartesian_prod(across, up)).view(GRID, GRID).T  # rows are the vertical axis
    lines: Any = contour_generator(across.numpy(), up.numpy(), y.numpy()).lines(wanted)
    return [torch.from_numpy(line) for line in lines]


def nearest_curve(x: Tensor, lines: Sequence[Tensor]) -> Tensor:
    """The number of the curve that each design is nearest to `(n,)`; `NO_CURVE` where there is none.

    Args:
        x: designs `(n, 2)`, physical.
        lines: the curves, as `curves` gives them.
    """
    if not lines:
        return torch.full((len(x),), NO_CURVE)
    return torch.stack([nearest_distance(x, line) for line in lines], 1).argmin(1)
