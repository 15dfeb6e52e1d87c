"""The verb `propose`: designs for wanted targets by a trained method, as text and as a CSV file."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from harness.api import load
from harness.contracts import Task
from harness.durable import storage_errors, write_whole
from harness.errors import UsageError
from harness.reporting.numbers import MISSING, number
from harness.solver import NAMED, Solver, few

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
    wanted = _numbers(target, solver) if target is not None else _file(str(targets), solver)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        designs = solver.propose(wanted, n, seed=seed)
    remarks = [f"Mind: {item.message}" for item in caught if issubclass(item.category, UserWarning)]
    return "\n".join([*_lines(solver, designs), *_free(solver, wanted), *remarks]), designs


def _free(solver: Solver, wanted: pandas.DataFrame) -> Iterator[str]:
    """What targets leave open, an entry of y a line."""
    for name, values in zip(solver.y_names, wanted.to_numpy().T, strict=True):
        rows = [str(row) for row, value in enumerate(values) if math.isnan(value)]
        if rows:
            more = f" and {len(rows) - NAMED} more" if len(rows) > NAMED else ""
            plural = "s" * (len(rows) > 1)
            yield f"{name} is left free in target{plural} {', '.join(rows[:NAMED])}{more}: it may have any value there."


def writable(path: Path) -> None:
    """See, before anything is computed, that a new file can be written there.

    Raises:
        UsageError: there is such a file, no such folder, or it is to be of another kind than CSV.
    """
    if path.suffix != ".csv":
        raise UsageError(f"--out {str(path)!r} is not allowed. Allowed: a name that ends in .csv, such as designs.csv.")
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


def _numbers(text: str, solver: Solver) -> pandas.DataFrame:
    """One target from `1.2` or `0.5,0.1`."""
    import pandas

    names, outputs = solver.y_names, len(solver.y_names) - solver.conditions
    try:
        values = [math.nan if part.strip() == "" else float(part.replace("_", " ")) for part in text.split(",")]
    except ValueError as error:
        raise UsageError(
            f"--target {text!r} is not allowed. Allowed: a number for each y, such as 1.2 or 0.5,0.1."
        ) from error
    if len(values) != len(names):
        raise UsageError(
            f"--target {text!r} has {_values(len(values))}. Give {_values(len(names))} with commas between them"
            f"{', one for each y' * (len(names) > 1)}: {few(names[:outputs])}"
            f"{f', and for each condition: {few(names[outputs:])}' * (outputs < len(names))}."
        )
    return pandas.DataFrame([values], columns=names)


def _values(count: int) -> str:
    return f"{count} value{'s' * (count != 1)}"


def _file(text: str, solver: Solver) -> pandas.DataFrame:
    """The targets of a file, read as files of pairs are, by the plug-in that reads those."""
    found = list(entry_points(group="harness.readers", name="targets"))
    if not found:
        raise UsageError(
            "No installed distribution reads files of targets (entry point 'targets' of the group 'harness.readers'). "
            "Install one, or give a single target by --target."
        )
    options = solver.task.options
    usual = {item.name: getattr(options, item.name) for item in fields(options)} if is_dataclass(options) else {}
    read: pandas.DataFrame = found[0].load()(text, usual, solver.columns_of)
    return read


def _lines(solver: Solver, designs: pandas.DataFrame) -> Iterator[str]:
    x = solver.columns[: COLUMNS["x"]]
    outputs = len(solver.y_names) - solver.conditions
    reached, given = solver.y_names[:outputs], solver.y_names[outputs:]
    y = {f"{name} {what}": f"{name} {what}" for name in reached[: COLUMNS["y"]] for what in ("wanted", "reached")}
    y |= {f"{name} wanted": name for name in given[: COLUMNS["y"]]}
    y = {name: title for name, title in y.items() if name in designs}
    rest = [name for name in ("believed_nmse", "nmse", "inside", "nearest") if name in designs]
    rest = [name for name in rest if name != "believed_nmse" or designs[name].notna().any()]
    columns = ["target", *x, *y, *rest]
    shown = designs[columns].head(ROWS)
    rows = [[_text(value) for value in row] for row in shown.itertuples(index=False)]
    yield f"{solver.name}, trained on {solver.pairs} pairs:"
    yield tabulate(rows, headers=[y.get(name, name) for name in columns], disable_numparse=True, stralign="right")
    left = len(designs) - len(shown)
    hidden = solver.x_names[COLUMNS["x"] :] + (reached[COLUMNS["y"] :] + given[COLUMNS["y"] :] if y else [])
    if left or hidden:
        more = [f"{left} more designs"] * bool(left) + [f"the columns of {few(hidden)}"] * bool(hidden)
        yield f"Not shown: {' and '.join(more)}; --out FILE.csv writes all."
    yield _reached(solver.task) if y else "The task has no forward model: nothing was simulated again."
    if "nmse" in designs and designs["nmse"].isna().any():
        yield (
            f"reached {MISSING}: the forward model has no y for such a design. It is invalid or, of a proxy, it or a "
            "condition lies outside what the proxy learned from."
        )
    yield "nmse: squared error in units of the variance of y in training; 1 is the error of answering with the mean."
    if "believed_nmse" in columns:
        yield "believed_nmse: what the method's own forward model promises."
    yield "inside: in the box of the task; nearest: distance to the nearest training design, in standardised x."


def _reached(task: Task) -> str:
    """What simulated the designs again, and how far that is from the truth."""
    judge, floor = getattr(task, "judge", ""), task.floor
    if not floor:
        return f"reached: by the task's forward model{f', {judge}' * bool(judge)}."
    errors = ", ".join(f"{name} {value:.3g}" for name, value in floor.items())
    return (
        f"reached: by the task's forward model, {judge or 'which is an approximation'}. It is not the truth: its own "
        f"error, the floor, is {errors}, and a smaller error or difference means nothing."
    )


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value)
    return MISSING if math.isnan(value) else number(value, DIGITS)
