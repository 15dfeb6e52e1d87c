"""A process for the method alone, in which there is no task: it cannot come upon the true y, nor change a score.

The process is forked before this one has made the task. It is given what a method may know, and asks here for draws
from the prior. What is not defended: a method that imports a task of its own accord; `check` names such imports.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

from harness.cell import Learn
from harness.durable import StorageError, storage_errors
from harness.execution.console import append_to, last_words
from harness.execution.failures import Told, ended, tell
from harness.execution.orphans import end_descendants, end_with_parent
from harness.fitting import Lesson
from harness.learning import Order, learn
from harness.training import Report

LESSON = "lesson.pt"
PATIENCE = 2.0  # seconds that a method's process has to tell where it was


@contextmanager
def method_process() -> Iterator[Learn]:
    """Start the process; gives the function that takes the place of `harness.learning.learn`.

    This process must not have made a task yet, and must have no threads.
    """
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_main, args=(here, there, os.getpid()), daemon=True)
    process.start()
    there.close()

    def learn_apart(order: Order, given: Lesson, folder: Path, report: Report) -> Iterator[tuple[str, Any]]:
        sent = replace(given, problem=replace(given.problem, sample_prior=None))  # type: ignore[arg-type]
        with storage_errors(folder):
            torch.save(sent, folder / LESSON)
        here.send((order, folder, torch.get_num_threads()))
        return _listen(here, process, given, folder, report)

    before = signal.signal(signal.SIGTERM, lambda *_: _end_both(process))
    try:
        yield learn_apart
    finally:
        signal.signal(signal.SIGTERM, before)
        here.close()
        process.kill()
        process.join()


def _end_both(process: BaseProcess) -> None:
    """What SIGTERM leads to, after a traceback of this process: one of the method's process, and the end of both."""
    process.terminate()
    process.join(PATIENCE)
    end_descendants()
    os._exit(128 + signal.SIGTERM)


def _listen(
    messages: Connection, process: BaseProcess, given: Lesson, folder: Path, report: Report
) -> Iterator[tuple[str, Any]]:
    """What the method's process tells, until it is done.

    Raises:
        Told: what the method raised there, or that its process was killed.
        StorageError: its results cannot be written.
    """
    try:
        while True:
            match messages.recv():
                case ("result", name, content):
                    yield name, content
                case ("progress", *what):
                    report(*what)
                case ("prior", n, state):
                    generator = Generator()
                    generator.set_state(torch.from_numpy(state))
                    x = given.problem.sample_prior(n, generator)
                    messages.send((x.numpy(), generator.get_state().numpy()))
                case ("failed", status, described):
                    raise Told(status, described)
                case ("storage", text):
                    raise StorageError(text)
                case ("done",):
                    return
    except (EOFError, ConnectionError):
        process.join()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        raise Told(*ended(process.exitcode, last_words(folder, [folder.resolve(), Path.cwd()]))) from None


def _main(other: Connection, messages: Connection, parent: int) -> None:
    """What the process does."""
    end_with_parent(parent)
    other.close()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        order, folder, threads = messages.recv()
    except EOFError:  # nothing to do for the method
        return
    append_to(folder)
    torch.set_num_threads(threads)

    def report(*what: Any) -> None:
        messages.send(("progress", *what))

    try:
        given = _given(folder, messages)
        for name, content in learn(order, given, folder, report):
            messages.send(("result", name, content))
        messages.send(("done",))
    except StorageError as error:
        messages.send(("storage", str(error)))
    except BaseException as error:
        messages.send(("failed", *tell(error, [folder, Path.cwd()])))


def _given(folder: Path, messages: Connection) -> Lesson:
    """What the method is given, with a prior whose draws come from the other process."""
    given: Lesson = torch.load(folder / LESSON, mmap=True, weights_only=False)
    (folder / LESSON).unlink()

    def sample_prior(n: int, generator: Generator) -> Tensor:
        messages.send(("prior", n, generator.get_state().numpy()))
        x, state = messages.recv()
        generator.set_state(torch.from_numpy(state))
        return torch.from_numpy(x)

    return replace(given, problem=replace(given.problem, sample_prior=sample_prior))
