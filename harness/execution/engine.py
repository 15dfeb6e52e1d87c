"""What an engine is: cells are handed to it, and it runs each of them somewhere, apart from the others."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.plan import Cell
    from harness.work import Work

Report = Callable[[str, int, int, float | None], None]
"""Told the phase, how many of how many epochs or steps of it are done, and the loss."""
Runner = Callable[["Cell", Path, Report], Iterable[Mapping[str, Any]]]
"""Gives parts of the record's body, each as soon as it is known."""


@dataclass(frozen=True)
class Job:
    """A cell with all that is needed to run it elsewhere."""

    cell: Cell
    root: Path
    work: Work
    git: Mapping[str, Any] | None = None
    """The checkout that the plan was made in; all else about its origin a record learns where it is made."""
    timeout: float | None = None
    """Seconds."""
    runner: Runner | None = None
    """In place of what `harness.cell` does."""


@dataclass(frozen=True)
class Done:
    """How a cell ended that has its record."""

    status: str
    seconds: float
    message: str
    remarks: tuple[str, ...] = ()
    """What the user should see of what it warned of, besides the file with all that it printed."""


@dataclass
class Left:
    """What is known of a cell whose process has ended without a record."""

    started: datetime
    seconds: float = 0.0
    folder: Path | None = None
    """The scratch folder that it worked in."""
    known: dict[str, Any] = field(default_factory=dict)
    """The parts of the record that it had told."""
    machine: dict[str, Any] | None = None
    """Where it ran; None where it ended before it could tell."""


class Lost(Exception):
    """A cell ended without writing its record: killed, too late, or broken outside what it does.

    Args:
        status: of the record that is to be written, such as `timeout`.
        error: its type, message and traceback.
        left: what is known of the cell.
    """

    def __init__(self, status: str, error: Mapping[str, str], left: Left) -> None:
        super().__init__(error["message"])
        self.status, self.error, self.left = status, error, left


Hear = Callable[["Cell", str, int, int, float | None], None]
"""A `Report` that also names the cell."""


class Engine(ABC):
    """Runs cells. `harness.execution.worker.work` is what it must call, wherever that is."""

    queues = False
    """Whether cells wait in a queue of its own: then it is handed all of them at once, and they have no bars."""

    @abstractmethod
    def submit(self, job: Job) -> Future[Done]:
        """Start a cell at once.

        The future raises `Lost` where the cell ended without a record, and `StorageError` where it could not be
        written. It is done at the earliest in the next `listen`.

        Args:
            job: the cell with what it needs.
        """

    @abstractmethod
    def listen(self, hear: Hear, seconds: float) -> None:
        """Take in what the running cells tell, waiting at most so long for something, and set the futures.

        Args:
            hear: is told how far each cell has come.
            seconds: to wait for something, at most.
        """

    @abstractmethod
    def stop(self) -> None:
        """End all cells that still run, wait for their end, and leave nothing of them."""

    def leave(self) -> str:
        """What a signal to the run does; returns in a few words what becomes of the cells that still run."""
        self.stop()
        return "running ones are lost"
