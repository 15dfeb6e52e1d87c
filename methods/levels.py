"""Columns of x that hold whole numbers or choices, such as pixels that are 0 or 1, for densities of real numbers."""

from __future__ import annotations

import torch
from torch import Tensor

from harness.contracts import Problem


def blurred(x: Tensor, step: Tensor | None) -> Tensor:
    """X `(n, x_dim)` with uniform noise between the values of such columns, from the global random state.

    A density fitted to discrete values grows without bound at each of them. The noise (dequantisation; Theis, van den
    Oord, Bethge 2016, section 3.1) makes it the density of a discrete variable, from which the harness draws by taking
    the nearest value. `step` is that of the problem.
    """
    return x if step is None else x + step * (torch.rand_like(x) - 0.5)


def loosened(problem: Problem) -> Tensor:
    """The range of the training designs `(2, x_dim)`; all numbers of a discrete column, which the harness clamps."""
    if problem.step is None:
        return problem.bounds
    most = torch.finfo(problem.bounds.dtype).max
    limits = problem.bounds.new_tensor([[-most], [most]])
    return torch.where(problem.step > 0, limits, problem.bounds)
