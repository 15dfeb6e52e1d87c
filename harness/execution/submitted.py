"""Cells and entries that are in a cluster's queue, and what is to become of a cell whose entry has left no record."""

from __future__ import annotations

import re
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness.execution.console import LONGEST, told
from harness.execution.engine import Done, Job
from harness.execution.ledger import Mark
from harness.execution.queue import ENDED
from harness.store import Store

if TYPE_CHECKING:
    from harness.plan import Cell

TRIES = 3
"""In how many entries a cell is run that leaves no record: with others, then alone, then alone once more."""
STATUS = {"TIMEOUT": "timeout", "DEADLINE": "timeout", "OUT_OF_MEMORY": "out_of_memory"}
"""States that a cell which was alone in its entry would come to again, with the status that they lead to."""
HINTS = {
    "CANCELLED": "It was cancelled; --retry runs it again.",
    "TIMEOUT": "Allow more with --slurm time=...",
    "DEADLINE": "Allow more with --slurm time=...",
    "OUT_OF_MEMORY": "Allow more with --slurm mem=..., or run fewer --jobs.",
}
HOSTS = re.compile(r"^(?:slurmstepd|srun|submitit)\b.*\n?", re.MULTILINE)
"""Lines of SLURM and submitit, which name nodes."""


@dataclass(eq=False)
class Item:
    """A cell in the queue."""

    job: Job
    future: Future[Done]
    mark: Mark
    """The record that it had before."""
    tries: int = 0
    """In how many entries it has been."""
    entry: str = ""
    """The entry that it is in; empty where it waits to be handed in."""


@dataclass
class Entry:
    """An entry that has been handed in, by this run or an earlier one."""

    items: list[Item]
    """The cells without a new record."""
    alone: bool
    """Whether it has one cell only."""
    shared: bool = False
    """Whether it has cells that this run does not want."""
    ended: float | None = None
    """When it was first seen to run no more, in seconds of a monotonic clock."""
    state: str = ""
    """As the queue names it; empty where it does not know it any more."""

    def update(self, state: str, now: float) -> None:
        """Take in what the queue says. An entry that has ended may be requeued, and runs again."""
        if state and state not in ENDED:
            self.ended, self.state = None, state
            return
        self.state = state or (self.state if self.state in ENDED else "")
        self.ended = now if self.ended is None else self.ended

    def over(self, settle: float, now: float) -> bool:
        """Whether it has ended, and no record of it is to be expected any more."""
        return self.ended is not None and (not self.items or now >= self.ended + settle)


def verdict(entry: Entry, item: Item, log: Path, private: Iterable[Path]) -> tuple[str, dict[str, str]] | None:
    """Status and error of a cell that has no record after its entry has ended; None where it is to be run again."""
    final = entry.alone and entry.state in STATUS
    if not final and entry.state != "CANCELLED" and item.tries < TRIES:
        return None
    tries = "" if item.tries < 2 else f", in {item.tries} entries"
    hint = HINTS.get(entry.state, "The node may have failed; --retry runs it again.")
    state = entry.state or "one that the queue has forgotten"
    message = f"The array entry of the cell ended as {state}, and there was no record{tries}. {hint}"
    printed = HOSTS.sub("", told(log, private))[-LONGEST:] if log.is_file() else ""
    status = STATUS.get(entry.state, "killed")
    kind = "Timeout" if status == "timeout" else "Killed"
    return status, {"type": kind, "message": message, "traceback": printed}


def done(store: Store, cell: Cell) -> Done | None:
    """How a cell ended, from its record; None where it cannot be read."""
    record = store.read(cell)
    if record is None:
        return None
    seconds = 0.0
    if record.stamps:
        last = record.stamps[-1]
        seconds = (datetime.fromisoformat(last.ended) - datetime.fromisoformat(last.started)).total_seconds()
    return Done(record.status, seconds, record.error.message if record.error else "")
