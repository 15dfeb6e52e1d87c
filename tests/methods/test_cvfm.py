"""Draws of one population carried to another, on a problem with a known answer: x is shifted where y is the same."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import Generator, Tensor

from harness.contracts import Method, Pairs, Problem
from harness.plan import specification
from harness.registry import build_method
from harness.seeds import seeded
from harness.selection import select
from harness.settings import Schedule
from harness.training import train
from methods.cvfm import matched, populations, some

NOISE = 0.5
LOW, HIGH = -1.0, 1.0
TARGETS = torch.tensor([[-0.8], [0.0], [1.0]])
SCHEDULE = Schedule(epochs=40, batch=256, validate_every=10)


def problem(conditions: int = 1) -> Problem:
    bounds = torch.tensor([[-6.0], [6.0]])
    return Problem(1, 2, bounds, lambda n, generator: torch.randn(n, 1, generator=generator), condition_dim=conditions)


def pairs(shift: float, many: int = 6000, few: int = 600, seed: int = 0) -> Pairs:
    """y = x + noise in the larger population, y = x - shift + noise in the smaller one, with x ~ N(shift, 1) there."""
    generator = Generator().manual_seed(seed)
    x, noise = torch.randn(many + few, 1, generator=generator), torch.randn(many + few, 1, generator=generator)
    y = x + NOISE * noise
    small = torch.arange(many + few)[:, None] >= many
    order = torch.randperm(many + few, generator=generator)
    made = torch.cat([y, torch.where(small, HIGH, LOW)], 1)
    return Pairs((x + shift * small)[order], made[order])


@cache
def taught(shift: float, options: str = "", schedule: Schedule = SCHEDULE) -> Method:
    method = build_method(specification(*select("methods", f"cvfm[{options}]")))
    with seeded("build"):
        method.build(problem(), 48)
    parts = pairs(shift), pairs(shift, 1000, 100, seed=1)
    with seeded("train"):
        method.fit(*parts, lambda phase: train(method, phase, *parts, schedule, 0, lambda *_: None).best)
    return method


def drawn(method: Method, level: float) -> Tensor:
    targets = torch.cat([TARGETS, torch.full((len(TARGETS), 1), level)], 1)
    return method.propose(targets, 4000, Generator().manual_seed(1)).x[..., 0]


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.0, 1.5])
def test_what_is_carried_has_the_posterior_of_the_other_population(shift: float) -> None:
    """p(x | y) is normal, about y / (1 + noise^2), in the one, and the same with the shift in the other."""
    width = NOISE / (1 + NOISE**2) ** 0.5
    for level, moved in ((LOW, 0.0), (HIGH, shift)):
        found = drawn(taught(shift), level)
        expected = TARGETS[:, 0] / (1 + NOISE**2) + moved
        assert torch.allclose(found.mean(1), expected, atol=0.12), level
        assert torch.allclose(found.std(1), torch.tensor(width), rtol=0.2), level


@pytest.mark.slow
def test_between_equal_populations_nothing_moves() -> None:
    low, high = (drawn(taught(0.0), level) for level in (LOW, HIGH))
    assert float((high - low).abs().mean()) < 0.1 * float(low.std())


@pytest.mark.parametrize("option", ["carrier_depth=2", "carrier_share=0.2", "match_y=0", "kernel=0.05"])
def test_every_option_of_the_carrier_does_something(option: str) -> None:
    moment = Schedule(epochs=2, batch=512, validate_every=1)
    usual, other = (drawn(taught(1.5, given, moment), HIGH) for given in ("", option))
    assert not torch.equal(usual, other)


def test_populations_are_told_apart_by_the_only_condition() -> None:
    found = populations(problem(), pairs(1.0, 20, 5))
    assert found is not None and [len(part.x) for part in found] == [20, 5]
    assert populations(problem(0), pairs(1.0, 20, 5)) is None
    many = pairs(1.0, 20, 5)
    many.y[0, 1] = 0.3
    assert populations(problem(), many) is None


def test_without_two_populations_it_is_flow_matching() -> None:
    method = build_method(specification(*select("methods", "cvfm")))
    method.build(problem(0), 16)
    (phase,) = method.phases()
    assert phase.share == 1 and method.propose(torch.zeros(2, 2), 3, Generator().manual_seed(0)).x.shape == (2, 3, 1)


def test_rows_are_matched_by_the_least_cost_and_drawn_once_where_there_are_enough() -> None:
    generator = Generator().manual_seed(0)
    x, y = torch.randn(30, 2, generator=generator), torch.randn(30, 1, generator=generator)
    order = torch.randperm(30, generator=generator)
    assert torch.equal(matched(x, x[order], y, y[order], 1.0), order.argsort())
    few = Pairs(x[:10], y[:10])
    assert len(some(few, 8).x.unique(dim=0)) == 8 and len(some(few, 25).x) == 25
    assert some(few, 25).x.unique(dim=0).shape == few.x.shape


def test_a_method_for_one_scenario_is_not_among_all() -> None:
    assert "cvfm" not in {item.label for item in select("methods", "all")}
    assert [item.label for item in select("methods", "special")] == ["cvfm"]
