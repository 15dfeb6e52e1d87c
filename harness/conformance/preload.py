"""Imported once, by the server that the processes of a check are forked from."""

from __future__ import annotations

import threading

from tqdm import tqdm

import harness.conformance
from harness.execution import orphans

__all__ = ["harness"]

orphans.serve()
# Its own lock is a semaphore of the system, which a process that is killed leaves behind; bars are not shared here.
tqdm.set_lock(threading.RLock())
