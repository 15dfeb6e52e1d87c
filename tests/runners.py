"""Runners that misbehave in every way that a cell can, and cells to run them with."""

from __future__ import annotations

import os
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from harness import cache_folder
from harness.durable import storage_errors
from harness.plan import Cell
from harness.registry import PluginSpec
from harness.settings import DataSettings, Schedule, Sizes
from harness.training import Diverged, Report
from harness.work import Work, everything

DATA = {
    "stamp": 0,
    "split": "0" * 64,
    "targets": "0" * 64,
    "n_train": 1,
    "n_valid": 1,
    "y_variance": [1.0],
    "floor": {},
    "report": [],
}
"""The part of a record that says what a method learned from."""


def make_cell(method: str = "mdn", seed: int = 0, task: str = "sinewave") -> Cell:
    """A cell of plug-ins that need not exist."""
    specs = [
        PluginSpec(name, "1", {"width": 3}, name, "0" * 64, groups)
        for name, groups in ((task, ("analytic",)), (method, ()))
    ]
    return Cell(specs[0], specs[1], "smoke", 1000, Schedule(), DataSettings(), Sizes(), seed)


def all_of(*cells: Cell) -> dict[Cell, Work]:
    """All that there is to do for these cells."""
    return {cell: everything(cell, "a test") for cell in cells}


def size(trainable: int) -> dict[str, Any]:
    """The part of a record that describes a model."""
    return {
        "stamp": 0,
        "parameters": {"trainable": trainable, "stored": 9, "budget": 1000, "ratio": 0.1, "width": 3},
    }


def score(**values: Any) -> dict[str, Any]:
    """What one protocol found."""
    return {"stamp": 0, "digest": "0" * 64, "source": "0" * 64, "options": {}, "values": values}


def compute(cell: Cell, folder: Path, report: Report) -> Iterator[dict[str, Any]]:
    """Behave: numbers that depend on the seed alone."""
    for epoch in range(3):
        report("training", epoch + 1, 3, 1 / (epoch + 1))
    values = torch.rand(5, generator=torch.Generator().manual_seed(cell.seed))
    (folder / "designs.txt").write_text(str(values.tolist()))
    found = {"mean": float(values.mean()), "worst": float("nan"), "threads": torch.get_num_threads()}
    yield {"data": DATA, "model": size(3), "scores": {"made-up": score(**found)}}


def by_name(cell: Cell, folder: Path, report: Report) -> Iterator[dict[str, Any]]:
    """Do what the method's name says."""
    yield {"data": DATA, "model": size(2)}
    yield {"model": size(3)}
    misbehave = MISBEHAVIOUR.get(cell.method.name)
    if misbehave is not None:
        (folder / "log.txt").write_text("so far so good\n")
        report("misbehaving", 0, 1, None)
        misbehave()
    yield from compute(cell, folder, report)


def slow(cell: Cell, folder: Path, report: Report) -> Iterator[dict[str, Any]]:
    """Take a moment, and leave a sign of life that holds the process id."""
    Path(os.environ["SIGNS"], f"{cell.seed}-{os.getpid()}").touch()
    for step in range(10):
        time.sleep(0.05)
        report("waiting", step, 10, None)
    yield from compute(cell, folder, report)


def endless(cell: Cell, folder: Path, report: Report) -> Iterator[dict[str, Any]]:
    """The first cell ends at once, the others never do; each leaves a sign that holds the process id."""
    Path(os.environ["SIGNS"], f"{cell.seed}-{os.getpid()}").touch()
    while cell.seed:
        time.sleep(0.05)
    yield from compute(cell, folder, report)


def warns(cell: Cell, folder: Path, report: Report) -> Iterator[dict[str, Any]]:
    """Warn of a damaged file of the cache, twice, and of something else."""
    for _ in range(2):
        cache_folder.warn_damaged(Path("cache", "tables", "x.safetensors"))
    warnings.warn("a number is large", RuntimeWarning, stacklevel=1)
    yield from compute(cell, folder, report)


def _raise() -> None:
    raise ValueError(f"no such file: {__file__}")


def _diverge() -> None:
    raise Diverged("the loss is nan")


def _allocate() -> None:
    torch.empty(2**60, dtype=torch.uint8)


def _exhaust() -> None:
    raise MemoryError


def _kill() -> None:
    print("last words", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def _crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def _exit() -> None:
    os._exit(7)


def _sleep() -> None:
    time.sleep(1000)


def _stubborn() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(1000)


def _fill_disk() -> None:
    with storage_errors(Path("results")):
        raise OSError(28, "No space left on device")


def _fill_own_disk() -> None:
    raise OSError(28, "No space left on device")


def _garble() -> None:
    raise ValueError("\x1b[31mred\x1b[0m \ud800 bell\x07 \x1b]0;title\x07 50%\r100%")


MISBEHAVIOUR = {
    "raises": _raise,
    "diverges": _diverge,
    "allocates": _allocate,
    "exhausts": _exhaust,
    "killed": _kill,
    "crashes": _crash,
    "exits": _exit,
    "leaves": sys.exit,
    "sleeps": _sleep,
    "stubborn": _stubborn,
    "fills": _fill_disk,
    "fills-its-own": _fill_own_disk,
    "garbles": _garble,
}
