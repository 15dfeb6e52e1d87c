"""The papers' numbers, from the entry points of `harness.published`, each with how its protocol differs from ours."""

from __future__ import annotations

import logging
from dataclasses import dataclass
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

    @property
    def difference(self) -> str:
        """All differences as one text."""
        return "; ".join(text for _, text in self.differences)


def find(measure: str, task: str, method: str) -> Published | None:
    """The published value of a measure for a task and method label, or None where no paper prints it."""
    return _index().get((measure, task, method))


def comparable(value: Published | None, metric: str, y_dim: int) -> bool:
    """Whether a published value is of this metric; with a single y the sum and the mean are the same."""
    return value is not None and (value.metric == metric or (y_dim == 1 and {value.metric, metric} <= {"sse", "mse"}))


@cache
def _index() -> dict[tuple[str, str, str], Published]:
    """All values; each entry point is a function that gives some."""
    found = sorted(entry_points(group="harness.published"), key=lambda entry: entry.name)
    return {(item.measure, item.task, item.method): item for entry in found for item in _values(entry)}


def _values(entry: EntryPoint) -> list[Published]:
    """What an entry point gives; nothing, with a logged warning, where it cannot be used."""
    try:
        return list(entry.load()())
    except (Exception, SystemExit) as error:  # whatever a stranger's module raises must not stop the tables
        text = " ".join(f"{type(error).__name__}: {error}".split())
        logger.warning("The published values %r are left out, for they cannot be read: %s", entry.name, text)
        return []
