"""Everything that a worker prints, also from C code and while it crashes, goes to a file beside its results."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.execution.failures import relative

CONSOLE = "console.txt"
LONGEST = 20_000


@contextmanager
def captured(folder: Path, private: Iterable[Path]) -> Iterator[None]:
    """Send both standard streams of this process to `folder/console.txt` until the block ends, then to nowhere.

    A crash and a SIGTERM leave the tracebacks of all threads there. An empty file is removed.
    """
    path = folder / CONSOLE
    with path.open("ab") as stream:
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
    """Cut absolute paths off the file's text, remove the file where it is empty; returns the end of the text."""
    if not path.is_file():
        return ""
    text = relative(path.read_text(errors="replace"), private)
    if text:
        path.write_text(text)
    else:
        path.unlink()
    return text.partition("\nExtension modules: ")[0][-LONGEST:]


def _point_streams_to(descriptor: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
