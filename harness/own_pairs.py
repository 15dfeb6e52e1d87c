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
from harness.errors import UsageError, numbered
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
        given: the conditions under which they do `(n, c)`; None for none.
        names: of the columns of x, and of those of y, conditions last.
        columns: what the columns of x are.
        simulate: the forward model, from designs `(m, x_dim)`, with their conditions as further columns, to y
            `(m, y_dim)`, numpy arrays; None for none.
    """

    def __init__(
        self,
        x: Tensor,
        y: Tensor,
        given: Tensor | None,
        names: tuple[tuple[str, ...], tuple[str, ...]],
        columns: Sequence[Kind],
        simulate: Callable[[Any], Any] | None,
    ) -> None:
        super().__init__()
        self.x, self.given, self.forward_model = x, given, simulate
        self.y = y if given is None else torch.cat([y, given], 1)
        self.x_dim, self.y_dim, self.n_train = x.shape[1], self.y.shape[1], len(x)
        self.reached = y.shape[1]
        """Entries of y that are reached, and not given."""
        self.x_labels, self.y_labels = names
        self.kinds = tuple(columns)
        self.fixed_target = tuple(self.y.nanmedian(0).values.tolist())
        inputs = x if given is None else torch.cat([x, given], 1)
        self.draw_rows = prior("density", inputs, kinds.merged([*columns, *kinds.detect(inputs[:, x.shape[1] :])]))

    @property
    def bounds(self) -> Tensor:
        return torch.stack([self.x.min(0).values, self.x.max(0).values])

    def sample_prior(self, n: int, generator: Generator) -> Tensor:
        """Draws `(n, x_dim)` from a density fitted to the designs, physical and float64.

        Args:
            n: how many.
            generator: all randomness comes from it.
        """
        return self.draw_inputs(n, generator)[0]

    def draw_inputs(self, n: int, generator: Generator) -> tuple[Tensor, Tensor | None]:
        """Draws of designs `(n, x_dim)` with conditions `(n, c)` such as occur together.

        Args:
            n: how many.
            generator: all randomness comes from it.
        """
        drawn = self.draw_rows(n, generator)
        return drawn[:, : self.x_dim], None if self.given is None else drawn[:, self.x_dim :]

    @property
    def conditions(self) -> Tensor | None:
        return None if self.given is None else torch.stack([self.given.min(0).values, self.given.max(0).values])

    def pairs(self, n: int, generator: Generator) -> Pairs:
        """At most n of the pairs, in random order.

        Args:
            n: how many, at most.
            generator: all randomness comes from it.
        """
        chosen = torch.randperm(len(self.x), generator=generator)[:n]
        return Pairs(self.x[chosen], self.y[chosen])

    def draw(self, n: int, generator: Generator) -> Pairs:
        """Other pairs than those that are given, which takes a forward model.

        Args:
            n: how many.
            generator: all randomness comes from it.

        Raises:
            UsageError: there is none.
        """
        if self.forward_model is None:
            raise UsageError("This needs y of other designs. Give your forward model: harness.pairs(..., simulate=f).")
        return super().draw(n, generator)

    def simulate(self, x: Tensor, conditions: Tensor | None = None) -> Tensor:
        """What the given forward model says of y, without conditions; NaN where there is none.

        Args:
            x: designs `(n, x_dim)`, physical and float64.
            conditions: of each `(n, c)`, where some are given.

        Raises:
            UsageError: it gives an array of another shape.
        """
        if self.forward_model is None:
            return x.new_full((len(x), self.reached), math.nan)
        inputs = x if conditions is None else torch.cat([x, conditions], 1)
        y = real("what simulate gave", self.forward_model(inputs.numpy().copy()))
        if y.shape == (len(x),) and self.reached == 1:
            y = y[:, None]
        if y.shape != (len(x), self.reached):
            raise UsageError(
                f"simulate gave an array of shape {y.shape} for {len(x)} designs. Return {(len(x), self.reached)}, a "
                "row for each design, NaN where it cannot be simulated."
            )
        return torch.from_numpy(y)


def pairs(
    x: ArrayLike | pandas.DataFrame,
    y: ArrayLike | pandas.DataFrame,
    *,
    given: ArrayLike | pandas.DataFrame | None = None,
    names: tuple[Sequence[str], Sequence[str]] | None = None,
    kinds: Sequence[Kind] | None = None,
    simulate: Callable[[Any], Any] | None = None,
) -> OwnPairs:
    """Your own pairs, for `fit` to learn from.

    Args:
        x: designs `(n, x_dim)`, or `(n,)` where a design is one number, in physical units: an array or a data frame.
        y: what they reach `(n, y_dim)`, or `(n,)`; NaN where it is not known.
        given: conditions under which they reach it, such as a temperature, `(n, c)` or `(n,)`: inputs that nobody
            designs. They are the last entries of each target.
        names: of the columns of x and of those of y; those of the data frames, or x1, x2 and y1, y2, where omitted.
        kinds: what the columns of x are, such as `(Kind("integer"), Kind("categorical", 3))`; guessed where omitted.
        simulate: your forward model, from designs `(m, x_dim)`, conditions as further columns, to what they reach
            `(m, y_dim)`, numpy arrays; with it proposals are simulated again.

    Raises:
        UsageError: values that are no numbers, shapes that do not belong together, or fewer than ten pairs.

    Warns:
        SimulatorDiffers: `simulate`, which is tried on a few pairs, gives another y than they have.
    """
    designs, reached = _matrix("x", x), _matrix("y", y)
    if len(designs) != len(reached):
        raise UsageError(
            f"x has {numbered(len(designs), 'row')} and y has {len(reached)}. Give a row of y for each design."
        )
    indices = getattr(x, "index", None), getattr(y, "index", None)
    if all(hasattr(index, "equals") for index in indices) and not indices[0].equals(indices[1]):  # type: ignore[union-attr]
        raise UsageError("x and y are data frames whose rows have other indices. Give them in one order, or arrays.")
    if simulate is not None and not callable(simulate):
        raise UsageError(f"simulate = {simulate!r} cannot be called. Give a function of designs (m, x_dim).")
    if len(designs) < LEAST:
        raise UsageError(f"Too few pairs: {len(designs)}. Give {LEAST} or more; methods want some hundreds.")
    if not bool(designs.isfinite().all()):
        row = int((~designs.isfinite()).any(1).nonzero()[0, 0])
        raise UsageError(f"x has a value that is not finite, first in row {row}. Leave such rows out.")
    if bool(reached.isinf().any()) or bool(reached.isnan().all(0).any()):
        raise UsageError("y has infinite values, or a column without any. Give numbers, and NaN where y is not known.")
    own = names or (_labels("x", x, designs), _labels("y", y, reached))
    if len(own) != 2 or any(isinstance(part, str) for part in own):
        raise UsageError(f"names = {names!r} is not allowed. Give a pair, names of x and names of y: (['a'], ['b']).")
    for part, of, rows in zip(own, ("x", "y"), (designs, reached), strict=True):
        if len(set(part)) != rows.shape[1]:
            raise UsageError(
                f"{of} has {numbered(rows.shape[1], 'column')}, and its names are {list(part)}. Give one name each."
            )
    conditions = None if given is None else _conditions(given, len(designs))
    of_conditions = [] if conditions is None else _labels("given", given, conditions)
    made = OwnPairs(
        designs,
        reached,
        conditions,
        (tuple(own[0]), (*own[1], *of_conditions)),
        _checked(kinds, designs) if kinds else _detect(designs),
        simulate,
    )
    if simulate is not None:
        _compare(made)
    return made


def _conditions(values: Any, rows: int) -> Tensor:
    """The conditions `(n, c)`.

    Raises:
        UsageError: not so many rows, values that are not finite, or a column that never changes.
    """
    found = _matrix("given", values)
    if len(found) != rows:
        raise UsageError(
            f"x has {numbered(rows, 'row')} and given has {len(found)}. Give the conditions of each design."
        )
    if not bool(found.isfinite().all()):
        row = int((~found.isfinite()).any(1).nonzero()[0, 0])
        raise UsageError(f"given has a value that is not finite, first in row {row}. Leave such rows out.")
    if bool((found == found[0]).all(0).any()):
        raise UsageError("A column of given is the same in all rows, so that nothing is learned of it. Leave it out.")
    return found


def _compare(task: OwnPairs) -> None:
    """Try the forward model on a few pairs, and warn where it says something else than they do.

    Warns:
        SimulatorDiffers: by more than rounding, or it answers none of them.
    """
    chosen = torch.linspace(0, len(task.x) - 1, min(TRIED, len(task.x))).long()
    conditions, y = None if task.given is None else task.given[chosen], task.y[:, : task.reached]
    squares = (task.simulate(task.x[chosen], conditions) - y[chosen]).square()
    deviation = (y - y.nanmean(0)).square().nanmean(0)
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
