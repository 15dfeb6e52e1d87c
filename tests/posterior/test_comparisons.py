"""The classifier, and what of a reference is reached."""

import pytest
import torch
from torch import Generator

from harness.posterior import covering
from harness.posterior.c2st import c2st
from harness.solution_curves import curves, is_plane, nearest_curve
from tasks.ballistics import Ballistics
from tasks.sinewave import Sinewave


def normal(n, d=2, shift=0.0, seed=0):
    return torch.randn(n, d, generator=Generator().manual_seed(seed), dtype=torch.float64) + shift


def test_a_classifier_cannot_tell_two_sets_of_one_distribution_and_can_tell_those_that_are_apart():
    assert c2st(normal(400), normal(400, seed=1)) == pytest.approx(0.5, abs=0.06)
    assert c2st(normal(400), normal(400, shift=0.7, seed=1)) == pytest.approx(0.69, abs=0.06)  # best: Phi(0.7 / sqrt 2)
    assert c2st(normal(100), normal(100, shift=9.0, seed=1)) == 1.0


def test_a_classifier_wants_some_rows_and_takes_as_many_of_both():
    assert c2st(normal(9), normal(90)) != c2st(normal(9), normal(90))  # NaN
    assert c2st(normal(50), normal(5000, seed=1)) == pytest.approx(0.5, abs=0.2)


def test_rows_that_are_there_twice_are_not_learned_by_heart():
    one, two = normal(100).repeat(4, 1), normal(100, seed=1).repeat(4, 1)
    numbers = torch.arange(100).repeat(4)
    assert c2st(one, two) > 0.9
    assert c2st(one, two, (numbers, numbers + 100)) == pytest.approx(0.5, abs=0.12)


def test_the_solutions_of_the_sinewave_are_nine_curves_and_each_design_on_one_is_of_it():
    task = Sinewave()
    lines = curves(task, task.fixed_target[0])
    assert len(lines) == 9 and is_plane(task) and not is_plane(Ballistics())
    for number, line in enumerate(lines):
        assert torch.allclose(task.simulate(line), torch.tensor(1.2, dtype=torch.float64), atol=5e-3)
        assert bool((nearest_curve(line[::5], lines) == number).all())


def test_within_the_radius_as_many_other_draws_reach_95_percent_and_a_single_design_next_to_nothing():
    reference, others = normal(1000), normal(1000, seed=1)
    for count in (25, 200, 1000):
        within = covering.radius(reference, others, count)
        assert covering.reached(reference, others[:count], within) == pytest.approx(0.95, abs=2e-3)
        assert covering.reached(normal(1000, seed=2), normal(count, seed=3), within) == pytest.approx(0.95, abs=0.03)
    within = covering.radius(reference, others, 200)
    assert covering.reached(reference, torch.zeros(200, 2, dtype=torch.float64), within) < 0.1
    assert covering.reached(reference, reference[:0], within) == 0


def test_the_spread_is_the_mean_distance_of_pairs():
    x = torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]], dtype=torch.float64)
    assert covering.spread(x) == pytest.approx((5 + 1 + 18**0.5) / 3)
    assert covering.spread(x[:1]) != covering.spread(x[:1])  # NaN
