"""Training a generative method on fresh prior draws, labelled by a surrogate of the same pairs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from harness.contracts import Loss, Phase, Problem
from methods.conditioned import joined, split
from methods.networks import mlp, squared_error

SURROGATE_SHARE = 0.25  # of the training passes
DEPTH = 4


class Augmentation(nn.Module):
    """`augment=surrogate`: a forward network, counted in the budget, labels designs drawn afresh for every batch.

    It needs the design distribution to be known, which the training pairs alone do not give: off by default.

    Args:
        kind: `surrogate`, or `off`, which makes no network.
        problem: dimensions and design distribution, standardised.
        width: of the hidden layers.
    """

    def __init__(self, kind: str, problem: Problem, width: int) -> None:
        super().__init__()
        self.problem = problem
        given = problem.condition_dim
        inputs, outputs = problem.x_dim + given, problem.y_dim - given
        self.surrogate = mlp(inputs, outputs, width, DEPTH) if kind == "surrogate" else None

    def phases(
        self, module: nn.Module, loss: Loss, validate: Loss, *, name: str = "density", **settings: Any
    ) -> Iterator[Phase]:
        """The phases of a method whose only phase would minimise `loss` over `module`.

        Args:
            module: what the method trains.
            loss: of a batch, from designs `(b, x_dim)` and their y `(b, y_dim)`, standardised.
            validate: the same for the validation part, whose pairs are always the task's own.
            name: of the phase.
            **settings: other fields of the phase, such as `clip`.
        """
        if self.surrogate is None:
            yield Phase(name, module, loss, validate=validate, **settings)
            return
        yield Phase("surrogate", self.surrogate, self._fit, share=SURROGATE_SHARE, forward=True)

        def augmented(x: Tensor, y: Tensor, progress: float) -> Tensor:
            return loss(*self._fresh(y), progress)

        yield Phase(name, module, augmented, share=1 - SURROGATE_SHARE, validate=validate, **settings)

    def _fit(self, x: Tensor, y: Tensor, progress: float) -> Tensor:
        assert self.surrogate is not None
        wanted, given = split(self.problem, y)
        return squared_error(self.surrogate(joined(x, given)), wanted).mean()

    @torch.no_grad()
    def _fresh(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Prior draws, one for each y, and what the surrogate says of them under the conditions of these."""
        assert self.surrogate is not None
        given = split(self.problem, y)[1]
        fresh = self.problem.sample_prior(len(y), torch.default_generator)
        return fresh, joined(self.surrogate(joined(fresh, given)), given)
