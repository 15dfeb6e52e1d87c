"""A row of a table: one method on one task, with a record for each seed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any, TypeAlias

Record: TypeAlias = Mapping[str, Any]

PAPER_METHODS = ("mdn", "inn", "cinn", "cvae", "tandem", "na", "ipage")
VARIANTS = ("na-lm", "na-near", "ipage-lm")
BASELINES = ("prior", "lookup", "kernel")


@dataclass(frozen=True)
class Row:
    """One method on one task: a record for each seed."""

    label: str
    records: tuple[Record, ...]

    @property
    def done(self) -> tuple[Record, ...]:
        """The records that have scores."""
        return tuple(record for record in self.records if record["status"] == "ok")

    @property
    def first(self) -> Record:
        """A record to read from what does not depend on the seed, one with scores where there is any."""
        return self.done[0] if self.done else self.records[0]

    @property
    def status(self) -> str:
        """`ok`, or what went wrong, as `timeout` or `1 of 3 seeds: timeout`."""
        wrong = [record["status"].replace("_", " ") for record in self.records if record["status"] != "ok"]
        if not wrong:
            return "ok"
        kinds = ", ".join(dict.fromkeys(wrong))
        return kinds if not self.done else f"{len(wrong)} of {len(self.records)} seeds: {kinds}"

    @property
    def baseline(self) -> bool:
        """Whether the method is one of the baselines."""
        return "baselines" in groups_of(self.records[0], "method")

    def values(self, *path: str | int) -> list[float]:
        """The finite values found at a path such as `("scores", "multi_target", "sse", "mean")`, one a seed."""
        found = (dig(record, *path) for record in self.done)
        return [float(value) for value in found if value is not None]

    def mean(self, *path: str | int) -> float | None:
        """The mean over seeds; None where any seed has no finite value."""
        values = self.values(*path)
        return fmean(values) if values and len(values) == len(self.done) else None

    def spread(self, *path: str | int) -> float | None:
        """The standard deviation over seeds; None with fewer than two."""
        values = self.values(*path)
        return stdev(values) if len(values) > 1 else None


def dig(record: Record, *path: str | int) -> Any:
    """The value at a path of keys and indices, or None where the path ends early."""
    value: Any = record
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def groups_of(record: Record, kind: str) -> tuple[str, ...]:
    """The groups of a record's `method` or `task`."""
    return tuple(dig(record, "groups", kind) or ())


def canonical(value: Any) -> str:
    """Canonical JSON, for comparing."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def order(row: Row) -> tuple[int, int, str]:
    """Where a row stands: the papers' methods, their variants, baselines, then all others by name."""
    name = row.records[0]["declared"]["method"]["name"]
    for rank, names in enumerate((PAPER_METHODS, VARIANTS, BASELINES)):
        if name in names:
            return rank, names.index(name), row.label
    return len((PAPER_METHODS, VARIANTS, BASELINES)), 0, row.label
