"""Imported once, by the server that the processes of cells are forked from: what all of them need; no plug-in."""

from __future__ import annotations

import threading

import scipy.stats
import torch
import torch._dynamo  # noqa: F401 (imported to be there)
from tqdm import tqdm

import harness.apart
import harness.cell  # noqa: F401
from harness.execution.orphans import serve
from harness.plan import harness_sources
from harness.registry import BASES, discover

__all__ = ["harness", "scipy", "torch"]

for kind in BASES:
    discover(kind)
harness_sources()
serve()
# Its own lock is a semaphore of the system, which a process that is killed leaves behind; bars are not shared here.
tqdm.set_lock(threading.RLock())
