"""Finds the width that gives a method a parameter budget."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from harness.contracts import Method, Problem
from harness.seeds import seeded

TOLERANCE = 0.05
"""Largest allowed relative distance of a method's trainable parameters from the budget (protocol, matched budgets)."""
EVEN = 8
"""Products of matrices are up to half as fast again where sizes are multiples of this, whole vectors of a processor."""
EVEN_TOLERANCE = 0.025
"""Relative distance from the budget up to which a multiple of `EVEN` is preferred to the nearest width."""


class BudgetMissed(ValueError):
    """No width brings the method within the tolerance of the budget."""


def trainable_parameters(module: nn.Module) -> int:
    """Parameters that an optimiser may change; frozen permutations and buffers do not count."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def stored_numbers(module: nn.Module) -> int:
    """All numbers that the state of a module holds, buffers included."""
    return sum(tensor.numel() for tensor in module.state_dict().values())


def find_width(count: Callable[[int], int], budget: int) -> int:
    """The width whose parameter count is nearest to the budget; `count` must not decrease with the width.

    The nearest multiple of `EVEN` is taken instead where its count is close to the budget, too.

    Raises:
        BudgetMissed: the nearest count is further than 5 % away.
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
            f"{TOLERANCE:.0%} from the budget of {budget}. Raise --budget or give the method finer steps of width."
        )
    below = width - width % EVEN
    even = min(max(below, EVEN), below + EVEN, key=distance)
    return even if distance(even) <= EVEN_TOLERANCE else width


def build_to_budget(
    create: Callable[[], Method], problem: Problem, budget: int, seed: int
) -> tuple[Method, int | None]:
    """A fresh method, built at the width that meets the budget, and that width; exempt methods have none."""

    def build(width: int) -> Method:
        method = create()
        with seeded("build", seed):
            method.build(problem, width)
        return method.to(method.dtype)

    first = build(1)
    if not first.trainable:
        return first, None
    width = find_width(lambda candidate: trainable_parameters(build(candidate)), budget)
    return build(width), width
