"""The data of one task: the pairs that a method may learn from, the targets that it is asked for, and their scales."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from harness import kinds
from harness.contracts import Method, Pairs, Problem, Proposals, Task
from harness.presets import Protocol
from harness.seeds import derive

VALIDATION = 0.2  # share of the training pairs
ROWS_PER_PART = 256


@dataclass(frozen=True)
class Standardisation:
    """Mean and standard deviation of the training part, float64; a constant dimension is left unscaled."""

    mean: Tensor
    scale: Tensor

    @classmethod
    def of(cls, rows: Tensor) -> Standardisation:
        """The standardisation of rows `(n, d)`."""
        mean = rows.mean(0)
        # In parts and in two passes, which takes a tenth of the time of `std` where a row has a thousand dimensions.
        squares = torch.stack([(part - mean).square().sum(0) for part in rows.split(ROWS_PER_PART)]).sum(0)
        scale = (squares / (len(rows) - 1)).sqrt()
        return cls(mean, torch.where(scale > 0, scale, 1.0))

    def only(self, columns: Tensor) -> Standardisation:
        """The same of the columns in a mask `(d,)`; all others are left as they are."""
        return Standardisation(torch.where(columns, self.mean, 0.0), torch.where(columns, self.scale, 1.0))

    def apply(self, rows: Tensor) -> Tensor:
        """Physical to standardised."""
        return (rows - self.mean) / self.scale

    def undo(self, rows: Tensor) -> Tensor:
        """Standardised to physical."""
        return rows * self.scale + self.mean


@dataclass(frozen=True)
class Dataset:
    """Training and validation pairs and the targets, all physical and float64."""

    train: Pairs
    valid: Pairs
    targets: Tensor
    fixed_target: Tensor
    x_scale: Standardisation
    y_scale: Standardisation

    @property
    def y_variance(self) -> Tensor:
        """Variance of y on the training part, the error of always answering with the mean, `(y_dim,)`."""
        return self.train.y.var(0)

    def hashes(self) -> dict[str, str]:
        """SHA-256 of the training and validation pairs and of the targets."""
        return {
            "split": _digest(self.train.x, self.train.y, self.valid.x, self.valid.y),
            "targets": _digest(self.targets, self.fixed_target),
        }


def prepare(task: Task, protocol: Protocol) -> None:
    """Let the task make the pairs that `draw` asks it for, where they take long and are kept."""
    task.prepare(protocol.n_train or task.n_train, _stream("train", protocol))


def draw(task: Task, protocol: Protocol) -> Dataset:
    """Draw the pairs and the targets of a task; both depend on the data seed and on nothing else.

    Raises:
        ValueError: too few prior draws can be simulated.
    """
    pairs = task.pairs(protocol.n_train or task.n_train, _stream("train", protocol))
    held = round(VALIDATION * len(pairs.x))
    train, valid = Pairs(pairs.x[held:], pairs.y[held:]), Pairs(pairs.x[:held], pairs.y[:held])
    if protocol.targets_from == "validation":
        targets = valid.y[: protocol.targets]
    else:
        targets = task.draw(protocol.targets, _stream("targets", protocol)).y
    fixed = torch.tensor([task.fixed_target], dtype=torch.float64)
    x_scale = Standardisation.of(train.x).only(kinds.scaled(task.kinds, task.x_dim))
    return Dataset(train, valid, targets, fixed, x_scale, Standardisation.of(train.y))


def _stream(purpose: str, protocol: Protocol) -> Generator:
    return Generator().manual_seed(derive("data", purpose, protocol.data_seed))


def pose(task: Task, data: Dataset, method: type[Method] | Method, device: str) -> Problem:
    """What the method may know of the task: dimensions, the range of the training designs, the prior; standardised."""

    def sample_prior(n: int, generator: Generator) -> Tensor:
        return data.x_scale.apply(task.sample_prior(n, generator)).to(device, method.dtype)

    bounds = data.x_scale.apply(torch.stack([data.train.x.amin(0), data.train.x.amax(0)])).to(device, method.dtype)
    step = _step(task, data, method.dtype)
    step = None if step is None else step.to(device)
    return Problem(task.x_dim, task.y_dim, bounds, sample_prior, task.x_shape, task.kinds, step)


def _step(task: Task, data: Dataset, dtype: torch.dtype) -> Tensor | None:
    """From one value of a discrete column to the next, as a method sees both; None where all of x is continuous."""
    discrete = kinds.discrete(task.kinds, task.x_dim)
    if not discrete.any():
        return None
    least = data.train.x.amin(0)
    step = data.x_scale.apply(least + 1).to(dtype) - data.x_scale.apply(least).to(dtype)
    return torch.where(discrete, step, 0.0)


def standardised(data: Dataset, pairs: Pairs, dtype: torch.dtype, device: str) -> Pairs:
    """Pairs as a method sees them."""
    return Pairs(
        data.x_scale.apply(pairs.x).to(device, dtype),
        data.y_scale.apply(pairs.y).to(device, dtype),
    )


def physical(task: Task, data: Dataset, proposals: Proposals) -> Tensor:
    """The designs `(b, n, x_dim)` that a method proposes, physical, float64 and on the CPU, each one that the task has.

    Training designs are taken as they are; of all others, discrete columns become the nearest of their values.
    """
    if proposals.rows is not None:
        return data.train.x[proposals.rows.cpu()]
    return kinds.snap(data.x_scale.undo(proposals.x.detach().cpu().double()), task.kinds, task.bounds.cpu())


def _digest(*tensors: Tensor) -> str:
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()
