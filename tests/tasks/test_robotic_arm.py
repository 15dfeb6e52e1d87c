from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Generator

from tasks.robotic_arm import RoboticArm, RoboticArmOptions

REN, KRUSE = (RoboticArm(RoboticArmOptions(convention=name)) for name in ("ren", "kruse"))
angle = st.floats(-7, 7)


def tip(base, angles):
    """The tip of the chain, link by link."""
    horizontal, vertical = 0.0, base
    for length, direction in zip((0.5, 0.5, 1.0), angles, strict=True):
        horizontal += length * math.cos(direction)
        vertical += length * math.sin(direction)
    return [horizontal, vertical]


def simulate(task, *x):
    return task.simulate(torch.tensor([x], dtype=torch.float64))[0].tolist()


@given(st.floats(-5, 5), angle, angle, angle)
def test_both_conventions_against_a_scalar_computation(base, a, b, c):
    assert simulate(REN, base, a, b, c) == pytest.approx(tip(base, (a, b - a, c - b - a)), abs=1e-12)
    assert simulate(KRUSE, base, a, b, c) == pytest.approx(tip(base, (a, a + b, a + b + c)), abs=1e-12)


@given(st.floats(-5, 5), angle, angle, angle)
def test_the_tip_is_within_reach(base, a, b, c):
    for task in (REN, KRUSE):
        horizontal, vertical = simulate(task, base, a, b, c)
        assert math.hypot(horizontal, vertical - base) <= 2 + 1e-12


def test_a_straight_arm_points_along_the_horizontal():
    assert simulate(REN, 0.3, 0, 0, 0) == simulate(KRUSE, 0.3, 0, 0, 0) == [2, 0.3]


@pytest.mark.parametrize(
    ("task", "deviations", "near"),
    [(REN, (0.441, 0.583), 2021e-6), (KRUSE, (0.513, 1.047), 110e-6)],
    ids=["ren", "kruse"],
)
def test_published_spread_and_density_at_the_fixed_target(task, deviations, near):
    """Standard deviation of y, and the share of draws within 0.05 of (1.5, 0), as measured on the published code."""
    y = task.simulate(task.sample_prior(400_000, Generator().manual_seed(1)))
    assert y.std(0).tolist() == pytest.approx(deviations, abs=0.01)
    share = ((y - torch.tensor(task.fixed_target)).norm(dim=1) < 0.05).double().mean().item()
    assert share == pytest.approx(near, rel=0.25)
