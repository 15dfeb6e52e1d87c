"""A task with conditions, made from one in which they are fixed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from harness.contracts.task import Task


@dataclass(frozen=True)
class Condition:
    """What is given with a target, such as gravity."""

    label: str
    """With its unit, as those of x and y."""
    value: float
    """Where it is fixed."""
    low: float
    high: float
    """The range from which it is drawn."""


class Family(Task):
    """The designs of a task, simulated under conditions that are drawn uniformly; the last entries of y are these.

    With the values that are fixed in the task, it gives what the task does.

    Args:
        base: the task in which the conditions have their fixed values.
        given: the conditions.
        simulate: the forward model, from designs `(n, x_dim)` and conditions `(n, c)` to the y of the base
            `(n, base.y_dim)`; NaN where a design cannot be simulated.
    """

    def __init__(self, base: Task, given: Sequence[Condition], simulate: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__(base.options)
        self.base, self.given, self._simulate = base, tuple(given), simulate
        self.x_dim, self.y_dim = base.x_dim, base.y_dim + len(given)
        self.fixed_target = (*base.fixed_target, *(condition.value for condition in given))
        labels = base.y_labels or tuple(f"y{i + 1}" for i in range(base.y_dim))
        self.x_labels, self.y_labels = base.x_labels, (*labels, *(condition.label for condition in given))
        self.x_shape, self.kinds, self.n_train, self.cost = base.x_shape, base.kinds, base.n_train, base.cost

    @property
    def conditions(self) -> Tensor:
        return torch.tensor([[c.low for c in self.given], [c.high for c in self.given]], dtype=torch.float64)

    @property
    def bounds(self) -> Tensor:
        return self.base.bounds

    def sample_prior(self, n: int, generator: Generator) -> Tensor:
        return self.base.sample_prior(n, generator)

    def simulate(self, x: Tensor, conditions: Tensor) -> Tensor:  # type: ignore[override]
        """The forward model: y of the base `(n, base.y_dim)`, physical and float64.

        Args:
            x: designs `(n, x_dim)`, physical.
            conditions: a row for each `(n, c)`.
        """
        return self._simulate(x, conditions)

    def in_support(self, x: Tensor) -> Tensor:
        return self.base.in_support(x)

    def sketch(self, axes: Any, x: Tensor) -> None:
        self.base.sketch(axes, x)
