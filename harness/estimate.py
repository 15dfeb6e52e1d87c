"""What `--dry-run` prints: the plan, what exists already, and what the rest will cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

from harness.plan import Cell, misfits
from harness.records import canonical
from harness.registry import build_task, get
from harness.schema import Declared
from harness.settings import Sizes
from harness.store import Store
from harness.work import Work, in_words

SPEED = {"cpu": 1e10, "cuda": 1e12}
"""Assumed floating-point operations per second of small networks on one core and on a GPU."""
REST = 5.0  # seconds for proposing, re-simulating and scoring, where nothing was measured
RULE = (
    "rule (no earlier record): 6 × parameters × pairs × epochs operations at "
    f"{SPEED['cpu'] / 1e9:.0f} GFLOP/s, on a GPU {SPEED['cuda'] / 1e9:.0f}, + {REST:.0f} s"
)


def describe(cells: Sequence[Cell], todo: Mapping[Cell, Work], store: Store, jobs: int) -> str:
    """The plan as text: one line per cell with what is done and why, then all of it and the estimated total."""
    earlier = measured(store)
    misfit = misfits([cell for cell, work in todo.items() if work.train and not cell.refusal])
    lines, costs, guessed = [], [], False
    for cell in cells:
        work = todo.get(cell)
        if work is None:
            lines.append(f"  {cell.label:<48} {cell.key[:16]}  up to date")
            continue
        if cell.refusal:
            lines.append(f"  {cell.label:<48} {cell.key[:16]}  cannot: {cell.refusal}")
            continue
        if cell in misfit:
            lines.append(f"  {cell.label:<48} {cell.key[:16]}  fails: {misfit[cell]}")
            continue
        seconds = earlier.get(signature(cell.declared(), cell.sizes))
        guessed |= seconds is None and work.train
        costs.append(cost(cell, work, seconds))
        source = "as measured before" if seconds else "by rule"
        lines.append(f"  {cell.label:<48} {cell.key[:16]}  {verb(work)}, about {clock(costs[-1])} {source}")
    able = [work for cell, work in todo.items() if not cell.refusal and cell not in misfit]
    reasons = Counter(reason for work in able for reason in work.reasons)
    lines += [f"{count} × {reason}" for reason, count in reasons.most_common()]
    total = max([sum(costs) / jobs, *costs], default=0.0)
    lines.append(f"{in_words(able).capitalize()}.")
    at_once = "1 job" if jobs == 1 else f"{jobs} jobs"
    lines.append(f"Estimated: {clock(sum(costs))} of work, {clock(total)} with {at_once}. Nothing was run.")
    return "\n".join([*lines, f"By {RULE}."] if guessed else lines)


def estimated(todo: Mapping[Cell, Work], store: Store) -> dict[Cell, float]:
    """Seconds that each cell will take."""
    earlier = measured(store)
    return {cell: cost(cell, work, earlier.get(signature(cell.declared(), cell.sizes))) for cell, work in todo.items()}


def cost(cell: Cell, work: Work, seconds: Sequence[Mapping[str, float]] | None) -> float:
    """Seconds of the work for a cell, as measured before or by rule."""
    return share(work, seconds) if seconds else rule(cell) if work.train else REST


def memory(store: Store) -> int:
    """The most bytes that a method of an earlier record took; 0 where none says."""
    records = store.records() if store.root.is_dir() else ()
    return max((record.model.peak_memory_bytes or 0 for record in records if record.model), default=0)


def verb(work: Work) -> str:
    """The first of what is done for a cell."""
    if work.lender:
        return f"ask the model of {work.lender.label}"
    return "train" if work.train else "ask" if work.ask else "score"


def share(work: Work, seconds: Sequence[Mapping[str, float]]) -> float:
    """Seconds of the steps that are done again, as they took before."""
    steps = ["data", "resimulation", "scoring", "writing"]
    steps += ["build", "training"] * work.train + ["proposing", "inference"] * bool(work.train or work.ask)
    return mean(sum(record.get(step, 0.0) for step in steps) for record in seconds)


def measured(store: Store) -> dict[str, list[Mapping[str, float]]]:
    """Seconds of the steps of earlier cells by what determines their cost."""
    found: dict[str, list[Mapping[str, float]]] = {}
    for record in store.records() if store.root.is_dir() else ():
        if record.status == "ok" and record.seconds:
            found.setdefault(signature(record.declared, record.sizes), []).append(record.seconds)
    return found


def signature(declared: Declared, sizes: Sizes) -> str:
    """What determines the cost of a cell: not its seed."""
    names = [[plugin.name, plugin.options] for plugin in (declared.task, declared.method)]
    return canonical([names, declared.budget, declared.schedule, declared.data, declared.device, sizes])


def rule(cell: Cell) -> float:
    """Seconds of a cell of which nothing is known but its sizes."""
    method: Any = get("methods", cell.method.name).load()
    task = build_task(cell.task, cell.scenario)
    if not method.trainable:
        return REST
    pairs = cell.data.n_train or task.n_train
    operations = 6.0 * cell.budget * pairs * cell.schedule.epochs
    return operations / SPEED[cell.device.partition(":")[0]] + REST


def clock(seconds: float) -> str:
    """A duration as a reader says it."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
