"""Methods whose errors are known beforehand, and what the protocols find of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor

from harness import data, fitting
from harness.answers import Answer, Asker
from harness.contracts import Method, Proposals, Task
from harness.protocols.contract import Answered, Material, Protocol, Question
from harness.resimulation import resimulate
from harness.settings import DataSettings, Schedule, Sizes

SETTINGS = DataSettings(targets=7, n_train=200, data_seed=3)
SIZES = Sizes(proposals=12, repeats=5, fixed_proposals=6)
HARD, UNSIMULATED = 50.0, 40.0
SCALE = torch.tensor([1.0, 10.0], dtype=torch.float64)


class Scales(Task):
    """y = (x0, 10 x1): the design of a target is known. Beyond 40 nothing can be simulated, beyond 50 nothing is."""

    x_dim, y_dim, fixed_target = 2, 2, (1.0, -5.0)
    bounds = torch.tensor([[-2.0, -2.0], [2.0, 2.0]], dtype=torch.float64)

    def sample_prior(self, n: int, generator: Generator) -> Tensor:
        return torch.randn(n, 2, generator=generator, dtype=torch.float64)

    def simulate(self, x: Tensor) -> Tensor:
        between = (x.abs() > UNSIMULATED) & (x.abs() < HARD)
        return torch.where(between.any(-1, keepdim=True), math.nan, x * SCALE)

    def in_support(self, x: Tensor) -> Tensor:
        return (x.abs() <= HARD).all(-1)


Shift = Callable[[Tensor, int, Generator], Tensor]


class Shifted(Method):
    """Proposes the right design, with x0 off by `shift(targets)` `(b, n)` in physical units."""

    dtype, trainable = torch.float64, False

    def __init__(self, given: fitting.Lesson, shift: Shift, ranked=False, believed=None, pool=None) -> None:
        super().__init__()
        self.given, self.shift, self.ranked, self.believed, self.pool = given, shift, ranked, believed, pool
        self.asked: list[tuple[int, int]] = []

    def candidates(self, n: int) -> int:
        return n if self.pool is None else max(n, self.pool)

    def propose(self, y: Tensor, n: int, generator: Generator) -> Proposals:
        self.asked.append((len(y), n))
        exact = self.given.scales[1].undo(y)[:, :2] / SCALE
        x = exact[:, None].repeat(1, n, 1)
        x[..., 0] += self.shift(exact, n, generator)
        believed = None if self.believed is None else self.believed(len(y), n)
        return Proposals(self.given.scales[0].apply(x), ranked=self.ranked, believed=believed)


def counting(exact: Tensor, n: int, generator: Generator) -> Tensor:
    """The k-th proposal is off by k + 1."""
    return torch.arange(1.0, n + 1, dtype=torch.float64).expand(len(exact), n)


def drawn(exact: Tensor, n: int, generator: Generator) -> Tensor:
    return torch.randn(len(exact), n, generator=generator, dtype=torch.float64)


def nowhere(exact: Tensor, n: int, generator: Generator) -> Tensor:
    return torch.full((len(exact), n), math.nan, dtype=torch.float64)


def exact(exact: Tensor, n: int, generator: Generator) -> Tensor:
    return torch.zeros(len(exact), n, dtype=torch.float64)


class Toy:
    """A task with its data, on which protocols score methods."""

    def __init__(self, task: Task | None = None, settings: DataSettings = SETTINGS) -> None:
        self.task = task or Scales()
        self.data = data.draw(self.task, settings)

    def lesson(self, seed: int = 0) -> fitting.Lesson:
        return fitting.lesson(self.task, self.data, budget=100, schedule=Schedule(), seed=seed)

    def shifted(self, shift: Shift, **options: Any) -> Shifted:
        return Shifted(self.lesson(), shift, **options)

    def ask(self, method: Method, question: Question, seed: int = 0) -> Answer:
        return Asker(method, self.lesson(seed))(question)

    def answered(self, method: Method, question: Question, seed: int = 0) -> Answered:
        answer, targets = self.ask(method, question, seed), self.data.asked(question.of)
        return Answered(question, answer, targets, self.data, partial(resimulate, self.task))

    def score(self, protocol: Protocol, method: Method, sizes: Sizes = SIZES, seed: int = 0) -> Any:
        return protocol.score(self.material(protocol, method, sizes, seed))

    def material(self, protocol: Protocol, method: Method, sizes: Sizes = SIZES, seed: int = 0) -> Material:
        answers = {name: self.answered(method, item, seed) for name, item in protocol.questions(sizes).items()}
        return Material(self.task, self.data, answers, sizes, 0)
