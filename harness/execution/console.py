"""Everything that a worker prints, also from C code and while it crashes, goes to a file beside its results."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path

from harness.durable import storage_errors
from harness.execution.failures import relative
from harness.store import CONSOLE
from harness.texts import clean

LONGEST = 20_000
KEPT = 1 << 20  # bytes of the file, half of them its first and half its last
LARGEST = 4 * KEPT  # bytes on the disk, above which `bound` does something
BLOCK = 512  # bytes, in which the system counts what a file takes


@contextmanager
def captured(folder: Path, private: Iterable[Path]) -> Iterator[None]:
    """Send both standard streams of this process to `folder/console.txt` until the block ends, then to nowhere.

    A crash and a SIGTERM leave the tracebacks of all threads there. An empty file is removed.
    """
    path = folder / CONSOLE
    with storage_errors(folder):
        opened = path.open("ab")
    with opened as stream:
        _point_streams_to(stream.fileno())
        faulthandler.enable(stream, all_threads=False)
        faulthandler.register(signal.SIGTERM, stream, all_threads=False, chain=True)
        try:
            yield
        finally:
            faulthandler.unregister(signal.SIGTERM)
            faulthandler.disable()
            nowhere = os.open(os.devnull, os.O_WRONLY)
            _point_streams_to(nowhere)
            os.close(nowhere)
    tidy(path, private)


def append_to(folder: Path) -> None:
    """Send both standard streams of this process to the end of `folder/console.txt`, for good."""
    stream = (folder / CONSOLE).open("ab")
    _point_streams_to(stream.fileno())
    faulthandler.enable(stream, all_threads=False)
    faulthandler.register(signal.SIGTERM, stream, all_threads=False, chain=True)


def tidy(path: Path, private: Iterable[Path]) -> str:
    """Clean the file's text, cut absolute paths off, remove it where it is empty; returns the end of the text.

    Raises:
        StorageError: the file cannot be written.
    """
    if not path.is_file():
        return ""
    text = told(path, private)
    with storage_errors(path):
        if text:
            path.write_text(text, encoding="utf-8")
        else:
            path.unlink()
    return _end(text)


def last_words(folder: Path, private: Iterable[Path]) -> str:
    """The end of what has been printed so far."""
    return _end(told(folder / CONSOLE, private))


def told(path: Path, private: Iterable[Path]) -> str:
    """What has been printed to a file, clean and without absolute paths; of very much, the beginning and the end."""
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        if size <= KEPT:
            content = stream.read()
        else:
            first = stream.read(KEPT // 2)
            stream.seek(size - KEPT // 2)
            content = first + f"\n... {size - KEPT} bytes are left out ...\n".encode() + stream.read()
    return relative(clean(content.decode("utf-8", errors="replace")), private)


def bound(path: Path) -> None:
    """Give back the disk space of the middle of a file that grows without end; nothing where there is no such file.

    Its length stays, so that it is known how much was printed: in place of the middle there is a hole. What is written
    to it at this very moment may be lost.
    """
    with suppress(OSError):
        found = path.stat()
        if found.st_blocks * BLOCK <= LARGEST:
            return
        with path.open("r+b") as stream:
            stream.seek(found.st_size - KEPT // 2)
            end = stream.read(KEPT // 2)
            stream.truncate(KEPT // 2)
            stream.truncate(found.st_size - len(end))
        with path.open("ab") as stream:
            stream.write(end)


def _end(text: str) -> str:
    return text.partition("\nExtension modules: ")[0][-LONGEST:]


def _point_streams_to(descriptor: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        if isinstance(stream, TextIOWrapper):  # whatever the locale: the file is read as UTF-8
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
