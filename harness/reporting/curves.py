"""r_T, the expected best error of T proposals (Ren et al. 2020, eq. 11; their Tables 3 and 7)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from harness.reporting import notes
from harness.reporting.build import base, chart, dimension
from harness.reporting.errors import comparable
from harness.reporting.groups import Group
from harness.reporting.numbers import deviation, interval, number, printed
from harness.reporting.published import Published, find
from harness.reporting.rows import Row, dig
from harness.reporting.table import Column, Raw, Table


def r_t(groups: Sequence[Group], metric: str, published: bool) -> list[Table]:
    """The curve over T; its ends with their spread and the published value in brackets."""
    return [_table(group, metric, published) for group in groups]


def trials(group: Group) -> list[int]:
    """The T of a group's curves."""
    return list(dig(group.first, "declared", "protocol", "trials") or ())


def spaced(counts: Sequence[int]) -> list[int]:
    """The T that a reader is shown: the ends, and between them each that is at least twice the one before."""
    shown = list(counts[:1])
    for count in counts[1:-1]:
        if 2 * shown[-1] <= count:
            shown.append(count)
    return shown + list(counts[1:][-1:])


def curve(row: Row, metric: str, shown: dict[int, Published]) -> dict[str, Any]:
    """The raw values of a curve: r_T with its interval over targets, or its deviation over seeds."""
    raw: dict[str, Any] = {}
    for place, number_of_trials in enumerate(dig(row.first, "scores", "r_T", "T") or ()):
        path = ("scores", "r_T", metric)
        key = f"r_{number_of_trials}"
        raw[key] = row.mean(*path, "value", place)
        if len(row.done) > 1:
            raw[f"{key}_deviation"] = row.spread(*path, "value", place)
        else:
            raw[f"{key}_low"], raw[f"{key}_high"] = (row.mean(*path, end, place) for end in ("low", "high"))
        if number_of_trials in shown:
            raw[f"{key}_published"] = shown[number_of_trials].value
            raw[f"{key}_published_difference"] = shown[number_of_trials].difference
    return raw


def lookup(group: Group, row: Row, metric: str) -> dict[int, Published]:
    """The published values of a row's curve, by T."""
    values = {count: find(f"r_{count}", group.task, row.label) for count in trials(group)}
    return {count: value for count, value in values.items() if value and comparable(value, metric, dimension(group))}


def _table(group: Group, metric: str, published: bool) -> Table:
    shown = {row.label: lookup(group, row, metric) if published else {} for row in group.rows}
    rows = [{**base(row), **_order(row), **curve(row, metric, shown[row.label])} for row in group.rows]
    counts = trials(group)
    columns = [Column("drawn", lambda raw: str(raw["generated"]))] if any(_extra(row) for row in rows) else []
    floor = group.floor(metric)
    columns += [_column(count, count in (counts[0], counts[-1]), floor) for count in spaced(counts)]
    values = [value for by_count in shown.values() for value in by_count.values()]
    extra = [
        f"r_T: best {metric} among T proposals, mean over the targets; an invalid design never wins",
        notes.METRICS[metric],
        *_notes(group),
    ]
    if values:
        extra += ["[in brackets]: the published value", *notes.published(values)]
    return chart("r_T", "r_T, best of T proposals", group, columns, rows, extra, metric)


def _order(row: Row) -> dict[str, Any]:
    return {
        "ranked": dig(row.first, "candidates", "ranked"),
        "generated": dig(row.first, "candidates", "multi_target", "generated"),
        "returned": dig(row.first, "candidates", "multi_target", "returned"),
    }


def _extra(raw: Raw) -> bool:
    return bool(raw["generated"] != raw["returned"])


def _column(count: int, ends: bool, floor: float) -> Column:
    key = f"r_{count}"
    text = partial(_spread if ends else _plain, key=key)
    return Column(f"T={count}", text, best=key, beside=partial(bracket, key=key), floor=floor)


def _plain(raw: Raw, key: str) -> str:
    return number(raw.get(key))


def _spread(raw: Raw, key: str) -> str:
    if f"{key}_deviation" in raw:
        return deviation(raw.get(key), raw[f"{key}_deviation"], digits=2)
    return interval(raw.get(key), raw.get(f"{key}_low"), raw.get(f"{key}_high"))


def bracket(raw: Raw, key: str) -> str:
    """The published value of a column in brackets."""
    value = raw.get(f"{key}_published")
    return "" if value is None else f" [{printed(value)}]"


def _notes(group: Group) -> Iterator[str]:
    estimators: dict[str, list[str]] = {}
    for row in group.rows:
        if row.done:
            estimators.setdefault(str(dig(row.first, "scores", "r_T", "estimator")), []).append(row.label)
    for estimator, labels in estimators.items():
        yield estimator if len(estimators) == 1 else f"{estimator}: {', '.join(labels)}"
    if any(len(row.done) == 1 for row in group.rows):
        yield "(low–high): 95 % bootstrap interval over targets"
    if any(len(row.done) > 1 for row in group.rows):
        yield "± over seeds (trainings)"
    if any(_extra(_order(row)) for row in group.rows):
        yield "drawn: candidates that are drawn or optimised for one target to return its proposals"
    left = [str(count) for count in trials(group) if count not in spaced(trials(group))]
    if left:
        yield f"r_T at T = {', '.join(left)} is in the csv and json formats"
