"""The first table to look at: every method on every task, best of one and best of all proposals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, ClassVar

from harness.metrics import METRICS
from harness.protocols.contract import Protocol, Shown
from harness.protocols.r_t import ERRORS, RT, bracket, curve, lookup, meaning, told, trials, untrained
from harness.reporting import notes
from harness.reporting.build import METHOD, several
from harness.reporting.groups import Group
from harness.reporting.numbers import number, share
from harness.reporting.rows import Row, order
from harness.reporting.table import Column, Raw, Table

SIDE_BY_SIDE = 3
"""Tasks that fit side by side on a terminal."""


class Summary(Protocol):
    """The ends of r_T's curves; it asks nothing of its own."""

    name: ClassVar[str] = "summary"

    def tables(self) -> dict[str, Shown[Table]]:
        return {"summary": Shown(_build, place=10, metrics=ERRORS, reads=(RT.name,), plain=True)}


def _build(groups: Sequence[Group], metric: str | None, published: bool) -> list[Table]:
    """Methods by tasks; one table for every few tasks that share their settings."""
    scored = [group for group in groups if trials(group)]
    return [
        _table(together[start : start + SIDE_BY_SIDE], str(metric), published)
        for together in several(scored)
        for start in range(0, len(together), SIDE_BY_SIDE)
    ]


def _table(groups: Sequence[Group], metric: str, published: bool) -> Table:
    rows = sorted((row for group in groups for row in group.rows), key=order)
    labels = list(dict.fromkeys(row.label for row in rows))
    raws = tuple(_raw(label, groups, metric, published) for label in labels)
    columns = (METHOD, *(column for group in groups for column in _columns(group, metric, raws)))
    values = [
        value
        for group in groups
        for row in group.rows
        for count, value in (lookup(group, row, metric) if published else {}).items()
        if count in ends(group)
    ]
    extra = [meaning(metric), METRICS[metric].words, notes.INVALID]
    extra += notes.of_all({"valid": raw.get(f"{group.task}.valid")} for group in groups for raw in raws)
    extra += [note for group in groups for note in untrained(group, metric)]
    extra += ["[in brackets]: the published value", *notes.published(values)] if values else []
    facts = notes.of_several(groups[0], "Summary", metric)
    below = [note for group in groups for note in notes.floor(group, metric)]
    closing = [*notes.partial(rows), *notes.code(rows, "r_T"), *notes.failures(rows), notes.BEST, *below]
    closing += notes.settings(groups)
    title = f"Summary of {', '.join(group.task for group in groups)} ({groups[0].heading})"
    return Table("summary", title, facts, columns, raws, (*extra, *closing))


def ends(group: Group) -> tuple[int, ...]:
    """The first and the last T of a group."""
    counts = trials(group)
    return tuple(dict.fromkeys((counts[0], counts[-1]))) if counts else ()


def _raw(label: str, groups: Sequence[Group], metric: str, published: bool) -> dict[str, Any]:
    found = {group.task: row for group in groups for row in group.rows if row.label == label}
    raw: dict[str, Any] = {"method": label, "status": ", ".join(dict.fromkeys(row.status for row in found.values()))}
    raw["baseline"] = all(row.baseline for row in found.values())
    for group in groups:
        row = found.get(group.task)
        raw[f"{group.task}.status"] = row.status if row else None
        if row and row.done:
            raw.update(_ends(group, row, metric, published))
    return raw


def _ends(group: Group, row: Row, metric: str, published: bool) -> Iterator[tuple[str, Any]]:
    values = curve(row, metric, lookup(group, row, metric) if published else {})
    yield f"{group.task}.valid", values["valid"]
    for count in ends(group):
        for key in (f"r_{count}", f"r_{count}_published"):
            if key in values:
                yield f"{group.task}.{key}", values[key]


def _columns(group: Group, metric: str, raws: Sequence[Raw]) -> Iterator[Column]:
    """The two ends of the curve, and the share of valid designs where it is not one for all."""
    floor, status, valid = group.floor(metric), f"{group.task}.status", f"{group.task}.valid"
    for count in ends(group):
        key = f"{group.task}.r_{count}"
        title, text, beside = f"{group.task} r_{count}", partial(_text, key=key), partial(bracket, key=key)
        shown = partial(Column, title, text, best=key, status=status, beside=beside, floor=floor, valid=valid)
        apart = told(group, metric, count)
        yield shown(apart=apart) if apart else shown()
    if any(raw.get(valid) not in (None, 1.0) for raw in raws):
        yield Column("valid", lambda raw: share(raw.get(valid)), status=status)


def _text(raw: Raw, key: str) -> str:
    return number(raw.get(key))
