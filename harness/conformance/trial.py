"""One method on one small built-in problem, from build to proposals, as a cell would do it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import cached_property

import torch
from torch import Generator, Tensor, nn

from harness import data, fitting, outputs
from harness.budget import build_to_budget
from harness.contracts import Method, Pairs, Phase, Proposals, Task
from harness.seeds import seeded
from harness.settings import DataSettings, Schedule
from harness.training import PhaseLog

BUDGET = 10_000  # trainable parameters, as in the smoke preset
SCHEDULE = Schedule(epochs=3, batch=64, validate_every=1)
TARGETS, PROPOSALS = 8, 16
DATA = DataSettings(targets=TARGETS + TARGETS // 2, n_train=500)


class Valley(Task):
    """y = x0^2 + x1 with a third, useless design dimension; x ~ N(0, 1)^3."""

    x_dim = 3
    y_dim = 1
    fixed_target = (1.0,)

    @property
    def bounds(self) -> Tensor:
        return torch.tensor([[-2.0] * 3, [2.0] * 3], dtype=torch.float64)

    def sample_prior(self, n: int, generator: Generator) -> Tensor:
        return torch.randn(n, 3, generator=generator, dtype=torch.float64)

    def simulate(self, x: Tensor) -> Tensor:
        return x[:, :1].square() + x[:, 1:2]


class Fold(Task):
    """y = (x0 + x1^2, x0 x1) with x ~ U[0, 1]^2: as many targets as design dimensions."""

    x_dim = 2
    y_dim = 2
    fixed_target = (1.0, 0.25)

    @property
    def bounds(self) -> Tensor:
        return torch.tensor([[0.0, 0.0], [1.0, 1.0]], dtype=torch.float64)

    def sample_prior(self, n: int, generator: Generator) -> Tensor:
        return torch.rand(n, 2, generator=generator, dtype=torch.float64)

    def simulate(self, x: Tensor) -> Tensor:
        first, second = x.unbind(-1)
        return torch.stack([first + second.square(), first * second], -1)


class Slope(Task):
    """y = c x0 + x1 with x ~ U[0, 1]^2 under a condition c from -2 to 2."""

    x_dim = 2
    y_dim = 2
    fixed_target = (0.5, 1.0)
    conditions = torch.tensor([[-2.0], [2.0]], dtype=torch.float64)

    @property
    def bounds(self) -> Tensor:
        return torch.tensor([[0.0, 0.0], [1.0, 1.0]], dtype=torch.float64)

    def sample_prior(self, n: int, generator: Generator) -> Tensor:
        return torch.rand(n, 2, generator=generator, dtype=torch.float64)

    def simulate(self, x: Tensor, conditions: Tensor) -> Tensor:  # type: ignore[override]
        """Y `(n, 1)`, without the condition.

        Args:
            x: designs `(n, 2)`.
            conditions: c of each `(n, 1)`.
        """
        return x[:, :1] * conditions + x[:, 1:]


class Trial:
    """A method on one of the problems; `build`, then `fit`, then `propose`."""

    def __init__(self, create: Callable[[], Method], task: Task, device: str = "cpu") -> None:
        self.create, self.task = create, task
        dataset = data.draw(task, DATA)
        self.given = fitting.lesson(task, dataset, budget=BUDGET, schedule=SCHEDULE, seed=0, device=device)
        self.train, self.valid = fitting.parts(self.given, create())
        self.problem = data.fitted(self.given.problem, create().dtype, device)
        self.bounds = self.problem.bounds.clone()
        self.targets = dataset.y_scale.apply(dataset.targets.shown).to(device, create().dtype)
        self.where = f"with x_dim={task.x_dim} and y_dim={task.y_dim}"
        if task.conditions is not None:
            self.where += ", whose last entry is a condition"
        self.width = 1
        self.method: Method
        self.counted: list[nn.Parameter] = []
        self.trained: list[nn.Parameter] = []
        self.changed: set[str] = set()
        """Names of the arguments that the method changed."""

    def build(self) -> None:
        """Size the method to the budget.

        Raises:
            BudgetMissed: no size comes within 5 %.
        """
        method, width = build_to_budget(self.create, self.problem, BUDGET, 0)
        self.method, self.width = method.to(self.given.device), width or 1
        self.counted = [parameter for parameter in self.method.parameters() if parameter.requires_grad]

    def fresh(self, seed: int) -> Method:
        """The method built once more at the same width, with another seed."""
        method = self.create()
        if method.finer:  # some options may have been lowered to meet the budget
            method.options = self.method.options
        with seeded("build", seed):
            method.build(self.problem, self.width)
        return method.to(method.dtype).to(self.given.device)

    def fit(self, method: Method | None = None, train: Pairs | None = None) -> Method:
        """Train the method on clones of the data, as a cell does; returns it ready to propose.

        Args:
            method: fresh; the one that was built where omitted.
            train: other pairs than those of the problem.

        Raises:
            BudgetMissed: training changes or has added more parameters than the budget allows.
        """
        method, train = method or self.method, train or self.train
        pairs, valid = copies(train), copies(self.valid)

        def after(phase: Phase, _: PhaseLog) -> None:
            self.trained += [parameter for parameter in phase.module.parameters() if parameter.requires_grad]

        fitting.fit(self.given, method, pairs=(pairs, valid), after=after)
        for name, given, original in (("train", pairs, train), ("valid", valid, self.valid)):
            if difference(given.x, original.x) or difference(given.y, original.y):
                self.changed.add(name)
        return method

    def check(self, proposals: Proposals, targets: int, n: int) -> None:
        """Hold proposals to the contract.

        Raises:
            ContractError: they do not keep it.
        """
        x, dtype = self.train.x.cpu(), self.method.dtype
        sizes = {"targets": targets, "n": n, "x_dim": self.problem.x_dim, "known": len(x)}
        outputs.candidates(self.method, n)
        outputs.check(proposals, **sizes, dtype=dtype, designs=lambda rows: x[rows])

    @cached_property
    def proposals(self) -> Proposals:
        """Proposals of the trained method for all targets; a search may take its time for them."""
        return self.propose(self.method, self.targets, PROPOSALS)

    def propose(self, method: Method, y: Tensor, n: int, pollution: int = 0) -> Proposals:
        """Proposals, n for each target of y, always with the same generator, under a chosen global random state."""
        given = y.clone()
        with seeded("pollution", pollution):
            proposals = method.propose(given, n, Generator().manual_seed(0))
        if difference(given, y):
            self.changed.add("y")
        return proposals


def trainable_tensors(root: object) -> list[Tensor]:
    """Leaf tensors that require a gradient in the modules, containers and plain objects that an object holds.

    This does not rely on modules being registered, as `parameters()` does.
    """
    found: dict[int, Tensor] = {}
    seen: dict[int, object] = {}
    waiting = [root]
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen[id(item)] = item  # kept alive, so that no id is used twice
        if isinstance(item, Tensor):
            if item.requires_grad and item.is_leaf:
                found[id(item)] = item
        else:
            waiting += held(item)
    return list(found.values())


def held(item: object) -> Iterable[object]:
    """What a container or an object holds; classes and functions are not entered."""
    if isinstance(item, dict):
        return list(item.values())
    if isinstance(item, list | tuple | set | frozenset):
        return list(item)
    if isinstance(item, type) or (callable(item) and not isinstance(item, nn.Module)):
        return []
    return list(getattr(item, "__dict__", {}).values())


def difference(a: Tensor, b: Tensor) -> float:
    """Largest absolute difference; NaN equals NaN, and nothing else."""
    both = (a.isnan() & b.isnan()) | (a == b)  # infinities of one sign are equal too
    distance = torch.where(both, 0.0, (a - b).detach().abs()).nan_to_num(nan=math.inf)
    return float(distance.max()) if distance.numel() else 0.0


def copies(pairs: Pairs) -> Pairs:
    """Clones of the pairs."""
    return Pairs(pairs.x.clone(), pairs.y.clone())
