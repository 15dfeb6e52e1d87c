"""Columns of x that hold whole numbers or choices, such as pixels that are 0 or 1, for methods of real numbers."""

from __future__ import annotations

import torch
from torch import Tensor

from harness.contracts import Problem


def blurred(x: Tensor, step: Tensor | None) -> Tensor:
    """X `(n, x_dim)` with uniform noise between the values of such columns, from the global random state.

    A density fitted to discrete values grows without bound at each of them. The noise (dequantisation; Theis, van den
    Oord, Bethge 2016, section 3.1) makes it the density of a discrete variable, from which the harness draws by taking
    the nearest value. `step` is that of the problem.

    Args:
        x: designs `(n, x_dim)`, standardised.
        step: `Problem.step`: from one value of such a column to the next, `(x_dim,)`.
    """
    return x if step is None else x + step * (torch.rand_like(x) - 0.5)


def loosened(problem: Problem) -> Tensor:
    """The range of the training designs `(2, x_dim)`; all numbers of a discrete column, which the harness clamps.

    Args:
        problem: whose box it is, standardised.
    """
    if problem.step is None:
        return problem.bounds
    most = torch.finfo(problem.bounds.dtype).max
    limits = problem.bounds.new_tensor([[-most], [most]])
    return torch.where(problem.step > 0, limits, problem.bounds)


def nearest(problem: Problem, x: Tensor) -> Tensor:
    """The designs `(n, x_dim)` that the harness will make of these: the nearest value of each discrete column.

    A search that ranks its designs, or says which error it believes, must look at the designs that come out in the end.

    Args:
        problem: kinds, steps and box of the columns, standardised.
        x: designs `(n, x_dim)`, standardised.
    """
    if problem.step is None:
        return x
    (low, high), step, place = problem.bounds, problem.step, 0
    whole = torch.where(step > 0, step, 1.0)
    valued = (low + ((x - low) / whole).round() * whole).clamp(low, high)
    designs = torch.where(step > 0, valued, x)
    for kind in problem.kinds:
        columns = slice(place, place := place + kind.columns)
        if kind.name == "categorical":
            chosen = x[:, columns].argmax(1, keepdim=True)
            designs[:, columns] = torch.zeros_like(x[:, columns]).scatter_(1, chosen, 1.0)
    return designs
