"""The columns of a user's table as numbers; what is none, and what nothing can be learned from, is said at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from harness.errors import UsageError
from tasks.dataset.delimited import SWAPPED, Decimal, is_number

if TYPE_CHECKING:
    import pandas as pd

Missing = Literal["refuse", "drop", "keep"]

NAMED = 5  # columns that an error names before it counts the others
MISSING = {"", "nan", "<na>", "na", "n/a", "#n/a", "null", "none", "nat", "-"}  # how files write that there is no value


def numbers(
    frame: pd.DataFrame,
    x: Sequence[str],
    y: Sequence[str],
    path: Path,
    decimal: Decimal = "point",
    missing: Missing = "refuse",
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The columns x and y as float64, `(n, x_dim)` and `(n, y_dim)`, and the mask of the rows of the table they are.

    With `missing="drop"` those are the rows without a cell that is empty, or says that there is no value; with
    `missing="keep"` those with all of x and some of y, and NaN stands where there is no value.

    Args:
        frame: the table, as `reading.read` gives it.
        x: names of the columns of x.
        y: names of the columns of y.
        path: the file, which an error names.
        decimal: its decimal sign.
        missing: what to do about cells without a value: `refuse` them, `drop` their rows, or `keep` those of y.

    Raises:
        UsageError: columns of both x and y, other cells that are no finite numbers, constant or repeated columns.
    """
    both = [name for name in x if name in y]
    if both:
        raise UsageError(f"{_named(both)} of {path} would be in x and in y. Leave it out of one of them.")
    names = [*x, *y]
    values = np.stack([as_numbers(frame[name], decimal) for name in names], 1)
    empty = np.zeros(values.shape, bool)
    if missing != "refuse":
        empty = np.stack([without_value(frame[name]) for name in names], 1)
    lacking = empty.any(1) if missing == "drop" else empty[:, : len(x)].any(1) | empty[:, len(x) :].all(1)
    kept: np.ndarray = np.logical_not(lacking)
    if len(kept) and not kept.any():
        where = "a cell without a number in x or y" if missing == "drop" else "no number in y or lacks one in x"
        raise UsageError(
            f"Every row of {path} has {where}, so missing={missing} leaves none. Leave out the columns that have many "
            "of them."
        )
    require_numbers(values[kept], frame[kept], np.flatnonzero(kept), names, path, decimal, empty[kept])
    values = values[kept] + 0.0  # -0.0 is 0.0: the same design must not look like two
    _require_variety(values, names, path)
    _require_difference(values, names, path)
    return values[:, : len(x)], values[:, len(x) :], kept


def as_numbers(column: pd.Series, decimal: Decimal) -> np.ndarray:
    """A column in float64 `(n,)`, NaN where a cell is no real number.

    Args:
        column: of a table, as it was read.
        decimal: its decimal sign.
    """
    import pandas as pd

    if column.dtype.kind in "cmM":
        return np.full(len(column), np.nan)
    if decimal == "comma" and not pd.api.types.is_numeric_dtype(column.dtype):
        column = column.map(lambda cell: cell.translate(SWAPPED) if isinstance(cell, str) else cell)
    return pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)


def without_value(column: pd.Series) -> np.ndarray:
    """Which cells `(n,)` say that there is no value.

    Args:
        column: of a table, as it was read.
    """
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column.dtype):
        return column.isna().to_numpy(bool)
    return np.array([_says_nothing(cell) for cell in column], bool)


def _says_nothing(cell: object) -> bool:
    return cell is None or cell != cell or str(cell).strip().lower() in MISSING


def require_numbers(
    values: np.ndarray,
    frame: pd.DataFrame,
    rows: np.ndarray,
    names: Sequence[str],
    path: Path,
    decimal: Decimal,
    empty: np.ndarray | None = None,
) -> None:
    """Refuse cells that are no finite numbers.

    Args:
        values: the columns `names` of the rows of `frame`, `(n, len(names))`.
        frame: those rows, as they were read.
        rows: their places in the file `(n,)`, from 0.
        names: of the columns.
        path: the file.
        decimal: its decimal sign.
        empty: mask of cells that may be without a number `(n, len(names))`; none where omitted.

    Raises:
        UsageError: naming the first such cell.
    """
    bad = ~np.isfinite(values)
    if empty is not None:
        bad &= ~empty
    if not bad.any():
        return
    row, place = np.argwhere(bad)[0]
    cell = frame[names[place]].iloc[row]
    found = "empty" if cell is None or cell != cell else repr(str(cell))
    raise UsageError(
        f"{path} has no finite number in {_count(int(bad.sum()), 'cell')} ({int(bad.any(1).sum())} of {len(values)} "
        f"rows); the first is {found}, in row {rows[row] + 1} (names not counted), column {names[place]!r}. "
        f"{_remedy(cell, bool(bad[:, place].all()), decimal)}"
    )


def _remedy(cell: object, whole: bool, decimal: Decimal) -> str:
    """What to do about a cell that is no finite number; `whole` says that its column has no other cells."""
    other: Decimal = "point" if decimal == "comma" else "comma"
    if isinstance(cell, str) and is_number(cell, other):
        return f"Write decimal={other} if its decimal sign is a {other}; thousands must not be separated."
    if whole:
        return "Leave that column out; of a text, make a column of 0 and 1 for each of its choices."
    if _says_nothing(cell):
        return "Fill such cells, or write missing=drop to leave out their rows, or missing=keep if they are in y."
    return "Correct such rows, or leave them out of the file."


def _require_variety(values: np.ndarray, names: Sequence[str], path: Path) -> None:
    if not len(values):
        raise UsageError(f"{path} has no rows. Give one for each pair (x, y).")
    least, most = (function(values, axis=0) for function in (np.fmin.reduce, np.fmax.reduce))
    constant = [name for name, low, high in zip(names, least, most, strict=True) if not low < high]
    if constant:
        values_of = [least[names.index(name)] for name in constant]
        known = ["empty" if np.isnan(value) else f"{value:g}" for value in values_of]
        one = len(known) == 1
        said = f"it is {known[0]}" if one else f"they are {', '.join(known[:NAMED])}{', ...' * (len(known) > NAMED)}"
        raise UsageError(
            f"{_named(constant)} of {path} never {'changes' if one else 'change'} ({said} in every row), so there is "
            f"nothing to learn from {'it. Leave it' if one else 'them. Leave them'} out."
        )


def _require_difference(values: np.ndarray, names: Sequence[str], path: Path) -> None:
    seen: dict[bytes, str] = {}
    for name, column in zip(names, values.T, strict=True):
        other = seen.setdefault(column.tobytes(), name)
        if other != name:
            raise UsageError(f"The columns {other!r} and {name!r} of {path} are equal in every row. Leave one out.")


def _named(columns: Sequence[str]) -> str:
    """One or more columns in words."""
    text = ", ".join(map(repr, columns[:NAMED]))
    rest = f" and {len(columns) - NAMED} more" if len(columns) > NAMED else ""
    return f"The column{'s' * (len(columns) > 1)} {text}{rest}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + "s" * (number != 1)
