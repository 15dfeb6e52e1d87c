"""Finds the width that gives a method a parameter budget, and tells beforehand where there is none.

Where widths are too coarse, whole numbers among the options that the method names (`Method.finer`) are lowered, such
as the components of a mixture, as little as will do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.optim.optimizer import Optimizer, register_optimizer_step_pre_hook
from torch.utils.weak import WeakIdKeyDictionary

from harness.contracts import Kind, Method, Problem
from harness.errors import ContractError
from harness.seeds import seeded

TOLERANCE = 0.05
"""Largest allowed relative distance of a method's trainable parameters from the budget (protocol, matched budgets)."""
ADVICE = "Raise --budget, or give the method finer steps of width."
EVEN = 8
"""Products of matrices are up to half as fast again where sizes are multiples of this, whole vectors of a processor."""
EVEN_TOLERANCE = 0.025
"""Relative distance from the budget up to which a multiple of `EVEN` is preferred to the nearest width."""


class BudgetMissed(ContractError):
    """No size brings the method within the tolerance of the budget, or it has or trains more parameters than that."""


def trainable_parameters(module: nn.Module) -> int:
    """Parameters that an optimiser may change; frozen permutations and buffers do not count.

    Args:
        module: a method, or a part of one.
    """
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def stored_numbers(module: nn.Module) -> int:
    """All numbers that the state of a module holds, buffers included.

    Args:
        module: a method, or a part of one.
    """
    return sum(tensor.numel() for tensor in module.state_dict().values())


def find_width(count: Callable[[int], int], budget: int) -> int:
    """The width whose parameter count is nearest to the budget.

    The nearest multiple of `EVEN` is taken instead where its count is close to the budget, too.

    Args:
        count: parameters at a width, 1 or more; it must not decrease with the width.
        budget: how many parameters are wanted.

    Raises:
        BudgetMissed: the nearest count is further than 5 % away.

    >>> find_width(lambda width: width**2, 10_000)
    100
    """

    def distance(width: int) -> float:
        return abs(count(width) / budget - 1)

    low, high = 1, 2
    while count(high) < budget:
        if count(2 * high) <= count(high):
            raise BudgetMissed(
                f"Width {high} gives {count(high)} trainable parameters, {2 * high} no more; the budget is {budget}. "
                "Let `build` use the width, or set `trainable = False` where there is nothing to train."
            )
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if count(middle) >= budget else (middle, high)
    width = min(low, high, key=distance)
    if distance(width) > TOLERANCE:
        raise BudgetMissed(
            f"The nearest widths {low} and {high} give {count(low)} and {count(high)} trainable parameters, more than "
            f"{TOLERANCE:.0%} from the budget of {budget}. {ADVICE}"
        )
    below = width - width % EVEN
    even = min(max(below, EVEN), below + EVEN, key=distance)
    return even if distance(even) <= EVEN_TOLERANCE else width


@dataclass(frozen=True)
class Size:
    """What gives a method its budget."""

    width: int | None
    """None for a method that is exempt."""
    parameters: int
    lowered: Mapping[str, int]
    """The options that had to be lowered, with their values; mostly none."""


def build_to_budget(
    create: Callable[[], Method], problem: Problem, budget: int, seed: int
) -> tuple[Method, int | None]:
    """A fresh method, built at the size that meets the budget, and its width; exempt methods have none.

    Its options are those that it was built with: some may have been lowered to meet the budget.

    Args:
        create: gives a fresh method that is not built.
        problem: dimensions, kinds and box of the task, in the method's dtype.
        budget: how many trainable parameters it is to have.
        seed: of the first weights.

    Raises:
        BudgetMissed: no size comes within 5 % of the budget.
    """
    size = find_size(create, problem, budget, seed)
    return _built(create, problem, size.width or 1, size.lowered, seed), size.width


def predict(
    create: Callable[[], Method],
    x_dim: int,
    y_dim: int,
    budget: int,
    *,
    kinds: Sequence[Kind] = (),
    condition_dim: int = 0,
) -> Size:
    """The size that a method will have for a task of which only these facts are known; no data, nothing is trained.

    Args:
        create: gives a fresh method that is not built.
        x_dim: dimensions of a design.
        y_dim: dimensions of a target, conditions included.
        budget: how many trainable parameters it is to have.
        kinds: what the columns of x are; all are continuous where empty.
        condition_dim: how many of the last entries of y are conditions.

    Raises:
        BudgetMissed: no size comes within 5 % of the budget.
    """
    dtype = create().dtype
    bounds = torch.tensor([[-1.0], [1.0]], dtype=dtype).repeat(1, x_dim)

    def sample_prior(n: int, generator: Generator) -> Tensor:
        return torch.randn(n, x_dim, generator=generator, dtype=dtype)

    step = torch.zeros(x_dim, dtype=dtype) if any(kind.name != "continuous" for kind in kinds) else None
    problem = Problem(x_dim, y_dim, bounds, sample_prior, tuple(kinds), step, condition_dim)
    return find_size(create, problem, budget, 0)


def find_size(create: Callable[[], Method], problem: Problem, budget: int, seed: int) -> Size:
    """The size that meets the budget: a width, at the least lowering of options by which one comes near enough.

    Args:
        create: gives a fresh method that is not built.
        problem: dimensions, kinds and box of the task, in the method's dtype.
        budget: how many trainable parameters it is to have.
        seed: of the first weights.

    Raises:
        BudgetMissed: there is none.
    """
    first = _built(create, problem, 1, {}, seed)
    if not first.trainable:
        _require_none(first)
        return Size(None, 0, {})
    missed: BudgetMissed | None = None
    for lowered in _lowerings(first):
        count = _counter(create, problem, lowered, seed)
        try:
            width = _width(count, budget)
        except BudgetMissed as error:
            missed = missed or error
        else:
            return Size(width, count(width), lowered)
    assert missed is not None
    if first.finer:
        raise BudgetMissed(f"{missed} Lowering {' and '.join(first.finer)} does not help.") from missed
    raise missed


@contextmanager
def changes() -> Iterator[Callable[[], int]]:
    """Counts the parameters that torch's optimisers change meanwhile, each once.

    Those of a network that is frozen before and afterwards, or that the method does not show, count too.
    """
    seen, known, total = WeakIdKeyDictionary(), WeakIdKeyDictionary(), 0

    def count(optimiser: Optimizer, *_: Any) -> None:
        nonlocal total
        parameters = [item for group in optimiser.param_groups for item in group["params"]]
        these = tuple(map(id, parameters))
        if known.get(optimiser) == these:
            return
        known[optimiser] = these
        for parameter in parameters:
            if isinstance(parameter, nn.Parameter) and parameter not in seen:
                seen[parameter] = True
                total += parameter.numel()

    hook = register_optimizer_step_pre_hook(count)
    try:
        yield lambda: total
    finally:
        hook.remove()


def recount(method: Method, budget: int, changed: int = 0) -> None:
    """Hold a method to its budget once more: training, or being asked, may have added parameters.

    Args:
        method: after training or after its answers.
        budget: trainable parameters that it may have.
        changed: how many parameters training has changed.

    Raises:
        BudgetMissed: more are trainable or were changed than the budget allows.
    """
    name, count = type(method).__name__, trainable_parameters(method)
    allowed = budget * (1 + TOLERANCE) if method.trainable else 0
    why = f"the budget is {budget}" if method.trainable else "trainable = False exempts it from the budget"
    if count > allowed:
        raise BudgetMissed(
            f"{name} has {count} trainable parameters now, more than it was built with; {why}. Create every network in "
            "`build`, so that it counts, and none later."
        )
    if changed > allowed:
        raise BudgetMissed(
            f"The training of {name} changes {changed} parameters; {why}. Create every network in `build`, leave its "
            "parameters trainable there, so that they count, and set trainable = True. A restart loads the first state "
            "into the same network; a design that is optimised is a tensor, not a Parameter."
        )


def _require_none(method: Method) -> None:
    if count := trainable_parameters(method):
        raise BudgetMissed(
            f"trainable is False, which exempts {type(method).__name__} from the budget, but it has {count} trainable "
            "parameters; set trainable = True or freeze them."
        )


def _lowerings(method: Method) -> Iterator[dict[str, int]]:
    """None, then all combinations of lower values for the options that the method lets be lowered, nearest first."""
    asked = {name: getattr(method.options, name) for name in method.finer}
    choices = product(*(range(value, 0, -1) for value in asked.values()))
    found = [{name: value for name, value in zip(asked, each, strict=True) if value != asked[name]} for each in choices]
    yield from sorted(found, key=lambda lowered: sum(1 - value / asked[name] for name, value in lowered.items()))


def _built(create: Callable[[], Method], problem: Problem, width: int, lowered: Mapping[str, int], seed: int) -> Method:
    method = create()
    if lowered:
        method.options = replace(method.options, **lowered)
    with seeded("build", seed):
        method.build(problem, width)
    return method.to(method.dtype)


def _counter(
    create: Callable[[], Method], problem: Problem, lowered: Mapping[str, int], seed: int
) -> Callable[[int], int]:
    """The number of trainable parameters by width, counted once each."""

    @cache
    def count(width: int) -> int:
        return trainable_parameters(_built(create, problem, width, lowered, seed))

    return count


def _width(count: Callable[[int], int], budget: int) -> int:
    """`find_width`, at first with the polynomial through the counts at small widths.

    A network has a number of parameters that is quadratic in its width. Where the polynomial holds at the width that it
    leads to, only three small networks and that one are built.

    Raises:
        BudgetMissed: no width comes within 5 % of the budget.
    """
    if count(1) > budget * (1 + TOLERANCE):
        raise BudgetMissed(
            f"Width 1, the least, gives {count(1)} trainable parameters, more than {TOLERANCE:.0%} from the budget of "
            f"{budget}. {ADVICE}"
        )
    slope, bend = count(2) - count(1), count(3) - 2 * count(2) + count(1)

    def quadratic(width: int) -> int:
        return count(1) + (width - 1) * slope + (width - 1) * (width - 2) // 2 * bend

    if slope > 0 and bend >= 0:
        width = find_width(quadratic, budget)
        if quadratic(width) == count(width):
            return width
    return find_width(count, budget)
