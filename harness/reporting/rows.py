"""A row of a table: one method on one task in one scenario, with a record for each seed."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from operator import attrgetter
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import numpy as np

from harness import by_target
from harness.records import read as read_record
from harness.reporting.lean import unpacked
from harness.schema import Record
from harness.store import RECORD, Store

if TYPE_CHECKING:
    from harness.protocols.contract import Protocol
    from harness.statistics import Array

Read: TypeAlias = str | Callable[[Any], float | None]
"""Takes a number out of a record, or out of a protocol's scores: a function, or the name of an attribute."""

logger = logging.getLogger(__name__)

PAPER, BASELINES = "paper", "baselines"


@dataclass(frozen=True, eq=False)
class Row:
    """One method on one task: a record for each seed."""

    label: str
    records: tuple[Record, ...]
    root: Path | None = None
    """The result folder, in which the numbers of the targets lie beside the records; None where it is not known."""

    @cached_property
    def done(self) -> tuple[Record, ...]:
        """The records that have scores."""
        return tuple(record for record in self.records if record.status == "ok")

    @property
    def first(self) -> Record:
        """A record to read from what does not depend on the seed, one with scores where there is any."""
        return self.done[0] if self.done else self.records[0]

    @property
    def status(self) -> str:
        """`ok`, or what went wrong, as `timeout` or `1 of 3 seeds: timeout`."""
        wrong = [record.status.replace("_", " ") for record in self.records if record.status != "ok"]
        if not wrong:
            return "ok"
        kinds = ", ".join(dict.fromkeys(wrong))
        return kinds if not self.done else f"{len(wrong)} of {len(self.records)} seeds: {kinds}"

    @property
    def baseline(self) -> bool:
        """Whether the method is one of the baselines."""
        return BASELINES in self.records[0].groups.method

    def scores(self, protocol: type[Protocol]) -> list[Any]:
        """What a protocol found, one for each seed that has it.

        Args:
            protocol: its class.
        """
        return _scores(self, protocol)

    def score(self, protocol: type[Protocol]) -> Any:
        """What a protocol found for the first seed that has it; None where it was not scored or does not apply.

        Args:
            protocol: its class.
        """
        return _score(self, protocol)

    def keeps(self, protocol: str, name: str) -> bool:
        """Whether there are numbers of the targets of this name, as far as the first seed tells.

        Args:
            protocol: its name.
            name: of the numbers, such as a metric's.
        """
        return self.of_first(protocol, name) is not None

    def of_first(self, protocol: str, name: str) -> Array | None:
        """Numbers of the targets `(targets,)` of the first seed with scores; None where it has none.

        Args:
            protocol: its name.
            name: of the numbers, such as a metric's.
        """
        return by_target.read(self._folders[0], protocol, name).get(name) if self._folders else None

    def of_targets(self, protocol: str, name: str) -> Array:
        """Numbers of the targets `(seeds, targets)` of the seeds that have any.

        Args:
            protocol: its name.
            name: of the numbers, such as a metric's.
        """
        every = [by_target.read(folder, protocol, name).get(name) for folder in self._folders]
        known = [numbers for numbers in every if numbers is not None]
        return np.stack(known) if known else np.empty((0, 0))

    @cached_property
    def _folders(self) -> tuple[str, ...]:
        """The folders of the records with scores; none where the root is not known."""
        return () if self.root is None else tuple(str(Store(self.root).folder(record)) for record in self.done)

    def curves(self) -> list[list[tuple[int, float | None, float | None]]]:
        """Of each training phase of the first seed: epoch, training loss and validation value."""
        if not self._folders:
            return []
        record = read_record(os.path.join(self._folders[0], RECORD))
        return [list(phase.curve) for phase in record.model.phases] if record.model else []

    def values(self, read: Read, protocol: type[Protocol] | None = None) -> list[float]:
        """A number of each seed's record, or of a protocol's scores there, where it is finite.

        Args:
            read: takes the number out of a record, or out of a protocol's scores.
            protocol: whose scores are read; None for the record itself.
        """
        reader = attrgetter(read) if isinstance(read, str) else read
        found = (reader(item) for item in (self.done if protocol is None else self.scores(protocol)))
        return [float(value) for value in found if value is not None and math.isfinite(value)]

    def mean(self, read: Read, protocol: type[Protocol] | None = None) -> float | None:
        """The mean over seeds; None where any seed has no finite value.

        Args:
            read: takes the number out of a record, or out of a protocol's scores.
            protocol: whose scores are read; None for the record itself.
        """
        values = self.values(read, protocol)
        return fmean(values) if values and len(values) == len(self.done) else None

    def spread(self, read: Read, protocol: type[Protocol] | None = None) -> float | None:
        """The standard deviation over seeds; None with fewer than two.

        Args:
            read: takes the number out of a record, or out of a protocol's scores.
            protocol: whose scores are read; None for the record itself.
        """
        values = self.values(read, protocol)
        return stdev(values) if len(values) > 1 else None


@lru_cache(maxsize=16)  # a table reads many numbers of one row, then those of the next
def _scores(row: Row, protocol: type[Protocol]) -> list[Any]:
    return list(_each(row, protocol))


@lru_cache(maxsize=1024)
def _score(row: Row, protocol: type[Protocol]) -> Any:
    return next(_each(row, protocol), None)


def _each(row: Row, protocol: type[Protocol]) -> Iterator[Any]:
    found = (scores_of(record, protocol) for record in row.done)
    return (scores for scores in found if scores is not None)


def scores_of(record: Record, protocol: type[Protocol]) -> Any:
    """What a protocol found in a record; None where it was not scored or does not apply.

    Scores of another version of the protocol, which it does not read, are left out with a logged warning.

    Args:
        record: any.
        protocol: its class.
    """
    score = record.scores.get(protocol.name)
    if score is None or score.values is None:
        return None
    try:
        return unpacked(score.values, protocol.score_type)
    except msgspec.ValidationError as error:
        _left_out(protocol, str(error))
        return None


@cache
def _left_out(protocol: type[Protocol], reason: str) -> None:
    """Say once that there are scores that a protocol does not read."""
    again = "time" if protocol.measures else "rescore"
    logger.warning(
        "Some scores of %s are not those of the protocol as it is installed (%s), and are left out. "
        "`python -m harness %s` makes them anew where the %s are stored.",
        protocol.name,
        reason,
        again,
        "models" if protocol.measures else "answers",
    )


def order(row: Row) -> tuple[int, str]:
    """Where a row stands: the papers' methods first, then all others, the baselines last; by name.

    Args:
        row: of any table.
    """
    groups = row.records[0].groups.method
    return 2 if BASELINES in groups else 0 if PAPER in groups else 1, row.label
