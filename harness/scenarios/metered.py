"""Metered: the true forward model may be asked, so many times for each target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Generator

from harness.contracts import Pairs, Task
from harness.scenarios.contract import Scenario, Targets
from harness.settings import setting

SECONDS = 30.0
"""CPU seconds of simulations for one search, all targets together; a slow forward model is asked for fewer targets."""
LEAST = 5
"""Targets, whatever they take."""


@dataclass(frozen=True)
class Options:
    """Options of the scenario."""

    calls: int = setting(1000, help="of the true forward model for each target", least=10, most=1_000_000)
    targets: int = setting(50, help="targets; fewer where simulations take long", least=1, most=1_000_000)


class Metered(Scenario):
    """Some of the targets, for each of which the true forward model may be called so many times.

    A method's proposals are looked at one after another, or are where a local search with the forward model begins.
    Draws of the prior in their place show what the same calls give to who has learned nothing. Methods learn from the
    usual pairs, so nothing is trained; the protocol `metered` does the searches.
    """

    Options: ClassVar[type] = Options
    leaves_conditions = True

    def ask(self, task: Task, known: Pairs, targets: Targets, generator: Generator) -> Targets:
        if targets.designs is None:  # y*
            return targets
        number = min(self.options.targets, len(targets.y))
        if task.cost > 0:
            number = min(number, max(LEAST, int(1000 * SECONDS / (task.cost * self.options.calls))))
        some = slice(0, number)
        return Targets(targets.y[some], targets.shown[some], designs=targets.designs[some], calls=self.options.calls)
