"""Hidden y: whether proposals are spread, in entries of y that were not shown, as the truth may be there."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np

from harness.protocols.contract import Answered, Material, Number, Protocol, Question, Shown
from harness.protocols.posterior import Reference
from harness.protocols.shared import many
from harness.reporting.build import base, table
from harness.reporting.groups import Group
from harness.reporting.numbers import number, numbered, share
from harness.reporting.rows import Row
from harness.reporting.table import Column, Raw, Table
from harness.settings import Sizes
from harness.statistics import Array

if TYPE_CHECKING:
    from harness.data import Dataset

INSIDE = 0.8
"""The share of the proposals between the ends of the interval that is looked at."""
KEYS = ("crps", "within", "width")
REFERENCE = "the reference posterior"
"""The row that is no method."""
OfTarget: TypeAlias = tuple[float, float, float]
"""CRPS, within and width of a target, means over its hidden entries."""
FEWEST = 10
"""Proposals that are valid, with fewer of which a target does not count."""
SAID = (
    "of the y that all proposals for a target reach in the entries that were hidden, against the true y there; means "
    "over hidden entries and targets",
    "CRPS: E|Y - y| - E|Y - Y'| / 2 for two proposals Y, Y' and the truth y, in standard deviations of y; it is least "
    "where proposals are spread as the truth is (Gneiting, Raftery 2007)",
    f"within: how often the truth lies in the middle {INSIDE:.0%} of the proposals: as often, where these are draws "
    "from the posterior, and less often where they are too narrow or off",
    f"width: of the middle {INSIDE:.0%} of the proposals, over that of y in the training part",
    "proposals of a search are not draws, and the best of many lie closer together",
)


@dataclass(frozen=True)
class Spread:
    """Of hidden entries; None where there are none, or too few proposals are valid."""

    targets: int
    """With hidden entries and enough proposals."""
    crps: float | None = None
    within: float | None = None
    width: float | None = None


@dataclass(frozen=True)
class Scores(Spread):
    """Of the proposals, and of draws from the posterior of what was observed."""

    reference: Spread | None = None
    """None where there is no reference posterior."""
    beside: Spread | None = None
    """Of the proposals for the targets of the reference alone."""


class Hidden(Protocol):
    """For scenarios that hide entries of y, such as `gaps`."""

    name: ClassVar[str] = "hidden"
    references: ClassVar[tuple[str, ...]] = ("Gneiting, Raftery 2007, JASA 102, 359",)
    Options: ClassVar[type] = Reference
    score_type: ClassVar[type] = Scores

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self._last: tuple[Answered, list[Array] | None] | None = None

    def questions(self, sizes: Sizes) -> dict[str, Question]:
        return {"targets": many(sizes)}

    def score(self, material: Material) -> Scores | None:
        answered = material.answers["targets"]
        truth = hidden(answered)
        if truth is None:
            return None
        own = _spread(_each(list(answered.reached.numpy()), truth, answered.data))
        known = {name: _spread(found) for name, found in self._beside(material, truth).items()}
        return Scores(**asdict(own), reference=known.get("reference"), beside=known.get("beside"))

    def by_target(self, material: Material) -> Mapping[str, Array]:
        """The CRPS of each target; NaN where nothing is hidden, or too few proposals are valid.

        And that of draws from the posterior, and of proposals for the same targets; NaN where there are no such draws.
        """
        answered = material.answers["targets"]
        truth = hidden(answered)
        if truth is None:
            return {}
        found = {"": _each(list(answered.reached.numpy()), truth, answered.data)}
        found |= {f"{name}_": each for name, each in self._beside(material, truth).items()}
        every = {f"{name}{KEYS[0]}": np.full(len(truth), math.nan) for name in found}
        for numbers, each in zip(every.values(), found.values(), strict=True):
            numbers[: len(each)] = [math.nan if values is None else values[0] for values in each]
        return every

    def _beside(self, material: Material, truth: Array) -> dict[str, list[OfTarget | None]]:
        """What draws from the posterior of the first targets have, and proposals for these; nothing without such draws.

        Args:
            material: what is scored.
            truth: the true y of the entries that are hidden `(m, y_dim)`.
        """
        answered = material.answers["targets"]
        if self._last is None or self._last[0] is not answered:
            self._last = answered, self._drawn(material)
        drawn = self._last[1]
        if drawn is None:
            return {}
        truth = truth[: len(drawn)]
        reference = _each(drawn, truth, answered.data)
        proposed = _each(list(answered.reached[: len(drawn)].numpy()), truth, answered.data)
        beside = [own if other else None for own, other in zip(proposed, reference, strict=True)]
        return {"reference": reference, "beside": beside}

    def _drawn(self, material: Material) -> list[Array] | None:
        """What draws from the posterior of the first targets reach; None where there is no such reference."""
        from harness.posterior.scoring import reference_of, refusal
        from harness.resimulation import resimulate

        task, data, sizes = material.task, material.data, material.sizes
        if not data.targets.at_random or refusal(task, data):
            return None
        counts = sizes.fixed_proposals, material.answers["targets"].answer.x.shape[1]
        reference, _ = reference_of(task, data, counts, self.options.tolerance, self.options.targets)
        return [resimulate(task, draws.x[None])[0].numpy() for draws in reference.targets]

    def numbers(self, scores: Scores) -> Iterator[Number]:
        for name, spread in (("", scores), ("reference_", scores.reference), ("beside_", scores.beside)):
            if spread is not None:
                yield from ((None, f"{name}{key}", getattr(spread, key)) for key in KEYS)

    def tables(self) -> dict[str, Shown[Table]]:
        return {"hidden": Shown(_build, place=16, reads=())}


def hidden(answered: Answered) -> Array | None:
    """The true y of the entries that are hidden `(m, y_dim)`, NaN elsewhere; None where a scenario hides none.

    Args:
        answered: the answer for the targets.
    """
    asked = answered.targets.y.numpy()
    truth = np.full(asked.shape, np.nan)
    for view in answered.targets.views.values():
        truth = np.where(np.isnan(asked) & np.isfinite(view.y.numpy()), view.y.numpy(), truth)
    return truth if np.isfinite(truth).any() else None


def _spread(each: Sequence[OfTarget | None]) -> Spread:
    """The means over the targets that have numbers."""
    enough = [values for values in each if values is not None]
    return Spread(len(enough), *(float(value) for value in np.mean(enough, 0))) if enough else Spread(0)


def _each(reached: Sequence[Array], truth: Array, data: Dataset) -> list[OfTarget | None]:
    """Of each target what `(n, y_dim)` reach for it; None where nothing is hidden, or too few are valid."""
    scale = data.y_variance.sqrt().numpy()
    low, high = np.nanquantile(data.known_y.numpy(), _ends(), axis=0)
    return [
        _of_target(rows, true, scale, high - low) if np.isfinite(true).any() else None
        for rows, true in zip(reached, truth, strict=True)
    ]


def _ends() -> tuple[float, float]:
    return (1 - INSIDE) / 2, (1 + INSIDE) / 2


def _of_target(reached: Array, truth: Array, scale: Array, usual: Array) -> OfTarget | None:
    """CRPS, within and width of a target's hidden entries, means over these; None with too few valid proposals.

    Args:
        reached: what its proposals reach `(n, y_dim)`.
        truth: `(y_dim,)`, NaN where it was shown.
        scale: the deviation of each y `(y_dim,)`.
        usual: the width of the middle of each y over the pairs `(y_dim,)`.
    """
    valid = reached[np.isfinite(reached).all(1)]
    if len(valid) < FEWEST:
        return None
    places = np.isfinite(truth) & (scale > 0)
    drawn, true = np.sort(valid[:, places], 0), truth[places]
    low, high = np.quantile(drawn, _ends(), axis=0)
    within, width = (low <= true) & (true <= high), (high - low) / usual[places]
    return float((crps(drawn, true) / scale[places]).mean()), float(within.mean()), float(width.mean())


def crps(drawn: Array, truth: Array) -> Array:
    """The continuous ranked probability score of draws for each entry `(d,)`, unbiased in their number.

    Args:
        drawn: `(n, d)`, each column in order, two or more.
        truth: `(d,)`.
    """
    n = len(drawn)
    weights = 2 * np.arange(n) - n + 1  # of each in the sum of all differences of two
    apart = (weights[:, None] * drawn).sum(0) * 2 / (n * (n - 1))
    score: Array = np.abs(drawn - truth).mean(0) - apart / 2
    return score


def _build(groups: Sequence[Group], metric: str | None, published: bool) -> list[Table]:
    return [_table(group) for group in groups if group.scored(Hidden)]


def _table(group: Group) -> Table:
    columns = [
        Column("CRPS", partial(_number, key="crps"), value="crps_own"),
        Column(f"within {INSIDE:.0%}", lambda raw: share(raw["within"])),
        Column("width", partial(_number, key="width")),
    ]
    rows = [_raw(row) for row in group.rows]
    first: Scores = group.score(Hidden)
    said = [*SAID, f"Targets: {first.targets}"]
    if first.reference is not None:
        columns.append(Column("CRPS / reference", partial(_number, key="ratio"), value="ratio"))
        rows.append({**_nobody(), **{key: getattr(first.reference, key) for key in KEYS}, "crps_own": None})
        said.append(
            f"{REFERENCE}: draws from the posterior of what was observed, as in the table `posterior`, for the first "
            f"{numbered(first.reference.targets, 'target')}; the last column is of the same targets"
        )
    return table("hidden", "What was hidden of y", group, columns, rows, said)


def _raw(row: Row) -> dict[str, Any]:
    values = {name: row.mean(name, Hidden) for name in KEYS}
    return {**base(row), **values, "crps_own": values["crps"], "ratio": row.mean(_ratio, Hidden)}


def _nobody() -> dict[str, Any]:
    return {"method": REFERENCE, "status": "ok", "baseline": True, "seeds": 0, "ratio": None}


def _ratio(scores: Scores) -> float | None:
    """The proposals' CRPS in that of the reference, for the same targets."""
    reference, beside = scores.reference, scores.beside
    if reference is None or beside is None or not reference.crps or beside.crps is None:
        return None
    return beside.crps / reference.crps


def _number(raw: Raw, key: str) -> str:
    return number(raw[key])
