"""A user's file, text, Parquet or NPZ, as a table; what is wrong is said at once."""

from __future__ import annotations

import csv
import warnings
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from zipfile import BadZipFile

import numpy as np

from harness.errors import UsageError, unknown
from tasks.dataset import delimited
from tasks.dataset.delimited import Form, require_distinct

if TYPE_CHECKING:
    import pandas as pd

NAMED = 5  # arrays that an error names
PARQUET = "pip install 'inverse-harness[parquet]'"
ACCESS = "Give its path as it is, and the right to read it."
TEXTS = (".csv", ".tsv", ".txt", ".dat")

Reader: TypeAlias = "Callable[[Path, Form], pd.DataFrame]"


def read(path: Path, form: Form | None = None) -> pd.DataFrame:
    """The file's rows, as they are, under the file's names of columns.

    Args:
        path: the file; the end of its name says what it is.
        form: how it is written, where it is text.

    Raises:
        UsageError: no such file, a kind of file that is not read, or a file that is damaged or has no names.
    """
    kind = kind_of(path)
    if kind not in READERS:
        error = unknown("kind of data file", kind or path.name, READERS)
        raise UsageError(f"{error} Save the table as CSV.")
    if not path.is_file():
        beside = path.parent.glob("*") if path.parent.is_dir() else ()
        error = unknown("data file", str(path), [str(file) for file in beside if kind_of(file) == kind])
        raise UsageError(f"{error} It was looked for in {str(path.parent.absolute())!r}.")
    reader, remedy = READERS[kind]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            frame = reader(path, form or Form())
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split())
        raise UsageError(f"{path} cannot be read: {reason}. {remedy if error.errno is None else ACCESS}") from error
    except (ValueError, Warning, EOFError, BadZipFile, zlib.error, csv.Error) as error:
        if isinstance(error, UsageError):
            raise
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise UsageError(f"{path} cannot be read: {reason}. {remedy}") from error
    frame.columns = [str(name).strip() for name in frame.columns]
    require_distinct(list(frame.columns), path)
    return frame


def kind_of(path: Path) -> str:
    """The end of a file's name that tells what it is: `.csv`, or `.csv.gz` where it is packed.

    Args:
        path: the file, which need not be there.

    >>> kind_of(Path("data/Pairs.CSV.gz"))
    '.csv.gz'
    """
    return "".join(path.suffixes[-2:] if path.suffix.lower() == ".gz" else path.suffixes[-1:]).lower()


def _parquet(path: Path, form: Form) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_parquet(path).reset_index(drop=True)
    except ImportError as error:
        raise UsageError(f"{path} is a Parquet file, which needs pyarrow: {PARQUET}, or write it as CSV.") from error


def _npz(path: Path, form: Form) -> pd.DataFrame:
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
    require_distinct([name for name, _ in columns], path)
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


def stem_of(path: Path) -> str:
    """A file's name without its end.

    Args:
        path: the file, which need not be there.

    >>> stem_of(Path("data/pairs.csv.gz"))
    'pairs'
    """
    return path.name[: len(path.name) - len(kind_of(path))]


READERS: dict[str, tuple[Reader, str]] = {
    **{
        f"{kind}{packed}": (delimited.read, "Correct it, or save the table anew as CSV.")
        for kind in TEXTS
        for packed in ("", ".gz")
    },
    ".parquet": (_parquet, "Write it anew, say with DataFrame.to_parquet, or as CSV."),
    ".npz": (_npz, "Write it anew with numpy.savez(path, x=x, y=y), with arrays of numbers."),
}
"""By the end of a file's name: what reads it, and what to do about a file that is damaged."""
