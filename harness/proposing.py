"""The verb `propose`: designs for wanted targets by a trained method, as text and as a CSV file."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from harness.api import load
from harness.durable import storage_errors, write_whole
from harness.errors import UsageError
from harness.reporting.notes import FEW_STEPS
from harness.reporting.numbers import MISSING, number
from harness.solver import OutsideRange, Solver

if TYPE_CHECKING:
    import pandas

ROWS = 20  # designs that are printed
COLUMNS = {"x": 8, "y": 3}  # columns of x and of y that are printed
DIGITS = 5


def proposals(cell: str, target: str | None, targets: str | None, n: int, seed: int) -> tuple[str, pandas.DataFrame]:
    """A readable table of the designs, with what its columns mean and what to mind, and all of them as a data frame.

    Raises:
        UsageError: no trained method, or targets that cannot be used.
    """
    solver = load(cell)
    wanted = _numbers(target) if target is not None else _file(str(targets))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", OutsideRange)
        designs = solver.propose(wanted, n, seed=seed)
    remarks = [f"Mind: {item.message}" for item in caught if issubclass(item.category, OutsideRange)]
    return "\n".join([*_lines(solver, designs), *remarks, *_untrained(solver)]), designs


def _untrained(solver: Solver) -> Iterator[str]:
    """A remark on a model that was trained for a moment only."""
    schedule, rows = solver.given.schedule, len(solver.given.train.x)
    steps = schedule.epochs * max(1, rows // schedule.batch)
    if solver.method.trainable and steps < FEW_STEPS:
        yield (
            f"Mind: {solver.name} was trained for {steps} steps, as in the preset smoke, which is too little to learn "
            "much. Train it longer, as in the preset quick."
        )


def writable(path: Path) -> None:
    """See, before anything is computed, that a new file can be written there.

    Raises:
        UsageError: there is such a file, or no such folder.
    """
    if path.exists():
        raise UsageError(f"{str(path)!r} exists and is left as it is. Give --out another name, or remove it.")
    if not path.parent.is_dir():
        raise UsageError(f"{str(path)!r} cannot be written: there is no folder {str(path.parent)!r}.")


def written(designs: pandas.DataFrame, path: Path) -> str:
    """Write all designs with all columns; says so.

    Raises:
        UsageError: the file cannot be written.
    """
    with storage_errors(path):
        write_whole(path, designs.to_csv(index=False))
    return f"{len(designs)} designs: {path}"


def _numbers(text: str) -> list[list[float]]:
    """One target from `1.2` or `0.5,0.1`."""
    try:
        return [[math.nan if part.strip() == "" else float(part) for part in text.split(",")]]
    except ValueError as error:
        raise UsageError(
            f"--target {text!r} is not allowed. Allowed: a number for each y, such as 1.2 or 0.5,0.1."
        ) from error


def _file(path: str) -> pandas.DataFrame:
    import pandas

    try:
        return pandas.read_csv(path, skipinitialspace=True)
    except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors
        raise UsageError(
            f"--targets {path!r} cannot be read: {error}. Give a CSV file with a column for each y."
        ) from error


def _lines(solver: Solver, designs: pandas.DataFrame) -> Iterator[str]:
    x = solver.columns[: COLUMNS["x"]]
    y = [f"{name} {what}" for name in solver.y_names[: COLUMNS["y"]] for what in ("wanted", "reached")]
    y = [name for name in y if name in designs]
    rest = [name for name in ("believed_nmse", "nmse", "inside", "nearest") if name in designs]
    rest = [name for name in rest if name != "believed_nmse" or designs[name].notna().any()]
    columns = ["target", *x, *y, *rest]
    shown = designs[columns].head(ROWS)
    rows = [[_text(value) for value in row] for row in shown.itertuples(index=False)]
    yield f"{solver.name}, trained on {len(solver.given.train.x)} pairs:"
    yield tabulate(rows, headers=columns, disable_numparse=True, stralign="right")
    left, hidden = (
        len(designs) - len(shown),
        sorted(set(solver.x_names[COLUMNS["x"] :] + solver.y_names[COLUMNS["y"] :])),
    )
    if left or hidden:
        more = [f"{left} more designs"] * bool(left) + [f"columns of {len(hidden)} more numbers"] * bool(hidden)
        yield f"Not shown: {' and '.join(more)}; --out FILE.csv writes all."
    yield (
        "reached: by the task's forward model." if y else "The task has no forward model: nothing was simulated again."
    )
    yield "nmse: squared error in units of the variance of y in training; 1 is the error of answering with the mean."
    if "believed_nmse" in columns:
        yield "believed_nmse: what the method's own forward model promises."
    yield "inside: in the box of the task; nearest: distance to the nearest training design, in standardised x."


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value)
    return MISSING if math.isnan(value) else number(value, DIGITS)
