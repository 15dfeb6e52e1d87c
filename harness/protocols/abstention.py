"""Abstention: whether a method can tell for which targets its design will miss, so that it can be left unbuilt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np

from harness.metrics import ACCURATE, METRICS, errors
from harness.protocols.contract import Answered, Material, Number, Protocol, Question, Shown
from harness.protocols.shared import many
from harness.protocols.views import Views
from harness.reporting import notes
from harness.reporting.build import METHOD, base, several
from harness.reporting.groups import Group, together_with
from harness.reporting.numbers import deviation, number, share
from harness.reporting.rows import Row
from harness.reporting.table import Column, Raw, Table
from harness.settings import Sizes
from harness.statistics import Array

FEWEST = 10
"""Targets that are missed, and targets that are reached, without which there is no number."""
SAID = (
    f"missed: share of the targets for which the nmse of the first proposal is above {ACCURATE:g}; where the scenario "
    "knows the best design of a target, its excess over that one's",
    "AUROC: the chance that a target which is missed has the worse score of two, one missed and one reached; 0.5 is "
    "luck, 1 tells all; ±: its standard error over targets (DeLong et al. 1988)",
    "own: by the error that the method's surrogate promises; distance: by how far the target is from the nearest y of "
    "the training part, in standard deviations",
    "kept half: mean error of the half of the targets with the better scores, as a share of the mean over all",
)


@dataclass(frozen=True)
class Told:
    """How well a score tells the targets that are missed from those that are reached."""

    auroc: float | None
    """None where too few targets are missed, or too few are reached."""
    error: float | None
    """Its standard error over targets."""
    kept: float
    """Mean error of the half of the targets with the better scores, over that of all."""


@dataclass(frozen=True)
class Scores:
    """Of first proposals."""

    targets: int
    missed: float
    own: Told | None
    """By the error that the method itself promises."""
    distance: Told | None
    """By the distance to the nearest training y."""


class Abstention(Protocol):
    """Whether misses can be foretold, by the method's own promise or by the distance to the training y."""

    name: ClassVar[str] = "abstention"
    references: ClassVar[tuple[str, ...]] = ("DeLong, DeLong, Clarke-Pearson 1988, Biometrics 44, 837",)
    score_type: ClassVar[type] = Scores

    def questions(self, sizes: Sizes) -> dict[str, Question]:
        return {"targets": many(sizes)}

    def score(self, material: Material) -> Scores:
        answered = first(material.answers["targets"])
        missed, believed = excess(answered), answered.answer.believed
        own = None if believed is None else told(believed[:, 0].double().numpy(), missed)
        return Scores(len(missed), float((missed > ACCURATE).mean()), own, told(distance(answered), missed))

    def numbers(self, scores: Scores) -> Iterator[Number]:
        yield "nmse", "missed", scores.missed
        for name in ("own", "distance"):
            found = getattr(scores, name)
            if found is not None:
                yield from (("nmse", f"{name}_{key}", value) for key, value in asdict(found).items())

    def tables(self) -> dict[str, Shown[Table]]:
        return {"abstention": Shown(_build, place=61, metrics=("nmse",), reads=(Views.name,), plain=_in_reach)}


def first(answered: Answered) -> Answered:
    """The same with the first proposals alone, so that no other is simulated for them.

    Args:
        answered: the answer for the targets.
    """
    answer = answered.answer
    believed = None if answer.believed is None else answer.believed[:, :1]
    return replace(answered, answer=replace(answer, x=answer.x[:, :1], believed=believed))


def excess(answered: Answered) -> Array:
    """The nmse of the first proposal for each target `(m,)`, above that of the best design where a view knows it.

    Args:
        answered: the answer for the targets.
    """
    found = answered.counted("nmse")[:, 0]
    for view in answered.targets.views.values():
        if view.best_known is not None:
            best = errors(METRICS["nmse"], view.best_known, view.y, answered.data.y_variance).numpy()
            found = np.where(np.isfinite(best), found - best, found)
    return found


def distance(answered: Answered) -> Array:
    """How far each target is from the nearest y that was learned from `(m,)`, mean square in standard deviations.

    Entries that are not known of one of the two do not count.

    Args:
        answered: the answer for the targets.
    """
    from harness.distances import nearest_y

    shown, known = answered.targets.shown, answered.data.train.y
    scale = answered.data.y_scale.scale
    return nearest_y(shown / scale, known / scale)[1].numpy()


def told(scores: Array, missed: Array) -> Told | None:
    """How well scores, larger for worse, tell errors above `ACCURATE`; None for too few targets, or without any error.

    Args:
        scores: of the targets `(m,)`; one that is not a number counts as the worst.
        missed: their errors `(m,)`.
    """
    if len(scores) < 2 * FEWEST or not missed.mean() > 0:
        return None
    ranked = np.where(np.isnan(scores), np.inf, scores)
    half = np.argsort(ranked, kind="stable")[: len(ranked) // 2]
    kept, bad = float(missed[half].mean() / missed.mean()), missed > ACCURATE
    if min(bad.sum(), (~bad).sum()) < FEWEST:
        return Told(None, None, kept)
    above = (ranked[bad][:, None] > ranked[~bad]) + 0.5 * (ranked[bad][:, None] == ranked[~bad])
    variance = above.mean(1).var(ddof=1) / bad.sum() + above.mean(0).var(ddof=1) / (~bad).sum()
    return Told(float(above.mean()), float(variance**0.5), kept)


def _in_reach(group: Group, base: Group) -> bool:
    """Whether all targets of a scenario can be reached: otherwise it is known how near any design comes to them."""
    views = group.score(Views)
    return views is None or not any(view.excess for view in views.views.values())


def _build(groups: Sequence[Group], metric: str | None, published: bool) -> list[Table]:
    return [table for together in several(groups) if (table := _table(together)) is not None]


def _table(groups: Sequence[Group]) -> Table | None:
    rows = [_raw(group, row) for group in groups for row in group.rows if _known(row)]
    if not rows:
        return None
    columns = (
        Column("task", lambda raw: str(raw["task"]), status=None),
        METHOD,
        Column("missed", lambda raw: share(raw["missed"])),
        *(
            column
            for name in ("own", "distance")
            for column in (
                Column(f"AUROC, {name}", partial(_auroc, name=name), value=f"{name}.auroc"),
                Column(f"kept half, {name}", partial(_kept, name=name), value=f"{name}.kept"),
            )
        ),
    )
    title, shown = together_with(TITLE, groups, rows)
    closing = (*SAID, METRICS["nmse"].words, notes.INVALID, *notes.settings(shown))
    return Table("abstention", title, notes.of_several(shown[0], TITLE, "nmse"), columns, tuple(rows), closing)


TITLE = "Misses foretold"


def _known(row: Row) -> bool:
    """Whether there are errors to be foretold."""
    return any(found.own or found.distance for found in row.scores(Abstention))


def _raw(group: Group, row: Row) -> dict[str, Any]:
    raw = {"task": group.task, **base(row), "missed": row.mean("missed", Abstention)}
    for name in ("own", "distance"):
        for key in ("auroc", "error", "kept"):
            raw[f"{name}.{key}"] = row.mean(partial(_of, name=name, key=key), Abstention)
    return raw


def _of(scores: Scores, name: str, key: str) -> float | None:
    found = getattr(scores, name)
    return None if found is None else getattr(found, key)


def _auroc(raw: Raw, name: str) -> str:
    return deviation(raw[f"{name}.auroc"], raw[f"{name}.error"], digits=2)


def _kept(raw: Raw, name: str) -> str:
    return number(raw[f"{name}.kept"])
