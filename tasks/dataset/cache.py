"""Where proxies and simulated designs are kept: the user's cache folder, or where INVERSE_HARNESS_CACHE says."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_dir

from harness.errors import UsageError

VARIABLE = "INVERSE_HARNESS_CACHE"


def folder() -> Path:
    """Where the cache is."""
    return Path(os.environ.get(VARIABLE) or user_cache_dir("inverse-harness", appauthor=False)) / "dataset"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """The file `path` of the cache for this process alone: who comes second waits.

    Raises:
        UsageError: the folder cannot be written.
    """
    with writable():
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_suffix(".lock"))
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def writable() -> Iterator[None]:
    """Turn an error of the file system into one that names the variable by which another folder is chosen."""
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"The cache folder {str(folder())!r} cannot be used: {error.strerror or error}. Name another one in the "
            f"environment variable {VARIABLE}."
        ) from error


def digest(*parts: bytes) -> str:
    """SHA-256 of several pieces, which cannot be taken for others with the same bytes in all."""
    total = hashlib.sha256()
    for part in parts:
        total.update(len(part).to_bytes(8, "big") + part)
    return total.hexdigest()
