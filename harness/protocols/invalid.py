"""How much the rule for invalid designs decides: the same errors under four rules, and the places of the methods."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from harness.metrics import METRICS
from harness.protocols.contract import Answered, Material, Number, Protocol, Question, Shown
from harness.protocols.shared import many
from harness.reporting.build import base, table
from harness.reporting.groups import Group
from harness.reporting.numbers import number, share
from harness.reporting.rows import Row
from harness.reporting.table import VALID, Column, Raw, Table
from harness.settings import Sizes, setting

if TYPE_CHECKING:
    from harness.statistics import Array


@dataclass(frozen=True)
class Options:
    """Options of the comparison."""

    designs: int = setting(10, help="first proposals for each target that are looked at, one of a ranking", least=1)


@dataclass(frozen=True)
class Rules:
    """Mean errors over targets and proposals."""

    prior: float | None
    """An invalid design counts with the mean error of a draw from the prior, as in all other tables."""
    constant: float | None
    """It counts with the error of answering with the mean of y."""
    worst: float | None
    """It counts with the largest error of a valid design of the same method."""
    dropped: float | None
    """It is left out."""


RULES = tuple(item.name for item in fields(Rules))


@dataclass(frozen=True)
class Scores:
    """The errors by metric."""

    valid: float
    errors: dict[str, Rules]


class Invalid(Protocol):
    """The mean error of first proposals under four rules for the invalid ones; its table shows where any is invalid."""

    name: ClassVar[str] = "invalid"
    Options: ClassVar[type] = Options
    score_type: ClassVar[type] = Scores

    def questions(self, sizes: Sizes) -> dict[str, Question]:
        return {"targets": many(sizes)}

    def score(self, material: Material) -> Scores:
        answered = material.answers["targets"]
        first = 1 if answered.answer.ranked else self.options.designs
        few = replace(answered, answer=replace(answered.answer, x=answered.answer.x[:, :first]))
        return Scores(few.valid, {metric: _rules(few, metric) for metric in METRICS})

    def numbers(self, scores: Scores) -> Iterator[Number]:
        yield None, "valid", scores.valid
        for metric, rules in scores.errors.items():
            yield from ((metric, f"mean_{rule}", getattr(rules, rule)) for rule in RULES)

    def tables(self) -> dict[str, Shown[Table]]:
        return {"invalid": Shown(_build, place=85, metrics=("nmse", "mse", "sse"), plain=True)}


def _rules(answered: Answered, metric: str) -> Rules:
    errors = answered.errors(metric).numpy()
    invalid = np.isnan(errors)
    if invalid.all():
        return Rules(float(answered.counted(metric).mean()), None, None, None)
    mean = answered.data.known_y.mean(0)
    squares, known = (mean - answered.targets.y).square(), answered.targets.y.isfinite()
    constant = METRICS[metric].of(squares, known, answered.data.y_variance).numpy()[:, None]

    def counting(instead: Array | float) -> float:
        return float(np.where(invalid, instead, errors).mean())

    worst, dropped = float(errors[~invalid].max()), float(errors[~invalid].mean())
    return Rules(float(answered.counted(metric).mean()), counting(constant), counting(worst), dropped)


def _build(groups: Sequence[Group], metric: str | None, published: bool) -> list[Table]:
    return [_table(group, str(metric)) for group in groups if any(_valid(row) not in (None, 1.0) for row in group.rows)]


def _valid(row: Row) -> float | None:
    return row.mean("valid", Invalid)


def _table(group: Group, metric: str) -> Table:
    rows = [{**base(row), "valid": _valid(row), **_errors(row, metric)} for row in group.rows]
    places = {rule: _places(rows, rule) for rule in RULES}
    for rule, found in places.items():
        for raw, place in zip(rows, found, strict=True):
            raw[f"{rule}_place"] = place
    titles = {"prior": "as a draw from the prior", "constant": "as the mean of y", "worst": "as the worst"}
    floor = group.floor(metric)
    columns = [Column("valid", lambda raw: share(raw["valid"]))]
    columns += [Column(titles.get(rule, rule), partial(_text, rule=rule), value=rule, floor=floor) for rule in RULES]
    extra = [
        "valid: of first proposals",
        f"mean {metric} of first proposals, where an invalid one counts as a draw from the prior (as in all other "
        "tables), as always answering with the mean of y, or as the worst valid proposal of the same method, or is "
        "dropped; #: the method's place",
        METRICS[metric].words,
        _changes(rows),
    ]
    return table("invalid", "If invalid designs counted otherwise", group, columns, rows, extra, metric)


def _errors(row: Row, metric: str) -> dict[str, float | None]:
    return {rule: row.mean(partial(_read, metric=metric, rule=rule), Invalid) for rule in RULES}


def _read(scores: Scores, metric: str, rule: str) -> float | None:
    found: float | None = getattr(scores.errors[metric], rule)
    return found


def _places(rows: Sequence[Raw], rule: str) -> list[int | None]:
    """The place of each row by a rule, from 1; None for one that takes no part."""
    part = [raw[rule] is not None and raw["status"] == "ok" and (raw["valid"] or 0.0) >= VALID for raw in rows]
    return [
        1 + sum(other[rule] < raw[rule] for other, takes in zip(rows, part, strict=True) if takes) if own else None
        for raw, own in zip(rows, part, strict=True)
    ]


def _changes(rows: Sequence[Raw]) -> str:
    """Which methods change their place by more than one under any rule."""
    moved = [
        str(raw["method"])
        for raw in rows
        if raw["prior_place"] and max(abs((raw[f"{rule}_place"] or 0) - raw["prior_place"]) for rule in RULES) > 1
    ]
    return f"moved by more than one place by the rule: {', '.join(moved)}" if moved else "no rule moves any method far"


def _text(raw: Raw, rule: str) -> str:
    place = raw[f"{rule}_place"]
    return number(raw[rule]) + (f" #{place}" if place else "")
