"""Few pairs: methods learn from a share of the pairs, and are asked for the usual targets."""

from dataclasses import dataclass

import torch
from torch import Generator

from harness.contracts import Pairs, Task
from harness.scenarios.contract import Scenario
from harness.settings import setting


@dataclass(frozen=True)
class Options:
    """Options of the scenario."""

    share: float = setting(0.1, help="share of the pairs that methods learn from", above=0, most=1)


class FewPairs(Scenario):
    """A random share of the training and of the validation pairs, two of each at least."""

    Options = Options

    def refusal(self, task: Task) -> str | None:
        # A scenario says here which tasks it cannot be a view of; this one can be of all.
        return None

    def data(self, task: Task, train: Pairs, valid: Pairs, generator: Generator) -> tuple[Pairs, Pairs]:
        return self._some(train, generator), self._some(valid, generator)

    def _some(self, pairs: Pairs, generator: Generator) -> Pairs:
        number = max(2, round(self.options.share * len(pairs.x)))
        kept = torch.randperm(len(pairs.x), generator=generator)[:number].sort().values
        return Pairs(pairs.x[kept], pairs.y[kept])
