"""What a method costs: size, training, inference and memory (Ren et al. 2020, Tables 2, 8, 9, 10; iPage Fig. 7)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from harness.reporting import notes
from harness.reporting.build import base, chart
from harness.reporting.groups import Group
from harness.reporting.numbers import count, deviation, number, printed, size
from harness.reporting.published import Published, find
from harness.reporting.rows import Row, dig
from harness.reporting.table import Column, Raw, Table

INFERENCE = ("timing", "inference_1000")
STAGES = ("generation", "localisation")
UNITS = {"parameters": count, "checkpoint": size, "training": printed, "seconds": printed}


def cost(groups: Sequence[Group], metric: str, published: bool) -> list[Table]:
    """Parameters, checkpoint, training seconds, seconds for 1000 proposals with their stages, and memory."""
    return [_table(group, published) for group in groups]


def _table(group: Group, published: bool) -> Table:
    shown = {row.label: _published(group, row) if published else {} for row in group.rows}
    rows = [_raw(row, shown[row.label]) for row in group.rows]
    values = [value for found in shown.values() for value in found.values()]
    extra = list(_notes(group, rows))
    columns = list(_columns())
    if values:
        columns.append(Column("published", _beside, status=None))
        extra += ["published: parameters, checkpoint, training s, 1000 proposals s", *notes.published(values)]
    return chart("cost", "Cost", group, columns, rows, extra)


def _published(group: Group, row: Row) -> dict[str, Published]:
    found = {measure: find(measure, group.task, row.label) for measure in UNITS}
    return {measure: value for measure, value in found.items() if value is not None}


def _raw(row: Row, shown: dict[str, Published]) -> dict[str, Any]:
    stages = {f"{stage}_seconds": row.mean(*INFERENCE, "stages", stage) for stage in STAGES}
    return {
        **base(row),
        "parameters": row.mean("parameters", "trainable"),
        "of_budget": row.mean("parameters", "ratio"),
        "stored_numbers": row.mean("parameters", "stored"),
        "checkpoint_bytes": row.mean("parameters", "checkpoint_bytes"),
        "training_seconds": row.mean("timing", "training"),
        "proposal_seconds": row.mean(*INFERENCE, "seconds"),
        **stages,
        "noise_floor": row.mean(*INFERENCE, "noise_floor"),
        "exclusive": all(dig(record, *INFERENCE, "exclusive") for record in row.done),
        "peak_memory_bytes": row.mean("timing", "peak_memory_bytes"),
        **{f"published_{measure}": value.value for measure, value in shown.items()},
    }


def _columns() -> Iterator[Column]:
    yield Column("parameters", _parameters)
    yield Column("of budget", lambda raw: share_of(raw["of_budget"]))
    yield Column("checkpoint", lambda raw: size(raw["checkpoint_bytes"]))
    yield Column("training s", lambda raw: number(raw["training_seconds"]), best="training_seconds")
    yield Column("1000 proposals s", _seconds, best="proposal_seconds")
    yield Column("stages s", _stages)
    yield Column("peak memory", lambda raw: size(raw["peak_memory_bytes"]), best="peak_memory_bytes")


def _parameters(raw: Raw) -> str:
    """Trainable parameters, or the numbers that a method without any keeps instead."""
    return count(raw["parameters"]) if raw["of_budget"] is not None else f"{count(raw['stored_numbers'])} stored"


def share_of(ratio: float | None) -> str:
    """Actual parameters over the budget; `exempt` for a method without trainable parameters."""
    return "exempt" if ratio is None else f"{100 * ratio:.1f} %"


def _seconds(raw: Raw) -> str:
    return ("" if raw["exclusive"] else "~") + deviation(raw["proposal_seconds"], raw["noise_floor"], digits=2)


def _stages(raw: Raw) -> str:
    seconds = [raw[f"{stage}_seconds"] for stage in STAGES]
    return " + ".join(number(value) for value in seconds if value is not None) or number(None)


def _beside(raw: Raw) -> str:
    parts = [text(raw.get(f"published_{measure}")) for measure, text in UNITS.items()]
    return " / ".join(parts) if any(f"published_{measure}" in raw for measure in UNITS) else number(None)


def _notes(group: Group, rows: Sequence[Raw]) -> Iterator[str]:
    yield "Parameters are the trainable ones; a method without any shows the numbers that it stores"
    yield "1000 proposals in one batch after warm-up ± noise floor, a repeat of the same work"
    yield "stages: generation + localisation"
    if any(not raw["exclusive"] for raw in rows if raw["seeds"]):
        yield "~ measured while other cells were running; `python -m harness time` measures again, one at a time"
