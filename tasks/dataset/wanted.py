"""A file of wanted y: read as a file of pairs is, but that one column is enough and a cell may be without a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from harness.errors import UsageError
from harness.options import convert, instantiate
from harness.selection import parse
from tasks.dataset.delimited import Form
from tasks.dataset.numbers import as_numbers, require_numbers, without_value
from tasks.dataset.reading import read

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Written(Form):
    """How a file of wanted y is written."""

    least: ClassVar[int] = 1


def wanted(text: str, usual: Mapping[str, Any], choose: Callable[[Sequence[str]], list[str]]) -> pd.DataFrame:
    """The columns of a file that `choose` names, as numbers; NaN where a cell says that there is no value.

    Args:
        text: the file, also with options as in `wanted.csv[sep=tab,decimal=comma]`.
        usual: `sep`, `decimal` and `comment` where the text does not give them; other names are passed over.
        choose: gives the columns to read, from the names of all.

    Raises:
        UsageError: what `read` refuses, no rows, or a cell that is neither a number nor empty.
    """
    import pandas as pd

    name, given = (text, {}) if Path(text).exists() else parse(text)
    known = {item.name for item in fields(Written)}
    options = {**{key: value for key, value in usual.items() if key in known}, **convert(Written, given, "--targets")}
    form: Written = instantiate(Written, options, "--targets")
    path = Path(name).expanduser()
    frame = read(path, form)
    names = choose(list(frame.columns))
    if not len(frame):
        raise UsageError(f"{path} has no rows. Give one for each target.")
    values = np.stack([as_numbers(frame[name], form.decimal) for name in names], 1)
    free = np.stack([without_value(frame[name]) for name in names], 1)
    require_numbers(np.where(free, 0.0, values), frame, np.arange(len(frame)), names, path, form.decimal)
    return pd.DataFrame(dict(zip(names, np.where(free, np.nan, values).T, strict=True)))
