"""The methods that keep to a budget, which of them is the best, and how sure that is: what tables of advice share."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from harness import comparing
from harness.comparing import SEEDS
from harness.metrics import METRICS
from harness.protocols.inference_time import InferenceTime, per_distinct
from harness.protocols.r_t import RT, curve, errors_of, trials, untrained
from harness.reporting import notes
from harness.reporting.apart import between, needed, of_row
from harness.reporting.groups import Group
from harness.reporting.numbers import MISSING, number, numbered, printed
from harness.reporting.rows import Row
from harness.reporting.table import VALID, Column, Raw


@dataclass(frozen=True)
class Choice:
    """A method with its error within a budget."""

    row: Row
    error: float
    kept: tuple[str, str] | None
    """The protocol that keeps the errors of each target, and their name there; None where they are not kept."""
    least: float
    """Errors below count as this one."""
    floor: float
    """The error below which differences mean nothing."""
    how: str = ""
    """What is done besides, such as how gaps are filled."""

    @property
    def label(self) -> str:
        """The method, and what is done besides."""
        return f"{self.row.label} ({self.how})" if self.how else self.row.label

    @property
    def drawn(self) -> comparing.Drawn | None:
        """What the bootstrap draws of its errors; None where these are not known."""
        return of_row(self.row, *self.kept, self.least) if self.kept else None


def columns(metric: str, *asked: str) -> tuple[Column, ...]:
    """The columns of a table of advice.

    Args:
        metric: of the errors.
        asked: the names of those behind the task, which say what is asked.
    """
    return (
        *(Column(name, partial(_text, key=name), status=None) for name in ("task", *asked)),
        Column("use", partial(_text, key="method"), status=None),
        Column(metric, partial(_number, key="error"), status=None),
        Column("next best", partial(_text, key="next"), status=None),
        Column(f"its {metric}", partial(_number, key="next_error"), status=None),
        Column("sure", _told, status=None),
    )


def counted(group: Group, simulations: Sequence[int]) -> list[int]:
    """The T of a group's curves that are nearest below so many simulations, without duplicates.

    Args:
        group: with r_T curves.
        simulations: budgets.
    """
    each = ([count for count in trials(group) if count <= wanted] for wanted in simulations)
    return list(dict.fromkeys(max(counts) for counts in each if counts))


def text_of_simulations(count: int) -> str:
    """A budget of simulations in words.

    Args:
        count: how many.
    """
    return numbered(count, "simulation")


def text_of_seconds(*limits: float) -> str:
    """A budget of time in words, or the first and the last of several.

    Args:
        limits: seconds.
    """
    return f"{' to '.join(map(printed, limits))} s a design"


def choices(group: Group, metric: str, count: int, limit: float | None = None, how: str = "") -> list[Choice]:
    """The methods that keep to a budget, the best first; none of which a seed has no numbers.

    Args:
        group: the rows.
        metric: `nmse`, `mse` or `sse`.
        count: simulations T, of which the best proposal is taken.
        limit: seconds for one design; None for any time.
        how: what is done besides.
    """
    found, kept = [], errors_of(group, metric, count)
    for row in able(group, limit):
        values = curve(row, metric, {}) if row.score(RT) else {}
        error = values.get(f"r_{count}")
        if error is not None and (values["valid"] or 0.0) >= VALID:
            found.append(Choice(row, error, kept, group.negligible(metric), group.floor(metric), how))
    return sorted(found, key=lambda choice: choice.error)


def able(group: Group, limit: float | None) -> Iterator[Row]:
    """The rows of which no seed lacks numbers, and that are fast enough.

    Args:
        group: the rows.
        limit: seconds for one design; None for any time.
    """
    for row in group.rows:
        taken = None if limit is None else row.mean(per_distinct, InferenceTime)
        if row.status == "ok" and (limit is None or (taken is not None and taken <= limit)):
            yield row


def judged(found: Sequence[Choice]) -> dict[str, Any] | None:
    """A row of the table: the best choice and the next one; None where there is none.

    Beside a baseline stands the best method that learns.

    Args:
        found: the best first.
    """
    if not found:
        return None
    best, others = found[0], list(found[1:])
    if best.row.baseline:
        others = [choice for choice in others if not choice.row.baseline] or others
    following = others[0] if others else None
    return {
        "method": best.label,
        "status": best.row.status,
        "baseline": best.row.baseline,
        "error": best.error,
        "next": following.label if following else None,
        "next_error": following.error if following else None,
        "floor": best.floor,
        **_sure(best, following),
    }


def _sure(best: Choice, following: Choice | None) -> dict[str, Any]:
    """Whether one is better than the other on the same targets, and what would be needed to know it.

    None where that is not known, or means nothing.
    """
    nothing = {"sure": None, "needed": ""}
    if following is None or _below(following.error, best.floor):
        return nothing
    one, other = best.drawn, following.drawn
    if one is None or other is None:
        return nothing
    sure = between(one, other)
    found = None if sure else comparing.comparison(one, other, beats=math.nan)
    if found and found.separated and found.log_ratio > 0:
        return {"sure": sure, "needed": f"{following.label} by the ratio"}
    return {"sure": sure, "needed": needed(found) if found else ""}


def _text(raw: Raw, key: str) -> str:
    return str(raw[key] or MISSING)


def _number(raw: Raw, key: str) -> str:
    text = number(raw[key])
    return f"({text})" if raw[key] is not None and raw[key] < raw["floor"] else text


def _below(error: float | None, floor: float) -> bool:
    return error is not None and error <= floor


def _told(raw: Raw) -> str:
    if raw["needed"] is None:
        return MISSING
    if raw["sure"] is None:
        return "below the floor" if _below(raw["next_error"], raw["floor"]) else "not known"
    return "yes" if raw["sure"] else f"no: {raw['needed']}" if raw["needed"] else "no"


def limits(groups: Sequence[Group], simulations: Sequence[int]) -> Iterator[str]:
    """Where fewer simulations are known than were asked for.

    Args:
        groups: with r_T curves.
        simulations: budgets.
    """
    for group in groups:
        most = max(trials(group))
        if max(simulations, default=0) > most:
            yield f"{group.task}: r_T is known up to {most} simulations, and more are answered by these"


def meanings(metric: str, groups: Sequence[Group]) -> Iterator[str]:
    """What the columns of a table of advice mean, and what a reader must know of its records.

    Args:
        metric: of the errors.
        groups: that the table is of.
    """
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
