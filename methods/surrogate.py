"""A network for the forward model: trained on pairs, and asked for y and its error by searches and inverse networks."""

from __future__ import annotations

from torch import Tensor, nn

from harness.contracts import Problem
from methods.conditioned import joined, split
from methods.networks import huber_error, known_error, mlp

ROBUST = (
    "residual, in standard deviations of y, from which on the loss of the surrogate grows linearly (Huber 1964), "
    "against wrong pairs; 0: the square throughout"
)
"""The help text of the option `huber`."""


class Surrogate(nn.Sequential):
    """Designs with their conditions `(n, x_dim + c)` to what is to be reached `(n, y_dim - c)`, all standardised.

    Args:
        problem: what is learned.
        width: of the hidden layers.
        depth: hidden layers.
        huber: the residual from which on the loss grows linearly; 0 for the square throughout.
    """

    def __init__(self, problem: Problem, width: int, depth: int, huber: float = 0.0) -> None:
        given = problem.condition_dim
        super().__init__(*mlp(problem.x_dim + given, problem.y_dim - given, width, depth))
        self.problem, self.huber = problem, huber

    def error(self, x: Tensor, y: Tensor) -> Tensor:
        """Squared error of designs, mean over the entries of y to be reached that are known, `(...)`.

        Args:
            x: designs `(..., x_dim)`, standardised.
            y: targets `(..., y_dim)`, standardised; an entry that is NaN is not known.
        """
        wanted, given = split(self.problem, y)
        return known_error(self(joined(x, given)), wanted)

    def loss(self, x: Tensor, y: Tensor, progress: float) -> Tensor:
        """What training minimises: the mean squared error, or that of Huber.

        Args:
            x: designs `(b, x_dim)`, standardised.
            y: their targets `(b, y_dim)`, standardised.
            progress: not used.
        """
        if not self.huber:
            return self.error(x, y).mean()
        wanted, given = split(self.problem, y)
        return huber_error(self(joined(x, given)), wanted, self.huber).mean()
