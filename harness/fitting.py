"""From a task's data to a trained method: build to the budget, standardise, train; store and restore."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import safe_open
from safetensors.torch import save_model
from torch import Tensor

from harness import budget, data
from harness.contracts import Method, Pairs, Phase, Problem, usable
from harness.data import Dataset, Standardisation
from harness.errors import ContractError
from harness.seeds import seeded
from harness.training import PhaseLog, Report, batches, train

if TYPE_CHECKING:
    from harness.contracts import Task
    from harness.settings import Schedule

Create = Callable[[], Method]
"""Gives a fresh method: not built, not trained."""
After = Callable[[Phase, PhaseLog], None]
ROUNDING = 1e-6  # of shares that are to add up to one
SLOWER = 0.1  # of the learning rate, where a method goes on with other pairs
MORE = 4  # passes beyond the schedule's, as each phase takes a whole number and one at least


@dataclass(frozen=True)
class Lesson:
    """All that a method is given, physical and float64: no task, no design of a target, no entry that is hidden."""

    problem: Problem
    """Standardised."""
    train: Pairs
    valid: Pairs
    before: tuple[Pairs, Pairs] | None
    """Training and validation pairs that are learned first."""
    scales: tuple[Standardisation, Standardisation]
    """Of x and of y."""
    box: Tensor
    """Least and greatest value of each integer column among those of the task's bounds `(2, x_dim)`, physical."""
    shown: Mapping[str, Tensor]
    """What it is asked for of each kind of target, `targets` and `fixed`, `(m, y_dim)`."""
    budget: int
    schedule: Schedule
    seed: int
    device: str


def lesson(
    task: Task,
    dataset: Dataset,
    *,
    budget: int,
    schedule: Schedule,
    seed: int,
    device: str = "cpu",
    method: Method | None = None,
) -> Lesson:
    """What a method is given of a task's data.

    Args:
        task: whose dimensions, kinds, prior and box a method is told.
        dataset: drawn from it.
        budget: trainable parameters.
        schedule: of the training.
        seed: of the method's random numbers.
        device: `cpu`, `cuda` or `cuda:0`.
        method: which it is for, so that it is given the rows that it can use; all where omitted. One that does not
            train is given what would be learned first at once with the rest.

    Raises:
        ContractError: there are no rows that it can use.
    """
    train, valid, before = dataset.train, dataset.valid, dataset.before
    if method is not None:
        train, valid = (usable(part, method.handled) for part in (train, valid))
        before = before and (usable(before[0], method.handled), usable(before[1], method.handled))
    if before and method is not None and not method.trainable:
        train, valid = (_joined(*each) for each in zip(before, (train, valid), strict=True))
        before = None
    if not (len(train.x) and len(valid.x)):
        what = " or ".join(["complete pairs", *sorted({"partial", "lone"} & (method.handled if method else set()))])
        raise ContractError(f"The method learns from {what}, and of the training or the validation rows there is none.")
    # As many steps as on the task's own rows, of which a scenario, or what the method can use, may leave few.
    more = batches(dataset.usual, schedule) / batches(len(train.x), schedule)
    return Lesson(
        problem=data.pose(task, dataset),
        train=train,
        valid=valid,
        before=before,
        scales=(dataset.x_scale, dataset.y_scale),
        box=task.bounds.cpu(),
        shown={of: dataset.asked(of).shown for of in ("targets", "fixed")},
        budget=budget,
        schedule=replace(schedule, epochs=max(1, round(schedule.epochs * more))),
        seed=seed,
        device=device,
    )


def _joined(one: Pairs, other: Pairs) -> Pairs:
    """Both in random order, the same each time: a method may choose its options on the first rows alone."""
    x, y = torch.cat([one.x, other.x]), torch.cat([one.y, other.y])
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    return Pairs(x[order], y[order])


def build(given: Lesson, create: Create) -> tuple[Method, int | None]:
    """The method, sized to the budget and on its device, and its width; an exempt method has none.

    Args:
        given: what the method will learn from.
        create: gives a fresh method.

    Raises:
        BudgetMissed: no size comes near enough to the budget.
    """
    problem = data.fitted(given.problem, create().dtype, given.device)
    method, width = budget.build_to_budget(create, problem, given.budget, given.seed)
    return method.to(given.device), width


def parts(given: Lesson, method: Method) -> tuple[Pairs, Pairs]:
    """The training and the validation part as the method sees them.

    Args:
        given: what the method learns from, physical.
        method: whose dtype the pairs get.
    """
    train_part, valid_part = (
        data.standardised(given.scales, pairs, method.dtype, given.device) for pairs in (given.train, given.valid)
    )
    return train_part, valid_part


def fit(
    given: Lesson,
    method: Method,
    report: Report = lambda *_: None,
    *,
    pairs: tuple[Pairs, Pairs] | None = None,
    after: After = lambda *_: None,
) -> list[PhaseLog]:
    """Train the method; returns what each phase did.

    Args:
        given: what it learns from, and under which schedule.
        method: as `build` gives it.
        report: is told how far the training has come.
        pairs: what `parts` gives, where it is there already.
        after: is called at the end of each phase.

    Raises:
        Diverged: a loss is no longer finite.
        BudgetMissed: training changes or has added more parameters than the budget allows.
        ContractError: the phases take more passes over the data than the schedule has.
    """
    logs: list[PhaseLog] = []
    with seeded("train", given.seed), budget.changes() as changed:
        method.train()
        for stage in _stages(given, method, pairs):
            logs += _taught(method, stage, given, report, after)
    method.eval()
    budget.recount(method, given.budget, changed())
    return logs


@dataclass(frozen=True)
class _Stage:
    """Pairs as the method sees them, and how it passes over them."""

    train: Pairs
    valid: Pairs
    schedule: Schedule
    name: str = ""
    """What stands before the names of its phases."""


def _stages(given: Lesson, method: Method, pairs: tuple[Pairs, Pairs] | None) -> list[_Stage]:
    """What a method is trained on: all at once, or first on what is learned before."""
    own = pairs or parts(given, method)
    if given.before is None:
        return [_Stage(*own, given.schedule)]
    first = [data.standardised(given.scales, part, method.dtype, given.device) for part in given.before]
    schedule = given.schedule
    steps = schedule.epochs * batches(len(own[0].x), schedule)
    as_many = replace(schedule, epochs=math.ceil(steps / batches(len(first[0].x), schedule)))
    slower = replace(schedule, learning_rate=SLOWER * schedule.learning_rate)
    return [_Stage(first[0], first[1], as_many, "before: "), _Stage(*own, slower)]


def _taught(method: Method, stage: _Stage, given: Lesson, report: Report, after: After) -> list[PhaseLog]:
    """Train the method on one stage; returns what each phase did."""
    logs: list[PhaseLog] = []
    shares: list[float] = []

    def run(phase: Phase) -> float:
        if not isinstance(phase.share, int | float) or not 0 <= phase.share < math.inf:
            raise ContractError(f"The share of phase {phase.name!r} is {phase.share!r}; give a number from 0 to 1.")
        shares.append(phase.share)
        if sum(shares) > 1 + ROUNDING:
            raise ContractError(
                f"The phases take {sum(shares):.3g} times the schedule's passes over the data; "
                "let their shares add up to one."
            )
        passes = sum(log.steps for log in logs) / batches(len(stage.train.x), stage.schedule)
        if passes >= stage.schedule.epochs + MORE:
            raise ContractError(
                f"The phases before {phase.name!r} have taken all {stage.schedule.epochs} passes and more; each takes "
                "one at least, so give fewer."
            )
        named = replace(phase, name=stage.name + phase.name)
        logs.append(train(method, named, stage.train, stage.valid, stage.schedule, given.seed, report))
        after(phase, logs[-1])
        return logs[-1].best

    method.fit(stage.train, stage.valid, run)
    return logs


def store(method: Method, path: Path) -> None:
    """Write the state of a method; a tensor of several names, such as a tied weight, is written once.

    Args:
        method: a trained one.
        path: the file (safetensors), which is replaced.
    """
    save_model(method, str(path))


def stored(path: Path, device: str) -> dict[str, Tensor]:
    """The state that `store` has written, all names included.

    Args:
        path: the file.
        device: where the tensors are wanted.
    """
    with safe_open(path, framework="pt", device=device) as file:
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
        others = file.metadata() or {}
    return state | {name: state[kept] for name, kept in others.items() if kept in state and name not in state}


def rebuild(given: Lesson, create: Create, path: Path) -> Method:
    """The method in the state that was stored.

    Args:
        given: what the method learned from.
        create: gives a fresh method.
        path: the file that `store` has written.

    Raises:
        ValueError: the method's networks are no longer those that were stored.
    """
    method, _ = build(given, create)
    try:
        with seeded("restore", given.seed):
            restore(method, stored(path, given.device))
    except (RuntimeError, AttributeError) as error:
        raise ValueError(f"the stored model does not fit {type(method).__name__} as it is now: {error}") from error
    return method.eval()


def restore(method: Method, state: Mapping[str, Tensor]) -> None:
    """Load a stored state into a freshly built method; buffers take the size that training gave them.

    Args:
        method: built, not trained; changed in place.
        state: its tensors by name, as `stored` gives them.
    """
    for name, tensor in state.items():
        owner, _, leaf = name.rpartition(".")
        module = method.get_submodule(owner)
        buffer = module._buffers.get(leaf)
        if buffer is not None and (buffer.shape, buffer.dtype) != (tensor.shape, tensor.dtype):
            module.register_buffer(leaf, torch.empty_like(tensor))
    method.load_state_dict(state)
