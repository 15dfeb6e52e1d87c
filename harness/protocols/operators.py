"""What another forward model says of the same designs, such as the operator that a proxy stands for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from harness.errors import UsageError, unknown
from harness.metrics import METRICS
from harness.protocols.contract import Answered, Material, Number, Protocol, Question, Shown
from harness.protocols.shared import many, single
from harness.reporting import notes
from harness.reporting.build import METHOD, base, several
from harness.reporting.groups import Group, together_with
from harness.reporting.numbers import number, share
from harness.reporting.rows import Row
from harness.reporting.table import Column, Raw, Table
from harness.settings import Sizes, setting

if TYPE_CHECKING:
    from torch import Tensor

    from harness.contracts import Task

ERRORS = {"mse_own": "mse", "mse": "mse by operator", "mse_between": "operator against own"}
TITLE = "Other forward models"
TARGETS = {"targets": "many", "fixed": "y*"}


@dataclass(frozen=True)
class Options:
    """Options of the comparison."""

    operator: str | None = setting(None, help="another forward model of the task, such as `full`; none asks no other")
    designs: int = setting(100, help="first proposals that are re-simulated, and as many for y*", least=1)


@dataclass(frozen=True)
class Compared:
    """The mean square errors of designs by both forward models, where both are valid."""

    designs: int
    valid: float
    mse: float | None
    """By the operator."""
    mse_own: float | None
    """By the task's own forward model."""
    mse_between: float | None
    """Of the two against each other."""


@dataclass(frozen=True)
class Scores:
    """What the operator says."""

    operator: str
    compared: dict[str, Compared]
    """For the targets and for y*."""


class Operators(Protocol):
    """The error of some designs by another forward model of the task; costly ones are asked for by `rescore`."""

    name: ClassVar[str] = "operators"
    Options: ClassVar[type] = Options
    score_type: ClassVar[type] = Scores

    def questions(self, sizes: Sizes) -> dict[str, Question]:
        return {"targets": many(sizes), "fixed": single(sizes)} if self.options.operator else {}

    def score(self, material: Material) -> Scores | None:
        """The comparison.

        Raises:
            UsageError: the task has no such operator.
        """
        name, known = self.options.operator, material.task.operators
        if name is None:
            return None
        if not known:
            raise UsageError(f"This task has no operator {name!r}, nor any other.")
        if name not in known:
            raise unknown("operator", name, known)
        compared = {of: self._compare(material.task, known[name], item) for of, item in material.answers.items()}
        return Scores(name, compared)

    def _compare(self, task: Task, operator: Callable[[Tensor], Tensor], answered: Answered) -> Compared:
        from harness.resimulation import resimulate

        designs = self.options.designs
        x, y, shown = answered.answer.x, answered.targets.y, answered.targets.under
        if len(y) > 1:
            x, y, shown = x[:designs, 0], y[:designs], shown[:designs]
        else:
            x = x.flatten(0, 1)[:designs]
        usual = answered.simulate(x[:, None], shown)[:, 0]
        other = resimulate(task, x, operator=operator)
        both = usual.isfinite().all(1) & other.isfinite().all(1)
        pairs = {"mse": (other, y), "mse_own": (usual, y), "mse_between": (usual, other)}
        errors = {name: (one - two).square().nanmean(1)[both] for name, (one, two) in pairs.items()}
        means = {name: float(error.mean()) if len(error) else None for name, error in errors.items()}
        return Compared(len(x), float(both.double().mean()), **means)

    def numbers(self, scores: Scores) -> Iterator[Number]:
        for of, compared in scores.compared.items():
            yield from (("mse", f"{scores.operator}_{of}_{name}", value) for name, value in asdict(compared).items())

    def tables(self) -> dict[str, Shown[Table]]:
        return {"operators": Shown(_build, place=80, metrics=("mse",), plain=True)}


def _build(groups: Sequence[Group], metric: str | None, published: bool) -> list[Table]:
    return [table for together in several(groups) if (table := _table(together)) is not None]


def _table(groups: Sequence[Group]) -> Table | None:
    rows = [raw for group in groups for row in group.rows for raw in _raws(group, row)]
    if not rows:
        return None
    columns = (
        Column("task", lambda raw: str(raw["task"]), status=None),
        Column("operator", lambda raw: str(raw["operator"]), status=None),
        METHOD,
        Column("targets", lambda raw: TARGETS[raw["targets_of"]], status=None),
        Column("designs", lambda raw: str(raw["designs"])),
        Column("valid", lambda raw: share(raw["valid"])),
        *(Column(title, partial(_text, key=key)) for key, title in ERRORS.items()),
    )
    extra = (
        "mse: error of first proposals, re-simulated by the task's own forward model; by operator: by the other one, "
        "for the same designs and targets; operator against own: mean square of the difference of the two",
        METRICS["mse"].words,
    )
    title, shown = together_with(TITLE, groups, rows)
    facts = notes.of_several(shown[0], TITLE, "mse")
    closing = (*extra, *notes.settings(shown))
    return Table("operators", title, {**facts, "targets": None}, columns, tuple(rows), closing)


def _raws(group: Group, row: Row) -> Iterator[dict[str, Any]]:
    """One raw row for the targets and one for y*."""
    first: Scores | None = row.score(Operators)
    for of, compared in first.compared.items() if first else ():
        names = ("valid", *ERRORS)
        values = {name: row.mean(partial(_value, of=of, name=name), Operators) for name in names}
        place = {"task": group.task, "operator": first.operator if first else None, "targets_of": of}
        yield {**place, "designs": compared.designs, **base(row), **values}


def _value(scores: Scores, of: str, name: str) -> float | None:
    found: float | None = getattr(scores.compared[of], name)
    return found


def _text(raw: Raw, key: str) -> str:
    return number(raw[key])
