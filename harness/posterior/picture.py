"""What is drawn of a reference: some of its draws, beside some proposals."""

from __future__ import annotations

from torch import Tensor

from harness.contracts import Task
from harness.data import Dataset
from harness.kinds import discrete
from harness.posterior.reference import Reference
from harness.posterior.results import Picture

POINTS, DIGITS = 200, 4
"""Designs that are kept on each side, and their significant digits."""
COORDINATES = 3
"""Coordinates that are drawn, at most: those in which the reference is spread most."""


def picture(task: Task, data: Dataset, reference: Reference, x: Tensor) -> Picture | None:
    """Designs in the continuous coordinates in which the reference is spread most; None with fewer than two of these.

    Args:
        task: whose designs these are.
        data: of the task.
        reference: whose draws for y* are drawn.
        x: proposals for y* `(n, x_dim)`, physical.
    """
    continuous = ~discrete(task.kinds, task.x_dim)
    if int(continuous.sum()) < 2 or not len(reference.fixed.x):
        return None
    spread = data.x_scale.apply(reference.fixed.x).std(0).where(continuous, -1.0)
    chosen = sorted(spread.topk(min(COORDINATES, int(continuous.sum()))).indices.tolist())
    labels = task.x_labels or tuple(f"x{number + 1}" for number in range(task.x_dim))
    return Picture(
        labels=[labels[number] for number in chosen],
        bounds=task.bounds.cpu().T[chosen].tolist(),
        reference=_rounded(reference.fixed.x[:POINTS, chosen]),
        proposals=_rounded(x[:POINTS, chosen]),
    )


def _rounded(rows: Tensor) -> list[list[float]]:
    """The finite rows, short."""
    finite = rows[rows.isfinite().all(1)]
    return [[float(f"{value:.{DIGITS}g}") for value in row] for row in finite.tolist()]
