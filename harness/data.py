"""The data of one task: the pairs that a method may learn from, the targets that it is asked for, and their scales."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from harness import kinds
from harness.contracts import Pairs, Problem, Task, outputs, usable
from harness.scenarios.contract import Scenario, Targets
from harness.seeds import derive
from harness.split import held_back

if TYPE_CHECKING:
    from harness.settings import DataSettings

ROWS_PER_PART = 256
NOISE = 4 * torch.finfo(torch.float64).eps
"""Spread, relative to the greatest value of a column, up to which it is rounding: of the values or of their mean."""
NAMED = 8  # columns that are named in one line


@dataclass(frozen=True)
class Standardisation:
    """Mean and standard deviation of the known entries of the training part, float64.

    A dimension that is constant, but for rounding, is left unscaled.
    """

    mean: Tensor
    scale: Tensor

    @classmethod
    def of(cls, rows: Tensor) -> Standardisation:
        """The standardisation of the columns of rows.

        Args:
            rows: `(n, d)`, physical and float64; an entry that is NaN is not known and does not count.
        """
        mean, deviation, varied = _moments(rows)
        return cls(mean, deviation.where(varied, 1.0))

    def only(self, columns: Tensor) -> Standardisation:
        """The same of some columns; all others are left as they are.

        Args:
            columns: mask `(d,)` of those that are standardised.
        """
        return Standardisation(torch.where(columns, self.mean, 0.0), torch.where(columns, self.scale, 1.0))

    def apply(self, rows: Tensor) -> Tensor:
        """Physical to standardised.

        Args:
            rows: `(..., d)`, physical and float64.

        >>> scale = Standardisation.of(torch.tensor([[1.0], [3.0], [5.0]], dtype=torch.float64))
        >>> scale.apply(torch.tensor([[7.0]], dtype=torch.float64)).tolist()
        [[2.0]]
        """
        return (rows - self.mean) / self.scale

    def undo(self, rows: Tensor) -> Tensor:
        """Standardised to physical.

        Args:
            rows: `(..., d)`, standardised, float64.
        """
        return rows * self.scale + self.mean


def extent(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Least and greatest known entry of each column `(d,)`; inf and -inf where none is known.

    Args:
        rows: `(n, d)`; an entry that is NaN is not known.
    """
    least, most = rows.aminmax(dim=0)
    if bool(least.isnan().any()):
        return rows.nan_to_num(nan=torch.inf).amin(0), rows.nan_to_num(nan=-torch.inf).amax(0)
    return least, most


def _moments(rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and standard deviation of each column of rows `(n, d)`, and whether it varies by more than rounding."""
    mean, least, most = rows.mean(0), *extent(rows)
    complete, degrees = not bool(mean.isnan().any()), torch.tensor(len(rows) - 1)
    if not complete:
        mean, degrees = rows.nanmean(0).nan_to_num(), (~rows.isnan()).sum(0) - 1
    largest = torch.maximum(most, -least).clamp_min(0)
    # In units of each column, a power of two: squares of 1e-200 would be 0, and others are not rounded anew.
    unit = torch.ldexp(torch.ones_like(mean), torch.frexp(largest).exponent)
    # In parts and in two passes, which takes a tenth of the time of `std` where a row has a thousand dimensions.
    parts = (((part - mean) / unit).square() for part in rows.split(ROWS_PER_PART))
    squares = torch.stack([(part if complete else part.nan_to_num()).sum(0) for part in parts]).sum(0)
    deviation = (squares / degrees).sqrt() * unit
    return mean, deviation, (least < most) & (deviation > NOISE * largest)


def unscaled(rows: Tensor, labels: Sequence[str]) -> list[str]:
    """A line of text that names the columns that are left unscaled; none where all vary.

    Args:
        rows: of the training part `(n, d)`, physical.
        labels: of the columns.
    """
    mean, _, varied = _moments(rows)
    columns = zip(labels, mean.tolist(), varied.tolist(), strict=True)
    constant = [f"{label} ({value:.6g})" for label, value, kept in columns if not kept]
    if not constant:
        return []
    more = f" and {len(constant) - NAMED} more" if len(constant) > NAMED else ""
    verb = "is" if len(constant) == 1 else "are"
    named = ", ".join(constant[:NAMED]) + more
    return [f"{named} {verb} the same in all training rows, but for rounding, and {verb} not scaled."]


@dataclass(frozen=True)
class Dataset:
    """Training and validation pairs as methods see them, and what is asked; all physical and float64."""

    train: Pairs
    valid: Pairs
    targets: Targets
    fixed: Targets
    """y*, a single target."""
    x_scale: Standardisation
    y_scale: Standardisation
    known_y: Tensor
    """Y of the task's own training part `(n, y_dim)`, free of noise whatever the scenario; its complete rows alone."""
    settings: DataSettings
    usual: int
    """Rows of the task's own training part."""
    before: tuple[Pairs, Pairs] | None = None
    """Training and validation pairs that are learned first, where there are any."""
    report: tuple[str, ...] = ()
    """What the scenario says of the data."""
    hidden_prior: bool = False
    """Whether methods draw designs from those of the pairs, as no more is known of their distribution."""

    @property
    def designs(self) -> Tensor:
        """The training designs that are known `(n, x_dim)`, those learned first included."""
        every = torch.cat([part.x for part in ((self.before[0],) if self.before else ()) + (self.train,)])
        return every[every.isfinite().all(1)]

    @cached_property
    def y_variance(self) -> Tensor:
        """Variance of y on the task's own training part, the error of always answering with the mean, `(y_dim,)`."""
        return self.known_y.var(0)

    def asked(self, of: str) -> Targets:
        """The targets that a question is about: `targets` or `fixed`.

        Args:
            of: `targets` or `fixed`.
        """
        return {"targets": self.targets, "fixed": self.fixed}[of]

    def hashes(self) -> dict[str, str]:
        """SHA-256 of the training and validation pairs and of the targets, as methods see them."""
        first = [] if self.before is None else [each for part in self.before for each in (part.x, part.y)]
        return {
            "split": _digest(*first, self.train.x, self.train.y, self.valid.x, self.valid.y),
            "targets": _digest(self.targets.shown, self.fixed.shown),
        }


def prepare(task: Task, settings: DataSettings) -> None:
    """Let the task make the pairs that `draw` asks it for, where they take long and are kept.

    Args:
        task: which may make and keep its pairs.
        settings: how many pairs, and the seed.
    """
    task.prepare(settings.n_train or task.n_train, _stream("train", settings))


def draw(task: Task, settings: DataSettings, scenario: Scenario | None = None) -> Dataset:
    """Draw the pairs and the targets of a task; they depend on the data seed and the scenario, and on nothing else.

    Args:
        task: whose data they are.
        settings: how many pairs and targets, and the seed.
        scenario: another view of them; the task's own where omitted.

    Raises:
        ValueError: too few prior draws can be simulated.
    """
    scenario = scenario or Scenario()
    pairs = task.pairs(settings.n_train or task.n_train, _stream("train", settings))
    held = held_back(len(pairs.x))
    train, valid = Pairs(pairs.x[held:], pairs.y[held:]), Pairs(pairs.x[:held], pairs.y[:held])
    known = _whole(train)
    if settings.targets_from == "validation":
        whole = _whole(valid)
        asked = Pairs(whole.x[: settings.targets], whole.y[: settings.targets])
    else:
        asked = task.draw(settings.targets, _stream("targets", settings))
    fixed_y = torch.tensor([task.fixed_target], dtype=torch.float64)

    def ask(name: str, y: Tensor, designs: Tensor | None) -> Targets:
        targets = Targets(_scored(task, y), y, designs=designs)
        return scenario.ask(task, known, targets, _stream(f"scenario {name}", settings))

    seen_train, seen_valid = scenario.data(task, train, valid, _stream("scenario", settings))
    before = scenario.before(task, train, valid, _stream("scenario before", settings))
    every = (before[0], seen_train) if before else (seen_train,)
    targets, fixed = ask("targets", asked.y, asked.x), ask("fixed", fixed_y, None)
    return Dataset(
        train=seen_train,
        valid=seen_valid,
        targets=targets,
        fixed=fixed,
        report=scenario.report,
        x_scale=Standardisation.of(torch.cat([part.x for part in every])).only(kinds.scaled(task.kinds, task.x_dim)),
        y_scale=Standardisation.of(torch.cat([part.y for part in every])),
        known_y=known.y,
        settings=settings,
        usual=len(train.x),
        before=before,
        hidden_prior=scenario.hides_prior,
    )


def unscaled_columns(task: Task, data: Dataset) -> list[str]:
    """Lines of text on the columns of x and y that are left unscaled because they do not vary; none where all do.

    Args:
        task: whose labels are named.
        data: drawn from it.
    """
    lines = []
    numbers = kinds.scaled(task.kinds, task.x_dim)
    for name, rows, labels, wanted in (
        ("x", data.train.x, task.x_labels, numbers),
        ("y", data.train.y, task.y_labels, torch.ones(task.y_dim, dtype=torch.bool)),
    ):
        names = labels or [f"{name}{i + 1}" for i in range(rows.shape[1])]
        lines += unscaled(rows[:, wanted], [label for label, kept in zip(names, wanted.tolist(), strict=True) if kept])
    return lines


def _whole(pairs: Pairs) -> Pairs:
    """The complete rows, or all of them where there is none."""
    complete = usable(pairs)
    return complete if len(complete.x) else pairs


def _scored(task: Task, y: Tensor) -> Tensor:
    """The targets without the conditions, which are given and not to be reached."""
    if task.conditions is None:
        return y
    scored = y.clone()
    scored[:, outputs(task) :] = torch.nan
    return scored


def _stream(purpose: str, settings: DataSettings) -> Generator:
    return Generator().manual_seed(derive("data", purpose, settings.data_seed))


def pose(task: Task, data: Dataset) -> Problem:
    """What a method may know of the task: dimensions, the range of the training designs, the prior; standardised.

    Args:
        task: whose dimensions, kinds and prior a method is told.
        data: drawn from it.
    """
    designs = data.designs

    def sample_prior(n: int, generator: Generator) -> Tensor:
        if data.hidden_prior:
            rows = torch.randint(len(designs), (n,), generator=generator, device=generator.device)
            return data.x_scale.apply(designs.to(rows.device)[rows])
        return data.x_scale.apply(task.sample_prior(n, generator))

    bounds = data.x_scale.apply(torch.stack(extent(designs)))
    return Problem(
        task.x_dim,
        task.y_dim,
        bounds,
        sample_prior,
        condition_dim=0 if task.conditions is None else task.conditions.shape[1],
        kinds=task.kinds,
        step=_step(task, data),
    )


def _step(task: Task, data: Dataset) -> Tensor | None:
    """From one value of a discrete column to the next, standardised; None where all of x is continuous."""
    discrete = kinds.discrete(task.kinds, task.x_dim)
    if not discrete.any():
        return None
    return torch.where(discrete, 1 / data.x_scale.scale, 0.0)


def fitted(problem: Problem, dtype: torch.dtype, device: str) -> Problem:
    """The problem in the precision of a method and on its device.

    Args:
        problem: standardised, float64.
        dtype: of the method.
        device: such as `cpu` or `cuda:0`.
    """

    def sample_prior(n: int, generator: Generator) -> Tensor:
        return problem.sample_prior(n, generator).to(device, dtype)

    bounds, step = problem.bounds, problem.step
    if step is not None:  # between two values as the method sees them, rounded each
        apart = (bounds[0] + step).to(dtype) - bounds[0].to(dtype)
        step = apart.where(step > 0, 0.0).to(device)
    return replace(problem, bounds=bounds.to(device, dtype), sample_prior=sample_prior, step=step)


def standardised(
    scales: tuple[Standardisation, Standardisation], pairs: Pairs, dtype: torch.dtype, device: str
) -> Pairs:
    """Physical pairs as a method sees them, by the scales of x and y.

    Args:
        scales: of x and of y.
        pairs: `(n, x_dim)` and `(n, y_dim)`, physical and float64.
        dtype: of the method.
        device: such as `cpu` or `cuda:0`.
    """
    x_scale, y_scale = scales
    return Pairs(x_scale.apply(pairs.x).to(device, dtype), y_scale.apply(pairs.y).to(device, dtype))


def _digest(*tensors: Tensor) -> str:
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()
