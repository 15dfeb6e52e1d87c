"""The rows of a user's file: each design once, and what there is to know about them before a method sees them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from harness.errors import UsageError

LEAST = 50  # rows of a part, below which neither a proxy nor its error is worth anything
LEAST_FOR_EACH = 5  # rows of a part for each column of x, as many as a linear fit wants for each coefficient
INFLATED = 0.2  # share of the rows with one and the same y, from which on it is reported and the proxy is told


@dataclass(frozen=True)
class Mass:
    """A value that a column of y has in many rows exactly, such as a band gap of 0."""

    column: int
    value: float
    share: float


@dataclass(frozen=True)
class Rows:
    """Pairs with distinct designs, physical and float64."""

    x: Tensor
    """`(n, x_dim)`"""
    y: Tensor
    """`(n, y_dim)`: of a design that several rows of the file have, the mean of theirs; NaN where none has a value."""
    repeated: int = 0
    """Rows of the file whose design another row before them has."""
    scatter: float = 0.0
    """Mean over y of the variance within the rows of one design, pooled over the repeated designs."""

    @classmethod
    def of(cls, x: np.ndarray, y: np.ndarray) -> Rows:
        """The rows of a file, those with the same design made one.

        A forward model has one y for a design; and rows that stay together cannot be on two sides of a split.

        Args:
            x: designs `(n, x_dim)`, float64.
            y: what they reach `(n, y_dim)`, float64, NaN where it is not known.
        """
        x = np.ascontiguousarray(x)
        whole = x.view(np.dtype((np.void, x.dtype.itemsize * x.shape[1])))[:, 0]
        _, first, group = np.unique(whole, return_index=True, return_inverse=True)
        means, squares = zip(*(_pooled(column, group, len(first)) for column in y.T), strict=True)
        spare = len(x) - len(first)
        order = np.argsort(first)
        return cls(
            torch.from_numpy(x[first[order]].copy()),
            torch.from_numpy(np.stack(means, 1)[order]),
            spare,
            float(np.mean(squares) / spare) if spare else 0.0,
        )

    @property
    def complete(self) -> Tensor:
        """Mask `(n,)` of the rows whose y is known in every entry."""
        return self.y.isfinite().all(1)

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: Tensor | slice) -> Rows:
        return Rows(self.x[index], self.y[index])

    def halves(self, seed: int) -> tuple[Rows, Rows]:
        """The rows as two random halves that share no design.

        Args:
            seed: of the draw.
        """
        order = torch.randperm(len(self), generator=Generator().manual_seed(seed))
        half = len(self) // 2
        return self[order[:half].sort().values], self[order[half:].sort().values]

    def require(self, parts: int, name: str) -> None:
        """Refuse fewer rows than a part of them needs.

        Args:
            parts: 2 where half of the rows trains a proxy, else 1.
            name: what an error calls the rows.

        Raises:
            UsageError: too few.
        """
        each = max(LEAST, LEAST_FOR_EACH * self.x.shape[1])
        whole = int(self.complete.sum())
        if whole < parts * each <= len(self):
            raise UsageError(
                f"{name} has {len(self)} different designs, but only {whole} without an empty cell in y, which is too "
                f"few to measure errors by. Allowed: {parts * each} or more. Leave out the columns of y that have many."
            )
        if len(self) < parts * each:
            split = " in the half that trains the proxy and in that of the methods" if parts > 1 else ""
            raise UsageError(
                f"{name} has {len(self)} different designs, which is too few. Allowed: {parts * each} or more, {each}"
                f"{split} (at least {LEAST}, and {LEAST_FOR_EACH} for each column of x). Give more rows or a smaller x."
            )

    def masses(self) -> list[Mass]:
        """The values of y that more than `INFLATED` of the rows have."""
        found: list[Mass] = []
        for column, values in enumerate(self.y.T):
            each, times = values[values.isfinite()].unique(return_counts=True)
            shares = times.double() / times.sum()
            often = shares > INFLATED
            found += [Mass(column, *pair) for pair in zip(each[often].tolist(), shares[often].tolist(), strict=True)]
        return found

    def middle(self) -> Tensor:
        """The y `(y_dim,)` of the row nearest to the median, among rows whose y is at none of the masses.

        Nearest in units of the standard deviation.
        """
        off = self.complete
        for mass in self.masses():
            off &= self.y[:, mass.column] != mass.value
        y = self.y[off] if off.any() else self.y[self.complete]
        distance = ((y - y.median(0).values) / self.y[self.complete].std(0)).square().sum(1)
        return y[distance.argmin()]


def _pooled(y: np.ndarray, group: np.ndarray, groups: int) -> tuple[np.ndarray, float]:
    """The mean `(groups,)` of the known values of one column in each group, and their squares about it, summed."""
    rows = np.flatnonzero(np.isfinite(y))
    known, values = group[rows], y[rows]
    base = np.full(groups, np.nan)
    base[known[::-1]] = values[::-1]
    # Deviations from a group's first value: where its rows agree, their mean is exactly their value.
    deviation = values - base[known]
    means = np.bincount(known, deviation, groups) / np.maximum(np.bincount(known, minlength=groups), 1)
    return base + means, float(((deviation - means[known]) ** 2).sum())
