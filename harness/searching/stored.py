"""Searches that have learned nothing: made once for the targets of a task, and kept for all methods."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cma
import numpy as np
import scipy
import torch

from harness import cache_folder
from harness.behaviour import as_bytes, behaviour
from harness.contracts import Task
from harness.protocols.contract import Answered
from harness.searching.tracing import of_prior
from harness.statistics import Array

MAKING = ("__init__.py", "meter.py", "searches.py", "stored.py", "tracing.py")
"""The modules of this package that decide about a search, and about how it is kept."""


def from_prior(answered: Answered, task: Task, searches: Sequence[str], seed: int) -> dict[str, Array]:
    """As `of_prior`, from the cache where it is there.

    Args:
        answered: whose targets are searched for.
        task: whose forward model is called.
        searches: their names.
        seed: of the draws and the searches.

    Raises:
        UsageError: the cache cannot be written.
    """
    key = _key(answered, task, searches, seed)
    path = cache_folder.folder("searched") / f"{type(task).__name__.lower()}-{key[:24]}.safetensors"
    found = cache_folder.once_arrays(path, lambda: of_prior(answered, task, searches, seed))
    return {name: found[name] for name in searches if name in found}


def _key(answered: Answered, task: Task, searches: Sequence[str], seed: int) -> str:
    """SHA-256 of all that decides about the searches; the libraries do about their last bits."""
    targets = answered.targets
    tensors = [*behaviour(task), task.bounds.cpu(), targets.y, targets.under, answered.data.y_variance]
    versions = [module.__version__ for module in (torch, np, scipy, cma)]
    plain = [type(task).__qualname__, targets.calls, list(searches), seed, versions]
    sources = [(Path(__file__).parent / name).read_bytes() for name in MAKING]
    return cache_folder.digest(json.dumps(plain).encode(), *map(as_bytes, tensors), *sources)
