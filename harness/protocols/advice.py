"""Which method to use: for each task the best within a budget of seconds or of simulations, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from harness.metrics import METRICS
from harness.protocols.contract import Number, Protocol, Shown
from harness.protocols.inference_time import InferenceTime, per_distinct
from harness.protocols.r_t import RT, curve, trials
from harness.reporting import notes
from harness.reporting.figure import headings
from harness.reporting.groups import Group
from harness.reporting.numbers import number
from harness.reporting.rows import Row
from harness.reporting.table import VALID, Column, Raw, Table

SECONDS = (0.001, 0.01, 0.1, 1.0)
"""Budgets of time for one design, without any simulation of it."""
SIMULATIONS = (1, 10, 200)
"""Budgets of simulations: the best of so many proposals is taken, whatever time they take."""


@dataclass(frozen=True)
class Choice:
    """A method with its error within a budget, and the interval of it."""

    row: Row
    error: float
    low: float
    high: float


class Advice(Protocol):
    """The best method for each task and budget; it asks nothing of its own."""

    name: ClassVar[str] = "advice"
    score_type: ClassVar[type] = RT.score_type

    def numbers(self, scores: Any) -> Iterator[Number]:
        return iter(())

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
    """The table of which method to use; none where no task has r_T curves."""
    scored = [group for group in groups if trials(group)]
    rows = [
        {"task": heading, **raw}
        for heading, group in zip(headings(scored), scored, strict=True)
        for raw in _raws(group, metric, seconds, simulations)
    ]
    if not rows:
        return []
    facts = {**notes.facts(scored[0], metric), "title": "Which method to use", "task": None}
    facts |= {"split": None, "targets": None, "budget": None}
    columns = (
        Column("task", lambda raw: str(raw["task"]), status=None),
        Column("within", lambda raw: str(raw["within"]), status=None),
        Column("use", lambda raw: str(raw["use"]), status=None),
        Column(metric, partial(_number, key="error"), status=None),
        Column("next best", lambda raw: str(raw["next"] or "–"), status=None),
        Column(f"its {metric}", partial(_number, key="next_error"), status=None),
        Column("sure", lambda raw: {True: "yes", False: "no", None: "–"}[raw["sure"]], status=None),
    )
    return [Table("advice", "Which method to use", facts, columns, tuple(rows), tuple(_notes(metric, scored)))]


def _raws(group: Group, metric: str, seconds: Sequence[float], simulations: Sequence[int]) -> Iterator[dict[str, Any]]:
    counts = trials(group)
    known = [count for count in dict.fromkeys(min(wanted, counts[-1]) for wanted in simulations) if count in counts]
    for count in known:
        yield from _raw(f"{count} simulation{'s' * (count > 1)}", _choices(group, metric, count, None))
    for limit in seconds:
        yield from _raw(f"{number(limit, 1)} s a design", _choices(group, metric, counts[0], limit))


def _choices(group: Group, metric: str, count: int, limit: float | None) -> list[Choice]:
    """The methods that keep to a budget, the best first."""
    found = []
    for row in group.rows:
        if not row.scores(RT) or (limit is not None and not _fast(row, limit)):
            continue
        values = curve(row, metric, {})
        error, spread = values.get(f"r_{count}"), values.get(f"r_{count}_deviation")
        if error is None or (values["valid"] or 0.0) < VALID:
            continue
        low = error - 2 * spread if spread is not None else values.get(f"r_{count}_low", error)
        high = error + 2 * spread if spread is not None else values.get(f"r_{count}_high", error)
        found.append(Choice(row, error, low, high))
    return sorted(found, key=lambda choice: choice.error)


def _fast(row: Row, limit: float) -> bool:
    taken = row.mean(per_distinct, InferenceTime)
    return taken is not None and taken <= limit


def _raw(within: str, choices: Sequence[Choice]) -> Iterator[dict[str, Any]]:
    """The best choice; beside a baseline stands the best method that learns."""
    if not choices:
        return
    best, others = choices[0], list(choices[1:])
    if best.row.baseline:
        others = [choice for choice in others if not choice.row.baseline] or others
    following = others[0] if others else None
    yield {
        "within": within,
        "use": best.row.label,
        "baseline": best.row.baseline,
        "error": best.error,
        "next": following.row.label if following else None,
        "next_error": following.error if following else None,
        "sure": best.high < following.low if following else None,
    }


def _number(raw: Raw, key: str) -> str:
    return number(raw[key])


def _notes(metric: str, groups: Sequence[Group]) -> Iterator[str]:
    yield f"within so many simulations: the least mean {metric} of the best of so many proposals (r_T), at any speed"
    yield "within so many s a design: the least mean error of one proposal, of the methods that give one in that time"
    yield METRICS[metric].words
    yield "next best: where a baseline is the best, the best of the methods that learn"
    yield (
        "sure: whether the intervals of the two errors, 95 % over targets or ± two deviations over seeds, do not meet; "
        "a difference that is not sure may be the other way round"
    )
    yield "a method that returns training designs finds nothing new: see the table novelty"
    yield from notes.hardware(groups)
