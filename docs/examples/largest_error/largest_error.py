"""The largest error among some proposals for each target: how far off a method is where it is worst."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.metrics import METRICS
from harness.protocols.contract import Material, Number, Protocol, Question, Shown
from harness.reporting import notes
from harness.reporting.build import base, table
from harness.reporting.groups import Group
from harness.reporting.numbers import number
from harness.reporting.table import Column, Table
from harness.settings import Sizes, setting


@dataclass(frozen=True)
class Options:
    """Options of the protocol."""

    proposals: int = setting(10, help="proposals for each target", least=1)


@dataclass(frozen=True)
class Scores:
    """What a record keeps: the mean over the targets of the largest error among the proposals, by metric."""

    largest: dict[str, float]


class LargestError(Protocol):
    """The largest of some errors at each target, mean over the targets."""

    name = "largest-error"
    Options = Options
    score_type = Scores

    def questions(self, sizes: Sizes) -> dict[str, Question]:
        return {"targets": Question("targets", self.options.proposals)}

    def score(self, material: Material) -> Scores:
        answered = material.answers["targets"]
        return Scores({metric: float(answered.counted(metric).max(1).mean()) for metric in METRICS})

    def numbers(self, scores: Scores) -> Iterator[Number]:
        yield from ((metric, "largest", value) for metric, value in scores.largest.items())

    def tables(self) -> dict[str, Shown[Table]]:
        return {"largest-error": Shown(_build, place=45, metrics=("mse", "sse", "nmse"))}


def _build(groups: Sequence[Group], metric: str | None, published: bool) -> list[Table]:
    return [_table(group, str(metric)) for group in groups if any(row.scores(LargestError) for row in group.rows)]


def _table(group: Group, metric: str) -> Table:
    floor = group.floor(metric)
    columns = [Column(f"largest {metric}", lambda raw: number(raw["largest"]), value="largest", floor=floor)]
    rows = [{**base(row), "largest": row.mean(lambda own: own.largest[metric], LargestError)} for row in group.rows]
    extra = [METRICS[metric].words, notes.INVALID]
    return table("largest-error", "The largest error of some proposals", group, columns, rows, extra, metric)
