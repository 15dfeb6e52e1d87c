"""The record of a cell that could not write it itself: killed, too late, or broken outside what it does."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from harness import provenance
from harness.durable import discard
from harness.execution.console import tidy
from harness.execution.engine import Done, Job, Left, Lost
from harness.execution.worker import completed
from harness.records import Damaged
from harness.store import CONSOLE, Store, scratch


def record(job: Job, lost: Lost, store: Store) -> Done:
    """Write the record of a lost cell, unless it had just written its own, and remove what it has left behind.

    Raises:
        UsageError: the record cannot be written.
    """
    cell, left = job.cell, lost.left
    if left.folder is not None and not left.folder.exists():
        written = store.read(cell)
        if written is not None:
            return Done(written.status, left.seconds, written.error.message if written.error else "")
    with scratch(store.path(cell)) as folder:
        console = _rescue_texts(left, folder)
        error = {**lost.error, "traceback": lost.error["traceback"] or console}
        machine = left.machine or {**provenance.machine(), "git": job.git}
        origin = provenance.stamp(
            machine, device=cell.device, threads=cell.threads, started=left.started, details=False
        )
        if job.work.anew or store.read(cell) is None:
            result = {**left.known, "status": lost.status, "error": error}
            try:
                store.commit(cell, folder, completed(None, result, origin))
            except Damaged:  # what the method gave to be recorded cannot be; nothing of it is kept
                store.commit(cell, folder, completed(None, {"status": lost.status, "error": error}, origin))
    return Done(lost.status, left.seconds, lost.error["message"])


def forget(lost: Lost) -> None:
    """Remove what a lost cell has left behind, without a record of it."""
    if lost.left.folder is not None:
        discard(lost.left.folder)


def _rescue_texts(left: Left, folder: Path) -> str:
    """Move logs out of the folder that was worked in, and remove that; returns the end of what had been printed."""
    if left.folder is None:
        return ""
    for path in left.folder.glob("*.txt"):
        with suppress(FileNotFoundError):
            shutil.move(path, folder / path.name)
    discard(left.folder)
    return tidy(folder / CONSOLE, [folder.parents[2].resolve(), Path.cwd()])
