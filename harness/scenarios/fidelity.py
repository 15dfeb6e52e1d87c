"""Fidelity: a budget of simulations that may be spent on a cheaper forward model, too."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Generator, Tensor

from harness.contracts import Condition, Family, Level, Pairs, Task, forward, outputs
from harness.errors import UsageError
from harness.scenarios.contract import Scenario, Targets
from harness.scenarios.pairs import LEAST, fewer
from harness.scenarios.pairs import MOST as ROWS
from harness.scenarios.residual import correction
from harness.settings import setting
from harness.split import held_back

FIDELITY = Condition("fidelity", 1.0, 0.0, 1.0)
FEWEST = 10
"""Pairs of a model, below which nothing can be learned from them."""
MOST = 10_000
"""Cheap pairs, at most."""


@dataclass(frozen=True)
class Options:
    """Options of the scenario."""

    budget: int = setting(
        300, help="what may be spent, in simulations of the task's own forward model", least=20, most=ROWS
    )
    share: float = setting(0.9, help="of the budget that is spent on the cheaper model", above=0, below=1)
    level: str = setting("", help="the cheaper model, by its name; the cheapest where omitted")
    use: Literal["top", "low", "both", "condition", "tuned", "corrected"] = setting(
        "tuned",
        help="top: all is spent on the task's own model; low: all on the cheaper one; both: their pairs are learned "
        "alike; condition: alike, with the model given as a condition; tuned: the cheap pairs first, then the others; "
        "corrected: alike, after a Gaussian process of the difference has corrected the y of the cheap ones",
    )


class Fidelity(Scenario):
    """Pairs of two forward models, the task's own and a cheaper one that differs from it, for one budget.

    `top` and `low` spend all of it on one of them, the other uses spend a share on the cheaper one, whose designs are
    others. A budget that cannot be spent is refused: one for more than 10 000 cheap pairs, or for more pairs of the
    task's own model than there are. `top` alone, of whose pairs it is known how many they are, takes all that there
    are. What is asked and scored is of the task's own model throughout.
    """

    Options: ClassVar[type] = Options

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({"conditions"} if self.options.use == "condition" else ())

    def refusal(self, task: Task) -> str | None:
        levels = task.levels
        if not levels:
            return "the task has no cheaper forward model (`Task.levels`)"
        if task.conditions is not None:
            return "the cheaper forward models of the task have no conditions"
        if self.options.level and self.options.level not in levels:
            return f"level={self.options.level} is not one of {', '.join(levels)}"
        top, low = self._counts(self._level(task))
        if self.options.use != "low" and top < FEWEST:
            return f"too few pairs of the task's own model: {top}; spend {FEWEST} or more on it"
        if self.options.use != "top" and low < FEWEST:
            more = ", besides those that correct it" * (self.options.use == "corrected")
            return f"too few pairs of the cheaper model{more}: {max(low, 0)}; give a larger share of the budget"
        if self.options.use != "top" and low > MOST:
            return f"{low} pairs of the cheaper model are more than the {MOST} that are made; give a smaller budget"
        return None

    def task(self, task: Task) -> Task:
        if self.options.use != "condition":
            return task
        level = self._level(task)

        def simulate(x: Tensor, fidelity: Tensor) -> Tensor:
            whole = fidelity[:, 0] > 0.5
            y = x.new_full((len(x), task.y_dim), math.nan)
            for rows, model in ((whole, task.simulate), (~whole, level.simulate)):
                if bool(rows.any()):
                    y[rows] = model(x[rows])
            return y

        return Family(task, (FIDELITY,), simulate)

    def data(self, task: Task, train: Pairs, valid: Pairs, generator: Generator) -> tuple[Pairs, Pairs]:
        use = self.options.use
        top = self._top(task, train, valid, generator)
        if use in ("top", "tuned"):
            return top
        low = self._low(task, generator)
        if use == "low":
            return low
        if use == "corrected":
            correct = correction(top, self._level(task).simulate)
            low = correct(low[0]), correct(low[1])
        both = [Pairs(torch.cat([a.x, b.x]), torch.cat([a.y, b.y])) for a, b in zip(top, low, strict=True)]
        return both[0], both[1]

    def before(self, task: Task, train: Pairs, valid: Pairs, generator: Generator) -> tuple[Pairs, Pairs] | None:
        return self._low(task, generator) if self.options.use == "tuned" else None

    def ask(self, task: Task, known: Pairs, targets: Targets, generator: Generator) -> Targets:
        if not isinstance(task, Family):
            return targets
        count = outputs(task)
        shown = targets.shown.clone()
        shown[:, count:] = FIDELITY.value
        if targets.designs is not None:  # drawn with fidelities of all kinds
            shown[:, :count] = task.base.simulate(targets.designs)
        shown = shown[shown.isfinite().all(1)]
        y = shown.clone()
        y[:, count:] = math.nan
        return Targets(y, shown)

    def _level(self, task: Task) -> Level:
        levels = task.base.levels if isinstance(task, Family) else task.levels
        return levels[self.options.level or next(iter(levels))]

    def _counts(self, level: Level) -> tuple[int, int]:
        """Pairs of the task's own model, and cheap ones."""
        share = {"top": 0.0, "low": 1.0}.get(self.options.use, self.options.share)
        top, low = round((1 - share) * self.options.budget), round(share * self.options.budget / level.cost)
        if self.options.use == "corrected":
            low -= top  # the cheaper model is asked for these designs, too, to learn the difference
        return top, low

    def _top(self, task: Task, train: Pairs, valid: Pairs, generator: Generator) -> tuple[Pairs, Pairs]:
        count, there = self._counts(self._level(task))[0], len(train.x) + len(valid.x)
        if count > there and self.options.use != "top":
            raise UsageError(
                f"fidelity: a budget of {self.options.budget} asks for {count} pairs of the task's own model besides "
                f"the cheap ones, and there are {there}. Give a smaller budget, or a larger share to the cheap ones."
            )
        some = fewer(max(2 * LEAST, count), train, valid, generator)
        if not isinstance(task, Family):
            return some
        return self._simulated(task, some[0].x, 1.0), self._simulated(task, some[1].x, 1.0)

    def _low(self, task: Task, generator: Generator) -> tuple[Pairs, Pairs]:
        count = self._counts(self._level(task))[1]
        pairs = self._simulated(task, task.sample_prior(count, generator), 0.0)
        held = held_back(len(pairs.x))
        return Pairs(pairs.x[held:], pairs.y[held:]), Pairs(pairs.x[:held], pairs.y[:held])

    def _simulated(self, task: Task, x: Tensor, fidelity: float) -> Pairs:
        """Designs by one of the models, those that it can simulate, with the condition if the task has it."""
        if isinstance(task, Family):
            y = forward(task, x, x.new_full((len(x), 1), fidelity))
        else:
            y = task.simulate(x) if fidelity else self._level(task).simulate(x)
        valid = y.isfinite().all(1)
        return Pairs(x[valid], y[valid])
