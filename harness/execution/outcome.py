"""What became of the cells of a run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.plan import Cell


@dataclass(frozen=True)
class Outcome:
    """One finished cell."""

    cell: Cell
    status: str
    seconds: float
    message: str = ""
    """The error in one line; empty where the status is `ok`."""


@dataclass
class Summary:
    """A finished, stopped or interrupted run."""

    planned: int
    outcomes: list[Outcome] = field(default_factory=list)
    signal: int | None = None
    """The signal that ended the run, such as SIGINT for Ctrl-C."""
    stopped: bool = False
    """True where `fail_fast` ended the run."""

    @property
    def counts(self) -> Counter[str]:
        """How many cells ended with each status."""
        return Counter(outcome.status for outcome in self.outcomes)
