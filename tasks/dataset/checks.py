"""Whether the chosen columns can be learned from: what is wrong is said before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

NAMED = 5  # columns that an error names before it counts the others


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
        place = names.index(constant[0])
        raise UsageError(
            f"{_named(constant)} of {path} never changes (it is {values[0, place]:g} in every row), so there is "
            "nothing to learn from it. Leave it out."
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
