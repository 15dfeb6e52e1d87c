"""Unpaired: few pairs, with designs whose y is not known, and y whose designs are not known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Generator

from harness.contracts import Pairs, Task
from harness.scenarios.contract import Scenario
from harness.scenarios.pairs import MOST, fewer
from harness.settings import setting


@dataclass(frozen=True)
class Options:
    """Options of the scenario."""

    n: int = setting(100, help="pairs to learn from, the validation part included", least=10, most=MOST)
    lone: Literal["none", "x", "y", "both"] = setting(
        "both", help="what is known besides: designs without y (x), y without designs (y), both, or nothing (none)"
    )
    rows: int = setting(10_000, help="lone rows of each kind", least=1, most=1_000_000)  # 2 GB of y of stack


class Unpaired(Scenario):
    """A few of the usual pairs, and many rows of x alone, of y alone, or of both, all of other designs.

    The distribution of designs is not in reach: a method that draws from it draws from the designs that it was given,
    so that designs without y can be worth something. With `lone=none` it learns from the pairs alone; how many pairs
    give there what the lone rows give is what these are worth. What is asked stays the same.
    """

    Options: ClassVar[type] = Options
    hides_prior = True

    @property
    def needs(self) -> frozenset[str]:
        return frozenset() if self.options.lone == "none" else frozenset({"lone"})

    def data(self, task: Task, train: Pairs, valid: Pairs, generator: Generator) -> tuple[Pairs, Pairs]:
        some, held = fewer(self.options.n, train, valid, generator)
        # Drawn in any case, so that the lone y are the same with and without lone x.
        designs = task.sample_prior(self.options.rows, generator)
        targets = task.draw(self.options.rows, generator).y if self.options.lone in ("y", "both") else train.y[:0]
        x, y = [some.x], [some.y]
        if self.options.lone in ("x", "both"):
            x.append(designs)
            y.append(torch.full((len(designs), train.y.shape[1]), math.nan, dtype=torch.float64))
        if len(targets):
            x.append(torch.full((len(targets), train.x.shape[1]), math.nan, dtype=torch.float64))
            y.append(targets)
        return Pairs(torch.cat(x), torch.cat(y)), held
