"""A small forward problem of any dimensions, and methods trained on it for a moment."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import torch
from torch import Generator, Tensor
from torch.nn.functional import one_hot

from harness import data, fitting
from harness.contracts import Kind, Method, Pairs, Phase, Problem, Task
from harness.plan import specification
from harness.registry import build_method
from harness.seeds import seeded
from harness.selection import select
from harness.settings import DataSettings, Schedule
from harness.training import PhaseLog

State = dict[str, Tensor]
ANY = 10**9  # a budget that every width keeps within


class Waves(Task):
    """y = sin(x A) + x B / 2 with x ~ N(0, I): smooth, and not one-to-one."""

    def __init__(self, x_dim: int, y_dim: int) -> None:
        super().__init__()
        self.x_dim, self.y_dim, self.fixed_target = x_dim, y_dim, (0.3,) * y_dim
        generator = Generator().manual_seed(10 * x_dim + y_dim)
        shape = 2, x_dim, y_dim
        self.inner, self.outer = torch.randn(shape, generator=generator, dtype=torch.float64) / math.sqrt(x_dim)

    @property
    def bounds(self) -> Tensor:
        return torch.tensor([[-2.0] * self.x_dim, [2.0] * self.x_dim], dtype=torch.float64)

    def sample_prior(self, n: int, generator: Generator) -> Tensor:
        return torch.randn(n, self.x_dim, generator=generator, dtype=torch.float64)

    def simulate(self, x: Tensor) -> Tensor:
        return (x @ self.inner).sin() + x @ self.outer / 2


class Mixed(Task):
    """A material (one of three), a number of layers 1 to 5, and a thickness to stiffness and weight."""

    x_dim, y_dim, fixed_target = 5, 2, (1.5, 3.0)
    kinds = (Kind("categorical", 3), Kind("integer"), Kind("continuous"))
    bounds = torch.tensor([[0, 0, 0, 1, 0.1], [1, 1, 1, 5, 2.0]], dtype=torch.float64)

    def sample_prior(self, n: int, generator: Generator) -> Tensor:
        material = one_hot(torch.randint(3, (n,), generator=generator), 3).double()
        layers = torch.randint(1, 6, (n, 1), generator=generator).double()
        thickness = 0.1 + 1.9 * torch.rand(n, 1, generator=generator, dtype=torch.float64)
        return torch.cat([material, layers, thickness], 1)

    def in_support(self, x: Tensor) -> Tensor:
        hot = ((x[:, :3] == 0) | (x[:, :3] == 1)).all(-1) & (x[:, :3].sum(-1) == 1)
        whole = (x[:, 3] == x[:, 3].round()) & (x[:, 3] >= 1) & (x[:, 3] <= 5)
        return x.isfinite().all(-1) & hot & whole & (x[:, 4] > 0)

    def simulate(self, x: Tensor) -> Tensor:
        stiff = (x[:, :3] * torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64)).sum(-1)
        y = torch.stack([stiff * x[:, 4], x[:, 3] * x[:, 4]], -1)
        return y.where(self.in_support(x)[:, None], torch.nan)


@dataclass
class Trained:
    """A method that was trained for a moment, with what it was given and what it passed through."""

    method: Method
    problem: Problem
    train: Pairs
    valid: Pairs
    targets: Tensor
    """Standardised targets `(b, y_dim)`."""
    dataset: data.Dataset
    logs: list[PhaseLog] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    """The state of the method after each phase."""

    def propose(self, n: int = 5, seed: int = 0, y: Tensor | None = None):
        """Proposals for the targets, or for others."""
        return self.method.propose(self.targets if y is None else y, n, Generator().manual_seed(seed))


@cache
def trained(
    selection: str,
    x_dim: int = 2,
    y_dim: int = 1,
    *,
    epochs: int = 4,
    width: int = 12,
    n_train: int = 160,
    box: float = 1.0,
) -> Trained:
    """The method that a selection names, built at a width and trained; shared between tests, so leave it as it is.

    `box` shrinks the range that the method takes for that of the designs.
    """
    made = untrained(selection, x_dim, y_dim, width=width, n_train=n_train, box=box)
    schedule = Schedule(epochs=epochs, batch=32, learning_rate=1e-2, validate_every=1)
    given = fitting.lesson(Waves(x_dim, y_dim), made.dataset, budget=ANY, schedule=schedule, seed=0)

    def after(phase: Phase, log: PhaseLog) -> None:
        made.logs.append(log)
        made.states.append(snapshot(made.method))

    fitting.fit(given, made.method, pairs=(made.train, made.valid), after=after)
    return made


def untrained(
    selection: str, x_dim: int = 2, y_dim: int = 1, *, width: int = 12, n_train: int = 160, box: float = 1.0
) -> Trained:
    """The method that a selection names, built and not trained."""
    (chosen,) = select("methods", selection)
    method = build_method(specification(chosen))
    task = Waves(x_dim, y_dim)
    dataset = data.draw(task, DataSettings(targets=6, n_train=n_train))
    posed = data.fitted(data.pose(task, dataset), method.dtype, "cpu")
    problem = Problem(x_dim, y_dim, posed.bounds * box, posed.sample_prior)
    with seeded("build"):
        method.build(problem, width)
    method.to(method.dtype)
    scales = dataset.x_scale, dataset.y_scale
    pairs = [data.standardised(scales, part, method.dtype, "cpu") for part in (dataset.train, dataset.valid)]
    # From mild to extreme: a surrogate that has hardly been trained can reach some and not others.
    mild = torch.linspace(0.1, 1.2, len(dataset.targets.shown), dtype=torch.float64)[:, None]
    targets = (mild * dataset.y_scale.apply(dataset.targets.shown)).to(method.dtype)
    return Trained(method, problem, *pairs, targets, dataset)


def snapshot(module: torch.nn.Module) -> State:
    """A copy of a module's state."""
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def same(one: Mapping[str, Tensor], other: Mapping[str, Tensor], prefix: str = "") -> bool:
    """Whether two states hold the same bits below a prefix."""
    names = [name for name in one if name.startswith(prefix)]
    assert names
    return all(torch.equal(one[name], other[name]) for name in names)
