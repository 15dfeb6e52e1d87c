"""A user's file as a table: CSV, Parquet or NPZ."""

from __future__ import annotations

import csv
import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np

from harness.errors import UsageError, unknown

if TYPE_CHECKING:
    import pandas as pd

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
        header = next(csv.reader(stream, skipinitialspace=True), [])
    _require_header([name.strip() for name in header], path)
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        return pd.read_csv(
            path,
            encoding="utf-8-sig",
            index_col=False,
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
    with np.load(path, allow_pickle=False) as stored:
        for name in stored.files:
            values = stored[name]
            if values.ndim == 2 and values.shape[1] > 1:
                columns += [(f"{name}{i + 1}", column) for i, column in enumerate(values.T)]
            elif values.ndim == 1 or values.ndim == 2:
                columns.append((name, values.reshape(-1)))
            else:
                raise UsageError(
                    f"The array {name!r} of {path} has shape {values.shape}. Allowed: (rows,) or (rows, columns)."
                )
    rows = {name: len(values) for name, values in columns}
    if len(set(rows.values())) > 1:
        raise UsageError(f"The arrays of {path} have different numbers of rows: {rows}. Give each row once in each.")
    _require_names([name for name, _ in columns], path)
    return pd.DataFrame(dict(columns))


READERS = {".csv": _csv, ".parquet": _parquet, ".npz": _npz}


def _require_names(names: list[str], path: Path) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise UsageError(f"{path} has several columns named {twice[0]!r}. Give every column a name of its own.")


def _require_header(names: list[str], path: Path) -> None:
    if len(names) == 1 and any(mark in names[0] for mark in ";\t"):
        raise UsageError(f"{path} has the single column {names[0]!r}. Separate columns by commas.")
    if names and all(map(_is_number, names)):
        raise UsageError(f"The first line of {path} holds numbers only: {names[0]}, ... Put a line of names before it.")
    _require_names(names, path)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
