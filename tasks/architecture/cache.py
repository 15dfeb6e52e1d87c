"""Simulated designs are computed once and kept in the user's cache folder, or where INVERSE_HARNESS_CACHE says."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from filelock import FileLock
from platformdirs import user_cache_dir

VARIABLE = "INVERSE_HARNESS_CACHE"
SOURCES = ("designs.py", "homogenisation.py", "material.py")  # all that decides about the numbers

Arrays = tuple[np.ndarray, np.ndarray]


def load(n: int, seed: int, compute: Callable[[int, int], Arrays]) -> Arrays:
    """The designs, bit-packed, and y of `compute(n, seed)`, from the cache where they are there.

    Who comes second waits for the first. What a cache file holds is checked against its digest; a damaged one is
    replaced, with a warning.

    Raises:
        OSError: the folder cannot be written.
    """
    path = folder() / f"{key(n, seed)}.npz"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            arrays = _read(path)
            if arrays is None:
                arrays = compute(n, seed)
                _write(path, arrays)
    except OSError as error:
        reason = (
            f"Simulated designs cannot be kept in {str(path.parent)!r}: {error.strerror}. Make room, or name another"
        )
        raise OSError(error.errno, f"{reason} folder in the environment variable {VARIABLE}.") from error
    return arrays


def folder() -> Path:
    """Where the cache is."""
    return Path(os.environ.get(VARIABLE) or user_cache_dir("inverse-harness", appauthor=False)) / "architecture"


def key(n: int, seed: int) -> str:
    """SHA-256 of all that decides about the numbers; the libraries do about their last bits."""
    sources = {name: _digest(Path(__file__).with_name(name).read_bytes()) for name in SOURCES}
    inputs = {"n": n, "seed": seed, "numpy": np.__version__, "torch": torch.__version__, **sources}
    return _digest(json.dumps(inputs, sort_keys=True).encode())


def _read(path: Path) -> Arrays | None:
    """What the file holds; None where there is none or it is damaged."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            designs, y, digest = stored["designs"], stored["y"], str(stored["digest"])
    except FileNotFoundError:
        return None
    except (BadZipFile, EOFError, KeyError, ValueError):
        digest = ""
    if digest and digest == _digest(designs.tobytes(), y.tobytes()):
        return designs, y
    warnings.warn(f"The cache file {path.name} is damaged and is made again.", stacklevel=3)
    return None


def _write(path: Path, arrays: Arrays) -> None:
    """Written aside, synced, and renamed into place."""
    aside = path.with_suffix(".part")
    with aside.open("wb") as stream:
        designs, y = arrays
        np.savez(stream, designs=designs, y=y, digest=np.array(_digest(designs.tobytes(), y.tobytes())))
        stream.flush()
        os.fsync(stream.fileno())
    aside.replace(path)


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()
