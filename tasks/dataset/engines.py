"""The two kinds of simulators that a user can name: a Python function, and any other program."""

from __future__ import annotations

import csv
import math
import os
import sys
import tempfile
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress
from io import StringIO
from multiprocessing.connection import wait
from pathlib import Path
from subprocess import PIPE, Popen, TimeoutExpired
from typing import IO

import numpy as np

from tasks.dataset import worker
from tasks.dataset.worker import LENGTH, packed, send, unpacked

SHOWN = 2000  # characters from the end of what a program wrote to standard error


class Failed(Exception):
    """A simulator has not answered a batch; the text says why."""


class Program:
    """A program that is started for each batch: designs as CSV on its standard input, targets as CSV on its output.

    The input begins with the names of the columns; numbers have all their digits, and those of a column of whole
    numbers no point. The output has a row for each design, in the same order, and may begin with names; `nan` stands
    for what cannot be simulated.
    """

    def __init__(
        self, words: Sequence[str], names: Sequence[str], whole: Sequence[bool], y_dim: int, limit: float
    ) -> None:
        self.words, self.names, self.whole, self.y_dim, self.limit = list(words), list(names), whole, y_dim, limit

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Targets `(n, y_dim)` of designs `(n, x_dim)`.

        Raises:
            Failed: the program ended with an error or too late, or its output is no such table.
        """
        # Files rather than pipes: a pipe stays open until the last process that the program has left behind ends.
        with (
            tempfile.TemporaryFile("w+", newline="") as questions,
            tempfile.TemporaryFile("w+", newline="") as answers,
            tempfile.TemporaryFile("w+", errors="replace") as errors,
        ):
            csv.writer(questions).writerows([self.names, *map(self._written, x.tolist())])
            questions.seek(0)
            try:
                self._run(questions, answers, errors)
                answers.seek(0)
                return _table(answers.read(), len(x), self.y_dim)
            except (Failed, OSError) as failure:
                raise Failed(f"{failure} {_printed(errors)}") from failure

    def _written(self, row: Sequence[float]) -> list[float]:
        """A design with whole numbers as such: a program may not read 3.0 as one."""
        pairs = zip(row, self.whole, strict=True)
        return [int(value) if whole and value.is_integer() else value for value, whole in pairs]

    def _run(self, questions: IO[str], answers: IO[str], errors: IO[str]) -> None:
        process = Popen(self.words, stdin=questions, stdout=answers, stderr=errors)
        try:
            status = process.wait(self.limit)
        except TimeoutExpired:
            raise Failed(f"It took longer than {self.limit:g} s.") from None
        finally:
            process.kill()
            process.wait()
        if status:
            raise Failed(f"It ended with status {status}.")


class Function:
    """A Python function `(n, x_dim)` to `(n, y_dim)`, in processes of its own that can be ended when it is too slow.

    Any number of threads may ask; each gets a process that no other uses.
    """

    def __init__(self, name: str, y_dim: int, limit: float) -> None:
        self.name, self.y_dim, self.limit = name, y_dim, limit
        self._idle: list[_Worker] = []
        weakref.finalize(self, _end, self._idle)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Targets `(n, y_dim)` of designs `(n, x_dim)`.

        Raises:
            Failed: the function raised or took too long, its process died, or what it returned has another shape.
        """
        chosen = self._idle.pop() if self._idle else _Worker(self.name)
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
        y = unpacked(content)
        if self.y_dim == 1 and y.shape == (len(x),):
            y = y[:, None]
        if y.shape != (len(x), self.y_dim):
            raise Failed(f"It returned shape {y.shape} for {len(x)} designs; return {(len(x), self.y_dim)}.")
        return y


class _Worker:
    """A process that runs `tasks.dataset.worker`, by its file: as a module it would import torch with the package."""

    def __init__(self, name: str) -> None:
        # Appended to, so that reading it here does not move the place where the process writes.
        self.errors = tempfile.TemporaryFile("a+", errors="replace")  # noqa: SIM115 (closed with the worker)
        command = [sys.executable, "-P", worker.__file__, name]  # -P: its folder has modules that are not the user's
        self.process = Popen(command, stdin=PIPE, stdout=PIPE, stderr=self.errors, env=_environment())

    def ask(self, content: bytes, limit: float) -> tuple[bytes, bytes]:
        """The kind and the content of the answer to a frame."""
        assert self.process.stdin is not None
        deadline = time.monotonic() + limit
        send(self.process.stdin, content)
        length = int.from_bytes(self._read(LENGTH, deadline), "big")
        answer = self._read(length, deadline)
        return answer[:1], answer[1:]

    def _read(self, size: int, deadline: float) -> bytes:
        assert self.process.stdout is not None
        found = bytearray()
        while len(found) < size:
            if not wait([self.process.stdout.fileno()], max(0.0, deadline - time.monotonic())):
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
            return _printed(self.errors)


def _end(workers: list[_Worker]) -> None:
    for each in workers:
        each.end()


def _environment() -> dict[str, str]:
    """One thread for each process, and all modules where this process finds them."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    return {**os.environ, **threads, "PYTHONPATH": os.pathsep.join(str(Path(place).absolute()) for place in sys.path)}


def _table(text: str, rows: int, columns: int) -> np.ndarray:
    """The targets that a program wrote.

    Raises:
        Failed: they are not so many rows and columns of numbers.
    """
    lines = [line for line in csv.reader(StringIO(text)) if line]
    if lines and not any(_number(cell) is not None for cell in lines[0]):
        del lines[0]
    if len(lines) != rows:
        raise Failed(f"It wrote {len(lines)} rows for {rows} designs; it must write one for each.")
    for line in lines:
        if len(line) != columns or any(_number(cell) is None for cell in line):
            raise Failed(f"It wrote {','.join(line)[:80]!r}; a row must be {columns} numbers with commas between them.")
    return np.array([[_number(cell) for cell in line] for line in lines], dtype=np.float64)


def _number(cell: str) -> float | None:
    """The number in a cell, NaN in an empty one, None where there is something else."""
    try:
        return float(cell) if cell.strip() else math.nan
    except ValueError:
        return None


def _printed(errors: IO[str]) -> str:
    """The end of what a program wrote to standard error, in words."""
    errors.seek(0)
    text = errors.read().strip()[-SHOWN:]
    return f"It wrote to standard error:\n{text}" if text else "It wrote nothing to standard error."
