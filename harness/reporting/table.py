"""Tables as data: raw rows for machines, columns that turn a row into text for readers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, TypeAlias

from harness.reporting.numbers import MISSING, number

Raw: TypeAlias = Mapping[str, Any]
Mark = Literal["", "best", "tied", "best method", "tied method", "below floor"]

VALID = 0.5
"""Share of valid designs below which a row takes no part in best."""


@dataclass(frozen=True)
class Column:
    """How readers see one or several raw values."""

    title: str
    text: Callable[[Raw], str]
    best: str | None = None
    """The raw value by which rows compete, smaller being better; None where they do not."""
    status: str | None = "status"
    """The raw value that tells whether this column has numbers; None for a column that needs none."""
    beside: Callable[[Raw], str] = lambda raw: ""
    """What stands behind the text and is never marked, such as a published value in brackets."""
    apart: Callable[[Raw, Raw], bool | None] = lambda one, other: None
    """Whether the second row is larger for sure than the first, None where that is not known: then none is best."""
    digits: int = 2  # significant ones, at which values of `best` that look the same are ties
    valid: str = "valid"  # the raw value that tells the share of valid designs, where a table has it
    floor: float = 0.0
    """Values below it cannot be told apart: they are set back, and where there are any, none is best."""
    value: str | None = None
    """The raw value that the text shows, for sorting and for the floor; that of `best` where omitted."""


@dataclass(frozen=True)
class Text:
    """A cell as text with its mark: `best` where all other rows are worse, `tied` where it cannot be told apart from
    the least, the same of methods without the baselines where a baseline is best, or `below floor`.
    """

    text: str
    mark: Mark = ""
    beside: str = ""


@dataclass(frozen=True)
class Table:
    """Rows under one heading. A raw row has `method`, `status`, `baseline` and the values that its columns read."""

    name: str
    title: str
    facts: Raw
    """What holds for all rows: task, metric, preset, budget, hashes."""
    columns: tuple[Column, ...]
    rows: tuple[Raw, ...]
    notes: tuple[str, ...]

    def noting(self, note: str) -> Table:
        """The same table with a further note, first of all.

        Args:
            note: a line of text.
        """
        return replace(self, notes=(note, *self.notes))

    def cells(self) -> list[list[Text]]:
        """The table as readers see it, row by row."""
        return self._cells

    @cached_property
    def _cells(self) -> list[list[Text]]:
        marks = [self._marks(column) for column in self.columns]
        return [
            [
                Text(text, marks[place][index], self.columns[place].beside(row))
                for place, text in enumerate(self._texts(row))
            ]
            for index, row in enumerate(self.rows)
        ]

    def _texts(self, row: Raw) -> Iterator[str]:
        """One text a column; the first column of a row without numbers names its status, the others are dashes."""
        named: set[str] = set()
        for column in self.columns:
            if column.status is None or _has_numbers(row.get(column.status)):
                yield column.text(row)
            else:
                yield MISSING if column.status in named else str(row.get(column.status) or "not run")
                named.add(column.status)

    def _marks(self, column: Column) -> list[Mark]:
        shown = column.value or column.best
        if shown is None:
            return [""] * len(self.rows)
        values = [row.get(shown) for row in self.rows]
        low = [value is not None and float(value) < column.floor for value in values]
        if any(low):
            return ["below floor" if below else "" for below in low]
        if column.best is None:
            return [""] * len(self.rows)
        compete = [place for place, row in enumerate(self.rows) if _competes(row, column)]
        marks: list[Mark] = [""] * len(self.rows)
        if len(compete) < 2:
            return marks
        learning = [place for place in compete if not self.rows[place].get("baseline")]
        leaders = self._leaders(column, compete)
        for place in leaders:
            marks[place] = "best" if len(leaders) == 1 else "tied"
        if leaders and learning and not {*leaders} & {*learning}:
            followers = self._leaders(column, learning)
            for place in followers:
                marks[place] = "best method" if len(followers) == 1 else "tied method"
        return marks

    def _leaders(self, column: Column, compete: Sequence[int]) -> list[int]:
        """The row with the least value, and all that cannot be told apart from it; none where that is not known."""
        first = min(compete, key=lambda place: float(self.rows[place][str(column.best)]))
        told = {place: _apart(self.rows[first], self.rows[place], column) for place in compete if place != first}
        return [] if None in told.values() else [place for place in compete if not told.get(place, False)]


def incomplete(status: str) -> bool:
    """Whether some of a row's seeds have numbers and others have none, as in `1 of 3 seeds: timeout`.

    Args:
        status: of a row.

    >>> incomplete("1 of 3 seeds: timeout"), incomplete("timeout")
    (True, False)
    """
    return " seeds: " in status


def _has_numbers(status: str | None) -> bool:
    return status is not None and (status == "ok" or incomplete(status))


def _competes(row: Raw, column: Column) -> bool:
    valid = row.get(column.valid)
    enough = valid is None or float(valid) >= VALID
    return row.get(str(column.best)) is not None and row.get(column.status or "") == "ok" and enough


def _seen(row: Raw, column: Column) -> str:
    """The value by which a row competes, as a reader sees it."""
    return number(float(row[str(column.best)]), column.digits)


def _apart(first: Raw, other: Raw, column: Column) -> bool | None:
    """Whether two rows can be told apart; values that a reader sees as the same cannot."""
    if _seen(first, column) == _seen(other, column):
        return False
    return column.apart(first, other)
