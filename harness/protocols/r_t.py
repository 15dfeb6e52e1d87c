"""r_T, the expected best error of T proposals (Ren et al. 2020, eq. 11; their Tables 3 and 7)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, ClassVar

import numpy as np

from harness.metrics import METRICS
from harness.protocols.contract import Answered, Material, Number, Protocol, Question, Shown
from harness.protocols.multi_target import MultiTarget
from harness.protocols.shared import many, trials_refused
from harness.reporting import notes
from harness.reporting.apart import Apart, by_targets
from harness.reporting.build import base, table
from harness.reporting.groups import Group
from harness.reporting.numbers import deviation, interval, number, printed
from harness.reporting.published import Published, comparable, find
from harness.reporting.rows import Row
from harness.reporting.table import Column, Raw, Table
from harness.settings import Sizes, setting
from harness.statistics import Array, best_of_first, bootstrap_interval, expected_best

ERRORS = ("mse", "sse", "nmse")
TRIALS = (1, 10, 20, 30, 40, 50, 100, 200)
MIDDLE = 10
"""The T between the first and the last at which the r_T of each target is kept."""


@dataclass(frozen=True)
class Options:
    """Options of r_T."""

    trials: tuple[int, ...] = setting(TRIALS, help="the T, as far as there are so many proposals", least=1)
    bootstrap: int = setting(1000, help="resamples behind an interval", least=1)


@dataclass(frozen=True)
class Curve:
    """r_T at each T, with its 95 % bootstrap interval over targets."""

    value: list[float]
    low: list[float]
    high: list[float]


@dataclass(frozen=True)
class Scores:
    """The curves."""

    T: list[int]
    estimator: str
    proposals: int
    """For each target."""
    generated: float
    """Candidates that were drawn or optimised for one target to return its proposals."""
    valid: float
    """Share of the designs that are valid."""
    curves: dict[str, Curve]
    """By metric; an invalid design counts with the mean error of a draw from the prior, at every T."""


class RT(Protocol):
    """The expected best error of T proposals, mean over the targets."""

    name: ClassVar[str] = "r_T"
    references: ClassVar[tuple[str, ...]] = ("Ren, Padilla, Malof 2020, eq. 11",)
    Options: ClassVar[type] = Options
    score_type: ClassVar[type] = Scores

    def questions(self, sizes: Sizes) -> dict[str, Question]:
        return {"targets": many(sizes)}

    def score(self, material: Material) -> Scores:
        answered = material.answers["targets"]
        trials = [count for count in self.options.trials if count <= answered.answer.x.shape[1]]
        ranked = answered.answer.ranked
        return Scores(
            trials,
            "best of the first T as ranked" if ranked else "expected best of random T",
            answered.question.n,
            answered.answer.generated,
            answered.valid,
            {metric: self._curve(answered, metric, trials, material.seed) for metric in METRICS},
        )

    def _curve(self, answered: Answered, metric: str, trials: list[int], seed: int) -> Curve:
        estimate = best_of_first if answered.answer.ranked else expected_best
        errors = answered.counted(metric)
        best = np.stack([estimate(errors, count) for count in trials], 1)
        low, high = bootstrap_interval(best, self.options.bootstrap, seed)
        return Curve(best.mean(0).tolist(), low.tolist(), high.tolist())

    def by_target(self, material: Material) -> Mapping[str, Array]:
        """The expected best of 1, of 10 and of all T for each target."""
        answered = material.answers["targets"]
        estimate = best_of_first if answered.answer.ranked else expected_best
        counts = kept([count for count in self.options.trials if count <= answered.answer.x.shape[1]])
        errors = {metric: answered.counted(metric) for metric in METRICS}
        return {of_targets(metric, count): estimate(errors[metric], count) for metric in METRICS for count in counts}

    def refusal(self, sizes: Sizes | None = None) -> str | None:
        return trials_refused(self.options.trials, many(sizes).n if sizes else None)

    def numbers(self, scores: Scores) -> Iterator[Number]:
        for metric, curve in scores.curves.items():
            for place, count in enumerate(scores.T):
                yield metric, f"r_{count}", curve.value[place], count
                yield metric, f"r_{count}_low", curve.low[place], count
                yield metric, f"r_{count}_high", curve.high[place], count

    def tables(self) -> dict[str, Shown[Table]]:
        return {"r_T": Shown(_build, place=40, metrics=ERRORS, reads=(), plain=True)}


def of_targets(metric: str, count: int) -> str:
    """The name of the r_T of each target among what is kept of them."""
    return f"{metric} r_{count}"


def spaced(counts: Sequence[int]) -> list[int]:
    """The T that a reader is shown: the ends, and between them each that is at least twice the one before."""
    shown = list(counts[:1])
    for count in counts[1:-1]:
        if 2 * shown[-1] <= count:
            shown.append(count)
    return shown + list(counts[1:][-1:])


def trials(group: Group) -> list[int]:
    """The T of a group's curves."""
    first: Scores | None = group.score(RT)
    return first.T if first else []


def curve(row: Row, metric: str, shown: Mapping[int, Published]) -> dict[str, Any]:
    """The raw values of a curve: r_T with its interval over targets, or its deviation over seeds."""
    raw = dict(_measured(row, metric))
    for count, value in shown.items():
        if f"r_{count}" in raw:
            raw |= {f"r_{count}_published": value.value, f"r_{count}_published_difference": value.difference}
    return raw


@lru_cache(maxsize=4096)  # several tables and figures of a report show the same curve
def _measured(row: Row, metric: str) -> Mapping[str, Any]:
    raw: dict[str, Any] = {"valid": row.mean("valid", RT)}
    first: Scores | None = row.score(RT)
    for place, count in enumerate(first.T if first else ()):

        def end(scores: Scores, which: str, place: int = place) -> float:
            found: float = getattr(scores.curves[metric], which)[place]
            return found

        key = f"r_{count}"
        raw[key] = row.mean(partial(end, which="value"), RT)
        if len(row.done) > 1:
            raw[f"{key}_deviation"] = row.spread(partial(end, which="value"), RT)
        else:
            raw.update({f"{key}_{which}": row.mean(partial(end, which=which), RT) for which in ("low", "high")})
    return raw


def lookup(group: Group, row: Row, metric: str) -> dict[int, Published]:
    """The published values of a row's curve, by T."""
    values = {count: find(f"r_{count}", group.task, row.label) for count in trials(group)}
    return {count: value for count, value in values.items() if value and comparable(value, metric, group.y_dim)}


def _build(groups: Sequence[Group], metric: str | None, published: bool) -> list[Table]:
    return [_table(group, str(metric), published) for group in groups if trials(group)]


def _table(group: Group, metric: str, published: bool) -> Table:
    shown = {row.label: lookup(group, row, metric) if published else {} for row in group.rows}
    rows = [{**base(row), **_order(row), **curve(row, metric, shown[row.label])} for row in group.rows]
    counts = trials(group)
    columns = [Column("drawn", lambda raw: number(raw["generated"], 3))] if any(_extra(row) for row in rows) else []
    floor = group.floor(metric)
    columns += [
        _column(count, count in (counts[0], counts[-1]), floor, told(group, metric, count)) for count in spaced(counts)
    ]
    values = [value for by_count in shown.values() for value in by_count.values()]
    extra = [meaning(metric), METRICS[metric].words, notes.INVALID, *untrained(group, metric), *_notes(group, rows)]
    if values:
        extra += ["[in brackets]: the published value", *notes.published(values)]
    return table("r_T", "r_T, best of T proposals", group, columns, rows, extra, metric)


def untrained(group: Group, metric: str) -> Iterator[str]:
    """Which methods have learned nothing yet, by the error of one proposal."""
    one = {row.label: curve(row, metric, {}).get("r_1") for row in group.rows}
    return notes.untrained(group, metric, one)


def meaning(metric: str) -> str:
    """What r_T is, for the notes of a table."""
    return f"r_T: best {metric} among T proposals, mean over the targets"


def _order(row: Row) -> dict[str, Any]:
    first: Scores | None = row.score(RT)
    if first is None:
        return {"estimator": None, "generated": None, "returned": None}
    return {"estimator": first.estimator, "generated": first.generated, "returned": first.proposals}


def _extra(raw: Raw) -> bool:
    return bool(raw["generated"] != raw["returned"])


def told(group: Group, metric: str, count: int) -> Apart | None:
    """Whether the best of T proposals tells two rows apart; None at a T that is not kept of the targets."""
    where = errors_of(group, metric, count)
    return by_targets(group, metric, *where, f"r_{count}") if where else None


def errors_of(group: Group, metric: str, count: int) -> tuple[str, str] | None:
    """Which protocol keeps the best of T proposals of each target, and by which name; None at other T.

    Records that were scored before r_1 was kept have in its place what a proposal errs in the mean.
    """
    own = RT.name, of_targets(metric, count)
    if any(row.keeps(*own) for row in group.rows):
        return own
    return (MultiTarget.name, metric) if count == 1 else None


def kept(counts: Sequence[int]) -> list[int]:
    """The T at which the r_T of each target is kept: 1, 10 and the last."""
    return [count for count in counts if count in (1, MIDDLE, max(counts))]


def _column(count: int, ends: bool, floor: float, told: Apart | None) -> Column:
    key = f"r_{count}"
    text = partial(_spread if ends else _plain, key=key)
    shown = partial(Column, f"T={count}", text, beside=partial(bracket, key=key), floor=floor, value=key)
    return shown(best=key, apart=told) if told else shown()


def _plain(raw: Raw, key: str) -> str:
    return number(raw.get(key))


def _spread(raw: Raw, key: str) -> str:
    if f"{key}_deviation" in raw:
        return deviation(raw.get(key), raw[f"{key}_deviation"], digits=2)
    return interval(raw.get(key), raw.get(f"{key}_low"), raw.get(f"{key}_high"))


def bracket(raw: Raw, key: str) -> str:
    """The published value of a column in brackets."""
    value = raw.get(f"{key}_published")
    return "" if value is None else f" [{printed(value)}]"


def _notes(group: Group, rows: Sequence[Raw]) -> Iterator[str]:
    estimators: dict[str, list[str]] = {}
    for raw in rows:
        if raw["estimator"]:
            estimators.setdefault(raw["estimator"], []).append(raw["method"])
    for estimator, labels in estimators.items():
        yield estimator if len(estimators) == 1 else f"{estimator}: {', '.join(labels)}"
    if any(len(row.done) == 1 for row in group.rows):
        yield "(low–high): 95 % bootstrap interval over targets"
    if any(len(row.done) > 1 for row in group.rows):
        yield "± over seeds (trainings)"
    if any(_extra(raw) for raw in rows):
        yield "drawn: candidates that are drawn or optimised for one target to return its proposals"
    left = [str(count) for count in trials(group) if count not in spaced(trials(group))]
    if left:
        yield f"r_T at T = {', '.join(left)} is in the csv and json formats"
