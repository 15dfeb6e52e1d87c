"""The record of a cell whose process could not write it: killed, too late, or broken outside the cell."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from pebble import ProcessExpired

from harness import provenance
from harness.execution.console import CONSOLE, tidy
from harness.execution.failures import describe, expired, late
from harness.execution.processes import Running
from harness.execution.worker import Done, completed
from harness.store import Store, scratch


def record(item: Running, error: BaseException, timeout: float | None, store: Store) -> Done:
    """Write the record of a process that ended with `error`, unless it had just written its own.

    Raises:
        UsageError: the record cannot be written.
    """
    cell, leftover = item.job.cell, item.leftover
    seconds = item.seconds
    if leftover is not None and not leftover.exists():
        written = store.read(cell)
        if written is not None:
            return Done(written.status, seconds, written.error.message if written.error else "")
    with scratch(store.path(cell)) as folder:
        console = _rescue_texts(leftover, folder)
        status, described = _describe(error, timeout, console)
        origin = provenance.stamp(
            item.job.environment, device=cell.device, threads=cell.threads, started=item.started, details=False
        )
        if item.job.work.train or store.read(cell) is None:
            result = {**item.known, "status": status, "error": described}
            store.commit(cell, folder, completed(None, result, origin))
    return Done(status, seconds, described["message"])


def _rescue_texts(leftover: Path | None, folder: Path) -> str:
    """Move logs out of the folder that the process has left; returns the end of what it had printed."""
    if leftover is None:
        return ""
    for path in leftover.glob("*.txt"):
        shutil.move(path, folder / path.name)
    return tidy(folder / CONSOLE, [folder.parents[2].resolve(), Path.cwd()])


def _describe(error: BaseException, timeout: float | None, console: str) -> tuple[str, dict[str, Any]]:
    if isinstance(error, TimeoutError) and timeout is not None:
        return "timeout", late(timeout, console)
    if isinstance(error, ProcessExpired):
        return "killed", expired(error.exitcode, console)
    return "failed", describe(error, [Path.cwd()])
