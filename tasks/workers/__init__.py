"""A Python function in processes of its own, which can be ended whatever they are doing.

They are programs and not children of `multiprocessing`, which a daemonic process, such as that of a cell, may not have.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import weakref
from contextlib import suppress
from multiprocessing.connection import wait
from pathlib import Path
from subprocess import PIPE, Popen
from typing import IO

import numpy as np

from harness.allocator import ALLOCATOR
from tasks.workers import worker
from tasks.workers.worker import LENGTH, packed, send, unpacked

SHOWN = 2000  # characters from the end of what a program wrote to standard error


class Failed(Exception):
    """A question has not been answered; the text says why."""


class Workers:
    """A Python function `module:function` from one array to another, which becomes float64.

    Any number of threads may ask; each gets a process that no other uses. They end with this object.

    Args:
        name: `module:function`.
        limit: seconds that an answer may take; None for any time.
    """

    def __init__(self, name: str, limit: float | None = None) -> None:
        self.name, self.limit = name, limit
        self._idle: list[_Worker] = []
        self.close = weakref.finalize(self, _end, self._idle)
        """End all processes, which must not be at work."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """What the function returns for x.

        Args:
            x: an array of any shape.

        Raises:
            Failed: the function raised or took longer than `limit` seconds, or its process died.
        """
        try:
            chosen = self._idle.pop()
        except IndexError:  # none, or another thread was faster
            chosen = _Worker(self.name)
        try:
            kind, content = chosen.ask(packed(x), self.limit)
        except BaseException as error:
            printed = chosen.end()
            if isinstance(error, TimeoutError):
                raise Failed(f"It took longer than {self.limit:g} s. {printed}") from error
            if isinstance(error, EOFError | OSError):
                raise Failed(f"Its process has ended. {printed}") from error
            raise
        self._idle.append(chosen)
        if kind == b"e":
            raise Failed(content.decode()[-SHOWN:])
        return unpacked(content)


class _Worker:
    """A process that runs `tasks.workers.worker`, by its file: as a module it would import what its package does."""

    def __init__(self, name: str) -> None:
        # Appended to, so that reading it here does not move the place where the process writes.
        self.errors = tempfile.TemporaryFile("a+", encoding="utf-8", errors="replace")  # noqa: SIM115 (closed with the worker)
        command = [sys.executable, "-P", worker.__file__, name]  # -P: its folder has modules that are not the user's
        self.process = Popen(command, stdin=PIPE, stdout=PIPE, stderr=self.errors, env=_environment())

    def ask(self, content: bytes, limit: float | None) -> tuple[bytes, bytes]:
        """The kind and the content of the answer to a frame."""
        assert self.process.stdin is not None
        deadline = None if limit is None else time.monotonic() + limit
        send(self.process.stdin, content)
        length = int.from_bytes(self._read(LENGTH, deadline), "big")
        answer = self._read(length, deadline)
        return answer[:1], answer[1:]

    def _read(self, size: int, deadline: float | None) -> bytes:
        assert self.process.stdout is not None
        found = bytearray()
        while len(found) < size:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not wait([self.process.stdout.fileno()], left):
                raise TimeoutError
            part = os.read(self.process.stdout.fileno(), size - len(found))
            if not part:
                raise EOFError
            found += part
        return bytes(found)

    def end(self) -> str:
        """End the process, whatever it is doing; returns what it wrote to standard error."""
        self.process.kill()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):  # by what it was not there to read any more
                    stream.close()
        self.process.wait()
        with self.errors:
            return printed(self.errors)


def printed(errors: IO[str]) -> str:
    """The end of what a program wrote to standard error, in words.

    Args:
        errors: what it wrote to, open for reading.
    """
    errors.seek(0)
    text = errors.read().strip()[-SHOWN:]
    return f"It wrote to standard error:\n{text}" if text else "It wrote nothing to standard error."


def _end(workers: list[_Worker]) -> None:
    for each in workers:
        each.end()


def _environment() -> dict[str, str]:
    """One thread for each process, memory that it keeps, and all modules where this process finds them."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    paths = os.pathsep.join(str(Path(place).absolute()) for place in sys.path)
    # What it prints is read as UTF-8 whatever the locale.
    return {**os.environ, **threads, **ALLOCATOR, "PYTHONPATH": paths, "PYTHONIOENCODING": "utf-8:backslashreplace"}
