"""The options of the dataset task, and y*, the target of the single-target protocol, from a short text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from harness.errors import UsageError
from tasks.dataset.delimited import Decimal, Form, Separator
from tasks.dataset.numbers import Missing
from tasks.dataset.rows import Rows

ROW = re.compile(r"row:(\d+)")
PLUS = re.compile(r"(?<![eE])\+")  # joins numbers; in 1e+3 it does not

ELSEWHERE: dict[str, Any] = {"identity": False}
"""Of options that do not determine numbers, or do so by what is in the task's fingerprint or in the protocol."""
READING = ("sep=auto", "decimal=point", "comment=#", "missing=refuse")


@dataclass(frozen=True)
class DatasetOptions:
    """Options of the dataset task. Columns are written as `tasks.dataset.columns` says: `a`, `a:f`, `r*`, `a+c:f`."""

    path: str | None = field(default=None, metadata=ELSEWHERE)
    """CSV or other text, Parquet or NPZ file of (x, y) pairs, one a row; relative to the current folder."""
    name: str | None = field(default=None, metadata=ELSEWHERE)
    """What the task is called in tables; the name of the file, without its end, where omitted."""
    x: str = "x*"
    """Columns of the design."""
    y: str = "y*"
    """Columns of the target."""
    given: str | None = None
    """Columns that are given with each target and not designed, such as a temperature: the conditions."""
    prior: Literal["hull", "density", "box"] = "hull"
    """What designs are drawn from: between neighbouring rows, from a density fitted to them, or from their box."""
    kinds: str = "auto"
    """Columns of x that hold whole numbers or choices (one-hot), which designs then do, too; `auto` finds them, and
    `continuous` is none of them."""
    target: str | None = None
    """y*: a number for each y joined by `+`, or `row:17` for the y of row 17; else a row in the middle of the data."""
    simulator: str | None = field(default=None, metadata=ELSEWHERE)
    """The true forward model, `module:function` or a program; else a proxy that is trained on half of the rows."""
    batch: int = field(default=1000, metadata={**ELSEWHERE, "bounds": {"least": 1}})
    """Designs that the simulator is given at once, at most."""
    limit: float = field(default=60.0, metadata={**ELSEWHERE, "bounds": {"above": 0}})
    """Seconds that the simulator may take for a batch."""
    workers: int | None = field(default=None, metadata={**ELSEWHERE, "bounds": {"least": 1}})
    """Simulators that run at once; one for each core unless given."""
    cost: float | None = field(default=None, metadata={**ELSEWHERE, "bounds": {"least": 0}})
    """CPU seconds of 1000 simulations; a preset asks a slow simulator for fewer proposals."""
    sep: Separator = field(default="auto", metadata=ELSEWHERE)
    """What separates the columns of a text file; `auto` is what separates their names."""
    decimal: Decimal = field(default="point", metadata=ELSEWHERE)
    """The decimal sign in a text file."""
    comment: str | None = field(default="#", metadata=ELSEWHERE)
    """What a line of remarks in a text file begins with, which is skipped; `none` where there are no such lines."""
    missing: Missing = field(default="refuse", metadata=ELSEWHERE)
    """`drop` leaves out the rows with a cell of x or y that is empty or says that there is no value, such as NA; `keep`
    leaves out those that lack some of x or all of y, and methods that handle `partial` learn from the others."""

    @property
    def form(self) -> Form:
        """How the file is written, where it is text."""
        return Form(self.sep, self.decimal, self.comment)

    @property
    def reading(self) -> tuple[str, ...]:
        """What else than the file decides which numbers are read; nothing where the file alone does."""
        given = [f"{name}={getattr(self, name)}" for name in ("sep", "decimal", "comment", "missing")]
        return tuple(text for text in given if text not in READING)


def fixed_target(text: str | None, y: Tensor, rows: Rows) -> tuple[float, ...]:
    """The numbers of y*: as written, of a row of the file's y `(n, y_dim)`, or of a row in the middle of the data.

    Conditions count among y here, as its last entries.

    Args:
        text: numbers joined by `+`, `row:17`, or None for the middle.
        y: of all rows of the file `(n, y_dim)`, physical; NaN in those that were left out.
        rows: those that were not left out, each design once.

    Raises:
        UsageError: not so many numbers, or no such row.
    """
    if text is None:
        return tuple(rows.middle().tolist())
    if match := ROW.fullmatch(text):
        place = int(match[1])
        if not 1 <= place <= len(y):
            raise UsageError(f"target={text} is not allowed. Allowed: row:1 to row:{len(y)}.")
        if not y[place - 1].isfinite().all():
            raise UsageError(f"target={text} is a row in which a number is missing. Write another row, or numbers.")
        return tuple(y[place - 1].tolist())
    try:
        values = torch.tensor([float(part) for part in PLUS.split(text)], dtype=torch.float64)
    except ValueError:
        values = torch.empty(0)
    if len(values) != y.shape[1] or not values.isfinite().all():
        count = f"{y.shape[1]} finite numbers joined by +" if y.shape[1] > 1 else "a finite number"
        raise UsageError(f"target={text} is not allowed. Allowed: {count}, or row:1 to row:{len(y)}.")
    return tuple(values.tolist())
