"""Surrogate gap: the error that a method's own forward model promises, beside the re-simulated one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from harness.metrics import METRICS
from harness.protocols.contract import Material, Number, Protocol, Question, Shown
from harness.protocols.shared import many
from harness.reporting import notes
from harness.reporting.build import METHOD, base, several
from harness.reporting.figure import Axis, Figure, Guide, Panel, Series, headings
from harness.reporting.groups import Group, together_with
from harness.reporting.numbers import number, share
from harness.reporting.rows import Row
from harness.reporting.table import Column, Raw, Table
from harness.schema import Record
from harness.settings import Sizes
from harness.statistics import Array

EXTRA = (
    "believed: error of a proposal by the method's own surrogate; resimulated: by the true forward model; gap: ratio "
    "of the medians",
    "surrogate's own: its error on the validation designs, where its training is recorded; exploited: the part of the "
    "mean resimulated error that neither the believed error nor the surrogate's own explains",
)


LEAST = 1e-14
"""The least error that the figure shows."""
DRAWN = 60
"""Targets that the figure shows of each method, so that the clouds of several can be told apart."""
SAME = 0.01
"""The relative difference of promised and re-simulated errors up to which they are one and the same."""


@dataclass(frozen=True)
class Scores:
    """nmse of first proposals, by the method's surrogate and re-simulated."""

    believed_median: float | None
    believed_mean: float | None
    resimulated_median: float
    resimulated_mean: float


class SurrogateGap(Protocol):
    """For methods that say which error they believe they have reached."""

    name: ClassVar[str] = "surrogate-gap"
    score_type: ClassVar[type] = Scores

    def questions(self, sizes: Sizes) -> dict[str, Question]:
        return {"targets": many(sizes)}

    def score(self, material: Material) -> Scores | None:
        answered = material.answers["targets"]
        if answered.answer.believed is None:
            return None
        believed, reached = self.by_target(material).values()
        believed = believed[~np.isnan(believed)]  # of designs that could not be computed nothing is believed
        return Scores(
            believed_median=float(np.median(believed)) if len(believed) else None,
            believed_mean=float(believed.mean()) if len(believed) else None,
            resimulated_median=float(np.median(reached)),
            resimulated_mean=float(reached.mean()),
        )

    def by_target(self, material: Material) -> Mapping[str, Array]:
        """The nmse of the first proposal for each target, by the method's surrogate and re-simulated."""
        answered = material.answers["targets"]
        believed = answered.answer.believed
        if believed is None:
            return {}
        return {"believed": believed[:, 0].double().numpy(), "nmse": answered.counted("nmse")[:, 0]}

    def numbers(self, scores: Scores) -> Iterator[Number]:
        return (("nmse", name, value) for name, value in asdict(scores).items())

    def tables(self) -> dict[str, Shown[Table]]:
        return {"surrogate-gap": Shown(_build, place=60, metrics=("nmse",), plain=True)}

    def figures(self) -> dict[str, Shown[Figure]]:
        return {"surrogate-gap": Shown(_draw, place=40, metrics=("nmse",), plain=True)}


def _build(groups: Sequence[Group], metric: str | None, published: bool) -> list[Table]:
    return [table for together in several(groups) if (table := _table(together)) is not None]


def _table(groups: Sequence[Group]) -> Table | None:
    rows = [
        {"task": group.task, **base(row), **_errors(row)}
        for group in groups
        for row in group.rows
        if row.score(SurrogateGap)
    ]
    if not rows:
        return None
    errors = ("believed_median", "resimulated_median", "believed_mean", "resimulated_mean")
    columns = (
        Column("task", lambda raw: str(raw["task"]), status=None),
        METHOD,
        *(Column(key.replace("_", " "), partial(_text, key=key)) for key in errors),
        Column("gap", _ratio),
        Column("surrogate's own", partial(_text, key="surrogate")),
        Column("exploited", lambda raw: share(raw["exploited"])),
    )
    title, shown = together_with(TITLE, groups, rows)
    closing = (*EXTRA, METRICS["nmse"].words, notes.INVALID, *notes.settings(shown))
    return Table("surrogate-gap", title, notes.of_several(shown[0], TITLE, "nmse"), columns, tuple(rows), closing)


TITLE = "Surrogate gap"


def _errors(row: Row) -> dict[str, Any]:
    names = ("believed_median", "believed_mean", "resimulated_median", "resimulated_mean")
    errors = {name: row.mean(name, SurrogateGap) for name in names}
    own, believed, reached = row.mean(_own), errors["believed_mean"], errors["resimulated_mean"]
    if own is None or believed is None or not reached:
        return {**errors, "surrogate": own, "exploited": None}
    return {**errors, "surrogate": own, "exploited": max(0.0, 1 - (believed + own) / reached)}


def _own(record: Record) -> float | None:
    """Least validation error of the phases that train a forward model; None where there are none."""
    phases = record.model.phases if record.model else []
    errors = [phase.best for phase in phases if phase.forward and phase.best is not None]
    return min(errors) if errors else None


def _text(raw: Raw, key: str) -> str:
    return number(raw[key])


def _ratio(raw: Raw) -> str:
    believed, true = raw["believed_median"], raw["resimulated_median"]
    return f"{number(true / believed)} ×" if believed and true is not None else number(None)


def _draw(groups: Sequence[Group], metric: str | None, published: bool) -> list[Figure]:
    """The promised error against the re-simulated one, a point a target, one panel a task."""
    x, y = Axis("nmse, promised", log=True), Axis("nmse, re-simulated", log=True)
    each = [sorted((series for row in group.rows for series in _points(row)), key=_width) for group in groups]
    line = Guide("diagonal", label="reached as promised")
    panels = tuple(
        Panel(title, x, y, tuple(series), (line,))
        for title, series in zip(headings(groups), each, strict=True)
        if series
    )
    said = (
        f"points: the first proposal for {DRAWN} of the targets, evenly through them; promised: by the method's own "
        "surrogate",
        f"errors below {LEAST:g} are drawn there; of several seeds the first is shown; a method that promises exactly "
        "what it reaches, such as one that looks designs up, has no surrogate and is left out",
    )
    title = "Promised and re-simulated error"
    return [Figure("surrogate-gap", title, panels, said, beside="surrogate-gap")] if panels else []


def _points(row: Row) -> Iterator[Series]:
    pairs = [row.of_first(SurrogateGap.name, name) for name in ("believed", "nmse")]
    known = [np.maximum(values, LEAST) for values in pairs if values is not None]
    if len(known) == 2:
        believed, reached = known
        chosen = np.unique(np.linspace(0, len(believed) - 1, DRAWN).round().astype(int))
        if not np.allclose(believed, reached, rtol=SAME, atol=LEAST, equal_nan=True):
            yield Series(row.label, tuple(believed[chosen]), tuple(reached[chosen]), joined=False)


def _width(series: Series) -> float:
    """How far a cloud stretches, in negative decades: a wide one is drawn first, and hides none."""
    return -float(np.ptp(np.log10(series.x)) + np.ptp(np.log10(series.y)))
