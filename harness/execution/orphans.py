"""No process outlives the one that it works for, however that ends, and also where it was stopped (SIGSTOP).

The server ends when its parent does, and then ends all that was forked from it. The kernel ends a cell's process group
when the pipe to the parent breaks, and the method's process when the cell's does. What a plug-in has started in a
session of its own comes back, when its parent ends, to the cell or to the server, which ends it.
"""

from __future__ import annotations

import atexit
import ctypes
import fcntl
import os
import shutil
import signal
import sys
import threading
import time
import warnings
from contextlib import suppress
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import psutil

LINUX = sys.platform == "linux"
F_SETSIG = 10  # fcntl.h of Linux; Python has no name for it
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
ROUNDS = 3  # in which descendants are looked for again: one that is ended may have started another
PATIENCE = 1.0  # seconds


def end_group_with(lifeline: Connection) -> None:
    """End the own process group as soon as nobody holds the other end of a pipe any more, which is never written to."""
    if not LINUX:
        threading.Thread(target=_wait_and_end, args=(lifeline,), daemon=True).start()
        return
    # The kernel does it: to processes that are stopped too, and to those that never let go of the GIL.
    pipe = lifeline.fileno()
    fcntl.fcntl(pipe, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(pipe, F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)
    if lifeline.poll():  # it was too late for the kernel to notice
        os.killpg(0, signal.SIGKILL)


def end_with_parent(parent: int) -> None:
    """End this process alone as soon as the one that has forked it, `parent`, has ended."""
    _signal_when_orphaned(signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def adopt() -> None:
    """Become the parent of all descendants whose own one ends, also of those that have left the process group."""
    if LINUX:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_descendants(process: int | None = None) -> None:
    """End all descendants of a process, this one where omitted, whatever group or session they are in."""
    for _ in range(ROUNDS):
        try:
            found = psutil.Process(process).children(recursive=True)
        except psutil.NoSuchProcess:
            return
        for descendant in found:
            with suppress(psutil.Error):
                descendant.kill()
        if not found:
            return
        psutil.wait_procs(found, PATIENCE)


def serve() -> None:
    """What a server does that processes are forked from: they end when its parent does, with all that they started."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # which has been blocked so far
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    _end_when_orphaned()
    adopt()
    # What it has adopted may end before it does, which its loop takes for a mistake.
    warnings.filterwarnings("ignore", "forkserver: waitpid returned unexpected pid")
    atexit.register(clean_up, os.getpid(), os.getppid())


def clean_up(server: int, parent: int) -> None:
    """What the server does last: it ends all processes that it has forked, and removes its socket from the disk."""
    if os.getpid() != server:
        return
    if LINUX:
        signal.signal(signal.SIGCONT, signal.SIG_IGN)  # that the parent has ended is no news any more
    for child in psutil.Process().children():
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
    end_descendants()
    address = getattr(forkserver._forkserver, "_forkserver_address", None)
    folder = Path(address).parent if isinstance(address, str) else None
    # A parent that ends in order removes the folder itself; one that lives on may still need it.
    end = time.monotonic() + PATIENCE
    while os.getppid() == parent and time.monotonic() < end:
        time.sleep(0.01)
    if folder is not None and folder.name.startswith("pymp-") and os.getppid() != parent:
        shutil.rmtree(folder, ignore_errors=True)


def _end_when_orphaned() -> None:
    """End this process in order as soon as its parent has ended, also where it was stopped.

    Python's server itself ends where nobody holds a pipe any more, which a fork of what it has forked goes on to hold.
    """
    process, parent = os.getpid(), os.getppid()

    def take_note(*_: Any) -> None:
        # Not by sys.exit: the signal may come while Python ends the process, and would then be printed as a mistake.
        if os.getpid() == process and os.getppid() != parent:
            clean_up(process, parent)
            os._exit(0)

    if LINUX:
        signal.signal(signal.SIGCONT, take_note)
    _signal_when_orphaned(signal.SIGCONT)


def _signal_when_orphaned(number: int) -> None:
    if LINUX:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)


def _wait_and_end(lifeline: Connection) -> None:
    wait([lifeline])
    os.killpg(0, signal.SIGKILL)
