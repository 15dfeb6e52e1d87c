"""The data of one task: the pairs that a method may learn from, the targets that it is asked for, and their scales."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from harness.contracts import Method, Pairs, Problem, Task
from harness.presets import Protocol
from harness.seeds import derive

VALIDATION = 0.2  # share of the training pairs
ATTEMPTS = 100


@dataclass(frozen=True)
class Standardisation:
    """Mean and standard deviation of the training part, float64; a constant dimension is left unscaled."""

    mean: Tensor
    scale: Tensor

    @classmethod
    def of(cls, rows: Tensor) -> Standardisation:
        """The standardisation of rows `(n, d)`."""
        scale = rows.std(0)
        return cls(rows.mean(0), torch.where(scale > 0, scale, 1.0))

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


def draw(task: Task, protocol: Protocol) -> Dataset:
    """Draw the pairs and the targets of a task; both depend on the data seed and on nothing else.

    Raises:
        ValueError: too few prior draws can be simulated.
    """
    n_train = protocol.n_train or task.n_train
    x, y = _simulated(task, n_train, "train", protocol.data_seed)
    held = round(VALIDATION * n_train)
    train, valid = Pairs(x[held:], y[held:]), Pairs(x[:held], y[:held])
    if protocol.targets_from == "validation":
        targets = valid.y[: protocol.targets]
    else:
        targets = _simulated(task, protocol.targets, "targets", protocol.data_seed)[1]
    fixed = torch.tensor([task.fixed_target], dtype=torch.float64)
    return Dataset(train, valid, targets, fixed, Standardisation.of(train.x), Standardisation.of(train.y))


def _simulated(task: Task, n: int, purpose: str, seed: int) -> tuple[Tensor, Tensor]:
    """N prior draws that can be simulated, and their y."""
    generator = Generator().manual_seed(derive("data", purpose, seed))
    xs, ys, found = [], [], 0
    for _ in range(ATTEMPTS):
        x = task.sample_prior(n, generator)
        y = task.simulate(x)
        valid = torch.isfinite(y).all(1)
        xs.append(x[valid])
        ys.append(y[valid])
        found += int(valid.sum())
        if found >= n:
            return torch.cat(xs)[:n], torch.cat(ys)[:n]
    raise ValueError(f"Only {found} of {ATTEMPTS * n} prior draws of {type(task).__name__} could be simulated.")


def pose(task: Task, data: Dataset, method: type[Method] | Method, device: str) -> Problem:
    """What the method may know of the task: dimensions, the range of the training designs, the prior; standardised."""

    def sample_prior(n: int, generator: Generator) -> Tensor:
        return data.x_scale.apply(task.sample_prior(n, generator)).to(device, method.dtype)

    x = data.x_scale.apply(data.train.x)
    bounds = torch.stack([x.min(0).values, x.max(0).values]).to(device, method.dtype)
    return Problem(task.x_dim, task.y_dim, bounds, sample_prior)


def standardised(data: Dataset, pairs: Pairs, dtype: torch.dtype, device: str) -> Pairs:
    """Pairs as a method sees them."""
    return Pairs(
        data.x_scale.apply(pairs.x).to(device, dtype),
        data.y_scale.apply(pairs.y).to(device, dtype),
    )


def _digest(*tensors: Tensor) -> str:
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()
