"""`time`: inference measured anew from stored models, one cell at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
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

BUSY = 0.25  # share of the processors' time above which the machine is not idle
PAUSE = 0.3  # seconds that are looked at, before each cell


def retime(root: Path) -> Iterator[str]:
    """Measure the inference time of every stored model below the root; yields a line for each cell.

    The record of a cell before which other processes kept the processors busy says so.
    """
    torch.set_num_threads(1)
    for folder, found in intact(root, MODEL):
        place = folder.relative_to(root)
        if isinstance(found, str):
            yield f"{place}: left as it is: {found}"
            continue
        try:
            yield f"{place}: {_retime(root, folder, found)}"
        except (Unusable, UsageError) as reason:
            yield f"{place}: left as it is: {reason}"


def _retime(root: Path, folder: Path, record: dict[str, Any]) -> str:
    cell = cell_of(record)
    task, dataset = dataset_of(cell, record)
    method = trained_method(cell, task, dataset, folder)
    busy = psutil.cpu_percent(PAUSE) / 100
    timed = _measure(method, dataset, cell, exclusive=busy < BUSY)
    Store(root).revise(folder, {"timing": {**record["timing"], "inference_1000": timed}})
    done = f"1000 proposals in {timed['seconds']:.4f} s, noise floor {timed['noise_floor']:.4f} s"
    return done if busy < BUSY else f"{done}; the machine was not idle ({busy:.0%} busy), and the record says so"


def _measure(method: Method, dataset: Dataset, cell: Cell, *, exclusive: bool) -> dict[str, Any]:
    try:
        with seeded("inference", cell.seed):
            return inference.measure(method, dataset, cell.seed, cell.device, exclusive=exclusive)
    except Exception as error:  # a stranger's method may keep in memory what it needs
        raise Unusable(f"{cell.method.name} cannot propose from its stored state: {error}") from error
