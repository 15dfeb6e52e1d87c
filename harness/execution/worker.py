"""What happens inside the process of one cell: it computes, writes its own record, and dies with its parent."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import provenance
from harness.durable import storage_error
from harness.execution.console import captured
from harness.execution.failures import describe, is_disk_full, status_of
from harness.records import plain
from harness.store import Store

if TYPE_CHECKING:
    from harness.plan import Cell

Report = Callable[[str, int, int, float | None], None]
Runner = Callable[["Cell", Path, Report], Iterable[Mapping[str, Any]]]
"""Gives parts of the record's body, each as soon as it is known."""

REPORT_EVERY = 0.1  # seconds


@dataclass(frozen=True)
class Job:
    """A cell with all that its process needs."""

    cell: Cell
    root: Path
    known: dict[str, Any]
    """The parts of the record that are known before the cell runs."""
    environment: dict[str, Any]
    runner: Runner | None = None


@dataclass(frozen=True)
class Done:
    """What a worker tells its parent at the end."""

    status: str
    seconds: float
    message: str


def work(job: Job, messages: Connection) -> Done:
    """Run the cell, commit its record, whatever its status.

    Raises:
        UsageError: the record cannot be written.
    """
    try:
        return _work(job, messages)
    finally:
        # All that is left is to hand over the result, which fails, loudly, where the parent was interrupted.
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 (for the rest of this process)


def _work(job: Job, messages: Connection) -> Done:
    _end_with_parent()
    send(messages, "process", os.getpid())
    _use_threads(job.cell.threads)
    store, started, clock = Store(job.root), provenance.now(), time.perf_counter()
    private = [job.root.resolve(), Path.cwd()]
    with store.temporary(job.cell) as folder:
        send(messages, "folder", folder.name)
        with captured(folder, private):
            result = _attempt(job, folder, messages, private)
        cell = job.cell
        origin = provenance.stamp(job.environment, device=cell.device, threads=cell.threads, started=started)
        store.commit(cell, folder, {**job.known, **result, "provenance": origin})
    error = result["error"]
    return Done(result["status"], time.perf_counter() - clock, error["message"] if error else "")


def _attempt(job: Job, folder: Path, messages: Connection, private: list[Path]) -> dict[str, Any]:
    """The body of the record: the parts that the runner gave, and the error where it raised one."""
    body: dict[str, Any] = {}
    try:
        runner = job.runner or _default_runner()
        for part in runner(job.cell, folder, reporter(messages)):
            body.update(plain(part))
            send(messages, "known", plain(part))
        return {**body, "status": "ok", "error": None}
    except BaseException as error:
        if is_disk_full(error):
            raise storage_error(job.root, error) from error
        return {**body, "status": status_of(error), "error": describe(error, private)}


def _default_runner() -> Runner:
    from harness.cell import run_cell

    return run_cell


def reporter(messages: Connection) -> Report:
    """A `report` that sends at most ten messages a second, and every change of phase."""
    last_phase, last_time = "", 0.0

    def report(phase: str, done: int, total: int, loss: float | None) -> None:
        nonlocal last_phase, last_time
        moment = time.monotonic()
        if phase != last_phase or moment - last_time >= REPORT_EVERY:
            last_phase, last_time = phase, moment
            send(messages, "progress", phase, done, total, loss)

    return report


def send(messages: Connection, *message: Any) -> None:
    """Send a message; end this process at once where nobody is left to read it."""
    try:
        messages.send(message)
    except OSError:
        os._exit(1)


def _use_threads(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)


def _end_with_parent() -> None:
    """Lead an own process group, and end it as soon as the parent has ended in whatever way."""
    os.setpgid(0, 0)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_wait_and_end, args=(parent.sentinel,), daemon=True).start()


def _wait_and_end(sentinel: int) -> None:
    wait([sentinel])
    os.killpg(0, signal.SIGKILL)
