"""Hidden y: whether proposals are spread, in entries of y that were not shown, as the truth may be there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from harness.protocols.contract import Answered, Material, Number, Protocol, Question, Shown
from harness.protocols.shared import many
from harness.reporting.build import base, table
from harness.reporting.groups import Group
from harness.reporting.numbers import number, share
from harness.reporting.rows import Row
from harness.reporting.table import Column, Raw, Table
from harness.settings import Sizes
from harness.statistics import Array

INSIDE = 0.8
"""The share of the proposals between the ends of the interval that is looked at."""
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
class Scores:
    """Of hidden entries; None where there are none, or too few proposals are valid."""

    targets: int
    """With hidden entries and enough proposals."""
    crps: float | None = None
    within: float | None = None
    width: float | None = None


class Hidden(Protocol):
    """For scenarios that hide entries of y, such as `gaps`."""

    name: ClassVar[str] = "hidden"
    references: ClassVar[tuple[str, ...]] = ("Gneiting, Raftery 2007, JASA 102, 359",)
    score_type: ClassVar[type] = Scores

    def questions(self, sizes: Sizes) -> dict[str, Question]:
        return {"targets": many(sizes)}

    def score(self, material: Material) -> Scores | None:
        answered = material.answers["targets"]
        truth = hidden(answered)
        if truth is None:
            return None
        scale = answered.data.y_variance.sqrt().numpy()
        usual = np.nanquantile(answered.data.known_y.numpy(), _ends(), axis=0)
        found = [
            _of_target(reached, true, scale, usual[1] - usual[0])
            for reached, true in zip(answered.reached.numpy(), truth, strict=True)
            if np.isfinite(true).any()
        ]
        enough = [each for each in found if each is not None]
        if not enough:
            return Scores(0)
        return Scores(len(enough), *(float(value) for value in np.mean(enough, 0)))

    def numbers(self, scores: Scores) -> Iterator[Number]:
        return ((None, name, value) for name, value in asdict(scores).items() if name != "targets")

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


def _ends() -> tuple[float, float]:
    return (1 - INSIDE) / 2, (1 + INSIDE) / 2


def _of_target(reached: Array, truth: Array, scale: Array, usual: Array) -> tuple[float, float, float] | None:
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
        Column("CRPS", partial(_number, key="crps"), value="crps"),
        Column(f"within {INSIDE:.0%}", lambda raw: share(raw["within"])),
        Column("width", partial(_number, key="width")),
    ]
    rows = [_raw(row) for row in group.rows]
    first: Scores = group.score(Hidden)
    said = [*SAID, f"Targets: {first.targets}"]
    return table("hidden", "What was hidden of y", group, columns, rows, said)


def _raw(row: Row) -> dict[str, Any]:
    return {**base(row), **{name: row.mean(name, Hidden) for name in ("crps", "within", "width")}}


def _number(raw: Raw, key: str) -> str:
    return number(raw[key])
