"""Novelty and diversity: what a low error may hide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from harness.metrics import ACCURATE, METRICS
from harness.protocols.contract import Material, Number, Protocol, Question, Shown
from harness.protocols.recall import Recall
from harness.protocols.shared import ALL, many
from harness.reporting.build import base, table
from harness.reporting.groups import Group
from harness.reporting.numbers import number, share
from harness.reporting.rows import Row
from harness.reporting.table import Column, Table
from harness.settings import Sizes

COPY = 1e-5  # standardised distance below which a proposal is a training design: float32 rounding, and no more
DIVERSITY_TARGETS = 100

NOTE = (
    "median error of the first proposals; nearest: median distance of a first proposal to the nearest training design, "
    "standardised x; copies: share nearer than 1e-5; accurate: share of all proposals with nmse below 0.01; diversity: "
    "mean distance between the accurate proposals of one target"
)


@dataclass(frozen=True)
class Scores:
    """How far first proposals are from the training designs, and how far accurate ones are from each other."""

    nearest: float | None
    """Median distance of a first proposal to the nearest training design, standardised x."""
    copies: float | None
    """Share of first proposals that are training designs."""
    diversity: float | None
    """Mean distance between the accurate proposals of one target."""
    accurate: float
    """Share of proposals with nmse below 0.01."""
    valid: float
    """Share of the designs that are valid."""
    median: dict[str, float]
    """Median error of the first proposals, by metric."""


class Novelty(Protocol):
    """How far proposals are from the training designs and from each other."""

    name: ClassVar[str] = "novelty"
    score_type: ClassVar[type] = Scores

    def questions(self, sizes: Sizes) -> dict[str, Question]:
        return {"targets": many(sizes)}

    def score(self, material: Material) -> Scores:
        from harness.distances import mean_pairwise_distance, nearest_distance

        data, answered = material.data, material.answers["targets"]
        designs, nmse = answered.answer.x, answered.errors("nmse")
        first = data.x_scale.apply(designs[:, 0])
        known = data.x_scale.apply(data.train.x)
        nearest = nearest_distance(first[first.isfinite().all(1)], known[known.isfinite().all(1)])
        some = data.x_scale.apply(designs[:DIVERSITY_TARGETS])
        accurate = nmse[:DIVERSITY_TARGETS] < ACCURATE
        return Scores(
            nearest=float(np.median(nearest.numpy())) if len(nearest) else None,
            copies=float((nearest < COPY).double().mean()) if len(nearest) else None,
            diversity=float(mean_pairwise_distance(some, accurate).nanmean()),
            accurate=float(accurate.double().mean()),
            valid=answered.valid,
            median={metric: float(np.median(answered.counted(metric)[:, 0])) for metric in METRICS},
        )

    def numbers(self, scores: Scores) -> Iterator[Number]:
        yield from ((metric, "median", value) for metric, value in scores.median.items())
        yield from ((None, name, value) for name, value in asdict(scores).items() if name != "median")

    def tables(self) -> dict[str, Shown[Table]]:
        return {"novelty": Shown(_build, place=70, metrics=ALL, plain=True)}


def _build(groups: Sequence[Group], metric: str | None, published: bool) -> list[Table]:
    return [_table(group, str(metric)) for group in groups if group.scored(Novelty)]


def _table(group: Group, metric: str) -> Table:
    columns = [
        Column(f"median {metric}", lambda raw: number(raw["median"]), value="median", floor=group.floor(metric)),
        Column("nearest", lambda raw: number(raw["nearest"])),
        Column("copies", lambda raw: share(raw["copies"])),
        Column("accurate", lambda raw: share(raw["accurate"])),
        Column("diversity", lambda raw: number(raw["diversity"])),
    ]
    extra, recalls = [NOTE], [scores for row in group.rows for scores in row.scores(Recall)]
    if recalls:
        trials, images = recalls[0].T[-1], recalls[0].images
        columns.append(Column(f"recall, T={trials}", lambda raw: share(raw["recall"])))
        extra.append(
            f"recall: each design has {images} images with the same y; share of the {images} places where solutions "
            f"for y* lie that {trials} random proposals reach with nmse below 0.01"
        )
    rows = [_raw(row, metric, bool(recalls)) for row in group.rows]
    return table("novelty", "Novelty and diversity", group, columns, rows, extra, metric)


def _raw(row: Row, metric: str, recalls: bool) -> dict[str, Any]:
    names = ("nearest", "copies", "accurate", "diversity", "valid")
    return {
        **base(row),
        "median": row.mean(lambda scores: scores.median[metric], Novelty),
        **{name: row.mean(name, Novelty) for name in names},
        **({"recall": row.mean(lambda scores: scores.found[-1], Recall)} if recalls else {}),
    }
