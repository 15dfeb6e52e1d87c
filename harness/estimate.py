"""What `--dry-run` prints: the plan, what exists already, and what the rest will cost."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean
from typing import Any

from harness.plan import Cell
from harness.records import canonical
from harness.registry import build_task, get
from harness.store import Store

SPEED = {"cpu": 1e10, "cuda": 1e12}
"""Assumed floating-point operations per second of small networks on one core and on a GPU."""
REST = 5.0  # seconds for proposing, re-simulating and scoring, where nothing was measured
RULE = (
    "rule (no earlier record): 6 × parameters × pairs × epochs operations at "
    f"{SPEED['cpu'] / 1e9:.0f} GFLOP/s, on a GPU {SPEED['cuda'] / 1e9:.0f}, + {REST:.0f} s"
)


def describe(cells: Sequence[Cell], todo: Sequence[Cell], store: Store, jobs: int) -> str:
    """The plan as text: one line per cell, then the estimated total."""
    missing = {cell.key for cell in todo}
    earlier = measured(store)
    lines, costs, guessed = [], [], False
    for cell in cells:
        if cell.key not in missing:
            lines.append(f"  {cell.label:<48} {cell.key[:16]}  has a record")
            continue
        seconds = earlier.get(signature(cell.declared()))
        guessed |= seconds is None
        source = "by rule" if seconds is None else "as measured before"
        costs.append(rule(cell) if seconds is None else mean(seconds))
        lines.append(f"  {cell.label:<48} {cell.key[:16]}  about {clock(costs[-1])} {source}")
    total = max([sum(costs) / jobs, *costs], default=0.0)
    lines.append(f"Estimated: {clock(sum(costs))} of work, {clock(total)} with {jobs} jobs. Nothing was run.")
    return "\n".join([*lines, f"By {RULE}."] if guessed else lines)


def measured(store: Store) -> dict[str, list[float]]:
    """Seconds of earlier cells by what determines their cost."""
    found: dict[str, list[float]] = {}
    for record in store.records() if store.root.is_dir() else ():
        seconds = record.get("timing", {}).get("total")
        if record["status"] == "ok" and seconds is not None:
            found.setdefault(signature(record["declared"]), []).append(float(seconds))
    return found


def signature(declared: dict[str, Any]) -> str:
    """What determines the cost of a cell, from its declared inputs: neither seed nor source."""
    names = [declared[kind][part] for kind in ("task", "method") for part in ("name", "options")]
    return canonical([*names, *(declared[part] for part in ("budget", "schedule", "protocol", "device"))])


def rule(cell: Cell) -> float:
    """Seconds of a cell of which nothing is known but its sizes."""
    method: Any = get("methods", cell.method.name).load()
    task = build_task(cell.task)
    if not method.trainable:
        return REST
    pairs = cell.protocol.n_train or task.n_train
    operations = 6.0 * cell.budget * pairs * cell.schedule.epochs
    return operations / SPEED[cell.device.partition(":")[0]] + REST


def clock(seconds: float) -> str:
    """A duration as a reader says it."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
