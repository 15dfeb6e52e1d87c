"""One number of a method on a task, as claims and ablations refer to it, with what is known of its uncertainty.

A reference is `PROTOCOL/METRIC/STATISTIC`, or `PROTOCOL/STATISTIC` of a number without a metric, as `harness.frame` has
them: `r_T/mse/r_200`, `fixed-target/sse/mean`, `inference-time/seconds`. A T may follow where a statistic has several.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean, stdev

import numpy as np

from harness.comparing import FEW, LEAST, NORMAL
from harness.errors import UsageError
from harness.metrics import METRICS
from harness.registry import discover
from harness.reporting.apart import of_row
from harness.reporting.frame import OF_RECORDS, of_record
from harness.reporting.groups import Group
from harness.reporting.rows import Row, scores_of
from harness.statistics import Array

FORM = "PROTOCOL/METRIC/STATISTIC, such as r_T/mse/r_200, or PROTOCOL/STATISTIC, such as inference-time/seconds"
SPREADS = {"mean": "std", "seconds": "noise_floor", "mmd": "mmd_deviation"}
"""The statistic beside another that tells the spread of repeats; `NAME_std` of any other."""
COUNTED = {"solutions": "curves"}
"""Of a protocol that counts what is found: the number of all that there is."""
SHARES = re.compile(
    r"(\w+_)?(valid|in_box|accurate|copies|missed|above|auroc|c2st|c2st_targets|found|modes|recall)(_\d+)?"
)
"""Statistics that are shares, and at most 1."""
EXACT = "model"
"""Whose numbers are known of a trained model as they are."""
RESAMPLES = 1000
MOST = 50.0
"""The largest logarithm of a factor that is drawn."""


@dataclass(frozen=True)
class Statistic:
    """A number that a protocol finds in each record."""

    protocol: str
    metric: str | None
    name: str
    count: int | None = None
    """T, where it is given."""

    def __str__(self) -> str:
        parts = (self.protocol, self.metric, self.name, self.count)
        return "/".join(str(part) for part in parts if part is not None)

    @property
    def short(self) -> str:
        """The name for a heading: `r_200`, or `fixed-target mean`."""
        return self.name if self.name[-1].isdigit() or self.metric is None else f"{self.protocol} {self.name}"

    @property
    def of_targets(self) -> tuple[str, ...]:
        """The names under which a protocol may keep it of each target."""
        if self.metric is None:
            return (self.name,)
        mean = [self.metric] if self.name == "mean" else []
        of_view = [self.name.removesuffix("_mean")] if self.name.endswith("_mean") else []
        return (f"{self.metric} {self.name}", *mean, *of_view)


@dataclass(frozen=True)
class Side:
    """A statistic of one method on one task."""

    value: float
    """The mean over seeds."""
    seeds: int
    draws: Array | None = None
    """The value in each resample `(resamples,)`; None where nothing tells how sure it is."""
    logs: Array | None = None
    """The mean over targets of its log10 in each `(resamples,)`; None where it is not known of single targets."""
    log: float = math.nan
    """The mean over targets of its log10."""


def statistic(text: str, where: str) -> Statistic:
    """The statistic that a reference names.

    Raises:
        UsageError: it is not written as a reference is; `where` says where it stands.
    """
    parts = text.split("/")
    count = int(parts.pop()) if len(parts) > 2 and parts[-1].isdecimal() else None
    metric = parts.pop(1) if len(parts) == 3 and parts[1] in METRICS else None
    if len(parts) != 2 or not all(parts):
        raise UsageError(f"{where} = {text!r} is not allowed. Allowed: {FORM}. Metrics: {', '.join(METRICS)}.")
    return Statistic(parts[0], metric, parts[1], count)


def side(row: Row, wanted: Statistic, group: Group) -> Side | None:
    """A statistic of a row; None where no record of it has it."""
    least = LEAST if wanted.metric is None else group.negligible(wanted.metric)
    if wanted.count is not None and not values_of(row, wanted):
        return None
    for name in wanted.of_targets:
        found = of_row(row, wanted.protocol, name, least)
        if found is not None and len(found.of_targets) >= FEW:
            log = float(found.of_targets.mean())
            return Side(found.mean, len(found.of_seeds), found.means, found.logs, log)
    values = values_of(row, wanted)
    return Side(fmean(values), len(values), _drawn(values, row, wanted)) if values else None


def _drawn(values: list[float], row: Row, wanted: Statistic) -> Array | None:
    """The value as it might have been: by Student's t over seeds; of a single seed by the spread of its repeats.

    What is above 0 for every seed is so in every resample: its logarithm is drawn.
    """
    generator = np.random.default_rng(zlib.crc32(f"{row.label} {wanted}".encode()))
    value, positive = fmean(values), min(values) > 0
    if len(values) > 1:
        drawn = generator.standard_t(len(values) - 1, RESAMPLES) / math.sqrt(len(values))
        error = stdev(map(math.log, values)) if positive else stdev(values)
    else:
        found = 0.0 if wanted.protocol == EXACT else _error(row, wanted)
        if found is None:
            return None
        drawn, error = generator.standard_normal(RESAMPLES), found / value if positive else found
    draws: Array = value * np.exp(np.clip(error * drawn, -MOST, MOST)) if positive else value + error * drawn
    return np.minimum(draws, _most(row, wanted))


def _most(row: Row, wanted: Statistic) -> float:
    """The greatest value that a statistic can have: of counts the number of all, of shares 1."""
    if SHARES.fullmatch(wanted.name) is None:
        return math.inf
    if wanted.protocol not in COUNTED:
        return 1.0
    return max(values_of(row, Statistic(wanted.protocol, None, COUNTED[wanted.protocol])), default=math.inf)


def _error(row: Row, wanted: Statistic) -> float | None:
    """The standard error of a single seed's value, as far as the protocol tells it."""
    names = f"{wanted.name}_low", f"{wanted.name}_high", SPREADS.get(wanted.name, f"{wanted.name}_std")
    for known in _of_row(row, wanted.protocol):
        low, high, spread = (known.get((wanted.metric, name, wanted.count)) for name in names)
        if low is not None and high is not None:
            return (high - low) / (2 * NORMAL)
        if spread is not None:
            return spread
    return None


def values_of(row: Row, wanted: Statistic) -> list[float]:
    """The statistic of each seed that has it."""
    key = wanted.metric, wanted.name, wanted.count
    return [known[key] for known in _of_row(row, wanted.protocol) if key in known]


def others_of(row: Row, wanted: Statistic) -> list[str]:
    """The statistics that a row has of the same protocol, as references; none where it was not scored for that.

    Args:
        row: that lacks the statistic.
        wanted: the one that it lacks.
    """
    keys = dict.fromkeys(key[:2] for known in _of_row(row, wanted.protocol) for key in known)
    return [str(Statistic(wanted.protocol, metric, name)) for metric, name in keys]


@lru_cache(maxsize=512)  # several checks ask for the same
def _of_row(row: Row, protocol: str) -> Sequence[Mapping[tuple[str | None, str, int | None], float]]:
    """The finite numbers of each seed with scores, by metric, statistic and T, and without T."""
    found = []
    plugin = discover("protocols").get(protocol)
    for record in row.done:
        numbers = [number[1:] for number in of_record(record) if number[0] == protocol]
        if protocol not in OF_RECORDS and plugin is not None and plugin.error is None:
            kind = plugin.load()
            scores = scores_of(record, kind)
            numbers = [] if scores is None else list(kind().numbers(scores))
        known: dict[tuple[str | None, str, int | None], float] = {}
        for metric, name, value, *count in numbers:
            if value is not None and math.isfinite(value):
                known[metric, name, count[0] if count else None] = float(value)
                known.setdefault((metric, name, None), float(value))
        found.append(known)
    return found
