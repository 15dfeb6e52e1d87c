"""The papers' numbers, from the entry points of `harness.published`, each with how its protocol differs from ours."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Published:
    """One printed number under our names and in our units."""

    source: str
    """Such as `Ren Table 3`."""
    measure: str
    """The name of a protocol with one error, `r_1`, `r_200`, `seconds` (for 1000 proposals), `parameters`,
    `checkpoint` (bytes) or `training` (seconds)."""
    task: str
    method: str
    metric: str
    value: float
    std: float | None
    differences: tuple[tuple[str, str], ...]
    """How the protocol differs from ours, as (where it applies, what differs): whole table, task, or method."""
    paper: str = ""
    """A short name, such as `ren2020`."""
    comparable: bool = True
    """False where it measures another problem, so that a ratio says nothing."""
    second_hand: bool = False
    """Whether it was read in another work than the one that measured it."""
    evidence: tuple[str, ...] = ()
    """For each difference where it was read."""
    tried: str = ""
    """What was tried where our error is larger, and with which result."""
    beside: bool = True
    """Whether tables show it beside ours; one value of a measure, a task and a method is."""

    def aside(self) -> Published:
        """The same for the ledger alone."""
        return replace(self, beside=False)

    @property
    def difference(self) -> str:
        """All differences as one text."""
        return "; ".join(text for _, text in self.differences)


@cache
def every() -> tuple[Published, ...]:
    """All published values."""
    found = sorted(entry_points(group="harness.published"), key=lambda entry: entry.name)
    return tuple(item for entry in found for item in _values(entry))


def find(measure: str, task: str, method: str) -> Published | None:
    """The published value of a measure for a task and method label, or None where no paper prints it.

    Args:
        measure: such as `multi-target` or `r_1`.
        task: its label.
        method: its label.
    """
    return _index().get((measure, task, method))


def comparable(value: Published | None, metric: str, y_dim: int) -> bool:
    """Whether a published value is of this metric; with a single y the sum and the mean are the same.

    Args:
        value: the published one, if any.
        metric: of ours.
        y_dim: dimensions of y.
    """
    return value is not None and (value.metric == metric or (y_dim == 1 and {value.metric, metric} <= {"sse", "mse"}))


@cache
def _index() -> dict[tuple[str, str, str], Published]:
    """The values that tables show; each entry point is a function that gives some."""
    return {(item.measure, item.task, item.method): item for item in every() if item.beside}


def _values(entry: EntryPoint) -> list[Published]:
    """What an entry point gives; nothing, with a logged warning, where it cannot be used."""
    try:
        return list(entry.load()())
    except (Exception, SystemExit) as error:  # whatever a stranger's module raises must not stop the tables
        text = " ".join(f"{type(error).__name__}: {error}".split())
        logger.warning("The published values %r are left out, for they cannot be read: %s", entry.name, text)
        return []
