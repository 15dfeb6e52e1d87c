"""Metered search: the best of so many calls to the true forward model, from a method's proposals or from the prior."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, TypeAlias

import numpy as np

from harness import comparing
from harness.metrics import METRICS
from harness.protocols.contract import Answered, Material, Number, Protocol, Question, Shown
from harness.protocols.shared import many
from harness.protocols.traces import FIRST, Trace, counted, kept, pays_between, pays_from, trace, until_reached
from harness.reporting import notes
from harness.reporting.apart import of_row
from harness.reporting.build import base, table
from harness.reporting.figure import Axis, Figure, Guide, Panel, Series, headings
from harness.reporting.groups import Group
from harness.reporting.numbers import interval, number, numbered, share
from harness.reporting.rows import Row
from harness.reporting.table import Column, Raw, Table
from harness.searching import ENOUGH
from harness.settings import Sizes, setting
from harness.statistics import Array

UNLEARNED = "draws of the prior"
"""Rows that are no method."""
LEARNS_NOTHING = "prior"
"""The method whose proposals are such draws."""
FROM_PRIOR = ("none", "lm", "cma-es", "de")
FROM_PROPOSALS = ("none", "lm")
BESIDE = {"none": ("none", "de"), "lm": ("lm", "cma-es")}
"""The searches from the prior that a panel shows: the same one, and a global one."""
MEANS = ("from the prior", "global, from the prior")
Searched: TypeAlias = tuple[Mapping[str, Array], Mapping[str, Array]]
"""What searches from proposals have found, and searches from draws of the prior."""


@dataclass(frozen=True)
class Options:
    """Options of the protocol."""

    accuracy: float = setting(1e-4, help="the nmse at which a target counts as reached", above=0)


@dataclass(frozen=True)
class Scores:
    """Of a method, and of draws of the prior."""

    targets: int
    accuracy: float
    cost: float
    """CPU seconds of 1000 simulations, as the task says."""
    own: dict[str, Trace] = field(default_factory=dict)
    """By search."""
    prior: dict[str, Trace] = field(default_factory=dict)


class Metered(Protocol):
    """For the scenario `metered`: the error against the calls that were made for each target."""

    name: ClassVar[str] = "metered"
    references: ClassVar[tuple[str, ...]] = (
        "Hansen, Ostermeier 2001, Evolutionary Computation 9, 159",
        "Storn, Price 1997, J. Global Optimization 11, 341",
    )
    Options: ClassVar[type] = Options
    score_type: ClassVar[type] = Scores

    def questions(self, sizes: Sizes) -> dict[str, Question]:
        return {"targets": many(sizes)}

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self._last: tuple[Answered, Searched] | None = None

    def score(self, material: Material) -> Scores | None:
        if not material.answers["targets"].targets.calls:
            return None
        accuracy = self.options.accuracy
        own, prior = (
            {name: trace(errors, accuracy) for name, errors in found.items()} for found in self._searched(material)
        )
        return Scores(len(material.answers["targets"].targets.y), accuracy, material.task.cost, own, prior)

    def by_target(self, material: Material) -> Mapping[str, Array]:
        """The least nmse of each target after each number of calls that a curve has, and the calls until it is reached.

        Under the names of `kept`; calls are infinite where a target is not reached.
        """
        if not material.answers["targets"].targets.calls:
            return {}
        numbers: dict[str, Array] = {}
        for unlearned, found in enumerate(self._searched(material)):
            for search, errors in found.items():
                numbers |= {kept(search, count, unlearned): errors[:, count - 1] for count in counted(errors.shape[1])}
                numbers[kept(search, FIRST, unlearned)] = until_reached(errors, self.options.accuracy)
        return numbers

    def _searched(self, material: Material) -> Searched:
        """The least nmse after each call `(targets, calls)` by search, from proposals and from the prior; done once."""
        from harness.searching.stored import from_prior
        from harness.searching.tracing import of_proposals

        answered, task, seed = material.answers["targets"], material.task, material.seed
        if self._last is None or self._last[0] is not answered:
            own = of_proposals(answered, task, FROM_PROPOSALS, seed)
            self._last = answered, (own, from_prior(answered, task, FROM_PRIOR, seed))
        return self._last[1]

    def numbers(self, scores: Scores) -> Iterator[Number]:
        for who, traces in (("", scores.own), ("prior_", scores.prior)):
            for search, found in traces.items():
                yield None, f"{who}{search}_needed", found.needed
                for calls, mean, median in zip(found.calls, found.mean, found.median, strict=True):
                    yield "nmse", f"{who}{search}_mean", mean, calls
                    yield "nmse", f"{who}{search}_median", median, calls

    def tables(self) -> dict[str, Shown[Table]]:
        return {"metered": Shown(_build, place=17, reads=())}

    def figures(self) -> dict[str, Shown[Figure]]:
        return {"metered": Shown(_draw, place=46)}


def _build(groups: Sequence[Group], metric: str | None, published: bool) -> list[Table]:
    return [_table(group) for group in groups if group.scored(Metered)]


def _table(group: Group) -> Table:
    first: Scores = group.score(Metered)
    shown = [count for count in first.prior["none"].calls if math.log10(count).is_integer()]
    last = first.prior["none"].calls[-1]
    shown += [] if last in shown else [last]
    needed = {search: found.needed for search, found in first.prior.items() if found.needed is not None}
    best = min(needed.items(), key=lambda item: item[1], default=("", float(last)))
    every = [_raw(row, search, *best, last) for row in group.rows for search in FROM_PROPOSALS]
    rows = [raw for raw in every if raw is not None]
    rows += [_of_prior(search, found) for search, found in first.prior.items()]
    floor, medians = group.floor("nmse"), [(f"median_{count}", count) for count in shown]
    columns = [
        Column("search", lambda raw: str(raw["search"])),
        *(Column(numbered(count, "call"), partial(_number, key=key), floor=floor, value=key) for key, count in medians),
        Column("reached", lambda raw: share(raw["reached"])),
        Column("calls needed", partial(_number, key="needed")),
        Column("learning pays from", _pays, value="pays"),
    ]
    cost = f"; a simulation takes {number(first.cost)} ms of CPU time" if first.cost else ""
    said = [
        f"{METRICS['nmse'].words}; the least of so many calls to the true forward model, the median of "
        f"{numbered(first.targets, 'target')}{cost}",
        "search: none looks at proposals, or draws, in turn; lm: Levenberg-Marquardt from the best of the next "
        "ten, gradients by finite differences, each of which is a call; cma-es and de: an evolution strategy and "
        "differential evolution",
        f"a search ends at an nmse of {ENOUGH:g}; reached, with all calls, and calls needed, in the median: to one of "
        f"{first.accuracy:g}",
        "learning pays from: the number of targets from which the pairs that were simulated to learn from, and the "
        "calls needed for each target, are fewer than those of the best search from the prior; – where there is none, "
        "or the method does not reach the median target; ≤ where no search from the prior reaches it",
    ]
    if any(row.get("pays_low") for row in rows):
        said.append("the interval of where learning pays is of these targets, and ends in ∞ where it may never pay")
    if any(row.get("doubt") for row in rows):
        said.append(
            f"not known: {numbered(first.targets, 'target')} cannot tell the first proposals of the method from "
            "draws of the prior"
        )
    said += notes.floor(group, "nmse")
    return table("metered", "Calls to the true forward model", group, columns, rows, said)


def _raw(row: Row, search: str, best: str, prior: float, last: int) -> dict[str, Any] | None:
    found: Scores | None = row.score(Metered)
    if found is None or search not in found.own:
        nothing = dict.fromkeys(("search", "reached", "needed", "pays"))
        return {**base(row), **nothing} if search == "none" else None

    def of(read: Callable[[Trace], float | None]) -> float | None:
        return row.mean(lambda scores: read(scores.own[search]), Metered)

    def median(place: int) -> float | None:
        return of(lambda own: own.median[place])

    data, needed, learned = row.done[0].data, of(lambda own: own.needed), _learned(row)
    pairs = data.n_train + data.n_valid if data and learned else 0
    pays = pays_from(pairs, needed, prior) if pairs else None
    firsts = [row.of_targets(Metered.name, kept(*name)) for name in ((search, FIRST, False), (best, FIRST, True))]
    known = pairs and needed is not None and best and all(first.size for first in firsts)
    low, high = pays_between(pairs, firsts[0], np.minimum(firsts[1][0], last)) if known else (None, None)
    return {
        **base(row),
        **{f"median_{count}": median(place) for place, count in enumerate(found.own[search].calls)},
        "search": search,
        "reached": of(lambda own: own.reached[-1]),
        "needed": needed,
        "pays": pays,
        "pays_low": low,
        "pays_high": high,
        "doubt": learned is None,
        "sure": bool(best),
    }


def _learned(row: Row) -> bool | None:
    """Whether first proposals are better than draws of the prior, as far as errors are kept; None where in doubt."""
    if row.first.declared.method.name == LEARNS_NOTHING:
        return False
    own, drawn = (of_row(row, Metered.name, kept("none", 1, unlearned), ENOUGH) for unlearned in (False, True))
    apart = -1 if own is None or drawn is None else comparing.apart(own, drawn)
    return apart < 0 if apart else None


def _of_prior(search: str, found: Trace) -> dict[str, Any]:
    nobody = {"method": UNLEARNED, "status": "ok", "baseline": True, "seeds": 0}
    medians = {f"median_{count}": value for count, value in zip(found.calls, found.median, strict=True)}
    return {**nobody, "search": search, **medians, "reached": found.reached[-1], "needed": found.needed, "pays": None}


def _pays(raw: Raw) -> str:
    if raw.get("doubt"):
        return "not known"
    return pays(raw) if raw["pays"] is None or raw["sure"] else f"≤ {number(raw['pays'])}"


def pays(raw: Raw) -> str:
    """From how many targets on learning pays, ∞ for never, with the interval where it is known.

    Args:
        raw: of a row of the table.
    """
    middle, low, high = (raw.get(key) for key in ("pays", "pays_low", "pays_high"))
    if low is None or high is not None:
        return interval(middle, low, high)
    return f"{'∞' if middle is None else number(middle)} ({number(low)}–∞)"


def _number(raw: Raw, key: str) -> str:
    return number(raw.get(key))


def _draw(groups: Sequence[Group], metric: str | None, published: bool) -> list[Figure]:
    """The median error against calls: a panel for each search from proposals, beside searches from the prior."""
    scored = [group for group in groups if group.scored(Metered)]
    axes = Axis("calls for a target", log=True), Axis("median of the least nmse", log=True)
    panels = []
    for heading, group in zip(headings(scored), scored, strict=True):
        first: Scores = group.score(Metered)
        for search in FROM_PROPOSALS:
            rows = [(row.label, found) for row in group.rows if (found := row.score(Metered)) and search in found.own]
            series = tuple(_series(label, found.own[search]) for label, found in rows)
            guides = tuple(
                Guide("curve", label=label, points=_points(first.prior[name]), front=place > 0)
                for place, (name, label) in enumerate(zip(BESIDE[search], MEANS, strict=True))
                if name in first.prior
            )
            panels += [Panel(f"{heading}, {search}", *axes, series, guides)] * bool(series)
    said = (
        "the least nmse of so many calls to the true forward model for one target, the median over targets: of "
        "proposals in turn (none), and of Levenberg-Marquardt from the best of each ten (lm)",
        "grey: the same search from draws of the prior; dashed: a global one, differential evolution beside none and "
        "CMA-ES beside lm",
    )
    return [Figure("metered", "Error and calls", tuple(panels), said, beside="metered")] if panels else []


def _series(label: str, found: Trace) -> Series:
    calls, medians = zip(*_points(found), strict=True)
    return Series(label, calls, medians)


def _points(found: Trace) -> tuple[tuple[float, float], ...]:
    return tuple((float(calls), max(value, ENOUGH)) for calls, value in zip(found.calls, found.median, strict=True))
