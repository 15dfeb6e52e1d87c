"""What `run --engine slurm` asks of the cluster: how many entries, and how long, how much memory and which GPU each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from harness.cluster import Resources
from harness.config import Settings
from harness.plan import Cell
from harness.provenance import device_kind
from harness.store import Store
from harness.work import Work

if TYPE_CHECKING:
    from harness.execution.entries import Entries, Shape

JOBS = 4
"""Cells at once in an entry on CPUs: torch is loaded once for all of them, and the entry still fits into gaps."""
BASE, USUAL = 2.0, 1.0
"""GB for Python, torch and a task's data in the processes of a cell, and for a method of which nothing is known."""


def engine(works: Mapping[Cell, Work], store: Store, settings: Settings) -> Entries:
    """The engine for these cells.

    Raises:
        UsageError: submitit or SLURM is missing here.
    """
    from harness.estimate import estimated, memory
    from harness.execution.entries import Entries
    from harness.execution.ledger import FOLDER
    from harness.execution.queue import Slurm

    asked = settings.slurm or Resources()
    jobs = at_once(settings)
    gres = asked.gres or (None if settings.device == "cpu" else "gpu:1")
    queue = Slurm(
        store.root.absolute() / FOLDER, asked, asked.cpus or jobs, asked.mem or memory_of(jobs, memory(store)), gres
    )
    return Entries(queue, store.root, estimated(works, store), shape(settings), quiet=settings.quiet)


def sweep(store: Store) -> None:
    """Remove what earlier runs have noted of array entries that are done."""
    from harness.execution.ledger import Ledger

    Ledger(store.root).sweep()


def at_once(settings: Settings) -> int:
    """Cells at once in each entry: as many as it has cores; on a GPU one, unless `--jobs` says otherwise."""
    cpus = settings.slurm.cpus if settings.slurm else None
    return settings.jobs or (1 if settings.device != "cpu" else cpus or JOBS)


def shape(settings: Settings) -> Shape:
    """How cells become entries."""
    from harness.execution.entries import Shape

    asked = settings.slurm or Resources()
    return Shape(at_once(settings), asked.entries, asked.time)


def memory_of(jobs: int, peak: int) -> str:
    """Memory of an entry as SLURM reads it; `peak`, what a method took in an earlier record, counts twice."""
    each = BASE + (2 * peak / 2**30 if peak else USUAL)
    return f"{math.ceil(jobs * each)}G"


def device_model(settings: Settings) -> str:
    """What the keys say of the device: the GPU that `--slurm gpu=...` names, or this machine's, or just `cuda`."""
    named = settings.slurm.gpu if settings.slurm else None
    return f"cuda {named}" if named and settings.device != "cpu" else device_kind(settings.device)


def describe(todo: Mapping[Cell, Work], store: Store, settings: Settings) -> str:
    """The array as text, for `--dry-run`."""
    from harness.estimate import clock, estimated
    from harness.execution.packing import pack, time_limit

    works = {cell: work for cell, work in todo.items() if not cell.refusal}
    if not works:
        return "On the cluster: nothing."
    form, costs = shape(settings), list(estimated(works, store).values())
    parts = pack(costs, costs, form.at_once, form.entries, form.limit)
    limit = form.limit or time_limit(parts, form.at_once, settings.timeout)
    count = f"{len(parts)} array {'entry' if len(parts) == 1 else 'entries'}"
    return f"On the cluster: {count} of at most {clock(limit)} each."
