"""Pairs (x, y) that a program already holds, as what a method can learn from."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Generator, Tensor

from harness import kinds
from harness.contracts import Kind, Pairs, Task
from harness.errors import UsageError
from harness.priors import prior

if TYPE_CHECKING:
    import pandas
    from numpy.typing import ArrayLike

LEAST = 10  # pairs, of which a fifth validates


class OwnPairs(Task):
    """Pairs in memory. Without a forward model, nothing that is proposed can be simulated again."""

    def __init__(
        self,
        x: Tensor,
        y: Tensor,
        names: tuple[tuple[str, ...], tuple[str, ...]],
        columns: Sequence[Kind],
        simulate: Callable[[Any], Any] | None,
    ) -> None:
        super().__init__()
        self.x, self.y, self.forward_model = x, y, simulate
        self.x_dim, self.y_dim, self.n_train = x.shape[1], y.shape[1], len(x)
        self.x_labels, self.y_labels = names
        self.kinds = tuple(columns)
        self.fixed_target = tuple(y.nanmedian(0).values.tolist())
        self.draw_design = prior("density", x, self.kinds)

    @property
    def bounds(self) -> Tensor:
        return torch.stack([self.x.min(0).values, self.x.max(0).values])

    def sample_prior(self, n: int, generator: Generator) -> Tensor:
        """Draws from a density fitted to the designs."""
        return self.draw_design(n, generator)

    def pairs(self, n: int, generator: Generator) -> Pairs:
        """At most n of the pairs, in random order."""
        chosen = torch.randperm(len(self.x), generator=generator)[:n]
        return Pairs(self.x[chosen], self.y[chosen])

    def simulate(self, x: Tensor) -> Tensor:
        """What the given forward model says, NaN where there is none.

        Raises:
            UsageError: it gives an array of another shape.
        """
        if self.forward_model is None:
            return x.new_full((len(x), self.y_dim), math.nan)
        y = np.asarray(self.forward_model(x.numpy()), dtype=float)
        if y.shape == (len(x),) and self.y_dim == 1:
            y = y[:, None]
        if y.shape != (len(x), self.y_dim):
            raise UsageError(
                f"simulate gave an array of shape {y.shape} for {len(x)} designs. Return {(len(x), self.y_dim)}, a row "
                "for each design, NaN where it cannot be simulated."
            )
        return torch.from_numpy(y)


def pairs(
    x: ArrayLike | pandas.DataFrame,
    y: ArrayLike | pandas.DataFrame,
    *,
    names: tuple[Sequence[str], Sequence[str]] | None = None,
    kinds: Sequence[Kind] | None = None,
    simulate: Callable[[Any], Any] | None = None,
) -> OwnPairs:
    """Your own pairs, for `fit` to learn from.

    Args:
        x: designs `(n, x_dim)`, or `(n,)` where a design is one number, in physical units: an array or a data frame.
        y: what they reach `(n, y_dim)`, or `(n,)`; NaN where it is not known.
        names: of the columns of x and of those of y; those of the data frames, or x1, x2 and y1, y2, where omitted.
        kinds: what the columns of x are, such as `(Kind("integer"), Kind("categorical", 3))`; guessed where omitted.
        simulate: your forward model, from designs `(m, x_dim)` to what they reach `(m, y_dim)`, numpy arrays; with it
            proposals are simulated again.

    Raises:
        UsageError: values that are no numbers, shapes that do not belong together, or fewer than ten pairs.
    """
    designs, reached = _matrix("x", x), _matrix("y", y)
    if len(designs) != len(reached):
        raise UsageError(f"x has {len(designs)} rows and y has {len(reached)}. Give a row of y for each design.")
    if len(designs) < LEAST:
        raise UsageError(f"There are {len(designs)} pairs. Give {LEAST} or more; methods want some hundreds.")
    if not bool(designs.isfinite().all()):
        row = int((~designs.isfinite()).any(1).nonzero()[0, 0])
        raise UsageError(f"x has a value that is not finite, first in row {row}. Leave such rows out.")
    if bool(reached.isinf().any()) or bool(reached.isnan().all(0).any()):
        raise UsageError("y has infinite values, or a column without any. Give numbers, and NaN where y is not known.")
    own = names or (_labels("x", x, designs), _labels("y", y, reached))
    for given, of, rows in zip(own, ("x", "y"), (designs, reached), strict=True):
        if len(set(given)) != rows.shape[1]:
            raise UsageError(f"{of} has {rows.shape[1]} columns, and its names are {list(given)}. Give one name each.")
    return OwnPairs(designs, reached, (tuple(own[0]), tuple(own[1])), kinds or _detect(designs), simulate)


def _detect(x: Tensor) -> tuple[Kind, ...]:
    return kinds.detect(x)


def _matrix(name: str, values: Any) -> Tensor:
    try:
        array = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{name} holds something that is no number ({error}). Give real numbers.") from error
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or not array.shape[1]:
        raise UsageError(f"{name} has shape {array.shape}. Give (rows, columns).")
    return torch.from_numpy(array.copy())


def _labels(name: str, values: Any, rows: Tensor) -> list[str]:
    columns = getattr(values, "columns", None)
    if columns is None and getattr(values, "name", None) is not None:  # a series
        columns = [values.name]
    if columns is None:
        return [f"{name}{i + 1}" for i in range(rows.shape[1])]
    return [str(column) for column in columns]
