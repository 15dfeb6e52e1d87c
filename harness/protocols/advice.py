"""Which method to use: for each task the best within a budget of seconds or of simulations, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any, ClassVar

from harness.comparing import SEEDS
from harness.metrics import METRICS
from harness.protocols.contract import Protocol, Shown
from harness.protocols.inference_time import InferenceTime, per_distinct
from harness.protocols.r_t import RT, curve, errors_of, told, trials, untrained
from harness.reporting import notes
from harness.reporting.apart import compared, needed
from harness.reporting.figure import headings
from harness.reporting.groups import Group
from harness.reporting.numbers import number, printed
from harness.reporting.rows import Row
from harness.reporting.table import VALID, Column, Raw, Table

SECONDS = (0.001, 0.01, 0.1, 1.0)
"""Budgets of time for one design, without any simulation of it."""
SIMULATIONS = (1, 10, 200)
"""Budgets of simulations: the best of so many proposals is taken, whatever time they take."""


@dataclass(frozen=True)
class Choice:
    """A method with its error within a budget."""

    row: Row
    error: float


class Advice(Protocol):
    """The best method for each task and budget; it asks nothing of its own."""

    name: ClassVar[str] = "advice"

    def tables(self) -> dict[str, Shown[Table]]:
        return {"advice": Shown(_build, place=5, metrics=("nmse", "mse", "sse"))}


def _build(groups: Sequence[Group], metric: str | None, published: bool) -> list[Table]:
    return advice(groups, str(metric))


def advice(
    groups: Sequence[Group],
    metric: str,
    seconds: Sequence[float] = SECONDS,
    simulations: Sequence[int] = SIMULATIONS,
) -> list[Table]:
    """The table of which method to use; none where no task has r_T curves.

    Args:
        groups: records as `harness.reporting.grouped` gives them.
        metric: `nmse`, `mse` or `sse`.
        seconds: budgets of time for one design, without any simulation of it.
        simulations: budgets T, of which the best proposal is taken.
    """
    scored = [group for group in groups if trials(group)]
    rows = [
        {"task": heading, **raw}
        for heading, group in zip(headings(scored), scored, strict=True)
        for raw in _raws(group, metric, seconds, simulations)
    ]
    if not rows:
        return []
    facts = notes.of_several(scored[0], "Which method to use", metric) | {"budget": None}
    columns = (
        Column("task", lambda raw: str(raw["task"]), status=None),
        Column("within", lambda raw: str(raw["within"]), status=None),
        Column("use", lambda raw: str(raw["method"]), status=None),
        Column(metric, partial(_number, key="error"), status=None),
        Column("next best", lambda raw: str(raw["next"] or "–"), status=None),
        Column(f"its {metric}", partial(_number, key="next_error"), status=None),
        Column("sure", _told, status=None),
    )
    said = tuple(_notes(metric, scored, simulations))
    return [Table("advice", "Which method to use", facts, columns, tuple(rows), said)]


def _raws(group: Group, metric: str, seconds: Sequence[float], simulations: Sequence[int]) -> Iterator[dict[str, Any]]:
    counts = sorted(trials(group))
    for count in dict.fromkeys(max(able) for wanted in simulations if (able := [n for n in counts if n <= wanted])):
        within = f"{count} simulation{'s' * (count > 1)}"
        yield from _raw(within, _choices(group, metric, count, None), group, metric, count)
    limits = [
        (limit, raw)
        for limit in (seconds if counts[0] == 1 else ())
        for raw in _raw("", _choices(group, metric, 1, limit), group, metric, 1)
    ]
    for _, alike in groupby(limits, key=lambda item: item[1]):
        (first, raw), *more = alike
        span = printed(first) + (f" to {printed(more[-1][0])}" if more else "")
        yield {**raw, "within": f"{span} s a design"}


def _choices(group: Group, metric: str, count: int, limit: float | None) -> list[Choice]:
    """The methods that keep to a budget, the best first; none of which a seed has no numbers."""
    found = []
    for row in group.rows:
        if row.status != "ok" or row.score(RT) is None or (limit is not None and not _fast(row, limit)):
            continue
        values = curve(row, metric, {})
        error = values.get(f"r_{count}")
        if error is not None and (values["valid"] or 0.0) >= VALID:
            found.append(Choice(row, error))
    return sorted(found, key=lambda choice: choice.error)


def _fast(row: Row, limit: float) -> bool:
    taken = row.mean(per_distinct, InferenceTime)
    return taken is not None and taken <= limit


def _raw(within: str, choices: Sequence[Choice], group: Group, metric: str, count: int) -> Iterator[dict[str, Any]]:
    """The best choice with so many proposals; beside a baseline stands the best method that learns."""
    if not choices:
        return
    best, others = choices[0], list(choices[1:])
    if best.row.baseline:
        others = [choice for choice in others if not choice.row.baseline] or others
    following = others[0] if others else None
    yield {
        "within": within,
        "method": best.row.label,
        "status": best.row.status,
        "baseline": best.row.baseline,
        "error": best.error,
        "next": following.row.label if following else None,
        "next_error": following.error if following else None,
        "floor": group.floor(metric),
        **_sure(best, following, group, metric, count),
    }


def _sure(best: Choice, following: Choice | None, group: Group, metric: str, count: int) -> dict[str, Any]:
    """Whether one is better than the other on the same targets, and what would be needed to know it.

    None where that is not known, or means nothing.
    """
    apart, where = told(group, metric, count), errors_of(group, metric, count)
    if following is None or apart is None or where is None or _below(following.error, group.floor(metric)):
        return {"sure": None, "needed": ""}
    sure = apart({"method": best.row.label}, {"method": following.row.label})
    found = None if sure else compared(best.row, following.row, *where, group.negligible(metric))
    if found and found.separated and found.log_ratio > 0:
        return {"sure": sure, "needed": f"{following.row.label} by the ratio"}
    return {"sure": sure, "needed": needed(found) if found else ""}


def _number(raw: Raw, key: str) -> str:
    text = number(raw[key])
    return f"({text})" if raw[key] is not None and raw[key] < raw["floor"] else text


def _below(error: float | None, floor: float) -> bool:
    return error is not None and error <= floor


def _told(raw: Raw) -> str:
    if raw["sure"] is None:
        return "below the floor" if _below(raw["next_error"], raw["floor"]) else "not known"
    return "yes" if raw["sure"] else f"no: {raw['needed']}" if raw["needed"] else "no"


def _notes(metric: str, groups: Sequence[Group], simulations: Sequence[int]) -> Iterator[str]:
    for group in groups:
        most = max(trials(group))
        if tuple(simulations) != SIMULATIONS and max(simulations, default=0) > most:
            yield f"{group.task}: r_T is known up to {most} simulations, and more are answered by these"
    yield f"within so many simulations: the least mean {metric} of the best of so many proposals (r_T), at any speed"
    yield (
        "within so many s a design: the least mean error of one proposal, of the methods that are that fast in "
        "a batch of 1000"
    )
    yield METRICS[metric].words
    yield "next best: where a baseline is the best, the best of the methods that are none"
    several = all(len(row.done) >= SEEDS for group in groups for row in group.rows if row.done)
    yield (
        "sure: whether the difference on the same targets is clear, in the mean and in the ratio (table compare), or "
        "how many targets or seeds would make it so in four of five cases, if it stays as it is; no, … by the ratio: "
        "the next best has the smaller errors by their ratio, target by target, but not in the mean"
        + ("" if several else f". Another training may rank them otherwise: for that, run --seeds 0-{SEEDS - 1}")
    )
    if any(group.floor(metric) for group in groups):
        yield (
            "(in parentheses), below the floor: less than the error of the task's forward model itself or of noise in "
            "its targets, where differences mean nothing"
        )
    yield "a method that returns training designs finds nothing new: see the table novelty"
    for group in groups:
        yield from untrained(group, metric)
    yield from notes.failures([row for group in groups for row in group.rows])
    yield from notes.hardware(groups)
