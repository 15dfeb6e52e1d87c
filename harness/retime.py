"""`time`: inference measured anew from stored models, one cell at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from harness import inference
from harness.cell import MODEL
from harness.contracts import Method
from harness.data import Dataset
from harness.errors import UsageError
from harness.plan import Cell
from harness.replay import Unusable, cell_of, dataset_of, intact, trained_method
from harness.seeds import seeded
from harness.store import Store

BUSY = 0.5  # load average per core above which the machine is not idle


def retime(root: Path) -> Iterator[str]:
    """Measure the inference time of every stored model below the root; yields a line for each cell."""
    idle = os.getloadavg()[0] / (os.cpu_count() or 1) < BUSY
    if not idle:
        yield f"The load average is {os.getloadavg()[0]:.1f}: the machine is not idle, and the records will say so."
    torch.set_num_threads(1)
    for folder, found in intact(root, MODEL):
        place = folder.relative_to(root)
        if isinstance(found, str):
            yield f"{place}: left as it is: {found}"
            continue
        try:
            yield f"{place}: {_retime(root, folder, found, idle)}"
        except (Unusable, UsageError) as reason:
            yield f"{place}: left as it is: {reason}"


def _retime(root: Path, folder: Path, record: dict[str, Any], idle: bool) -> str:
    cell = cell_of(record)
    task, dataset = dataset_of(cell, record)
    method = trained_method(cell, task, dataset, folder)
    timed = _measure(method, dataset, cell, idle)
    Store(root).revise(folder, {"timing": {**record["timing"], "inference_1000": timed}})
    return f"1000 proposals in {timed['seconds']:.4f} s, noise floor {timed['noise_floor']:.4f} s"


def _measure(method: Method, dataset: Dataset, cell: Cell, idle: bool) -> dict[str, Any]:
    try:
        with seeded("inference", cell.seed):
            return inference.measure(method, dataset, cell.seed, cell.device, exclusive=idle)
    except Exception as error:  # a stranger's method may keep in memory what it needs
        raise Unusable(f"{cell.method.name} cannot propose from its stored state: {error}") from error
