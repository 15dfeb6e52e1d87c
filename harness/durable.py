"""Folders that appear whole or not at all: written aside under a lock, synced, renamed into place."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.errors import UsageError

STORAGE_ERRNOS = frozenset(
    (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST, errno.EIO)
)
FULL_ERRNOS = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EROFS))


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn a full disk, a missing permission or a broken device into a `UsageError` that says so."""
    try:
        yield
    except OSError as error:
        if error.errno not in STORAGE_ERRNOS:
            raise
        raise storage_error(path, error) from error


def storage_error(path: Path, error: BaseException) -> UsageError:
    """The one message for results that cannot be written."""
    reason = getattr(error, "strerror", None) or str(error)
    return UsageError(
        f"Results cannot be written to {str(path)!r}: {reason}. Finished cells are kept. Free space, mend the "
        "permissions or choose another folder with --out; then the same command continues."
    )


def locked_folder(final: Path) -> tuple[Path, int]:
    """A new folder beside `final` and the descriptor of the lock that tells other runs that it is in use."""
    while True:
        folder = final.with_name(f".{final.name}-{secrets.token_hex(4)}.tmp")
        folder.mkdir(parents=True)
        try:
            lock = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:
            continue
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Between creation and lock another run may have taken the folder for abandoned.
        if folder.is_dir():
            return folder, lock
        os.close(lock)


def replace(folder: Path, final: Path) -> None:
    """Sync `folder` and rename it to `final`; what stood there is set aside first and removed last."""
    for path in folder.iterdir():
        _sync(path)
    _sync(folder)
    aside: list[Path] = []
    while True:
        old = final.with_name(f".{final.name}-{secrets.token_hex(4)}.old")
        with suppress(FileNotFoundError):
            aside.append(final.rename(old))
        try:
            folder.rename(final)
            break
        except OSError as error:
            # Another run has put the same cell there in between.
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
    _sync(final.parent)
    for old in aside:
        shutil.rmtree(old, ignore_errors=True)


def sweep(root: Path, depth: str) -> None:
    """Put back what a killed run had set aside, and remove the temporary folders that nobody holds any more."""
    for old in root.glob(f"{depth}/.*.old"):
        final = old.with_name(old.name[1:].rpartition("-")[0])
        if final.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            old.rename(final)
    for folder in root.glob(f"{depth}/.*.tmp"):
        _remove_if_abandoned(folder)


def _remove_if_abandoned(folder: Path) -> None:
    try:
        lock = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        pass
    finally:
        os.close(lock)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
