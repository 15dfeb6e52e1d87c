"""Pairs: fewer of them to learn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator

from harness.contracts import Pairs, Task
from harness.scenarios.contract import Scenario
from harness.settings import setting

LEAST = 2
"""Pairs that each part keeps, so that there is a spread to standardise by."""
MOST = 10_000_000
"""Rows that an option may ask for."""


@dataclass(frozen=True)
class Options:
    """Options of the scenario."""

    n: int = setting(
        300, help="pairs to learn from, the validation part included, as far as there are so many", least=4, most=MOST
    )


class FewerPairs(Scenario):
    """A random part of the usual pairs, of the training and the validation part alike; what is asked stays the same.

    Of two numbers of pairs the fewer are among the more, so that an error which falls with their number does so on the
    same data. A preset may have methods pass over few pairs more often, for a least number of training steps.
    """

    Options: ClassVar[type] = Options
    leaves_conditions = True

    def data(self, task: Task, train: Pairs, valid: Pairs, generator: Generator) -> tuple[Pairs, Pairs]:
        return fewer(self.options.n, train, valid, generator)


def fewer(n: int, train: Pairs, valid: Pairs, generator: Generator) -> tuple[Pairs, Pairs]:
    """N random pairs of both parts together, in the shares of these; all where there are not so many.

    Args:
        n: how many.
        train: `(n, x_dim)` and `(n, y_dim)`.
        valid: likewise.
        generator: all randomness comes from it.
    """
    share = min(1.0, n / (len(train.x) + len(valid.x)))
    held = max(LEAST, round(share * len(valid.x)))
    return _some(train, max(LEAST, n - held), generator), _some(valid, held, generator)


def _some(pairs: Pairs, n: int, generator: Generator) -> Pairs:
    """Some of the pairs in their order; all where there are not so many."""
    kept = torch.randperm(len(pairs.x), generator=generator)[:n].sort().values
    return Pairs(pairs.x[kept], pairs.y[kept])
