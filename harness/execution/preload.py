"""Imported once, by the server that the processes of cells are forked from: what all of them need; no plug-in."""

from __future__ import annotations

import atexit
import os
import warnings

import scipy.stats
import torch
import torch._dynamo  # noqa: F401 (imported to be there)

import harness.apart
import harness.cell  # noqa: F401
from harness.execution.orphans import adopt, clean_up, wake_when_orphaned
from harness.plan import harness_sources
from harness.registry import BASES, discover

__all__ = ["harness", "scipy", "torch"]

for kind in BASES:
    discover(kind)
harness_sources()
wake_when_orphaned()
adopt()
# What it has adopted may end before it does, which its loop takes for a mistake.
warnings.filterwarnings("ignore", "forkserver: waitpid returned unexpected pid")
atexit.register(clean_up, os.getpid(), os.getppid())
