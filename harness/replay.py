"""What a stored record was made from, brought back: its cell, its data, its designs, its trained method."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from harness import data, registry
from harness.cell import MODEL, create, restore
from harness.contracts import Method, Task
from harness.plan import Cell
from harness.presets import Protocol, Schedule
from harness.records import Damaged, read
from harness.registry import PluginSpec
from harness.seeds import seeded
from harness.store import RECORD, cell_folders, problems
from harness.timing import Stopwatch


class Unusable(ValueError):
    """A stored cell from which nothing can be computed again; the text says why."""


def cell_of(record: Mapping[str, Any]) -> Cell:
    """The cell that a record declares."""
    declared = record["declared"]
    task, method = (PluginSpec(**declared[kind], label=record["label"][kind]) for kind in ("task", "method"))
    protocol = {**declared["protocol"], "trials": tuple(declared["protocol"]["trials"])}
    return Cell(
        task=task,
        method=method,
        preset=record["preset"],
        budget=declared["budget"],
        schedule=Schedule(**declared["schedule"]),
        protocol=Protocol(**protocol),
        seed=declared["seed"],
        device=declared["device"],
    )


def intact(root: Path, needed: str) -> Iterator[tuple[Path, dict[str, Any] | str]]:
    """Each cell folder below the root with its record, or with why it cannot be used."""
    for folder in cell_folders(root):
        damage = next(problems(folder), None)
        try:
            record = read(folder / RECORD)
        except Damaged as error:
            yield folder, str(error)
            continue
        if damage is not None:
            yield folder, f"damaged: {damage.what}"
        elif record["status"] != "ok":
            yield folder, f"its status is {record['status']}"
        elif needed not in record["files"]:
            yield folder, f"{needed} is not stored here; run the cell again to have it"
        else:
            yield folder, record


def dataset_of(cell: Cell, record: Mapping[str, Any]) -> tuple[Task, data.Dataset]:
    """The task of a record and its data, drawn again.

    Raises:
        Unusable: the data are no longer those of the record.
    """
    task = registry.build_task(cell.task)
    with _threads(int(record["provenance"]["threads"])):
        dataset = data.draw(task, cell.protocol)
    if {name: record["data"][name] for name in ("split", "targets")} != dataset.hashes():
        raise Unusable(f"{cell.task.name} now gives other data than when this was recorded; run the cell again")
    return task, dataset


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """So many threads for torch, on which the last bits of a matrix product depend."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def trained_method(cell: Cell, task: Task, dataset: data.Dataset, folder: Path) -> Method:
    """The method of a record in its trained state.

    Raises:
        Unusable: the method's networks are no longer those that were stored.
    """
    method, _ = create(cell, task, dataset, Stopwatch())
    try:
        with seeded("restore", cell.seed):
            restore(method, load_file(folder / MODEL, device=cell.device))
    except (RuntimeError, AttributeError) as error:
        raise Unusable(f"the stored model does not fit {cell.method.name} as it is now: {error}") from error
    return method.eval()
