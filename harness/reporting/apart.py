"""Whether two rows of a table can be told apart: what decides which value of a column is bold."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from harness import comparing
from harness.reporting.groups import Group
from harness.reporting.table import Raw

if TYPE_CHECKING:
    from harness.statistics import Array

Apart: TypeAlias = Callable[[Raw, Raw], bool | None]
"""Of two raw rows: True where they can be told apart, False where not, None where that is not known."""

FAR = 10.0
"""The ratio from which on disjoint intervals are enough, so that not all errors need to be read."""


def by_targets(group: Group, metric: str, protocol: str, name: str, key: str = "") -> Apart:
    """By the errors of both on the same targets.

    Args:
        group: the rows.
        metric: of the errors.
        protocol: the one that keeps them.
        name: theirs among what it keeps.
        key: of the raw value, where a row has its interval under `KEY_low` and `KEY_high`, or `KEY_deviation`.
    """
    rows = {row.label: row for row in group.rows}

    @cache
    def errors(label: str) -> Array:
        return rows[label].of_targets(protocol, name)

    def told(one: Raw, other: Raw) -> bool | None:
        if key and _far(one, other, key):
            return True
        both = [errors(str(raw["method"])) for raw in (one, other)]
        if not all(each.size for each in both) or both[0].shape[1] != both[1].shape[1]:
            return None
        known = np.isfinite(both[0]).all(0) & np.isfinite(both[1]).all(0)  # a view may leave targets out
        return comparing.apart(*(each[:, known] for each in both), least=group.negligible(metric))

    return told


def by_spread(key: str, spread: str) -> Apart:
    """By two deviations around each, as of repeats: whether the ranges are disjoint."""

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
