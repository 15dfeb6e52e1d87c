"""What is made once and kept: in the user's cache folder, or where INVERSE_HARNESS_CACHE says.

A file is kept under a digest of all that decides about its content, with a digest of the content itself. Who comes
second waits for the first, and a damaged file is made again, with a warning.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock
from platformdirs import user_cache_dir

from harness.durable import write_whole
from harness.errors import UsageError

VARIABLE = "INVERSE_HARNESS_CACHE"
Made = TypeVar("Made")
CONTENT = "content"
"""The one entry of a file's metadata: several are written in an order that differs from process to process."""


class DamagedFile(UserWarning):
    """A file of the cache was damaged, and is made again: what holds the cache may be failing."""


def root() -> Path:
    """The cache folder; it need not exist."""
    return Path(os.environ.get(VARIABLE) or user_cache_dir("inverse-harness", appauthor=False))


def folder(part: str) -> Path:
    """A part of the cache, such as that of a task.

    Args:
        part: its name.
    """
    return root() / part


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """The file `path` of the cache for this process alone: who comes second waits.

    Args:
        path: a file of the cache, which need not be there.

    Raises:
        UsageError: the folder cannot be written.
    """
    with writable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_suffix(".lock"))
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def writable(path: Path) -> Iterator[None]:
    """Turn an error of the file system into one that names the variable by which another folder is chosen.

    Args:
        path: a file of the cache, which an error names.
    """
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"The cache folder {str(path.parent)!r} cannot be used: {error.strerror or error}. Make room, or name "
            f"another one in the environment variable {VARIABLE}."
        ) from error


def once(
    path: Path,
    make: Callable[[], Made],
    write_as: Callable[[Made], bytes],
    read: Callable[[Path], Made],
    damage: type[Exception] = ValueError,
) -> Made:
    """What is in a file of the cache; made and written first where it is not there, or damaged.

    Args:
        path: the file.
        make: works the content out.
        write_as: the content as bytes.
        read: the content of a file.
        damage: what `read` raises of a damaged file, besides `ValueError`, `KeyError` and `TypeError`.

    Raises:
        UsageError: the folder cannot be used.
    """
    with locked(path):
        if path.exists():
            try:
                return read(path)
            except (ValueError, KeyError, TypeError, damage):
                warn_damaged(path)
        made = make()
        write(path, write_as(made))
        return made


def once_arrays(path: Path, make: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    """NumPy arrays by name, from a file of the cache; made and written first where it is not there, or damaged.

    Args:
        path: the file, safetensors with a digest of the arrays.
        make: works them out.

    Raises:
        UsageError: the folder cannot be used.
    """
    from safetensors import SafetensorError, safe_open
    from safetensors.numpy import save

    def stated(arrays: Mapping[str, Any]) -> str:
        return digest(*(part for name in sorted(arrays) for part in (name.encode(), arrays[name].tobytes())))

    def read(found: Path) -> dict[str, Any]:
        with safe_open(found, framework="numpy") as stored:
            arrays = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
            said = (stored.metadata() or {}).get(CONTENT)
        if said != stated(arrays):
            raise ValueError("other content than its digest says")
        return arrays

    def write_as(arrays: Mapping[str, Any]) -> bytes:
        return save(dict(arrays), {CONTENT: stated(arrays)})

    return once(path, lambda: dict(make()), write_as, read, SafetensorError)


def write(path: Path, content: bytes) -> None:
    """Write a file aside, sync it, and rename it into place.

    Args:
        path: the file, which is replaced.
        content: all of it.

    Raises:
        UsageError: the folder cannot be written.
    """
    with writable(path):
        write_whole(path, content)


def warn_damaged(path: Path) -> None:
    """Say that a file is made again.

    Args:
        path: the file.
    """
    text = f"The cache file {path.parent.name}/{path.name} is damaged and is made again."
    warnings.warn(text, DamagedFile, stacklevel=4)


def digest(*parts: bytes) -> str:
    """SHA-256 of several pieces, which cannot be taken for others with the same bytes in all.

    Args:
        *parts: the pieces, in their order.

    >>> digest(b"ab", b"c") == digest(b"a", b"bc")
    False
    """
    total = hashlib.sha256()
    for part in parts:
        total.update(len(part).to_bytes(8, "big") + part)
    return total.hexdigest()
