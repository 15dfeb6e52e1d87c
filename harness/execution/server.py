"""The process that the processes of cells are forked from, with all that they need in it already."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from types import ModuleType

from harness.allocator import ALLOCATOR

PRELOAD = ["harness.execution.preload"]
LIBRARIES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
# The two make the order of sets and cuBLAS reproducible. All these variables are read once, at the start of a process.
FIXED = {"PYTHONHASHSEED": "0", "CUBLAS_WORKSPACE_CONFIG": ":4096:8", **ALLOCATOR}


def running_server(threads: int) -> ForkServerContext:
    """The server, started where none runs, with its numerical libraries limited to `threads`."""
    with _environment({**dict.fromkeys(LIBRARIES, str(threads)), **FIXED}):
        return started(PRELOAD)


def started(preload: Sequence[str]) -> ForkServerContext:
    """A server that imports these modules first, started where none runs; Ctrl-C is for its parent alone."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    resource_tracker.ensure_running()  # which heeds no Ctrl-C itself, and lets what starts it heed it again
    with _deaf_to_ctrl_c():
        forkserver.ensure_running()
    return context


def begin(process: BaseProcess) -> None:
    """Start a process that does not run the user's script once more.

    `multiprocessing` imports the main module into each process for what is pickled from it, and nothing of ours is. A
    script that calls `run` without `if __name__ == "__main__"` would call it again there.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        process.start()
    finally:
        sys.modules["__main__"] = main


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


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """A process that is started inside hears no Ctrl-C, which a terminal sends to all, from its first moment on.

    This one hears at the end of the block what came meanwhile.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
