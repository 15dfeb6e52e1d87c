"""y*, the target of the single-target protocol, from a short text."""

from __future__ import annotations

import re

import torch
from torch import Tensor

from harness.errors import UsageError
from tasks.dataset.rows import Rows

ROW = re.compile(r"row:(\d+)")
PLUS = re.compile(r"(?<![eE])\+")  # joins numbers; in 1e+3 it does not


def fixed_target(text: str | None, y: Tensor, rows: Rows) -> tuple[float, ...]:
    """The numbers of y*: as written, of a row of the file's y `(n, y_dim)`, or of a row in the middle of the data.

    Raises:
        UsageError: not so many numbers, or no such row.
    """
    if text is None:
        return tuple(rows.middle().tolist())
    if match := ROW.fullmatch(text):
        place = int(match[1])
        if not 1 <= place <= len(y):
            raise UsageError(f"target={text} is not allowed. Allowed: row:1 to row:{len(y)}.")
        return tuple(y[place - 1].tolist())
    try:
        values = torch.tensor([float(part) for part in PLUS.split(text)], dtype=torch.float64)
    except ValueError:
        values = torch.empty(0)
    if len(values) != y.shape[1] or not values.isfinite().all():
        count = f"{y.shape[1]} finite numbers joined by +" if y.shape[1] > 1 else "a finite number"
        raise UsageError(f"target={text} is not allowed. Allowed: {count}, or row:1 to row:{len(y)}.")
    return tuple(values.tolist())
