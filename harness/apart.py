"""A process for the method alone, in which there is no task: it cannot come upon the true y, nor change a score.

The method's process is given what a method may know, and asks here for draws from the prior. What is not defended: a
method that imports a task of its own accord; `check` names such imports.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

from harness.execution.failures import Told, ended, tell
from harness.execution.console import append_to
from harness.fitting import Lesson
from harness.learning import Order, learn
from harness.training import Report

LESSON = "lesson.pt"


def learn_apart(order: Order, given: Lesson, folder: Path, report: Report, threads: int) -> Iterator[tuple[str, Any]]:
    """`learn` in a process of its own.

    Raises:
        Told: what the method raised there, or that its process was killed.
    """
    torch.save(replace(given, problem=replace(given.problem, sample_prior=None)), folder / LESSON)  # type: ignore[arg-type]
    context = multiprocessing.get_context("forkserver")
    here, there = context.Pipe()
    process = context.Process(target=_main, args=(order, folder, there, os.getpgid(0), threads), daemon=True)
    process.start()
    there.close()
    try:
        yield from _listen(here, given, report)
        process.join()
    except EOFError:
        process.join()
        raise Told(*ended(process.exitcode)) from None
    finally:
        process.kill()
        process.join()
        here.close()


def _listen(messages: Connection, given: Lesson, report: Report) -> Iterator[tuple[str, Any]]:
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
            case ("done",):
                return


def _main(order: Order, folder: Path, messages: Connection, group: int, threads: int) -> None:
    """What the process does."""
    os.setpgid(0, group)
    append_to(folder)
    torch.set_num_threads(threads)
    given = torch.load(folder / LESSON, mmap=True, weights_only=False)
    (folder / LESSON).unlink()

    def sample_prior(n: int, generator: Generator) -> Tensor:
        messages.send(("prior", n, generator.get_state().numpy()))
        x, state = messages.recv()
        generator.set_state(torch.from_numpy(state))
        return torch.from_numpy(x)

    def report(*what: Any) -> None:
        messages.send(("progress", *what))

    try:
        given = replace(given, problem=replace(given.problem, sample_prior=sample_prior))
        for name, content in learn(order, given, folder, report):
            messages.send(("result", name, content))
        messages.send(("done",))
    except BaseException as error:
        messages.send(("failed", *tell(error, [folder])))
