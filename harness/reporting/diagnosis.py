"""What a task itself measures on the proposals for y*, such as the share of checkerboard in a cell of pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.reporting.build import base, chart
from harness.reporting.groups import Group
from harness.reporting.numbers import number
from harness.reporting.rows import Row, dig
from harness.reporting.table import Column, Table


def diagnosis(groups: Sequence[Group], metric: str, published: bool) -> list[Table]:
    """The median of each of the task's own numbers, for the tasks that have any."""
    return [_table(group, names) for group in groups if (names := list(dig(group.first, "scores", "diagnosis") or ()))]


def _table(group: Group, names: Sequence[str]) -> Table:
    columns = [Column(name.replace("_", " "), _text(name)) for name in names]
    rows = [_raw(row, names) for row in group.rows]
    note = "medians over proposals for the fixed target y*; the task's page in docs/tasks tells what each number is"
    return chart("diagnosis", "The task's own numbers", group, columns, rows, [note])


def _raw(row: Row, names: Sequence[str]) -> dict[str, Any]:
    return {**base(row), **{name: row.mean("scores", "diagnosis", name, "median") for name in names}}


def _text(name: str) -> Any:
    return lambda raw: number(raw[name])
