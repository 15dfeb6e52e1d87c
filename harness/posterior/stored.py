"""What is worked out once for a task and kept: its reference, and what the reference and the prior themselves get."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from torch import Generator

from harness import cache_folder
from harness.behaviour import as_bytes, behaviour
from harness.cache_folder import CONTENT, digest
from harness.posterior.reference import Draws, Posing, Reference, make
from harness.seeds import derive
from harness.threads import threads

FOLDER = "posterior"
MAKING = ("likelihood.py", "priors.py", "rejection.py", "solving.py", "importance.py", "reference.py")
"""The modules of this package that decide about a reference."""
ALL = (*MAKING, "c2st.py", "covering.py", "levels.py", "mmd.py", "scoring.py")


def reference(posing: Posing, name: str, seed: int) -> tuple[Reference, str]:
    """The reference of a task, from the cache where it is there, and its digest.

    Args:
        posing: the task with its targets; its generator is set here.
        name: of the file, in front of its digest.
        seed: the data seed.

    Raises:
        UsageError: the cache cannot be written.
    """
    key = _key(posing, seed)
    path = cache_folder.folder(FOLDER) / f"{name}-{key[:24]}.safetensors"

    def fresh() -> Reference:
        posing.generator = Generator().manual_seed(derive("posterior", "reference", seed))
        with threads(1):
            return make(posing)

    return cache_folder.once(path, fresh, _written, _read, SafetensorError), key


def numbers(name: str, parts: list[Any], make: Callable[[], Any]) -> Any:
    """Plain values, from the cache where they are there.

    Args:
        name: of the file, in front of its digest.
        parts: plain values that determine them, besides the source of this package.
        make: works them out.

    Raises:
        UsageError: the cache cannot be written.
    """
    key = digest(json.dumps(parts, sort_keys=True).encode(), _source(ALL))
    path = cache_folder.folder(FOLDER) / f"{name}-{key[:24]}.json"
    return cache_folder.once(
        path, make, lambda values: json.dumps(values).encode(), lambda found: json.loads(found.read_bytes())
    )


def _key(posing: Posing, seed: int) -> str:
    """SHA-256 of all that decides about a reference; the libraries do about its last bits."""
    task, likelihood = posing.task, posing.likelihood
    tensors = [*behaviour(task), task.bounds.cpu(), likelihood.targets, likelihood.variance]
    tensors += [] if posing.designs is None else [posing.designs]
    plain = [
        type(task).__qualname__,
        asdict(posing.effort),
        likelihood.tolerance,
        seed,
        torch.__version__,
        np.__version__,
    ]
    return digest(_source(MAKING), json.dumps(plain).encode(), *map(as_bytes, tensors))


def _source(names: Sequence[str]) -> bytes:
    """The text of some modules of this package: what they work out is worked out again when one is changed."""
    return b"\0".join((Path(__file__).parent / name).read_bytes() for name in names)


def _written(found: Reference) -> bytes:
    """A reference as a file; designs of small whole numbers, such as pixels, take a byte each."""
    every = (found.fixed, *found.targets)
    x = torch.cat([draws.x for draws in every]).numpy()
    small = x.astype(np.uint8)
    stored = small if (small == x).all() else x
    said = {**asdict(found), "fixed": None, "targets": [_facts(draws) for draws in every]}
    return save({"x": stored}, {CONTENT: json.dumps({"digest": digest(stored.tobytes()), **said})})


def _facts(draws: Draws) -> dict[str, Any]:
    return {**{name: value for name, value in vars(draws).items() if name != "x"}, "count": len(draws.x)}


def _read(path: Path) -> Reference:
    """What `_written` gave.

    Raises:
        ValueError: it is damaged.
    """
    with safe_open(path, framework="numpy") as stored:
        said = json.loads((stored.metadata() or {})[CONTENT])
        x = stored.get_tensor("x")
    if digest(x.tobytes()) != said.pop("digest"):
        raise ValueError("other content than its digest says")
    facts = said.pop("targets")
    parts = torch.from_numpy(x.astype(float)).split([each.pop("count") for each in facts])
    every = [Draws(x=part, **each) for part, each in zip(parts, facts, strict=True)]
    return Reference(**{**said, "fixed": every[0], "targets": tuple(every[1:])})
