"""Files and folders that appear whole or not at all: written aside under a lock, synced, renamed into place."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.errors import UsageError

STORAGE_ERRNOS = frozenset(
    (
        *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO, errno.ENAMETOOLONG),
        *(errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.EEXIST),
    )
)
OWN = "[0-9a-f]" * 8
"""How a name ends that this module gives, as a pattern: what others call .NAME.tmp in a folder of theirs stays."""
CONTINUE = (
    "Finished cells are kept. Free space, mend the permissions or choose another folder with --out; then the same "
    "command continues."
)
"""What to do where a run cannot write."""
TORCH_WRITER = ("PytorchStreamWriter", "unexpected pos")
"""How torch says that it could not write all of a file, whatever the reason."""


class StorageError(UsageError):
    """Results cannot be written, of this cell or of any other."""

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(f"{what} {remedy}".rstrip())
        self.what = what


@contextmanager
def remedy_of(remedy: str) -> Iterator[None]:
    """What to do where results cannot be written, in place of the remedy of a run."""
    try:
        yield
    except StorageError as error:
        raise StorageError(error.what, remedy) from error


@contextmanager
def storage_errors(path: Path, remedy: str = CONTINUE) -> Iterator[None]:
    """Turn a full disk, a missing permission or a broken device into a `StorageError` that says so, and what to do.

    Inside there must be nothing but writing: an error of a method or task is none of storage.
    """
    try:
        yield
    except StorageError:
        raise
    except Exception as error:
        reason = _reason(error)
        if reason is None:
            raise
        place = path.parent if path.name.startswith(".") else path  # a reader knows no scratch folder
        raise StorageError(f"Results cannot be written to {str(place)!r}: {reason}.", remedy) from error


def make_folder(path: Path) -> None:
    """Create a folder and those above it, as far as they are missing.

    Raises:
        StorageError: the file system has no new folders there.
        OSError: a folder cannot be created for another reason.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileNotFoundError as error:  # as in /proc, where nobody can
        raise StorageError(f"The folder {str(path)!r} cannot be created.", "Choose another place.") from error


def _reason(error: Exception) -> str | None:
    """What kept something from being written, in words; None where it was something else."""
    number = error.errno if isinstance(error, OSError) else None
    if found := re.search(r"\(os error (\d+)\)", str(error)):  # as safetensors and other Rust code write it
        number = int(found[1])
    if number in STORAGE_ERRNOS:
        return os.strerror(number)
    if isinstance(error, RuntimeError) and any(text in str(error) for text in TORCH_WRITER):
        return "the file could not be completed; is the disk full?"
    return None


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file aside, sync it, and rename it into place: a reader sees the old file or the new one, never a part.

    Raises:
        OSError: it cannot be written; what stood there before is as it was.
    """
    aside = path.with_name(f".{secrets.token_hex(4)}.tmp")
    try:
        with aside.open("wb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            stream.write(content.encode() if isinstance(content, str) else content)
            stream.flush()
            os.fsync(stream.fileno())
            aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def locked_folder(final: Path) -> tuple[Path, int]:
    """A new folder beside `final` and the descriptor of the lock that tells other runs that it is in use."""
    make_folder(final.parent)
    while True:
        folder = final.with_name(f".{final.name}-{secrets.token_hex(4)}.tmp")
        lock = _lock(_lock_file(folder), wait=True)
        if lock is not None:
            folder.mkdir()
            return folder, lock


def discard(folder: Path) -> None:
    """Remove a folder that `locked_folder` made, also where it has been moved into place, with its lock."""
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        _lock_file(folder).unlink()


def _lock_file(folder: Path) -> Path:
    return folder.with_suffix(".lock")


def _lock(path: Path, *, wait: bool) -> int | None:
    """The descriptor of a locked file; None where somebody else holds or has just removed it.

    A file rather than the folder itself, because over NFS only what is open for writing can be locked.
    """
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    with suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock), path.stat()):
                return lock
    os.close(lock)
    return None


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
    for old in root.glob(f"{depth}/.*-{OWN}.old"):
        final = old.with_name(old.name[1:].rpartition("-")[0])
        if final.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            old.rename(final)
    for folder in {
        path.with_suffix(".tmp") for end in ("tmp", "lock") for path in root.glob(f"{depth}/.*-{OWN}.{end}")
    }:
        lock = _lock(_lock_file(folder), wait=False)
        if lock is not None:
            discard(folder)
            os.close(lock)


def sweep_files(folder: Path) -> None:
    """Remove what killed processes had begun to write with `write_whole`."""
    for path in folder.glob(f".{OWN}.tmp"):
        with suppress(OSError), path.open("r+b") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
