"""Errors of designs. A metric is one object: what it is called, what it means, how it is computed.

Nothing here imports torch, so that a table can name a metric's meaning at once; the functions take its tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from harness.statistics import Array

ACCURATE = 1e-2
"""nmse below which a design counts as one that reaches its target."""
LARGEST = 1e100
"""Errors above it are no numbers: of smaller ones even the squares of deviations are finite."""


@dataclass(frozen=True)
class Metric:
    """A weighted sum over y of the squares (f(x) - y)^2."""

    name: str
    words: str
    """Formula and unit, for a reader of a table."""
    weights: Callable[[Tensor], Tensor]
    """The weight of each y `(y_dim,)`, from the variance of y on the training part."""
    averaged: bool
    """Whether the sum is divided by the number of entries of y that are known."""

    def of(self, squares: Tensor, known: Tensor, y_variance: Tensor) -> Tensor:
        """The error `(...)`; NaN where a known entry's square is NaN.

        NaN where a known entry's square is NaN.

        Args:
            squares: (f(x) - y)^2 `(..., y_dim)`, physical.
            known: mask `(..., y_dim)`; entries of y that are not known do not count.
            y_variance: variance of y on the training part `(y_dim,)`.
        """
        weighted = (squares * self.weights(y_variance)).where(known, 0.0)
        total = weighted.sum(-1)
        return total / known.sum(-1) if self.averaged else total


def _one(y_variance: Tensor) -> Tensor:
    return y_variance.new_ones(())


def _per_variance(y_variance: Tensor) -> Tensor:
    return 1 / y_variance.where(y_variance > 0, 1.0)


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("sse", "sse = ‖f(x) − y‖², summed over y, physical units", _one, averaged=False),
        Metric("mse", "mse = ‖f(x) − y‖² / dim y, physical units", _one, averaged=True),
        Metric(
            "nmse",
            "nmse = mse in units of the training variance of each y; 1 = always answering with the mean",
            _per_variance,
            averaged=True,
        ),
    )
}


def errors(metric: Metric, reached: Tensor, y: Tensor, y_variance: Tensor) -> Tensor:
    """The error `(...)` of re-simulated designs; NaN where a design is invalid, or its error too large for a number.

    Args:
        metric: which error.
        reached: f(x) `(..., y_dim)`, NaN rows where invalid.
        y: targets, broadcastable to `reached`; an entry that is NaN is not known and does not count.
        y_variance: variance of y on the training part `(y_dim,)`.
    """
    known = y.isfinite().expand_as(reached)
    error = metric.of((reached - y).square(), known, y_variance)
    return error.where(error <= LARGEST, float("nan"))


def counted_errors(
    metric: Metric, reached: Tensor, y: Tensor, known_y: Tensor, y_variance: Tensor
) -> tuple[Tensor, Array]:
    """The errors `(m, n)` of the designs for each target, and the same as they count in a score.

    Args:
        metric: which error.
        reached: f(x) `(m, n, y_dim)`, NaN rows where invalid.
        y: targets `(m or 1, y_dim)`; an entry that is NaN is not known and does not count.
        known_y: as of `prior_errors`.
        y_variance: variance of y on the training part `(y_dim,)`.

    Returns:
        As `errors`, NaN where a design is invalid; and read-only with `prior_errors` in place of NaN.
    """
    import numpy as np

    error = errors(metric, reached, y[:, None], y_variance)
    fallback = prior_errors(metric, known_y, y, y_variance).numpy()
    counted = np.where(np.isnan(error.numpy()), fallback[:, None], error.numpy())
    counted.flags.writeable = False
    return error, counted


def prior_errors(metric: Metric, known_y: Tensor, y: Tensor, y_variance: Tensor) -> Tensor:
    """The mean error `(m,)` of a draw from the prior for each target: what an invalid design counts with.

    A draw counts with this error on average; so no method gains by returning nothing where it is in doubt.

    Args:
        metric: which error.
        known_y: y of draws from the prior `(n, y_dim)`, such as those of the training part.
        y: targets `(m, y_dim)`; an entry that is NaN is not known and does not count.
        y_variance: variance of y on the training part `(y_dim,)`.
    """
    squares = known_y.var(0, correction=0) + (known_y.mean(0) - y).square()
    return metric.of(squares, y.isfinite(), y_variance)
