"""`rescore`: all scores anew from stored designs, without training; or some designs by another forward model."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from harness.cell import DESIGNS, read_designs, resimulated
from harness.contracts import Task
from harness.errors import UsageError
from harness.evaluation import protocols
from harness.evaluation.resimulation import resimulate
from harness.registry import build_task
from harness.replay import Unusable, cell_of, dataset_of, intact
from harness.store import Store


def rescore(root: Path, operator: str | None = None, designs: int = 100) -> Iterator[str]:
    """Re-simulate the designs of every record below the root and replace its scores; yields a line for each cell.

    With `operator`, the name of another forward model of the task, the scores stay: the first proposals for so many
    targets, and as many for y*, are re-simulated by it, and the record shows both errors.
    """
    for folder, found in intact(root, DESIGNS):
        place = folder.relative_to(root)
        if isinstance(found, str):
            yield f"{place}: left as it is: {found}"
            continue
        try:
            work = partial(_compare, operator, designs) if operator else _rescore
            yield f"{place}: {work(root, folder, found)}"
        except (Unusable, UsageError) as reason:
            yield f"{place}: left as it is: {reason}"


def _rescore(root: Path, folder: Path, record: dict[str, Any]) -> str:
    cell = cell_of(record)
    task, dataset = dataset_of(cell, record)
    designs = read_designs(folder)
    scores = protocols.score(task, dataset, designs, cell.protocol, resimulated(task, designs))
    Store(root).revise(folder, {"scores": scores})
    before, after = (part["multi_target"]["mse"]["mean"] for part in (record["scores"], scores))
    return f"rescored; multi-target mse {before:.6g} before, {after:.6g} now"


def _compare(operator: str, designs: int, root: Path, folder: Path, record: dict[str, Any]) -> str:
    cell = cell_of(record)
    known = build_task(cell.task).operators
    if operator not in known:
        raise Unusable(f"{cell.task.name} has no operator {operator!r}; it has: {', '.join(known) or 'none'}")
    task, dataset = dataset_of(cell, record)
    proposed, other = read_designs(folder), task.operators[operator]
    asked = {
        "multi_target": (proposed.multi[:designs, 0], dataset.targets[:designs]),
        "fixed_target": (proposed.fixed.flatten(0, 1)[:designs], dataset.fixed_target),
    }
    found = {name: _differences(task, other, x, y) for name, (x, y) in asked.items()}
    Store(root).revise(folder, {"operators": {**record.get("operators", {}), operator: found}})
    first = found["multi_target"]
    return (
        f"mse of {first['designs']} designs {first['mse']:.6g} by {operator!r}, "
        f"{first['mse_simulate']:.6g} by the task's own forward model"
    )


def _differences(task: Task, operator: Callable[[Tensor], Tensor], x: Tensor, y: Tensor) -> dict[str, float]:
    """The mse of designs `(n, x_dim)` for targets `(n or 1, y_dim)` by both forward models, where both are valid."""
    usual, other = resimulate(task, x), resimulate(task, x, operator)
    both = usual.isfinite().all(1) & other.isfinite().all(1)
    pairs = {"mse": (other, y), "mse_simulate": (usual, y), "mse_between": (usual, other)}
    errors = {name: (one - two).square().mean(1)[both] for name, (one, two) in pairs.items()}
    return {
        "designs": len(x),
        "valid": float(both.double().mean()),
        **{name: float(error.mean()) if len(error) else math.nan for name, error in errors.items()},
    }
