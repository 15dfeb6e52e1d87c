"""`rescore`: all scores anew from stored designs, without training; or some designs by another forward model."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from harness.cell import DESIGNS, read_designs, resimulated
from harness.errors import UsageError
from harness.evaluation import metrics, protocols
from harness.evaluation.resimulation import resimulate
from harness.replay import Unusable, cell_of, dataset_of, intact
from harness.store import Store


def rescore(root: Path, operator: str | None = None, designs: int = 100) -> Iterator[str]:
    """Re-simulate the designs of every record below the root and replace its scores; yields a line for each cell.

    With `operator`, the name of another forward model of the task, the scores stay: the first proposals for so many
    targets are re-simulated by it, and the record shows both errors.
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
    task, dataset = dataset_of(cell, record)
    if operator not in task.operators:
        raise Unusable(f"{cell.task.name} has no operator {operator!r}; it has: {', '.join(task.operators) or 'none'}")
    x, targets = read_designs(folder).multi[:designs, 0], dataset.targets[:designs]
    reached = resimulate(task, x), resimulate(task, x, task.operators[operator])
    usual, other = (metrics.squared_errors(y, targets, dataset.y_variance)["mse"] for y in reached)
    both = usual.isfinite() & other.isfinite()
    found = {
        "designs": len(x),
        "valid": float(both.double().mean()),
        "mse": float(other[both].mean()),
        "mse_simulate": float(usual[both].mean()),
        "mse_between": float((reached[0] - reached[1])[both].square().mean()),
    }
    Store(root).revise(folder, {"operators": {**record.get("operators", {}), operator: found}})
    return f"mse of {len(x)} designs {found['mse']:.6g} by {operator!r}, {found['mse_simulate']:.6g} by the task's own"
