"""A task: a forward problem y = f(x) in physical units and float64.

Columns of x that hold whole numbers or choices are declared in `Task.kinds`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias, get_args

import torch
from torch import Generator, Tensor

from harness.contracts.level import Level
from harness.no_options import NoOptions

KINDS: TypeAlias = Literal["continuous", "integer", "categorical"]

ATTEMPTS = 100  # rounds of prior draws after which a task counts as one that cannot be simulated
CERTAIN = 4.0  # standard deviations below what it takes at which the rounds end early


@dataclass(frozen=True)
class Kind:
    """What some columns of x, side by side, are: `Kind("integer", 2)`.

    Raises:
        ValueError: an unknown kind, or too few columns.
    """

    name: KINDS
    """Real numbers; whole numbers from the least to the greatest of `bounds`, 0 and 1 of a pixel among them; or one
    choice among `columns`: of these, a design has a 1 in one and 0 in the others (one-hot)."""
    columns: int = 1

    def __post_init__(self) -> None:
        if self.name not in get_args(KINDS):
            raise ValueError(f"Kind {self.name!r} is not allowed. Allowed: {', '.join(get_args(KINDS))}.")
        least = 2 if self.name == "categorical" else 1
        if self.columns < least:
            raise ValueError(f"{self.columns} columns are not allowed. A kind {self.name!r} has {least} or more.")


@dataclass(frozen=True)
class Pairs:
    """Designs x `(n, x_dim)` and their targets y `(n, y_dim)`; to a method standardised and in its dtype. NaN means not
    known: an entry, or all of x or of y where the other stands alone.
    """

    x: Tensor
    y: Tensor


class Task(ABC):
    """A forward problem y = f(x), in physical units.

    A subclass sets `x_dim`, `y_dim` and `fixed_target` and implements `sample_prior`, `simulate` and `bounds`.
    `Options`, a frozen dataclass, makes `name[option=value]` typed and validated. An option that does not determine
    numbers, such as a number of processes, is a `field(metadata={"identity": False})`. An attribute `title`, a short
    text such as the name of a data file, stands in labels in place of the options that the user gave; an attribute
    `judge` says in words what the forward model is, such as `a proxy that was trained on pairs`, and `ahead` what is
    made once before the first cell, such as `trains its proxy, for about half a minute`. `simulated_pairs = True` says
    that the y of `pairs` of its own are what `simulate` gives: training designs are then not simulated again. A method
    `log_prior(x)` `(n,)`, log density with -inf outside the support, lets `harness.posterior` find rare solutions.
    """

    x_dim: int
    y_dim: int
    """Entries of y, conditions included."""
    fixed_target: tuple[float, ...]
    """y*, the target of the single-target protocol, in physical units, length `y_dim`."""
    x_labels: tuple[str, ...] = ()
    y_labels: tuple[str, ...] = ()
    n_train: int = 10_000
    """Pairs (x, y) that a method may learn from, validation part included."""
    cost: float = 0.0
    """CPU seconds of 1000 simulations on one core; a preset asks a slow simulator for fewer proposals."""
    x_shape: tuple[int, ...] | None = None
    """Shape of a design as an array, such as (32, 32) for pixels, where it has one."""
    kinds: tuple[Kind, ...] = ()
    """What the columns of x are, in their order, such as `(Kind("categorical", 3), Kind("integer"))`; all of them are
    continuous where omitted. The harness moves proposals to the values that a column can take (`harness.kinds`)."""
    y_axis: tuple[str, tuple[float, ...]] | None = None
    """Label and values of the axis along which y is a curve, such as a spectrum's wavelengths."""

    version: ClassVar[str] = "1"
    groups: ClassVar[tuple[str, ...]] = ()
    references: ClassVar[tuple[str, ...]] = ()
    required: ClassVar[tuple[str, ...]] = ()
    """Options without which the task cannot be built; `all` leaves such a task out."""

    Options: ClassVar[type] = NoOptions

    def __init__(self, options: Any = None) -> None:
        self.options = options if options is not None else self.Options()

    @abstractmethod
    def sample_prior(self, n: int, generator: Generator) -> Tensor:
        """Draw designs x `(n, x_dim)`, physical and float64, from the design distribution.

        Args:
            n: how many.
            generator: all randomness comes from it.
        """

    @abstractmethod
    def simulate(self, x: Tensor) -> Tensor:
        """The true forward model: y `(n, y_dim)`, physical and float64. A row that cannot be simulated is NaN.

        Args:
            x: designs `(n, x_dim)`, physical and float64, perhaps outside the box, or not finite.
        """

    @property
    @abstractmethod
    def bounds(self) -> Tensor:
        """The box of the prior `(2, x_dim)`, float64: its support, or its central 95 % interval where unbounded. Of an
        integer column it is the least and the greatest value, and of a categorical one 0 and 1.
        """

    def in_support(self, x: Tensor) -> Tensor:
        """Mask `(n,)` of the designs inside the hard domain; all finite designs unless a task says otherwise.

        Args:
            x: designs `(n, x_dim)`, physical.
        """
        return torch.isfinite(x).all(-1)

    def pairs(self, n: int, generator: Generator) -> Pairs:
        """At most n pairs to learn from, physical and float64: `draw`, unless a task has data of its own.

        Args:
            n: how many, at most.
            generator: all randomness comes from it.
        """
        return self.draw(n, generator)

    def prepare(self, n: int, generator: Generator) -> None:  # noqa: B027 (most tasks have nothing to prepare)
        """Make and cache the data that `pairs` reads when it is called with the same arguments; show a progress bar.
        Called in the main process before the cells of a run. Does nothing unless a task has such data.

        Args:
            n: how many pairs.
            generator: in the state in which `pairs` gets it.
        """

    def draw(self, n: int, generator: Generator) -> Pairs:
        """N prior draws that can be simulated, with their y, physical and float64.

        Args:
            n: how many.
            generator: all randomness comes from it.

        Raises:
            ValueError: too few prior draws can be simulated.
        """
        xs, ys, found = [], [], 0
        for round in range(1, ATTEMPTS + 1):
            x, conditions = self.draw_inputs(n, generator)
            y = forward(self, x, conditions)
            valid = torch.isfinite(y).all(1)
            xs.append(x[valid])
            ys.append(y[valid])
            found += int(valid.sum())
            if found >= n:
                return Pairs(torch.cat(xs)[:n], torch.cat(ys)[:n])
            least = round * n / ATTEMPTS  # on average, where so many rounds give n
            if found < least - CERTAIN * math.sqrt(least):
                break
        raise ValueError(f"Only {found} of {round * n} prior draws of {type(self).__name__} could be simulated.")

    def draw_inputs(self, n: int, generator: Generator) -> tuple[Tensor, Tensor | None]:
        """Designs `(n, x_dim)` and the conditions of each `(n, c)`, None without any: draws of the prior, and uniform
        draws in the range of the conditions, unless a task knows better.

        Args:
            n: how many.
            generator: all randomness comes from it.
        """
        x = self.sample_prior(n, generator)
        if self.conditions is None:
            return x, None
        low, high = self.conditions
        return x, low + (high - low) * torch.rand(n, len(low), generator=generator, dtype=torch.float64)

    @property
    def conditions(self) -> Tensor | None:
        """Range `(2, c)` of the conditions, float64, for a task that has any; they are the last c entries of y. Its
        forward model is `simulate(x, conditions)`, with conditions `(n, c)`, and gives the other entries of y.
        """
        return None

    @property
    def family(self) -> Task | None:
        """The same task with conditions that are fixed in this one, as `Family` makes it; None where it has none."""
        return None

    @property
    def fingerprint(self) -> str:
        """Hash of the files that the task reads besides its package, such as the user's data; part of a cell's key.
        Hash the contents, not the path: the option with the path is a `field(metadata={"identity": False})`.
        """
        return ""

    @property
    def floor(self) -> Mapping[str, float]:
        """Errors `sse`, `mse` and `nmse` of the forward model itself, below which no comparison means anything."""
        return {}

    @property
    def report(self) -> Sequence[str]:
        """Remarks on the task's data, one a line; `run` prints them and every record holds them."""
        return ()

    def images(self, x: Tensor) -> Tensor:
        """The designs that have exactly the same y by symmetry, x itself first: `(k, n, x_dim)`.

        Args:
            x: designs `(n, x_dim)`.
        """
        return x[None]

    def diagnose(self, x: Tensor) -> dict[str, Tensor]:
        """Further named numbers of each design, `(n,)` each, that a record shows beside its errors.

        Args:
            x: designs `(n, x_dim)`, physical and float64.
        """
        return {}

    @property
    def operators(self) -> Mapping[str, Callable[[Tensor], Tensor]]:
        """Other forward models by name, such as the operator behind a proxy; each has the signature of `simulate`."""
        return {}

    @property
    def levels(self) -> Mapping[str, Level]:
        """Cheaper forward models of the same designs by name, the cheapest first; they give all of y."""
        return {}

    def sketch(self, axes: Any, x: Tensor) -> None:
        """Draw a design: where in its range each coordinate lies, or better.

        Args:
            axes: of matplotlib.
            x: a design `(x_dim,)`, physical.
        """
        low, high = self.bounds
        labels = self.x_labels or tuple(f"x{i + 1}" for i in range(self.x_dim))
        axes.barh(range(self.x_dim), ((x - low) / (high - low)).tolist(), tick_label=labels)
        axes.set(xlim=(0, 1), xlabel="share of the range")
        axes.invert_yaxis()


def usable(pairs: Pairs, handles: frozenset[str] = frozenset()) -> Pairs:
    """The rows that a method can learn from: those that are complete, and whatever else it handles.

    Args:
        pairs: some of whose entries may be NaN.
        handles: as of the method: with `partial`, rows without some of y, too; with `lone`, those of x or y alone.
    """
    x, y = pairs.x.isfinite().all(1), pairs.y.isfinite()
    kept = x & y.all(1)
    if "partial" in handles:
        kept |= x & y.any(1)
    if "lone" in handles:
        kept |= (x & ~y.any(1)) | (~pairs.x.isfinite().any(1) & y.all(1))
    return pairs if bool(kept.all()) else Pairs(pairs.x[kept], pairs.y[kept])


def outputs(task: Task) -> int:
    """How many entries of y are to be reached: those in front of the conditions.

    Args:
        task: with conditions or without.
    """
    return task.y_dim - (0 if task.conditions is None else task.conditions.shape[1])


def forward(task: Task, x: Tensor, conditions: Tensor | None) -> Tensor:
    """All of y `(n, y_dim)`, conditions included, physical and float64.

    Args:
        task: whose forward model it is.
        x: designs `(n, x_dim)`, physical and float64.
        conditions: `(n, c)`, physical; None for a task that has none.
    """
    if conditions is None:
        return task.simulate(x)
    simulate: Callable[[Tensor, Tensor], Tensor] = task.simulate  # type: ignore[assignment]
    return torch.cat([simulate(x, conditions), conditions], -1)
