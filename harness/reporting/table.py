"""Tables as data: raw rows for machines, columns that turn a row into text for readers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from harness.reporting.numbers import MISSING, number

Raw: TypeAlias = Mapping[str, Any]
Mark = Literal["", "best", "best method", "below floor"]

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
    digits: int = 2
    """Significant digits at which values of `best` that look the same are ties."""
    valid: str = "valid"
    """The raw value that tells the share of valid designs, where a table has it."""
    floor: float = 0.0
    """Values of `best` below it cannot be told apart: they are set back, and where there are any, none is best."""


@dataclass(frozen=True)
class Text:
    """A cell as text: `best` where no row is better, `best method` where only baselines are, or `below floor`."""

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
        """The same table with a further note, first of all."""
        return replace(self, notes=(note, *self.notes))

    def cells(self) -> list[list[Text]]:
        """The table as readers see it, row by row."""
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
        """Ties are best all together: values that a reader sees as the same number cannot be told apart."""
        if column.best is None:
            return [""] * len(self.rows)
        low = [
            value is not None and float(value) < column.floor for value in (row.get(column.best) for row in self.rows)
        ]
        if any(low):
            return ["below floor" if below else "" for below in low]
        compete = [row for row in self.rows if _competes(row, column)]
        if len(compete) < 2:
            return [""] * len(self.rows)
        learning = [row for row in compete if not row.get("baseline")]
        first, second = _best(column, compete), _best(column, learning)
        marks: list[Mark] = []
        for row in self.rows:
            seen = _seen(row, column) if row in compete else None
            method = seen is not None and seen == second and row in learning
            marks.append("best" if seen is not None and seen == first else "best method" if method else "")
        return marks


def incomplete(status: str) -> bool:
    """Whether some of a row's seeds have numbers and others have none, as in `1 of 3 seeds: timeout`."""
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


def _best(column: Column, rows: list[Raw]) -> str | None:
    return _seen(min(rows, key=lambda row: float(row[str(column.best)])), column) if rows else None
