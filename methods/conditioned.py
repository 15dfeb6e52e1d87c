"""Forward models and searches of a task with conditions, which are the last entries of y and inputs like a design."""

from __future__ import annotations

import torch
from torch import Tensor

from harness.contracts import Problem

FREE = 1e30
"""The bound of a condition in a search: none, but a number that can be calculated with."""


def split(problem: Problem, y: Tensor) -> tuple[Tensor, Tensor]:
    """What is to be reached `(..., y_dim - c)` and what is given with it `(..., c)`, from y `(..., y_dim)`.

    Args:
        problem: how many of the last entries are conditions.
        y: targets, standardised.
    """
    wanted = y.shape[-1] - problem.condition_dim
    return y[..., :wanted], y[..., wanted:]


def joined(x: Tensor, given: Tensor) -> Tensor:
    """Designs with their conditions `(n, x_dim + c)`, the input of a forward model; the designs where there are none.

    Args:
        x: designs `(n, x_dim)`, standardised.
        given: conditions `(n, c)`, standardised.
    """
    return torch.cat([x, given], -1) if given.shape[-1] else x


def parted(problem: Problem, z: Tensor) -> tuple[Tensor, Tensor]:
    """Designs and conditions from both together; no gradient reaches the conditions, so that no search moves them.

    Args:
        problem: how many columns are those of a design.
        z: `(n, x_dim + c)`, as `joined` gives them.
    """
    return z[..., : problem.x_dim], z[..., problem.x_dim :].detach()


def box(problem: Problem, bounds: Tensor) -> Tensor:
    """The box of a search `(2, x_dim + c)`, in which conditions are free.

    Args:
        problem: how many conditions there are.
        bounds: the box of the designs `(2, x_dim)`.
    """
    free = bounds.new_full((2, problem.condition_dim), FREE)
    free[0] = -FREE
    return joined(bounds, free)
