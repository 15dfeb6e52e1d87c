"""Corrupted: a share of what is learned from is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Generator, Tensor

from harness.contracts import Pairs, Task, outputs, usable
from harness.errors import UsageError
from harness.scenarios.contract import Scenario
from harness.scenarios.outliers import without_outliers
from harness.scenarios.pairs import LEAST
from harness.settings import setting

JUMP = 10.0
"""Standard deviations by which an entry is shifted."""


@dataclass(frozen=True)
class Options:
    """Options of the scenario."""

    share: float = setting(0.05, help="of the rows that is wrong, in the validation part, too", least=0, most=1)
    how: Literal["permuted", "shifted", "rounded"] = setting(
        "permuted",
        help="permuted: wrong rows have each other's y, a single one that of another row; shifted: one entry of y is "
        "off by 10 standard deviations; rounded: y is rounded to whole standard deviations",
    )
    trim: float = setting(
        0.0,
        help="share of the rows that is left out: those whose y is least like that of their neighbours",
        least=0,
        below=1,
    )


class Corrupted(Scenario):
    """Some rows of the training and of the validation part have a wrong y; what is asked is right.

    With `trim`, so many of the rows are left out first, those whose y differs most from that of the rows whose designs
    are nearest. It is a remedy that every method can use, and it leaves out right rows, too, where there are more.
    """

    Options: ClassVar[type] = Options
    leaves_conditions = True

    @property
    def learns(self) -> bool:
        return bool(self.options.share or self.options.trim)

    def data(self, task: Task, train: Pairs, valid: Pairs, generator: Generator) -> tuple[Pairs, Pairs]:
        if not self.learns:
            return train, valid
        self._check(len(train.x), len(valid.x))
        count, scale = outputs(task), usable(train).y.std(0)
        spoilt = [Pairs(part.x, self._wrong(part.y, scale, count, generator)) for part in (train, valid)]
        kept = [without_outliers(part, spoilt[0], self.options.trim, count) for part in spoilt]
        return kept[0], kept[1]

    def _check(self, *sizes: int) -> None:
        """That the shares are of one row at least, and leave two of each part.

        Raises:
            UsageError: they are not, or do not.
        """
        trim = self.options.trim
        for name, share in (("share", self.options.share), ("trim", trim)):
            if share and not round(share * sizes[0]):
                raise UsageError(
                    f"corrupted: {name} = {share:g} of {sizes[0]} rows is none. Allowed: 0, or enough for one row, "
                    f"such as {1 / sizes[0]:.1g}."
                )
        if min(size - round(trim * size) for size in sizes) < LEAST:
            raise UsageError(
                f"corrupted: trim = {trim:g} leaves less than {LEAST} of {min(sizes)} rows. Give a smaller share."
            )

    def _wrong(self, y: Tensor, scale: Tensor, count: int, generator: Generator) -> Tensor:
        """Y of which a share of the rows is wrong in its first `count` entries."""
        order = torch.randperm(len(y), generator=generator)
        rows = order[: round(self.options.share * len(y))]
        found = y.clone()
        if self.options.how == "permuted":
            found[rows, :count] = y[rows.roll(1) if len(rows) != 1 else order[1:2], :count]
        elif self.options.how == "rounded":
            unit = torch.where(scale > 0, scale, 1.0)[:count]
            found[rows, :count] = (y[rows, :count] / unit).round() * unit
        else:
            entries = torch.randint(count, (len(rows),), generator=generator)
            found[rows, entries] += JUMP * scale[entries]
        return found
