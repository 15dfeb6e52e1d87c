"""Gradients through the step from a number to the whole number or choice that a design will have."""

from __future__ import annotations

from torch import Tensor

from harness.contracts import Problem
from methods.levels import nearest


def straight(problem: Problem, x: Tensor) -> Tensor:
    """`nearest`, with the gradient of x itself: the straight-through estimator (Bengio, Leonard, Courville 2013).

    What is optimised through it sees the designs that come out in the end. Source: arXiv:1308.3432.

    Args:
        problem: kinds, steps and box of the columns, standardised.
        x: designs `(n, x_dim)`, standardised.
    """
    return x if problem.step is None else x + (nearest(problem, x) - x).detach()
