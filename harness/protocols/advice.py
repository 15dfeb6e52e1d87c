"""Which method to use: for each task the best within a budget of seconds or of simulations, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, ClassVar

from harness.protocols.choosing import (
    choices,
    columns,
    counted,
    judged,
    limits,
    meanings,
    text_of_seconds,
    text_of_simulations,
)
from harness.protocols.contract import Protocol, Shown
from harness.protocols.r_t import trials
from harness.reporting import notes
from harness.reporting.figure import headings
from harness.reporting.groups import Group
from harness.reporting.table import Table

TITLE = "Which method to use"
SECONDS = (0.001, 0.01, 0.1, 1.0)
"""Budgets of time for one design, without any simulation of it."""
SIMULATIONS = (1, 10, 200)
"""Budgets of simulations: the best of so many proposals is taken, whatever time they take."""


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
    every = [group for group in groups if trials(group)]
    # What a scenario asks is another question, which `advise` answers where it is put.
    scored = [group for group in every if group.first.declared.scenario is None] or every
    rows = [
        {"task": heading, **raw}
        for heading, group in zip(headings(scored), scored, strict=True)
        for raw in _raws(group, metric, seconds, simulations)
    ]
    if not rows:
        return []
    facts = notes.of_several(scored[0], TITLE, metric) | {"budget": None}
    said = (*_too_fast(scored, metric, seconds), *_notes(metric, scored, simulations))
    return [Table("advice", TITLE, facts, columns(metric, "within"), tuple(rows), said)]


def _raws(group: Group, metric: str, seconds: Sequence[float], simulations: Sequence[int]) -> Iterator[dict[str, Any]]:
    for count in counted(group, simulations):
        found = judged(choices(group, metric, count))
        yield from [{"within": text_of_simulations(count), **found}] if found else []
    limits = [
        (limit, raw)
        for limit in (seconds if min(trials(group)) == 1 else ())
        if (raw := judged(choices(group, metric, 1, limit)))
    ]
    for _, alike in groupby(limits, key=lambda item: item[1]):
        (first, raw), *more = alike
        yield {"within": text_of_seconds(first, *(limit for limit, _ in more[-1:])), **raw}


def _too_fast(groups: Sequence[Group], metric: str, seconds: Sequence[float]) -> Iterator[str]:
    """Where no method is as fast as was asked; the usual budgets are none that anybody asked for."""
    if tuple(seconds) == SECONDS:
        return
    for heading, group in zip(headings(groups), groups, strict=True):
        for limit in seconds:
            if not choices(group, metric, 1, limit):
                yield f"{heading}: no method has numbers within {text_of_seconds(limit)}"


def _notes(metric: str, groups: Sequence[Group], simulations: Sequence[int]) -> Iterator[str]:
    yield from limits(groups, () if tuple(simulations) == SIMULATIONS else simulations)
    yield f"within so many simulations: the least mean {metric} of the best of so many proposals (r_T), at any speed"
    yield (
        "within so many s a design: the least mean error of one proposal, of the methods that are that fast in "
        "a batch of 1000"
    )
    yield from meanings(metric, groups)
