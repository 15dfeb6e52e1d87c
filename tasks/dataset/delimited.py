"""A user's table as text: its encoding, its lines of remarks, what separates its columns, its decimal sign."""

from __future__ import annotations

import codecs
import csv
import gzip
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from harness.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

Separator = Literal["auto", "comma", "semicolon", "tab", "space"]
Decimal = Literal["point", "comma"]

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "space": r"\s+"}
BETWEEN = {"comma": "commas", "semicolon": "semicolons", "tab": "tabs", "space": "spaces or tabs"}
WORDS = re.compile(r'"[^"]*"|\S+')  # what white space separates
LENGTHS = re.compile(r"Expected (\d+) fields in line (\d+), saw (\d+)")
SWAPPED = {ord(","): ".", ord("."): ","}
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Form:
    """How a text file is written."""

    sep: Separator = "auto"
    """What separates columns; `auto` is what separates the names in the first line."""
    decimal: Decimal = "point"
    comment: str | None = "#"
    """What a line of remarks begins with."""
    least: ClassVar[int] = 2
    """Columns that there must be."""


def read(path: Path, form: Form) -> pd.DataFrame:
    """The rows of a text file, packed by gzip or not, cells that are no numbers as text.

    Args:
        path: the file.
        form: how it is written.

    Raises:
        UsageError: another encoding, no names of columns, or rows of different lengths.
        ValueError, OSError: the file is damaged in another way.
    """
    import pandas as pd

    lines = StringIO(_text(path), newline="").readlines()
    kept = [place for place, line in enumerate(lines) if not (form.comment and line.startswith(form.comment))]
    lines = [lines[place] for place in kept]
    head, first = ([line for line in lines if line.strip()] + ["", ""])[:2]
    if not head:
        raise UsageError(
            f"{path} has no names of columns. Let its first line name them, and each further line hold one pair (x, y)."
        )
    sep = _separator(path, head, first, form)
    try:
        # pandas would rename repeated names, and take a column without a name for the names of the rows.
        return pd.read_csv(
            StringIO("".join(lines)),
            sep=SEPARATORS[sep],
            decimal="," if form.decimal == "comma" else ".",
            index_col=False,
            keep_default_na=False,
            low_memory=False,
            na_values=[""],
            skipinitialspace=True,
        )
    except pd.errors.ParserError as error:
        found = LENGTHS.search(str(error))
        if found is None:
            raise
        raise UsageError(
            f"Line {kept[int(found[2]) - 1] + 1} of {path} has {found[3]} values between {BETWEEN[sep]}, but there are "
            f"{found[1]} columns. Correct that line; put quotes around a text that has such a separator in it."
        ) from error


def names_of(line: str, sep: str) -> list[str]:
    """The names, or values, in a line.

    Args:
        line: one line of the file.
        sep: what separates columns, a key of `SEPARATORS`.

    >>> names_of('length [mm]; "gap; indirect"', "semicolon")
    ['length [mm]', 'gap; indirect']
    """
    if sep == "space":
        return [word.strip('"') for word in WORDS.findall(line)]
    return [cell.strip() for cell in next(csv.reader([line], delimiter=SEPARATORS[sep], skipinitialspace=True), [])]


def is_number(text: str, decimal: str = "point") -> bool:
    """Whether a cell is a number.

    Args:
        text: what the cell holds.
        decimal: how decimals are written, `point` or `comma`.
    """
    if decimal == "comma":
        text = text.translate(SWAPPED)
    try:
        float(text)
    except ValueError:
        return False
    return True


def require_distinct(names: Sequence[str], path: Path) -> None:
    """Refuse a name that several columns have.

    Args:
        names: of all columns.
        path: the file, which an error names.

    Raises:
        UsageError: naming it.
    """
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise UsageError(f"{path} has several columns named {twice[0]!r}. Give every column a name of its own.")


def _text(path: Path) -> str:
    """The text of a UTF-8 file."""
    content = path.read_bytes()
    if path.suffix.lower() == ".gz":
        try:
            content = gzip.decompress(content)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            reason = str(error).rstrip(".")
            raise UsageError(f"{path} is no whole gzip file ({reason}). Pack it anew with `gzip FILE`.") from error
    remedy = f"Save it as UTF-8, for instance with `iconv -f {{}} -t UTF-8 {path.name.removesuffix('.gz')} > utf8.csv`."
    if content.startswith(UTF_16) or b"\0" in content[:1000]:
        raise UsageError(f"{path} is not UTF-8; it looks like UTF-16. {remedy.format('UTF-16')}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, byte = content.count(b"\n", 0, error.start) + 1, content[error.start : error.start + 1]
        raise UsageError(
            f"{path} is not UTF-8: line {line} has the byte 0x{byte.hex()}, which is {byte.decode('latin-1')!r} in "
            f"Latin-1. {remedy.format('LATIN1')}"
        ) from error


def _separator(path: Path, head: str, first: str, form: Form) -> str:
    """What separates the columns of a table with these names and this first row."""
    if form.sep == form.decimal == "comma":
        raise UsageError(
            f"sep=comma and decimal=comma exclude each other ({path}). Write another sep, or leave it out."
        )
    known = [form.sep] if form.sep != "auto" else [name for name in SEPARATORS if name != form.decimal]
    counts = {name: (len(names_of(head, name)), len(names_of(first, name))) for name in known}
    # White space may be part of a name: it separates only where the first row has as many values.
    sure = {name: count for name, count in counts.items() if name != "space" or count[0] == count[1]} or counts
    sep = max(sure, key=lambda name: (sure[name][0] > 1, sure[name][0] == sure[name][1], sure[name][0]))
    _require_names(path, names_of(head, sep), names_of(first, sep), sep, form)
    return sep


def _require_names(path: Path, names: Sequence[str], first: Sequence[str], sep: str, form: Form) -> None:
    """Refuse names that cannot be those of columns; `first` are the values of the first row."""
    if len(names) < form.least:
        between = "commas, semicolons, tabs or spaces" if form.sep == "auto" else BETWEEN[sep]
        raise UsageError(
            f"{path} has the single column {names[0]!r}, but a pair (x, y) needs two. Allowed between columns: "
            f"{between}. Write sep=comma, sep=semicolon, sep=tab or sep=space for what the file has."
        )
    if all(is_number(name, form.decimal) or is_number(name) for name in names):
        unmarked = f", without a {form.comment} at its start" if form.comment else ""
        raise UsageError(
            f"The first line of {path} holds numbers only: {names[0]}, ... Put a line of names before it{unmarked}."
        )
    require_distinct(names, path)
    if first and len(first) != len(names):
        raise UsageError(
            f"{path} names {len(names)} columns, but its first row has {len(first)} values between {BETWEEN[sep]}. "
            "Give each column one name and each row one value for it; put quotes around a name with a separator in it."
        )
