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
from functools import partial
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import provenance
from harness.durable import storage_error
from harness.execution.console import captured
from harness.execution.failures import is_disk_full, tell
from harness.records import plain
from harness.schema import Record
from harness.store import Store, carry, scratch

if TYPE_CHECKING:
    from harness.cell import Learn
    from harness.plan import Cell
    from harness.work import Work

Report = Callable[[str, int, int, float | None], None]
Runner = Callable[["Cell", Path, Report], Iterable[Mapping[str, Any]]]
"""Gives parts of the record's body, each as soon as it is known."""

REPORT_EVERY = 0.1  # seconds


@dataclass(frozen=True)
class Job:
    """A cell with all that its process needs."""

    cell: Cell
    root: Path
    environment: dict[str, Any]
    work: Work
    runner: Runner | None = None
    """In place of what `harness.cell` does."""


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
    from harness.apart import method_process

    os.setpgid(0, 0)
    with method_process() as learn:  # before there are threads, and before the task is made
        return _recorded(job, learn, messages)


def _recorded(job: Job, learn: Learn, messages: Connection) -> Done:
    _end_with_parent()
    send(messages, "process", os.getpid())
    cell = job.cell
    _use_threads(cell.threads)
    store, started, clock = Store(job.root), provenance.now(), time.perf_counter()
    private = [job.root.resolve(), Path.cwd()]
    record = None if job.work.train else store.read(cell)
    with scratch(store.path(cell)) as folder:
        send(messages, "folder", folder.name)
        if record is not None:
            carry(store.path(cell), folder, record.files)
        with captured(folder, private):
            result = _attempt(job, record, learn, folder, messages, private)
        if record is None or result["status"] == "ok":
            stamp = provenance.stamp(job.environment, device=cell.device, threads=cell.threads, started=started)
            store.commit(cell, folder, completed(record, result, stamp))
    error = result["error"]
    return Done(result["status"], time.perf_counter() - clock, error["message"] if error else "")


def completed(record: Record | None, result: Mapping[str, Any], stamp: Mapping[str, Any]) -> dict[str, Any]:
    """What a record then holds: what it held, with the parts that are new and their stamp."""
    from harness.cell import stamped

    kept = ("data", "model", "answers", "scores", "seconds", "stamps", "omitted")
    before = {name: value for name, value in plain(record).items() if name in kept} if record else {}
    return stamped({**before, **result}, stamp)


def _attempt(
    job: Job, record: Record | None, learn: Learn, folder: Path, messages: Connection, private: list[Path]
) -> dict[str, Any]:
    """The parts of the record that are new, and the error where one was raised."""
    body: dict[str, Any] = {}
    try:
        runner = job.runner or partial(_run, job.work, record, learn)
        for part in runner(job.cell, folder, reporter(messages)):
            body.update(plain(part))
            send(messages, "known", plain(part))
        return {**body, "status": "ok", "error": None}
    except BaseException as error:
        if is_disk_full(error):
            raise storage_error(job.root, error) from error
        status, described = tell(error, private)
        return {**body, "status": status, "error": described}


def _run(
    work: Work, record: Record | None, learn: Learn, cell: Cell, folder: Path, report: Report
) -> Iterable[Mapping[str, Any]]:
    """What a cell does, its method in a process of its own."""
    from harness.cell import update

    return update(cell, work, record, folder, learn, report)


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
    """End the own process group as soon as the parent has ended in whatever way."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_wait_and_end, args=(parent.sentinel,), daemon=True).start()


def _wait_and_end(sentinel: int) -> None:
    wait([sentinel])
    os.killpg(0, signal.SIGKILL)
