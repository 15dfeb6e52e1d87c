"""What an array entry does on its node: it runs its cells with the local engine, and each leaves its record."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from harness import provenance
from harness.execution import aftermath
from harness.execution.driver import run_cells
from harness.execution.engine import Job, Left, Lost
from harness.execution.ledger import Mark, mark
from harness.store import Store


@dataclass(frozen=True)
class Slice:
    """The cells of one entry."""

    jobs: Sequence[Job]
    marks: Sequence[Mark]
    """The record that each of them had when it was handed in."""
    at_once: int


def run(cells: Slice) -> None:
    """Do what is left of a slice: after a requeue, what has been done before is not done again.

    Raises:
        UsageError: the records cannot be written.
    """
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)  # submitit's; a cut off entry is noticed by what is missing
    store = Store(cells.jobs[0].root)
    left = [job for job, before in zip(cells.jobs, cells.marks, strict=True) if mark(store, job.cell) == before]
    works = {job.cell: job.work for job in left if _fits(job, store)}
    first = cells.jobs[0]
    summary = run_cells(works, store, jobs=cells.at_once, timeout=first.timeout, runner=first.runner)
    if summary.signal is not None:
        sys.exit(128 + summary.signal)


def _fits(job: Job, store: Store) -> bool:
    """Whether this node has the GPU that a cell's key names; where it has not, the cell's record says so."""
    device, planned = job.cell.device, job.cell.model
    here = provenance.device_kind(device)
    if planned in ("", "cuda", here):
        return True
    message = (
        f"The node has the device {here!r}, and the run was planned for {planned!r}. "
        "Ask for that GPU with --slurm gres=..., or name the one that the nodes have with --slurm gpu=..."
    )
    error = {"type": "WrongDevice", "message": message, "traceback": ""}
    aftermath.record(job, Lost("failed", error, Left(provenance.now())), store)
    return False
