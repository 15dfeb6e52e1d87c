"""Whether two rows of a table can be told apart: what decides which value of a column is bold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TypeAlias

import numpy as np

from harness import comparing
from harness.reporting.groups import Group
from harness.reporting.rows import Row
from harness.reporting.table import Raw

Apart: TypeAlias = Callable[[Raw, Raw], bool | None]
"""Of the row with the least value and another: True where the other is larger for sure, False where that may be chance,
None where it is not known."""

CONTRARY = 1
"""The sign of errors by which the other row is the better one: then they are not those of the two values."""

MANY, HALF = 100, 0.5
"""Targets from which on, and share of a mean above which, it is said that a hundredth of them makes up that much."""
FAR = 10.0
"""The ratio from which on disjoint intervals are enough, so that not all errors need to be read."""


def by_targets(
    group: Group, metric: str, protocol: str, name: str, key: str = "", *, rows: Group | None = None
) -> Apart:
    """By the errors of both on the same targets.

    Args:
        group: the rows, and below which errors count as alike.
        metric: of the errors.
        protocol: the one that keeps them.
        name: theirs among what it keeps.
        key: of the raw value, where a row has its interval under `KEY_low` and `KEY_high`, or `KEY_deviation`.
        rows: the group of the rows, where it is another one.
    """
    own, least = {row.label: row for row in (rows or group).rows}, group.negligible(metric)

    def told(one: Raw, other: Raw) -> bool | None:
        if key and _far(one, other, key):
            return True
        return between(*(of_row(own[str(raw["method"])], protocol, name, least) for raw in (one, other)))

    return told


def between(one: comparing.Drawn | None, other: comparing.Drawn | None) -> bool | None:
    """Whether the errors of a row are less than those of another for sure; None where that is not known.

    Args:
        one: drawn of the row with the less value.
        other: drawn of the other; of the same targets, or nothing is known.
    """
    if one is None or other is None or len(one.of_targets) != len(other.of_targets):
        return None
    sign = comparing.apart(one, other)
    return None if sign == CONTRARY else sign != 0


@lru_cache(maxsize=4096)  # several tables of a report ask for the same
def of_row(row: Row, protocol: str, name: str, least: float, first: int | None = None) -> comparing.Drawn | None:
    """What the bootstrap draws of a row's errors; None where they are not known.

    Args:
        row: a method on a task.
        protocol: the one that keeps the errors of each target.
        name: theirs among what it keeps, such as a metric's.
        least: errors below count as this one.
        first: of so many targets, the first; all where omitted.
    """
    errors = row.of_targets(protocol, name)[..., :first]
    known = np.isfinite(errors).all(0) if errors.size else np.zeros(0, bool)  # a view may leave targets out, for all
    return comparing.drawn(errors[:, known], least=least) if known.any() else None


def of_label(group: Group, label: str, protocol: str, metric: str, first: int | None = None) -> comparing.Drawn | None:
    """What the bootstrap draws of the errors of a method of a group; None where they are not known.

    Args:
        group: the rows.
        label: of the method.
        protocol: the one that keeps the errors of each target.
        metric: of the errors.
        first: of so many targets, the first; all where omitted.
    """
    row = next((row for row in group.rows if row.label == label), None)
    return of_row(row, protocol, metric, group.negligible(metric), first) if row else None


def needed(found: comparing.Comparison) -> str:
    """How many targets, or seeds, would tell two methods apart: `about 3 400 targets`; empty where not known.

    Args:
        found: of two methods.
    """
    for count, what in ((found.targets_needed, "targets"), (found.seeds_needed, "seeds")):
        if count and not found.separated:
            return f"about {float(f'{count:.1e}'):,.0f} {what}".replace(",", " ")
    return ""


def carried(group: Group, protocol: str, metric: str) -> Iterator[str]:
    """Of which methods a few targets make the mean.

    Args:
        group: the rows.
        protocol: the one that keeps the errors of each target.
        metric: of the errors.
    """
    found = {row.label: of_row(row, protocol, metric, group.negligible(metric)) for row in group.rows}
    few = [label for label, drawn in found.items() if drawn and len(drawn.of_targets) >= MANY and drawn.carried > HALF]
    if few:
        yield (
            f"on {group.task} one target in a hundred makes up more than half of the mean of {', '.join(few)}: the "
            "median says more of the others"
        )


def by_spread(key: str, spread: str) -> Apart:
    """By two deviations around each, as of repeats: whether the ranges are disjoint.

    Args:
        key: of the raw value.
        spread: of the raw value that is its deviation.
    """

    def told(one: Raw, other: Raw) -> bool | None:
        if one[spread] is None or other[spread] is None:
            return None
        return abs(float(one[key]) - float(other[key])) > 2 * (float(one[spread]) + float(other[spread]))

    return told


def _far(one: Raw, other: Raw, key: str) -> bool:
    """Whether the intervals of two rows are disjoint and far apart."""
    ends = [_ends(raw, key) for raw in (one, other)]
    if None in ends:
        return False
    less, more = sorted(pair for pair in ends if pair is not None)
    return more[0] > FAR * less[1]


def _ends(raw: Raw, key: str) -> tuple[float, float] | None:
    """A row's interval, or two deviations over its seeds around its value; None where it has neither."""
    low, high, spread = (raw.get(f"{key}_{end}") for end in ("low", "high", "deviation"))
    if low is not None and high is not None:
        return float(low), float(high)
    return None if spread is None else (float(raw[key]) - 2 * float(spread), float(raw[key]) + 2 * float(spread))
