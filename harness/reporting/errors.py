"""The error tables: many targets (iPage Table 2) and the fixed target (iPage Table 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.reporting import notes
from harness.reporting.build import base, chart, dimension
from harness.reporting.groups import Group
from harness.reporting.numbers import deviation, number, printed, share
from harness.reporting.published import Published, find
from harness.reporting.rows import Row
from harness.reporting.table import Column, Table

TITLES = {"multi_target": "Many targets, one proposal each", "fixed_target": "Many proposals for the fixed target y*"}


def multi_target(groups: Sequence[Group], metric: str, published: bool) -> list[Table]:
    """The error over many targets, with the novelty of the designs beside it."""
    return [_table(group, "multi_target", metric, published) for group in groups]


def fixed_target(groups: Sequence[Group], metric: str, published: bool) -> list[Table]:
    """The error of many proposals for one target."""
    return [_table(group, "fixed_target", metric, published) for group in groups]


def _table(group: Group, protocol: str, metric: str, published: bool) -> Table:
    found = {row.label: find(protocol, group.task, row.label) if published else None for row in group.rows}
    shown = {label: value if comparable(value, metric, dimension(group)) else None for label, value in found.items()}
    rows = tuple(_raw(row, protocol, metric, shown[row.label]) for row in group.rows)
    columns = list(_columns(protocol, metric, group.floor(metric)))
    extra = [notes.METRICS[metric] + "; " + notes.INVALID, *notes.spread(group.rows, [group])]
    if protocol == "multi_target":
        extra.append(
            "novelty: median distance of a design to the nearest training design, standardised x; copies: share of "
            "designs that are training designs"
        )
    values = list(shown.values())
    if any(values):
        columns.append(Column("published", _published, status=None))
        extra += notes.published(values)
    elif any(found.values()):
        extra.append(f"Published values are {next(v for v in found.values() if v).metric}: see --metric sse")
    return chart(protocol.replace("_", "-"), TITLES[protocol], group, columns, rows, extra, metric)


def comparable(value: Published | None, metric: str, y_dim: int) -> bool:
    """Whether a published value is of this metric; with a single y the sum and the mean are the same."""
    return value is not None and (value.metric == metric or (y_dim == 1 and {value.metric, metric} <= {"sse", "mse"}))


def _raw(row: Row, protocol: str, metric: str, value: Published | None) -> dict[str, Any]:
    path = ("scores", protocol, metric)
    spread = row.spread(*path, "mean")
    raw = {
        **base(row),
        "mean": row.mean(*path, "mean"),
        "deviation": row.mean(*path, "std") if len(row.done) < 2 else spread,
        "deviation_over": "seeds" if len(row.done) > 1 else "repeats",
        "median": row.mean(*path, "median"),
        "q90": row.mean(*path, "q90"),
        "valid": row.mean("scores", protocol, "valid"),
        "in_box": row.mean("scores", protocol, "in_box"),
    }
    if protocol == "multi_target":
        raw["novelty"] = row.mean("scores", "novelty", "nearest")
        raw["copies"] = row.mean("scores", "novelty", "copies")
    if value:
        raw["published"], raw["published_deviation"] = value.value, value.std
        raw["published_source"], raw["published_difference"] = value.source, value.difference
    return raw


def _columns(protocol: str, metric: str, floor: float) -> list[Column]:
    columns = [
        Column(f"{metric}, mean ± dev.", lambda raw: deviation(raw["mean"], raw["deviation"]), "mean", floor=floor),
        Column("median", lambda raw: number(raw["median"]), "median", floor=floor),
        Column("90 %", lambda raw: number(raw["q90"]), "q90", floor=floor),
        Column("valid", lambda raw: share(raw["valid"])),
        Column("in box", lambda raw: share(raw["in_box"])),
    ]
    if protocol == "multi_target":
        columns.append(Column("novelty", lambda raw: number(raw["novelty"])))
        columns.append(Column("copies", lambda raw: share(raw["copies"])))
    return columns


def _published(raw: Any) -> str:
    value, spread = raw.get("published"), raw.get("published_deviation")
    return printed(value) if spread is None else f"{printed(value)} ± {printed(spread)}"
