"""Starting, watching and ending the processes of cells."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

from pebble.concurrent import process

from harness import provenance
from harness.allocator import ALLOCATOR
from harness.execution.worker import Done, Job, work
from harness.store import Store

PRELOAD = ["harness.execution.preload"]
"""Imported once, by the server that every worker is forked from."""

Launch = Callable[[Job, Connection], Future[Done]]
Hear = Callable[["Running", str, int, int, float | None], None]


@dataclass(eq=False)
class Running:
    """A cell whose process has been started."""

    job: Job
    future: Future[Done]
    messages: Connection
    started: datetime = field(default_factory=provenance.now)
    pid: int | None = None
    folder: str | None = None
    known: dict[str, Any] = field(default_factory=dict)
    """The parts of the record that the process has told so far."""

    @property
    def seconds(self) -> float:
        """Time since the start."""
        return (provenance.now() - self.started).total_seconds()

    @property
    def leftover(self) -> Path | None:
        """The temporary folder that the process works in, once it has said so."""
        if self.folder is None:
            return None
        return Store(self.job.root).path(self.job.cell).with_name(self.folder)

    def kill(self) -> None:
        """End the process and those that it has started."""
        if self.pid is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def receive(self, hear: Hear) -> None:
        """Take in all that the process has sent so far; `hear` is told its progress."""
        try:
            while not self.messages.closed and self.messages.poll():
                match self.messages.recv():
                    case ("process", pid):
                        self.pid = pid
                    case ("folder", folder):
                        self.folder = folder
                    case ("known", part):
                        self.known.update(part)
                    case ("progress", phase, done, total, loss):
                        hear(self, phase, done, total, loss)
        except (EOFError, OSError):
            self.messages.close()


def start_server(threads: int) -> ForkServerContext:
    """Start the server that workers are forked from, its numerical libraries limited to `threads`."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    limits = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    # The two make the order of sets and cuBLAS reproducible. These variables are read once, at the start of a process.
    fixed = {"PYTHONHASHSEED": "0", "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
    with _environment({**limits, **fixed, **ALLOCATOR}):
        forkserver.ensure_running()
    return context


def launcher(context: ForkServerContext, timeout: float | None) -> Launch:
    """A function that starts `work` in a new process, ended after `timeout` seconds."""
    # As a mapping, because pebble's annotations name the second parameter otherwise than its code does.
    settings: dict[str, Any] = {"timeout": timeout, "context": context, "daemon": False}
    launch: Launch = process(**settings)(work)
    return launch


def listen(running: list[Running], hear: Hear, seconds: float) -> None:
    """Wait at most `seconds` for messages of running processes and take them in."""
    by_reader = {item.messages: item for item in running if not item.messages.closed}
    for reader in wait(list(by_reader), seconds):
        by_reader[reader].receive(hear)  # type: ignore[index]


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {key: os.environ.get(key) for key in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value
