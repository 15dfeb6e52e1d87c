"""What all tables have in common: the first values of a row, the method column, the order of the notes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from harness.reporting import notes
from harness.reporting.groups import Group
from harness.reporting.rows import Row
from harness.reporting.table import Column, Raw, Table, incomplete

METHOD = Column("method", lambda raw: str(raw["method"]) + ("†" if incomplete(raw["status"]) else ""), status=None)


def base(row: Row) -> dict[str, Any]:
    """The raw values that every row begins with.

    Args:
        row: a method on a task.
    """
    return {
        "method": row.label,
        "status": row.status,
        "baseline": row.baseline,
        "seeds": len(row.done),
    }


def table(
    name: str,
    title: str,
    group: Group,
    columns: Sequence[Column],
    rows: Sequence[Raw],
    extra: Iterable[str],
    metric: str | None = None,
) -> Table:
    """The table of one group: its heading, its rows and, after its own notes, the notes of every table.

    Args:
        name: of the table.
        title: what stands before the task.
        group: the rows that share the heading.
        columns: all but the first, which names the method.
        rows: raw values, those of `base` among them.
        extra: notes of its own.
        metric: that it shows; None where it shows no error.
    """
    best = [notes.BEST] if any(column.best for column in columns) else []
    return Table(
        name,
        f"{title}: {group.task} ({group.heading})",
        {"title": title, **notes.facts(group, metric)},
        (METHOD, *columns),
        tuple(rows),
        (
            *extra,
            *notes.partial(group.rows),
            *notes.code(group.rows, name),
            *notes.failures(group.rows),
            *best,
            *notes.floor(group, metric),
            *notes.settings([group]),
        ),
    )


def several(groups: Sequence[Group]) -> list[list[Group]]:
    """The groups that share their settings, together.

    Args:
        groups: of any settings.
    """
    together: dict[str, list[Group]] = {}
    for group in groups:
        together.setdefault(group.settings, []).append(group)
    return list(together.values())
