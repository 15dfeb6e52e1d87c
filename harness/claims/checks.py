"""What a check finds on a task: a pure function of records, which says yes, no, or that they do not tell it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import combinations
from typing import Final, Literal, TypeAlias

import numpy as np

from harness.claims.claim import Check
from harness.claims.rows import find, within
from harness.claims.statistic import Side, Statistic, others_of, side, statistic
from harness.comparing import SEEDS
from harness.reporting.groups import Group
from harness.reporting.rows import Row
from harness.selection import placed
from harness.statistics import Array

Says = Literal["yes", "no", "not told apart", "not tested"]
Interval: TypeAlias = tuple[float, float, float]
"""A value with the ends of its interval, which are NaN where it is not known."""
YES: Final = "yes"
NO: Final = "no"
OPEN: Final = "not told apart"
MISSING: Final = "not tested"
NEAR = 3
"""Statistics that are named beside one that is not there."""


@dataclass(frozen=True)
class Pair:
    """One comparison: of a method with another, or of its number with a value."""

    method: str
    than: str
    says: Says
    mean: Interval
    """The ratio of the means, or the number itself where nothing is compared."""
    ratio: Interval | None = None
    """The geometric mean over targets of the ratio; None where it is not known of single targets, or not asked for."""
    seeds: int = 1
    """The fewest trainings of the two."""
    apart: bool = False
    """Whether the ratio of the means says other than that target by target."""

    @property
    def shown(self) -> Interval:
        """What tells most: the ratio target by target where there is one."""
        return self.mean if self.ratio is None else self.ratio

    @property
    def of_targets_only(self) -> bool:
        """Whether there are too few trainings to speak of others."""
        return self.seeds < SEEDS


@dataclass(frozen=True)
class Finding:
    """What a check finds on one task."""

    check: Check
    task: str
    says: Says
    pairs: tuple[Pair, ...] = ()
    missing: tuple[str, ...] = ()
    """What would be needed: a cell, or a statistic of it."""

    @property
    def nearest(self) -> Pair | None:
        """The comparison that decides: of those that say the same, the one nearest to saying something else; where one
        method is enough, of the best of the methods that say so.
        """
        if self.check.enough == "any":
            return self._of_best
        alike = [pair for pair in self.pairs if pair.says == self.says] or list(self.pairs)
        best = min if self.check.kind in ("higher", "at_least") and self.says == YES else max
        return best(alike, key=lambda pair: pair.shown[0], default=None)

    @property
    def _of_best(self) -> Pair | None:
        """Of the methods that say what the finding says, the best one's comparison that is nearest to another."""
        by_method: dict[str, list[Pair]] = {}
        for pair in self.pairs:
            by_method.setdefault(pair.method, []).append(pair)
        weakest, best = (min, max) if self.check.kind in ("higher", "at_least") else (max, min)
        each = [
            weakest(pairs, key=lambda pair: pair.shown[0])
            for pairs in by_method.values()
            if _all([pair.says for pair in pairs]) == self.says
        ]
        return best(each, key=lambda pair: pair.shown[0], default=None)


def find_out(check: Check, groups: Mapping[str, Group]) -> list[Finding]:
    """What a check finds on each of its tasks; `groups` has the rows of each task that was run."""
    return [_on(check, task, groups) for task in check.tasks]


def _on(check: Check, task: str, groups: Mapping[str, Group]) -> Finding:
    wanted = statistic(check.statistic, "statistic")
    against = statistic(check.against, "against") if check.against else wanted
    own, lacking = _sides(groups, task, check.method, wanted)
    others: dict[str, Side] = {}
    if check.kind not in ("at_least", "at_most"):
        others, more = _sides(groups, task, check.than or check.method, against)
        lacking += more
    if lacking:
        return Finding(check, task, MISSING, missing=tuple(f"{text} on {task}" for text in dict.fromkeys(lacking)))
    return _order(check, task, own, others) if check.kind == "order" else _each(check, task, own, others)


def _sides(
    groups: Mapping[str, Group], task: str, labels: Sequence[str], wanted: Statistic
) -> tuple[dict[str, Side], list[str]]:
    """A statistic of methods, by label; and what is missing, a method or the statistic of one."""
    found, lacking = {}, []
    for label in labels:
        method, scenario = placed(label)
        group = within(groups, task, scenario)
        row = find(group, method) if group else None
        one = side(row, wanted, group) if row and group else None
        if one is not None:
            found[label] = one
        else:
            lacking.append(_lacks(row, wanted, label) if row else label)
    return found, lacking


def _lacks(row: Row, wanted: Statistic, label: str) -> str:
    """A statistic of a method that its records do not have, with those that they have of the same protocol."""
    others = others_of(row, wanted)
    if not others:
        return f"{wanted} of {label}"
    near = get_close_matches(str(wanted), others, n=NEAR) or others[:NEAR]
    return f"{wanted} of {label}, which has {', '.join(near)}{', ...' * (len(others) > len(near))}"


def _each(check: Check, task: str, own: Mapping[str, Side], others: Mapping[str, Side]) -> Finding:
    """What the methods say, each beside all of its rivals or a value."""
    pairs = {
        label: [compared(check, label, one, rival, others[rival]) for rival in check.than or (label,)]
        if others
        else [_valued(check, label, one)]
        for label, one in own.items()
    }
    says = {label: _all([pair.says for pair in each]) for label, each in pairs.items()}
    every = check.enough == "every"
    together = _all([*says.values()]) if every else _any([*says.values()])
    return Finding(check, task, together, tuple(pair for each in pairs.values() for pair in each))


def _all(says: Sequence[Says]) -> Says:
    return NO if NO in says else OPEN if OPEN in says else YES


def _any(says: Sequence[Says]) -> Says:
    return YES if YES in says else OPEN if OPEN in says else NO


def compared(check: Check, label: str, one: Side, rival: str, other: Side) -> Pair:
    """A method beside another: whether the ratio of the two lies where the check wants it, for sure."""
    says: list[Says] = []
    ratio = None
    if check.by != "ratio" or one.logs is None or other.logs is None:
        says.append(_of_means(check, one.draws, other.draws))
    if check.by != "mean" and one.logs is not None and other.logs is not None:
        logs = one.logs - other.logs
        says.append(_told([sign * (logs - math.log10(end)) for sign, end in _ends(check)]))
        ratio = _interval(10 ** (one.log - other.log), 10**logs)
    apart = len(set(says)) > 1
    said: Says = OPEN if apart else says[0]
    return Pair(label, rival, said, _ratio(one, other), ratio, min(one.seeds, other.seeds), apart)


def _of_means(check: Check, one: Array | None, other: Array | None) -> Says:
    if one is None or other is None:
        return OPEN
    return _told([sign * (one - end * other) for sign, end in _ends(check)])


def _ends(check: Check) -> list[tuple[int, float]]:
    """The ends of the range in which a check wants a ratio: 1 before a least value, -1 before a greatest."""
    if check.kind == "within":
        assert check.least is not None and check.most is not None
        return [(1, check.least), (-1, check.most)]
    return [(1 if check.kind == "higher" else -1, check.factor)]


def _told(inside: Sequence[Array]) -> Says:
    """Whether something lies within all of some ends, from how far within each it lies in each resample."""
    intervals = [np.percentile(distances, [2.5, 97.5]) for distances in inside]
    if any(high < 0 for _, high in intervals):
        return NO
    return YES if all(low > 0 for low, _ in intervals) else OPEN


def _interval(value: float, draws: Array) -> Interval:
    low, high = np.percentile(draws, [2.5, 97.5])
    return value, float(low), float(high)


def _ratio(one: Side, other: Side) -> Interval:
    """The ratio of two numbers with its interval; NaN where it means nothing."""
    value = one.value / other.value if other.value > 0 else math.nan
    if one.draws is None or other.draws is None or not other.draws.min() > 0:
        return value, math.nan, math.nan
    return _interval(value, np.maximum(one.draws, min(one.value, 0.0)) / other.draws)


def _valued(check: Check, label: str, one: Side) -> Pair:
    """A method's number beside a value."""
    assert check.value is not None
    if one.draws is None:
        return Pair(label, f"{check.value:g}", OPEN, (one.value, math.nan, math.nan), seeds=one.seeds)
    interval = _interval(one.value, one.draws)
    sign = 1 if check.kind == "at_least" else -1
    worst, best = sorted(sign * (end - check.value) for end in interval[1:])
    said: Says = YES if worst >= 0 else NO if best < 0 else OPEN
    return Pair(label, f"{check.value:g}", said, interval, seeds=one.seeds)


def _order(check: Check, task: str, own: Mapping[str, Side], others: Mapping[str, Side]) -> Finding:
    """Whether two of the methods stand in one order by one statistic, and in the other by the other."""
    lower = Check("lower", check.statistic, check.method, by=check.by)
    told = [
        [compared(lower, one, each[one], other, each[other]) for each in (own, others)]
        for one, other in combinations(check.method, 2)
    ]
    turned = [pairs for pairs in told if {pair.says for pair in pairs} == {YES, NO}]
    if turned:
        most = max(turned, key=lambda pairs: min(abs(math.log(pair.shown[0] or 1.0)) for pair in pairs))
        return Finding(check, task, YES, tuple(most))
    sure = all(OPEN not in {pair.says for pair in pairs} for pairs in told)
    return Finding(check, task, NO if sure else OPEN)
