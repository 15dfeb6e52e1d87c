"""A user's file as a table, CSV, Parquet or NPZ, and its columns as numbers; what is wrong is said at once."""

from __future__ import annotations

import csv
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice, takewhile
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np

from harness.errors import UsageError, unknown

if TYPE_CHECKING:
    import pandas as pd

NAMED = 5  # columns that an error names before it counts the others
PARQUET = "pip install 'inverse-harness[parquet]'"


def read(path: Path) -> pd.DataFrame:
    """The file's rows, as they are, under the file's names of columns.

    Raises:
        UsageError: no such file, a kind of file that is not read, or a file that is damaged or has no names.
    """
    from pandas.errors import ParserWarning

    if path.suffix.lower() not in READERS:
        raise unknown("kind of data file", path.suffix or path.name, READERS)
    if not path.is_file():
        beside = path.parent.glob("*") if path.parent.is_dir() else ()
        raise unknown("data file", str(path), [str(file) for file in beside if file.suffix.lower() in READERS])
    try:
        frame = READERS[path.suffix.lower()](path)
    except (OSError, ValueError, BadZipFile, ParserWarning, csv.Error) as error:
        if isinstance(error, UsageError):
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UsageError(f"{path} cannot be read: {reason}. Mend the file or write it anew.") from error
    frame.columns = [str(name).strip() for name in frame.columns]
    _require_names(list(frame.columns), path)
    return frame


def _csv(path: Path) -> pd.DataFrame:
    import pandas as pd

    # pandas would rename repeated names, and take a column without a name for the names of the rows.
    with path.open(newline="", encoding="utf-8-sig") as stream:
        remarks = sum(1 for _ in takewhile(lambda line: line.startswith("#"), stream))
        stream.seek(0)
        rows = csv.reader(islice(stream, remarks, None), skipinitialspace=True)
        header, first = next(rows, []), next(rows, [])
    _require_header([name.strip() for name in header], path, first)
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        return pd.read_csv(
            path,
            encoding="utf-8-sig",
            index_col=False,
            skiprows=remarks,
            keep_default_na=False,
            low_memory=False,
            na_values=[""],
            skipinitialspace=True,
        )


def _parquet(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_parquet(path).reset_index(drop=True)
    except ImportError as error:
        raise UsageError(f"{path} is a Parquet file, which needs pyarrow: {PARQUET}, or write it as CSV.") from error


def _npz(path: Path) -> pd.DataFrame:
    """Arrays `(n,)` are columns; an array `(n, d)` named x is the columns x1, x2, ..., and just x where d = 1."""
    import pandas as pd

    columns: list[tuple[str, np.ndarray]] = []
    shapes: dict[str, tuple[int, ...]] = {}
    with np.load(path, allow_pickle=False) as stored:
        for name in stored.files:
            values = stored[name]
            shapes[name] = values.shape
            if values.ndim == 2 and values.shape[1] > 1:
                columns += [(f"{name}{i + 1}", column) for i, column in enumerate(values.T)]
            elif values.ndim == 1 or values.ndim == 2:
                columns.append((name, values.reshape(-1)))
            else:
                raise UsageError(
                    f"The array {name!r} of {path} has shape {values.shape}. Allowed: (rows,) or (rows, columns)."
                )
    if len({len(values) for _, values in columns}) > 1:
        raise UsageError(_unequal(shapes, path))
    _require_names([name for name, _ in columns], path)
    return pd.DataFrame(dict(columns))


def _unequal(shapes: Mapping[str, tuple[int, ...]], path: Path) -> str:
    """What is wrong with arrays of different lengths, and which of them to transpose where that mends it."""
    for length in {shape[0] for shape in shapes.values()}:
        turned = [name for name, shape in shapes.items() if shape[0] != length]
        if all(len(shapes[name]) == 2 and shapes[name][1] == length for name in turned):
            remedy = f"A row is one pair (x, y), so transpose {' and '.join(turned)}."
            break
    else:
        remedy = "Give each row once in each."
    found = ", ".join(f"{name} {shape}" for name, shape in list(shapes.items())[:NAMED])
    return f"The arrays of {path} have different numbers of rows: {found}{', ...' * (len(shapes) > NAMED)}. {remedy}"


READERS = {".csv": _csv, ".parquet": _parquet, ".npz": _npz}


def _require_names(names: list[str], path: Path) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise UsageError(f"{path} has several columns named {twice[0]!r}. Give every column a name of its own.")


def _require_header(names: list[str], path: Path, first: list[str]) -> None:
    """Refuse names that cannot be those of columns; `first` is the row after them, split at commas."""
    if len(names) == 1 and any(mark in names[0] for mark in ";\t"):
        decimals = " and write decimals with a point" if len(first) > 1 else ""
        raise UsageError(f"{path} has the single column {names[0]!r}. Separate columns by commas{decimals}.")
    if names and all(map(_is_number, names)):
        raise UsageError(
            f"The first line of {path} holds numbers only: {names[0]}, ... Put a line of names before it, "
            "without a # at its start."
        )
    _require_names(names, path)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def numbers(frame: pd.DataFrame, x: Sequence[str], y: Sequence[str], path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The columns x and y as float64, `(n, x_dim)` and `(n, y_dim)`.

    Raises:
        UsageError: columns of both x and y, cells that are no finite numbers, constant or repeated columns.
    """
    both = [name for name in x if name in y]
    if both:
        raise UsageError(f"{_named(both)} of {path} would be in x and in y. Leave it out of one of them.")
    names = [*x, *y]
    values = np.stack([_column(frame[name]) for name in names], 1)
    _require_finite(values, frame, names, path)
    values += 0.0  # -0.0 is 0.0: the same design must not look like two
    _require_variety(values, names, path)
    _require_difference(values, names, path)
    return values[:, : len(x)], values[:, len(x) :]


def _column(column: pd.Series) -> np.ndarray:
    """A column in float64, NaN where a cell is no real number."""
    import pandas as pd

    if column.dtype.kind in "cmM":
        return np.full(len(column), np.nan)
    return pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)


def _require_finite(values: np.ndarray, frame: pd.DataFrame, names: Sequence[str], path: Path) -> None:
    bad = ~np.isfinite(values)
    if not bad.any():
        return
    row, place = np.argwhere(bad)[0]
    cell = frame[names[place]].iloc[row]
    found = "empty" if cell is None or cell != cell else repr(str(cell))
    raise UsageError(
        f"{path} has no finite number in {_count(int(bad.sum()), 'cell')} ({int(bad.any(1).sum())} of {len(values)} "
        f"rows); the first is {found}, in row {row + 1} (names not counted), column {names[place]!r}. Correct such "
        "rows or leave them out."
    )


def _require_variety(values: np.ndarray, names: Sequence[str], path: Path) -> None:
    if not len(values):
        raise UsageError(f"{path} has no rows. Give one for each pair (x, y).")
    constant = [name for name, column in zip(names, values.T, strict=True) if (column == column[0]).all()]
    if constant:
        known = [f"{values[0, names.index(name)]:g}" for name in constant]
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
