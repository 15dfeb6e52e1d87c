"""Which method to use in a user's situation, with the evidence for each condition, and for all of them together."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from harness.protocols import together
from harness.protocols.advice import TITLE
from harness.protocols.calls import of_calls
from harness.protocols.choosing import columns, limits, meanings
from harness.protocols.evidence import Evidence, Known, Missing
from harness.protocols.studies import Study, of_base, of_gaps, of_noise, of_pairs, of_study
from harness.reporting import notes
from harness.reporting.bases import learned_alike
from harness.reporting.groups import Group
from harness.reporting.table import Table
from harness.settings import setting

TOGETHER = "all of these"
APART = (
    "no record is of several of these conditions at once: each row is of records of its own, so that it is not known "
    "what the conditions do together"
)
PLAIN = re.compile(r"[\w./,=-]+")
"""What needs no quotes on a command line."""

Again: TypeAlias = Callable[[Sequence[Group], Sequence[str]], tuple[str, str]]
"""The flags of `run` that run some methods, or all of them, as groups were run, and what a reader must know of them."""


@dataclass(frozen=True)
class Situation:
    """What a user has, and what is known of the targets; None where nothing is said of it."""

    pairs: int | None = setting(None, help="pairs that there are to learn from", least=4)
    calls: int | None = setting(None, help="calls of the true simulator for each target", least=1)
    gaps: float | None = setting(None, help="share of y that is not known in the targets", above=0, below=1)
    noise: float | None = setting(None, help="deviation of the noise on y, in that of each y", above=0)
    seconds: tuple[float, ...] = ()
    """Budgets of time for a design."""
    simulations: tuple[int, ...] = ()
    """Budgets of simulations for a target."""


@dataclass(frozen=True)
class Answer:
    """What is known of one task in the situation."""

    heading: str
    known: Known
    rows: tuple[Evidence, ...]
    missing: tuple[Missing, ...]


def advised(
    groups: Sequence[Group], metric: str, situation: Situation, again: Again, out: str
) -> tuple[list[Table], list[str]]:
    """The table of what to use in a situation, none where nothing is known of it; and sentences on what is missing.

    Args:
        groups: records as `harness.reporting.grouped` gives them.
        metric: `nmse`, `mse` or `sse`; calls and noise are of nmse.
        situation: with one condition at least.
        again: how to run what is missing.
        out: the result folder, as the user wrote it.
    """
    groups = [group for group in groups if group.rows]
    answers = [*_answers(groups, metric, situation)]
    missing = [*_missing(answers, again, out)]
    rows = [raw for answer in answers for raw in _rows(answer)]
    if not rows:
        return [], missing
    facts = notes.of_several(groups[0], TITLE, metric) | {"budget": None}
    said = [*_sentences(answers), *missing, *_meanings(answers, metric, situation)]
    return [Table("advice", TITLE, facts, columns(metric, "asked", "records"), tuple(rows), tuple(said))], missing


def _answers(groups: Sequence[Group], metric: str, situation: Situation) -> Iterator[Answer]:
    every = [Known(tuple(alike)) for alike in learned_alike(groups)]
    tasks = [known.task for known in every]
    for known in every:
        found = [*_found(known, metric, situation)]
        yield Answer(
            known.task if tasks.count(known.task) == 1 else f"{known.task} ({known.groups[0].heading})",
            known,
            tuple(item for item in found if isinstance(item, Evidence)),
            tuple(item for item in found if isinstance(item, Missing)),
        )


def _found(known: Known, metric: str, situation: Situation) -> Iterator[Evidence | Missing]:
    for each in _studies(known, situation):
        if isinstance(each, Study):
            yield from of_study(each, metric, situation.seconds, situation.simulations)
            yield from filter(None, [each.absent(known)])
        else:
            yield each
    if situation.calls is not None:
        yield from of_calls(known, situation.calls)


def _studies(known: Known, situation: Situation) -> Iterator[Study | Missing]:
    """What budgets are held to: each condition, or the task without a scenario where there is none but calls."""
    found: list[Study | Missing] = []
    if situation.pairs is not None:
        found.append(of_pairs(known, situation.pairs))
    if situation.gaps is not None:
        gaps = of_gaps(known, situation.gaps)
        found += [gaps] if isinstance(gaps, Missing) else gaps
    if situation.noise is not None:
        found.append(of_noise(known, situation.noise))
    if not found and (situation.seconds or situation.simulations):
        found.append(of_base(known))
    yield from found


def _rows(answer: Answer) -> Iterator[dict[str, Any]]:
    """The evidence and, where there are several rows of it, what leads in all of them."""
    yield from ({"task": answer.heading, **row.raw} for row in answer.rows)
    if len(answer.rows) < 2:
        return
    best, following = together.recommended(answer.rows)
    yield {
        "task": answer.heading,
        "asked": TOGETHER,
        "records": None,
        "method": best,
        "status": "ok",
        "baseline": best is not None and together.baseline(answer.rows, best),
        "error": None,
        "next": following,
        "next_error": None,
        "floor": 0.0,
        "sure": None,
        "needed": None,
    }


def _sentences(answers: Sequence[Answer]) -> Iterator[str]:
    for answer in answers:
        if len(answer.rows) > 1:
            yield f"{answer.heading}, {TOGETHER}: {together.explained(answer.rows)}"
        yield from (f"{answer.heading}, {row.asked}: {note}" for row in answer.rows for note in row.notes)


def _missing(answers: Sequence[Answer], again: Again, out: str) -> Iterator[str]:
    """A sentence for each thing that is missing, with the tasks of which it is and the command that makes it."""
    found: dict[tuple[Missing, bool, tuple[str, str]], list[Answer]] = {}
    for answer in answers:
        for item in answer.missing:
            found.setdefault((item, bool(answer.rows), again(answer.known.ordered, item.methods)), []).append(answer)
    for (item, some, (flags, remark)), alike in found.items():
        said = f"{', '.join(answer.heading for answer in alike)}: {item.text}"
        said += ", so that the advice leaves that out" * (some and not item.read)
        tasks = quoted(",".join(dict.fromkeys(answer.known.selection for answer in alike)))
        remedy, does = "", ""
        if item.scenarios:
            remedy = f"run {flags} --tasks {tasks} --scenarios {quoted(item.scenarios)}"
            does = f"{item.makes}{remark}"
        elif item.times:
            remedy, does = "time", "measures them"
        elif item.unscored:
            remedy, does = f"rescore --protocols {item.unscored}", "does it where the answers are stored"
        yield f"{said}. `python -m harness {remedy} --out {quoted(out)}` {does}" if remedy else said


def quoted(text: str) -> str:
    """An argument as it is written on a command line.

    Args:
        text: any.

    >>> quoted("gaps[share=0.5]"), quoted("results/quick")
    ('"gaps[share=0.5]"', 'results/quick')
    """
    return text if PLAIN.fullmatch(text) else f'"{text}"'


def _meanings(answers: Sequence[Answer], metric: str, situation: Situation) -> Iterator[str]:
    rows = [row for answer in answers for row in answer.rows]
    groups, scored = (
        list(dict.fromkeys(group for row in some for group in row.groups))
        for some in (rows, [row for row in rows if not row.median])
    )
    if any(len(answer.rows) > 1 for answer in answers):
        yield together.MEANING.format(TOGETHER)
    if any(len({row.records for row in answer.rows}) > 1 for answer in answers):
        yield APART
    if scored:
        yield f"{metric}: the mean of one proposal for each target or, within so many simulations, of the best (r_T)"
    if situation.calls is not None:
        yield (
            "calls: the median of the least nmse of so many. A method alone: its proposals in turn; (lm), (cma-es), "
            "(de): a search from its proposals or from draws of the prior (table metered). Sure is what the ratio of "
            "the errors on the same targets leaves no doubt of"
        )
    if situation.pairs is not None:
        yield "pairs: the records with as many, or with the number that is nearest below"
    if situation.gaps is not None:
        yield (
            "y not known: the records with the nearest share; (nearest), (mean): gaps are filled before a method is "
            "asked; (native): the method itself leaves them out. Errors are those of the entries that are known"
        )
    if situation.noise is not None:
        yield (
            "noise: the records with the nearest deviation, in that of each y; the errors of first proposals against "
            "the y without noise (table scenario)"
        )
    if situation.seconds:
        yield "within so many s a design: of the methods that are that fast in a batch of 1000"
    yield from limits(scored, situation.simulations)
    yield from meanings(metric, groups)
