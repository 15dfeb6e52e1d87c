"""Pairs (x, y) that a program already holds, as what a method can learn from."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Generator, Tensor

from harness import kinds
from harness.contracts import Kind, Pairs, Task
from harness.errors import UsageError
from harness.priors import prior
from harness.real import real

if TYPE_CHECKING:
    import pandas
    from numpy.typing import ArrayLike

LEAST = 10  # pairs, of which a fifth validates
TRIED = 16  # pairs that a forward model is tried on
DIFFERENT = 1e-6  # nmse from which on a forward model and the pairs are said to differ


class SimulatorDiffers(UserWarning):
    """A forward model says something else than the pairs."""


class OwnPairs(Task):
    """Pairs in memory. Without a forward model, nothing that is proposed can be simulated again.

    Args:
        x: designs `(n, x_dim)`, physical and float64.
        y: what they reach `(n, y_dim)`; NaN where it is not known.
        names: of the columns of x, and of those of y.
        columns: what the columns of x are.
        simulate: the forward model, from designs `(m, x_dim)` to y `(m, y_dim)`, numpy arrays; None for none.
    """

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
        """Draws `(n, x_dim)` from a density fitted to the designs, physical and float64.

        Args:
            n: how many.
            generator: all randomness comes from it.
        """
        return self.draw_design(n, generator)

    def pairs(self, n: int, generator: Generator) -> Pairs:
        """At most n of the pairs, in random order.

        Args:
            n: how many, at most.
            generator: all randomness comes from it.
        """
        chosen = torch.randperm(len(self.x), generator=generator)[:n]
        return Pairs(self.x[chosen], self.y[chosen])

    def simulate(self, x: Tensor) -> Tensor:
        """What the given forward model says `(n, y_dim)`, NaN where there is none.

        Args:
            x: designs `(n, x_dim)`, physical and float64.

        Raises:
            UsageError: it gives an array of another shape.
        """
        if self.forward_model is None:
            return x.new_full((len(x), self.y_dim), math.nan)
        y = real("what simulate gave", self.forward_model(x.numpy().copy()))
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

    Warns:
        SimulatorDiffers: `simulate`, which is tried on a few pairs, gives another y than they have.
    """
    designs, reached = _matrix("x", x), _matrix("y", y)
    if len(designs) != len(reached):
        raise UsageError(f"x has {len(designs)} rows and y has {len(reached)}. Give a row of y for each design.")
    indices = getattr(x, "index", None), getattr(y, "index", None)
    if all(hasattr(index, "equals") for index in indices) and not indices[0].equals(indices[1]):  # type: ignore[union-attr]
        raise UsageError("x and y are data frames whose rows have other indices. Give them in one order, or arrays.")
    if simulate is not None and not callable(simulate):
        raise UsageError(f"simulate = {simulate!r} cannot be called. Give a function of designs (m, x_dim).")
    if len(designs) < LEAST:
        raise UsageError(f"There are {len(designs)} pairs. Give {LEAST} or more; methods want some hundreds.")
    if not bool(designs.isfinite().all()):
        row = int((~designs.isfinite()).any(1).nonzero()[0, 0])
        raise UsageError(f"x has a value that is not finite, first in row {row}. Leave such rows out.")
    if bool(reached.isinf().any()) or bool(reached.isnan().all(0).any()):
        raise UsageError("y has infinite values, or a column without any. Give numbers, and NaN where y is not known.")
    own = names or (_labels("x", x, designs), _labels("y", y, reached))
    if len(own) != 2 or any(isinstance(given, str) for given in own):
        raise UsageError(f"names = {names!r} is not allowed. Give a pair, names of x and names of y: (['a'], ['b']).")
    for given, of, rows in zip(own, ("x", "y"), (designs, reached), strict=True):
        if len(set(given)) != rows.shape[1]:
            raise UsageError(f"{of} has {rows.shape[1]} columns, and its names are {list(given)}. Give one name each.")
    made = OwnPairs(
        designs,
        reached,
        (tuple(own[0]), tuple(own[1])),
        _checked(kinds, designs) if kinds else _detect(designs),
        simulate,
    )
    if simulate is not None:
        _compare(made)
    return made


def _compare(task: OwnPairs) -> None:
    """Try the forward model on a few pairs, and warn where it says something else than they do.

    Warns:
        SimulatorDiffers: by more than rounding, or it answers none of them.
    """
    chosen = torch.linspace(0, len(task.x) - 1, min(TRIED, len(task.x))).long()
    squares = (task.simulate(task.x[chosen]) - task.y[chosen]).square()
    deviation = (task.y - task.y.nanmean(0)).square().nanmean(0)
    error = float((squares / torch.where(deviation > 0, deviation, 1.0)).nanmean())
    if math.isnan(error):
        text = (
            f"simulate answers none of {len(chosen)} of the pairs with finite numbers. Look at what it gives for x[0]."
        )
    elif error > DIFFERENT:
        text = (
            f"What simulate gives differs from y: nmse {error:.3g} over {len(chosen)} pairs, where 1 is the error of "
            "always answering with the mean. Methods learn from the pairs and are judged by simulate; see that both "
            "have the same units and order of columns."
        )
    else:
        return
    warnings.warn(text, SimulatorDiffers, stacklevel=3)


def _checked(given: Sequence[Kind], x: Tensor) -> tuple[Kind, ...]:
    """Kinds that the designs are of.

    Raises:
        UsageError: they are not.
    """
    if isinstance(given, str) or not all(isinstance(kind, Kind) for kind in given):
        raise UsageError(f"kinds = {given!r} is not allowed. Give Kind objects, such as (Kind('integer'),).")
    try:
        bounds = torch.stack([x.min(0).values, x.max(0).values])
        other = (kinds.snap(x, given, bounds) != x).any(0).nonzero()[:, 0].tolist()
    except ValueError as error:
        raise UsageError(str(error)) from error
    if other:
        raise UsageError(
            f"Column {other[0]} of x, counted from 0, holds values that its kind cannot have. Allowed: whole numbers "
            "in an integer column, one 1 and else 0 in a categorical group."
        )
    return tuple(given)


def _detect(x: Tensor) -> tuple[Kind, ...]:
    return kinds.detect(x)


def _matrix(name: str, values: Any) -> Tensor:
    array = real(name, values)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or not array.shape[1]:
        raise UsageError(f"{name} has shape {array.shape}. Give (rows, columns).")
    return torch.from_numpy(array)


def _labels(name: str, values: Any, rows: Tensor) -> list[str]:
    columns = getattr(values, "columns", None)
    if columns is None and getattr(values, "name", None) is not None:  # a series
        columns = [values.name]
    if columns is None:
        return [f"{name}{i + 1}" for i in range(rows.shape[1])]
    return [str(column) for column in columns]
