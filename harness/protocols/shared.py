"""What several protocols share: the two questions, the errors over repeats, and their table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.metrics import METRICS
from harness.options import text_of
from harness.protocols.contract import Answered, Material, Number, Protocol, Question
from harness.reporting import notes
from harness.reporting.apart import Apart, carried
from harness.reporting.build import base, table
from harness.reporting.groups import Group
from harness.reporting.numbers import deviation, number, numbered, printed, share
from harness.reporting.published import Published, comparable, find
from harness.reporting.rows import Row
from harness.reporting.table import Column, Raw, Table
from harness.settings import Sizes
from harness.statistics import Array, HalfPool, Summary, summary

if TYPE_CHECKING:
    from torch import Tensor

ALL = tuple(METRICS)


def many(sizes: Sizes) -> Question:
    """Proposals for each of the targets.

    Args:
        sizes: numbers of proposals and repeats.
    """
    return Question("targets", max(sizes.proposals, sizes.repeats))


def single(sizes: Sizes) -> Question:
    """Proposals for y*, drawn anew in each repeat.

    Args:
        sizes: numbers of proposals and repeats.
    """
    return Question("fixed", sizes.fixed_proposals, sizes.repeats)


def trials_refused(trials: Sequence[int], proposals: int | None) -> str | None:
    """Why these numbers T of proposals cannot be scored; None where they can.

    Args:
        trials: each T.
        proposals: for each target; None where that is not known yet.
    """
    if not trials:
        return "trials names no T. Write some, such as trials=1+10."
    twice = next((count for count in trials if trials.count(count) > 1), None)
    if twice is not None:
        return f"trials = {text_of(trials)} names {twice} twice. Write each T once, such as trials=1+10."
    if proposals is not None and min(trials) > proposals:
        most = numbered(proposals, "proposal")
        return f"trials = {text_of(trials)} is more than the {most}. Allowed: at least one T up to that."
    return None


@dataclass(frozen=True)
class ErrorScores:
    """Errors over repeats."""

    repeats: int
    repeats_from: str
    """What the repeats differ in, in words."""
    valid: float
    """Share of the designs that are valid."""
    in_box: float
    """Share of the designs inside the prior's box."""
    errors: dict[str, Summary]
    """By metric; an invalid design counts with the mean error of a draw from the prior."""


def error_scores(material: Material, answered: Answered, fixed: bool) -> ErrorScores:
    """The errors of an answer: of one proposal for each target, or of many for the fixed one.

    Args:
        material: task, sizes and seed.
        answered: the answer, `(targets, n)` or `(repeats, n)` designs.
        fixed: whether its rows are repeats of the single target y*.
    """
    from harness.distances import inside

    repeats_of = fixed_repeats if fixed else multi_repeats
    seed, sizes = material.seed, material.sizes
    x = answered.answer.x
    return ErrorScores(
        sizes.repeats,
        answered.answer.repeats_from,
        answered.valid,
        float(inside(x, material.task.bounds.cpu()).double().mean()),
        {metric: repeats_of(answered.counted(metric), answered, sizes, seed) for metric in METRICS},
    )


def multi_repeats(errors: Array, answered: Answered, sizes: Sizes, seed: int) -> Summary:
    """One proposal for each target in each repeat.

    Args:
        errors: `(targets, n)`.
        answered: the answer that they are of, which tells what repeats are.
        sizes: the number of repeats.
        seed: of random halves of a pool.
    """
    targets, n = errors.shape
    if answered.answer.pooled:
        pool = HalfPool(n, 1)
        best = pool.best((sizes.repeats, targets), seed)
        exact = float(expected(errors, answered, sizes).mean())
        return pool.corrected(summary(errors[np.arange(targets), best]), exact)
    if answered.answer.ranked:
        return summary(np.repeat(errors[None, :, 0], sizes.repeats, 0))
    return summary(errors[:, : sizes.repeats].T)


def expected(errors: Array, answered: Answered, sizes: Sizes) -> Array:
    """The error of one proposal for each target, its mean over repeats `(targets,)`.

    Args:
        errors: `(targets, n)`.
        answered: the answer that they are of, which tells what repeats are.
        sizes: the number of repeats.
    """
    if answered.answer.pooled:
        return errors @ HalfPool(errors.shape[1], 1).weights()
    return errors[:, 0] if answered.answer.ranked else errors[:, : sizes.repeats].mean(1)


def fixed_repeats(errors: Array, answered: Answered, sizes: Sizes, seed: int) -> Summary:
    """All proposals for y* in each repeat.

    Args:
        errors: `(repeats, n)`, or `(1, N)` of a pool.
        answered: the answer that they are of, which tells what repeats are.
        sizes: the numbers of repeats and of proposals in each.
        seed: of random halves of a pool.
    """
    if not answered.answer.pooled:
        return summary(errors)
    pool = HalfPool(errors.shape[1], sizes.fixed_proposals)
    sampled = summary(errors[0, pool.halves(sizes.repeats, seed)])
    return pool.corrected(sampled, float((errors @ pool.weights())[0]))


def in_repeats(values: Tensor, answered: Answered, count: int, seed: int) -> Tensor:
    """What was proposed for y* in some repeats `(count, n, ...)`.

    Args:
        values: `(repeats, n, ...)`, or `(1, N, ...)` of a pool: the proposals, or something of each of them.
        answered: the answer that they are of, which tells what repeats are.
        count: of repeats, at most.
        seed: of random halves of a pool.
    """
    if not answered.answer.pooled:
        return values[:count]
    asked = answered.question
    return values[0, HalfPool(values.shape[1], asked.n).halves(min(count, asked.repeats), seed)]


def error_numbers(scores: ErrorScores) -> Iterator[Number]:
    """The errors as tidy rows.

    Args:
        scores: of a protocol.
    """
    for metric, found in scores.errors.items():
        yield from ((metric, statistic, value) for statistic, value in asdict(found).items())
    yield None, "valid", scores.valid
    yield None, "in_box", scores.in_box


def error_table(
    protocol: type[Protocol],
    group: Group,
    metric: str,
    published: bool,
    told: Apart,
    beside: Sequence[Column] = (),
    more: Any = None,
) -> Table:
    """The error of each method, its spread and the share of valid designs, beside the papers' values.

    Args:
        protocol: whose scores are `ErrorScores`.
        group: the rows.
        metric: which error.
        published: whether the papers' values are shown.
        told: whether the means of two rows can be told apart.
        beside: further columns.
        more: a function that gives a row's raw values for them.
    """
    name = protocol.name
    found = {row.label: find(name, group.task, row.label) if published else None for row in group.rows}
    shown = {label: value if comparable(value, metric, group.y_dim) else None for label, value in found.items()}
    rows = tuple({**_raw(protocol, row, metric, shown[row.label]), **(more(row) if more else {})} for row in group.rows)
    columns = [*_columns(metric, group.floor(metric), told), *beside]
    origins = [(row.label, scores.repeats_from) for row in group.rows if (scores := row.score(protocol))]
    extra = [METRICS[metric].words, notes.INVALID, *notes.of_all(rows), *notes.spread(group.rows, [group], origins)]
    if name == "multi-target":
        extra += notes.untrained(group, metric, {raw["method"]: raw["mean"] for raw in rows})
        extra += carried(group, name, metric)
    values = list(shown.values())
    if any(values):
        columns.append(Column("published", _published, status=None))
        extra += notes.published(values)
    elif any(found.values()):
        extra.append(f"Published values are {next(v for v in found.values() if v).metric}: see --metric sse")
    return table(name, TITLES[name], group, columns, rows, extra, metric)


TITLES = {"multi-target": "Many targets, one proposal each", "fixed-target": "Many proposals for the fixed target y*"}


def _raw(protocol: type[Protocol], row: Row, metric: str, value: Published | None) -> dict[str, Any]:
    def mean(statistic: str) -> float | None:
        return row.mean(lambda scores: getattr(scores.errors[metric], statistic), protocol)

    spread = row.spread(lambda scores: scores.errors[metric].mean, protocol)
    raw = {
        **base(row),
        "mean": mean("mean"),
        "deviation": mean("std") if len(row.done) < 2 else spread,
        "deviation_over": "seeds" if len(row.done) > 1 else "repeats",
        "median": mean("median"),
        "q90": mean("q90"),
        "valid": row.mean("valid", protocol),
        "in_box": row.mean("in_box", protocol),
    }
    if value:
        raw["published"], raw["published_deviation"] = value.value, value.std
        raw["published_source"], raw["published_difference"] = value.source, value.difference
    return raw


def _columns(metric: str, floor: float, told: Apart) -> list[Column]:
    mean = f"{metric}, mean ± dev."
    return [
        Column(mean, lambda raw: deviation(raw["mean"], raw["deviation"]), "mean", digits=3, floor=floor, apart=told),
        Column("median", lambda raw: number(raw["median"]), floor=floor, value="median"),
        Column("90 %", lambda raw: number(raw["q90"]), floor=floor, value="q90"),
        Column("valid", lambda raw: share(raw["valid"])),
        Column("in box", lambda raw: share(raw["in_box"])),
    ]


def _published(raw: Raw) -> str:
    value, spread = raw.get("published"), raw.get("published_deviation")
    return printed(value) if spread is None else f"{printed(value)} ± {printed(spread)}"
