"""A trained method that is ready to be asked for designs, and its answer as a data frame."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from harness.asking import ask
from harness.contracts import Method, Task
from harness.data import extent
from harness.distances import inside, nearest_distance
from harness.errors import UsageError
from harness.fitting import Lesson
from harness.metrics import METRICS, errors
from harness.own_pairs import OwnPairs
from harness.pickling import frozen, thawed
from harness.real import real
from harness.reporting.notes import FEW_STEPS
from harness.resimulation import resimulate
from harness.training import PhaseLog

if TYPE_CHECKING:
    import pandas

RESERVED = ("target", "believed_nmse", "nmse", "inside", "nearest")
"""Columns of the answer; a column of x of such a name gets `x: ` before it."""
NAMED = 3  # targets outside the training range, and entries of y in which they are, that a warning names
FEW = 8  # names of columns in an error
ASKED = 1000  # pairs of which the nearest other one is looked for
NEAR = 0.999  # share of them that have one nearer than what is called near
CLEAR = 3.0  # times that distance from which on a target is far
MISSED = 0.01  # the nmse of the nearest pair below which a target is near whatever else


class OutsideRange(UserWarning):
    """A target lies outside the y that the method has learned from, in one of its entries or in all together."""


class TrainedLittle(UserWarning):
    """The method was trained for a moment only."""


@dataclass(frozen=True, repr=False)
class Solver:
    """A trained method on a task; made by `harness.fit` and `harness.load`."""

    name: str
    """The method as it was selected."""
    method: Method
    given: Lesson
    """What it learned from."""
    task: Task
    phases: list[PhaseLog] = field(default_factory=list)
    """What each training phase did; empty where it was loaded."""
    of: str = ""
    """The task as it was selected."""
    preset: str = ""
    errors: Mapping[str, float] = field(default_factory=dict)
    """Mean error of one proposal over the targets of its record, by metric; empty where it was not scored."""

    def __repr__(self) -> str:
        trainable = sum(parameter.numel() for parameter in self.method.parameters() if parameter.requires_grad)
        facts = [
            f"{self.name} on {self.of or type(self.task).__name__}",
            *([f"preset {self.preset}"] if self.preset else []),
            f"{trainable} parameters",
            f"{self.pairs} pairs",
            *(f"mean {name} {value:.3g} in the table multi-target" for name, value in self.errors.items()),
        ]
        return f"Solver({', '.join(facts)})"

    @property
    def pairs(self) -> int:
        """How many pairs it was trained on; rows of x or of y alone are none."""
        train = self.given.train
        return int((train.x.isfinite().any(1) & train.y.isfinite().any(1)).sum())

    def __reduce__(self) -> tuple[Any, ...]:
        rest = (self.phases, self.of, self.preset, dict(self.errors))
        return _revived, (self.name, frozen(self.method, self.given, self.task), *rest)

    @property
    def x_names(self) -> list[str]:
        """Names of the columns of a design."""
        return list(self.task.x_labels) or [f"x{i + 1}" for i in range(self.task.x_dim)]

    @property
    def y_names(self) -> list[str]:
        """Names of the entries of y."""
        return list(self.task.y_labels) or [f"y{i + 1}" for i in range(self.task.y_dim)]

    @property
    def conditions(self) -> int:
        """How many of the last entries of y are given with a target, and not to be reached."""
        return self.given.problem.condition_dim

    def propose(self, targets: Any, n: int = 10, *, seed: int = 0) -> pandas.DataFrame:
        """Designs for targets, n for each, in physical units.

        Args:
            targets: the wanted y in physical units: a number, one target `(y_dim,)`, several `(m, y_dim)`, or a data
                frame with the columns of y. NaN is an entry that may be anything, for methods that handle it.
            n: designs for each target. A method that ranks its candidates, or knows the error to expect of them, gives
                the best first.
            seed: of the random numbers that the method draws.

        Returns:
            A row for each design: `target`, the number of its target from 0; the columns of the design;
            `believed_nmse`, the error that the method's own forward model promises (missing where it has none); for
            each y its `wanted` and its `reached` value, and `nmse`, the error of what is reached (missing where a
            design is invalid, left out where the task cannot simulate); `inside`, whether the design lies in the
            task's box; `nearest`, its distance to the nearest training design, in standardised x. An nmse is in units
            of the variance of y in training: 1 is the error of answering with the mean.

        Raises:
            UsageError: targets of another shape, with gaps that the method does not handle, or for which it has no
                answer; more designs than there is memory for.

        Warns:
            OutsideRange: a target lies outside the y of the training pairs, where no method has learned anything, or
                far from all of them.
            TrainedLittle: the method was trained for a moment only.
        """
        import pandas

        wanted = self._wanted(targets)
        n, seed = whole("n", n, 1), whole("seed", seed, 0)
        lines = [*outside_range(self.given, wanted, self.y_names), *far(self.given, wanted)]
        for line in lines:
            warnings.warn(line, OutsideRange, stacklevel=2)
        for line in self._untrained():
            warnings.warn(line, TrainedLittle, stacklevel=2)
        found = ask(self.method, self.given, wanted, n, seed, self.y_names)
        x, believed = found.x, found.believed
        if believed is not None and not found.ranked:
            order = believed.nan_to_num(nan=torch.inf).argsort(dim=1, stable=True)
            x, believed = x.gather(1, order[..., None].expand_as(x)), believed.gather(1, order)
        flat = x.flatten(0, 1)
        columns: dict[str, Any] = {"target": np.repeat(np.arange(len(wanted)), n)}
        columns |= dict(zip(self.columns, flat.T.numpy().copy(), strict=True))
        columns["believed_nmse"] = np.nan if believed is None else believed.flatten().numpy()
        columns |= self._reached(x, wanted)
        columns["inside"] = inside(flat, self.task.bounds).numpy()
        columns["nearest"] = self._nearest(flat).numpy()
        return pandas.DataFrame(columns)

    @property
    def columns(self) -> list[str]:
        """The columns of a design in the answer: its names, with `x: ` before those that another column has."""
        taken = {*RESERVED, *(f"{name} {what}" for name in self.y_names for what in ("wanted", "reached"))}
        found: list[str] = []
        for name in self.x_names:
            while name in taken:
                name = f"x: {name}"
            taken.add(name)
            found.append(name)
        return found

    def columns_of(self, columns: Sequence[Any]) -> list[Any]:
        """The columns of a table that hold the entries of y, in their order; a unit in brackets may be left out.

        Args:
            columns: the names in a table.

        Raises:
            UsageError: an entry has no column, or several.
        """
        return [_column(name, self.y_names, list(columns)) for name in self.y_names]

    def _untrained(self) -> Iterator[str]:
        """A remark on a model that was trained for a moment only."""
        schedule, rows = self.given.schedule, len(self.given.train.x)
        steps = schedule.epochs * max(1, rows // schedule.batch)
        if self.method.trainable and steps < FEW_STEPS:
            yield (
                f"{self.name} was trained for {steps} steps, as in the preset smoke, which is too little to learn "
                "much. Train it longer, as in the preset quick."
            )

    def _wanted(self, targets: Any) -> Tensor:
        """Targets `(m, y_dim)`, float64."""
        import pandas

        names, y_dim = self.y_names, self.task.y_dim
        named = isinstance(targets, pandas.Series) and all(isinstance(label, str) for label in targets.index)
        if named and y_dim > 1:  # one target, whose entries the index names
            targets = targets.to_frame().T
        if isinstance(targets, Mapping | set | str):
            raise UsageError(
                f"The targets are a {type(targets).__name__}. Give numbers, an array, or a data frame whose columns "
                "are named as y, such as pandas.DataFrame([{'gap': 0.8}])."
            )
        if hasattr(targets, "columns"):
            targets = targets[self.columns_of(list(targets.columns))]
        array = real("a target", targets)
        if array.ndim == 0 or (array.ndim == 1 and y_dim > 1):
            array = array[None]
        array = array[:, None] if array.ndim == 1 else array
        if array.ndim != 2 or array.shape[1] != y_dim or not len(array):
            raise UsageError(
                f"The targets have shape {np.shape(targets)}. Allowed: {y_dim} number{'s' * (y_dim > 1)} "
                f"({few(names)}), or an array (targets, {y_dim})."
            )
        if np.isinf(array).any():
            raise UsageError("The targets hold infinite values. Give finite ones.")
        standardised = self.given.scales[1].apply(torch.from_numpy(array)).to(self.method.dtype)
        if standardised.isinf().any():
            raise UsageError(
                f"The targets hold {np.nanmax(np.abs(array)):g}, which is beyond the numbers that {self.name} computes "
                "with. Give targets near those that it learned from."
            )
        unknown = np.isnan(array) & (np.arange(y_dim) >= y_dim - self.conditions)
        if unknown.any():
            lacking, rows = ([*np.flatnonzero(unknown.any(axis))] for axis in (0, 1))
            raise UsageError(
                f"The targets have NaN in {few([names[place] for place in lacking])}, which "
                f"{'is' if len(lacking) == 1 else 'are'} given with a target and not searched for: target "
                f"{few([str(row) for row in rows])}. Give a value."
            )
        if np.isnan(array).any() and "gaps" not in self.method.handled:
            raise UsageError(
                f"The targets have gaps (NaN), which {self.name} does not handle. Give every entry, or take a method "
                "that handles gaps (`python -m harness list methods` says which do)."
            )
        return torch.from_numpy(array)

    def _reached(self, x: Tensor, wanted: Tensor) -> dict[str, Any]:
        """What each design is to reach, what it does reach, and the error; nothing where none can be simulated."""
        if isinstance(self.task, OwnPairs) and self.task.forward_model is None:
            return {}
        reached = resimulate(self.task, x, wanted)
        scored = wanted.clone()
        if self.conditions:  # they are given and not to be reached
            scored[:, -self.conditions :] = torch.nan
        nmse = errors(METRICS["nmse"], reached, scored[:, None], self.given.scales[1].scale.square())
        each = zip(self.y_names, wanted[:, None].expand_as(reached).flatten(0, 1).T, strict=True)
        columns = {f"{name} wanted": values.numpy() for name, values in each}
        columns |= {f"{name} reached": y.numpy() for name, y in zip(self.y_names, reached.flatten(0, 1).T, strict=True)}
        return {**columns, "nmse": nmse.flatten().numpy()}

    def _nearest(self, x: Tensor) -> Tensor:
        scale, known = self.given.scales[0], self.given.train.x
        return nearest_distance(scale.apply(x), scale.apply(known[known.isfinite().all(1)]))


def _revived(name: str, content: bytes, *rest: Any) -> Solver:
    """What `Solver.__reduce__` has pickled."""
    return Solver(name, *thawed(content), *rest)


def _column(name: str, names: list[str], columns: list[Any]) -> Any:
    """The column of a data frame that holds an entry of y; its unit in brackets may be left out."""
    texts = [str(column) for column in columns]
    for known in (name, name.partition(" [")[0]):
        if texts.count(known) == 1:
            return columns[texts.index(known)]
    raise UsageError(f"The targets have the columns {few(texts)}. Give one column for each y: {few(names)}.")


def few(names: list[str]) -> str:
    """Names in a message, the first ones where there are many.

    Args:
        names: in their order.
    """
    return ", ".join(names[:FEW]) + (f" and {len(names) - FEW} more" if len(names) > FEW else "")


def whole(name: str, value: Any, least: int) -> int:
    """A whole number that a user gave.

    Args:
        name: of the number, for an error.
        value: what was given.
        least: the least that is allowed.

    Raises:
        UsageError: it is none, or less than the least.
    """
    if isinstance(value, bool | np.bool_) or not isinstance(value, Integral) or value < least:
        raise UsageError(f"{name} = {value!r} is not allowed. Allowed: whole numbers from {least}.")
    return int(value)


def outside_range(given: Lesson, targets: Tensor, names: list[str]) -> Iterator[str]:
    """A line for each entry of y of which targets lie outside the training range.

    Args:
        given: what a method has learned from.
        targets: `(m, y_dim)`, physical; an entry that is NaN may be anything.
        names: of the entries of y.
    """
    low, high = extent(torch.cat([given.train.y, given.valid.y]))
    beyond = (targets < low) | (targets > high)
    entries = beyond.any(0).nonzero()[:, 0].tolist()
    if len(entries) > NAMED:
        names = [f"{name} and {len(entries) - 1} more entries of y" for name in names]
        entries = entries[:1]
    for entry in entries:
        outside, name = beyond[:, entry].nonzero()[:, 0].tolist(), names[entry]
        if outside:
            values = ", ".join(f"{targets[row, entry]:.6g} (target {row})" for row in outside[:NAMED])
            more = f" and {len(outside) - NAMED} more" if len(outside) > NAMED else ""
            yield (
                f"{name} = {values}{more} lies outside what was learned from, {low[entry]:.6g} to {high[entry]:.6g}: "
                "designs for it are guesses."
            )


def far(given: Lesson, targets: Tensor) -> Iterator[str]:
    """A line for the targets that are far from all pairs, though each entry is inside the training range.

    Far is more than `CLEAR` times the distance within which `NEAR` of the pairs have another one, in standardised y.

    Args:
        given: what a method has learned from.
        targets: `(m, y_dim)`, physical; an entry that is NaN may be anything.
    """
    scale = given.scales[1]
    known = scale.apply(torch.cat([given.train.y, given.valid.y]))
    low, high = extent(known)
    wanted = scale.apply(targets)
    found: list[tuple[int, float, float]] = []
    for row, target in enumerate(wanted):
        entries = ~target.isnan()
        if not entries.any() or bool(((target < low) | (target > high)).any()):
            continue
        rows = known[:, entries]
        rows = rows[rows.isfinite().all(1)]
        distance = _nearest(target[entries], rows)
        if MISSED < distance**2 / int(entries.sum()) < torch.inf:
            usual = _usual(rows)
            if distance > CLEAR * usual:
                found.append((row, distance, usual))
    if found:
        row, distance, usual = max(found, key=lambda item: item[1])
        several = f"{len(found)} targets are" if len(found) > 1 else f"Target {row} is"
        yield (
            f"{several} far from all pairs that were learned from, though each y is in its range. The nearest pair to "
            f"target {row} is {distance:.3g} standard deviations of y away, and pairs are within {usual:.3g} of each "
            "other: perhaps no design reaches it."
        )


def _nearest(point: Tensor, rows: Tensor) -> float:
    """The distance of a point `(d,)` to the nearest of the rows `(n, d)`; infinite where there are none."""
    return float(torch.cdist(point[None], rows).min()) if len(rows) else torch.inf


def _usual(rows: Tensor) -> float:
    """Within which distance nearly all rows `(n, d)` have another one; equal rows count as one."""
    rows = rows.unique(dim=0)
    if len(rows) < 2:
        return 0.0
    asked = rows[torch.linspace(0, len(rows) - 1, min(ASKED, len(rows))).long()]
    return float(torch.cdist(asked, rows).topk(2, largest=False).values[:, 1].quantile(NEAR))
