"""Which columns of a file a short text stands for, what they hold, and whether they are points of a curve.

Several pieces are joined by `+`. A piece is the name of a column, a range `a:f` in the order of the file, both ends
included, or a pattern in which `*` stands for any text and `?` for any character. A name that occurs in the file as it
is written is that column, whatever its characters mean. Commas and brackets, which end an option, are written `?`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import groupby, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from harness import kinds
from harness.contracts import Kind
from harness.errors import UsageError, unknown

if TYPE_CHECKING:
    from tasks.dataset.options import DatasetOptions


@dataclass(frozen=True)
class Columns:
    """The names of the columns that a task uses."""

    x: list[str]
    y: list[str]
    given: list[str]
    """Of the conditions."""

    @property
    def inputs(self) -> list[str]:
        """Those that the forward model takes: the designs and their conditions."""
        return [*self.x, *self.given]

    @classmethod
    def of(cls, options: DatasetOptions, names: Sequence[str], path: Path) -> Columns:
        """The columns that the options of a task name.

        Args:
            options: with `x`, `y` and `given`.
            names: of all columns, in the order of the file.
            path: the file, which an error names.

        Raises:
            UsageError: no such columns, or some that are given and of x or y.
        """
        x, y = choose(options.x, names, "x"), choose(options.y, names, "y")
        given = choose(options.given, names, "given") if options.given else []
        for option, others in (("x", x), ("y", y)):
            both = [name for name in given if name in others]
            if both:
                raise UsageError(
                    f"The column {both[0]!r} of {path} would be in given and in {option}. Leave it out of one of them, "
                    f"such as by {option}=NAME+NAME."
                )
        return cls(x, y, given)


POINTS = 10  # columns from which on numbered ones are taken for a curve rather than for single targets
NUMBERED = re.compile(r"(.*?)([-+]?\d+(?:\.\d+)?)")
LISTED = 40  # columns up to which an error names all of them


def choose(text: str, names: Sequence[str], option: str) -> list[str]:
    """The names that a text stands for, each once: piece by piece, within a piece in the order of the file.

    Args:
        text: names, ranges and patterns, joined by `+`.
        names: of all columns, in the order of the file.
        option: what the text was given for, such as `x`.

    Raises:
        UsageError: a piece that no column matches, or a range that is none; `option` is named in it.

    >>> choose("a:c+gap", ["a", "b", "c", "d", "gap"], "x")
    ['a', 'b', 'c', 'gap']
    """
    if text in names:
        return [text]
    pieces = [piece.strip() for piece in text.split("+")]
    return list(dict.fromkeys(name for piece in pieces for name in _matching(piece, names, option)))


def axis_of(names: Sequence[str]) -> tuple[str, tuple[float, ...]] | None:
    """Label and values of the axis: of names such as T400, T410, ... that rise or fall. None where they do not.

    Args:
        names: of the columns of y, in their order.

    >>> axis_of([f"T{wavelength}" for wavelength in range(400, 500, 10)])[1][:3]
    (400.0, 410.0, 420.0)
    """
    matches = [NUMBERED.fullmatch(name) for name in names]
    if len(names) < POINTS or not all(matches):
        return None
    parts = [match.groups() for match in matches if match is not None]
    values = tuple(float(number) for _, number in parts)
    steps = [second - first for first, second in pairwise(values)]
    same = {prefix for prefix, _ in parts}
    if len(same) > 1 or not (min(steps) > 0 or max(steps) < 0):
        return None
    return same.pop().strip(" _=-") or "column", values


def kinds_of(text: str, x: Tensor, names: Sequence[str]) -> tuple[Kind, ...]:
    """What the columns of x are: as they look (`auto`), all `continuous`, or those named hold whole numbers.

    Of the columns that are named, adjacent ones of 0 and 1 that sum to one in every row are categorical.

    Args:
        text: `auto`, `continuous`, or columns as of `choose`.
        x: designs `(n, x_dim)`, physical.
        names: of the columns of x.

    Raises:
        UsageError: no such column, or one that holds other numbers.
    """
    if text == "auto":
        return kinds.detect(x)
    if text == "continuous":
        return (Kind("continuous", len(names)),)
    chosen = choose(text, names, "kinds")
    found: list[Kind] = []
    for named, places in groupby(range(len(names)), lambda place: names[place] in chosen):
        columns = list(places)
        if named:
            _require_whole(x[:, columns], [names[place] for place in columns], text)
            looks = kinds.detect(x[:, columns])
            found += [kind if kind.name == "categorical" else Kind("integer", kind.columns) for kind in looks]
        else:
            found.append(Kind("continuous", len(columns)))
    return kinds.merged(found)


def _require_whole(x: Tensor, names: Sequence[str], text: str) -> None:
    broken = (x != x.round()).nonzero()
    if len(broken):
        row, column = broken[0].tolist()
        raise UsageError(
            f"kinds={text}: the column {names[column]!r} has {x[row, column].item():.9g}, which is no whole number. "
            "Name columns of whole numbers, or write kinds=auto or kinds=continuous."
        )


def _matching(piece: str, names: Sequence[str], option: str) -> list[str]:
    if piece in names:
        return [piece]
    if ":" in piece:
        return _between(piece, names, option)
    found = [name for name in names if _fits(name, piece)]
    if not found:
        raise _unknown(piece, names, option)
    return found


def _between(piece: str, names: Sequence[str], option: str) -> list[str]:
    ends = [end.strip() for end in piece.split(":")]
    if len(ends) != 2 or not all(ends):
        raise UsageError(f"{option}={piece} is not a range of columns. Write FIRST:LAST.")
    first, last = (_single(end, names, option) for end in ends)
    if first > last:
        raise UsageError(
            f"{option}={piece} is empty: {names[first]!r} comes after {names[last]!r}. Write {ends[1]}:{ends[0]}."
        )
    return list(names[first : last + 1])


def _single(end: str, names: Sequence[str], option: str) -> int:
    """The place of the one column that an end of a range stands for."""
    if end in names:
        return names.index(end)
    found = [place for place, name in enumerate(names) if _fits(name, end)]
    if not found:
        raise _unknown(end, names, option)
    if len(found) > 1:
        several = " and ".join(repr(names[place]) for place in found[:3])
        raise UsageError(f"The end {end!r} of a range of {option} stands for {several}. Write one of them.")
    return found[0]


def _fits(name: str, pattern: str) -> bool:
    # `[` has a meaning for fnmatch that it has not here.
    return fnmatchcase(name, pattern.replace("[", "[[]"))


def _unknown(piece: str, names: Sequence[str], option: str) -> UsageError:
    text = str(unknown(f"column for {option}", piece, names))
    if len(names) > LISTED:
        all_ = f"The file has {len(names)} columns, from {names[0]!r} to {names[-1]!r}."
        text = f"{text.partition(' Allowed:')[0]} {all_}"
    return UsageError(f"{text} Write {option}=NAME, {option}=FIRST:LAST or {option}=PREFIX*.")
