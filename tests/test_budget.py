"""Budgets: the width search against brute force, and every method of the project within 5 %."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness.budget import BudgetMissed, build_to_budget, find_width, trainable_parameters
from harness.contracts import Problem
from harness.registry import discover

METHODS = ["mdn", "inn", "cinn", "cvae", "tandem", "na", "na-lm", "na-near", "ipage", "ipage-lm"]


def problem(x_dim: int, y_dim: int) -> Problem:
    bounds = torch.stack([-3 * torch.ones(x_dim), 3 * torch.ones(x_dim)])
    return Problem(x_dim, y_dim, bounds, lambda n, generator: torch.randn(n, x_dim, generator=generator))


@given(st.integers(1, 9), st.integers(1, 50), st.integers(5_000, 3_000_000))
def test_the_width_is_the_one_that_brute_force_finds(square: int, linear: int, budget: int) -> None:
    def count(width: int) -> int:
        return square * width**2 + linear * width

    def distance(width: int) -> float:
        return abs(count(width) / budget - 1)

    best, even = min(range(1, 2000), key=distance), min(range(8, 2000, 8), key=distance)
    if distance(best) <= 0.05:
        found = find_width(count, budget)
        assert distance(found) == distance(even if distance(even) <= 0.025 else best)
    else:
        with pytest.raises(BudgetMissed, match=str(budget)):
            find_width(count, budget)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("dims", [(2, 1), (4, 2)])
@pytest.mark.parametrize("budget", [10_000, 150_000])
def test_every_method_meets_its_budget_by_an_independent_count(name: str, dims: tuple[int, int], budget: int) -> None:
    method, width = build_to_budget(discover("methods")[name].load(), problem(*dims), budget, seed=0)
    counted = 0
    for parameter in {
        id(p): p for module in method.modules() for p in module._parameters.values() if p is not None
    }.values():
        counted += parameter.numel() if parameter.requires_grad else 0
    assert counted == trainable_parameters(method)
    assert abs(counted / budget - 1) <= 0.05
    assert width


@pytest.mark.parametrize("name", ["mdn", "cinn", "cvae", "inn"])
def test_the_surrogate_of_augmented_training_is_counted(name: str) -> None:
    cls = discover("methods")[name].load()
    method, _ = build_to_budget(lambda: cls(cls.Options(augment="surrogate")), problem(2, 1), 150_000, seed=0)
    surrogate = trainable_parameters(method.augmentation.surrogate)
    assert surrogate > 10_000
    assert abs(trainable_parameters(method) / 150_000 - 1) <= 0.05
