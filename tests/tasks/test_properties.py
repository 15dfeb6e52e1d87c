"""What every task of this repository does, over all their options."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Generator

from harness.conformance import check_task
from tasks.ballistics import Ballistics, BallisticsOptions
from tasks.robotic_arm import RoboticArm, RoboticArmOptions
from tasks.sinewave import Sinewave

TASKS = {
    "sinewave": Sinewave(),
    "robotic_arm": RoboticArm(),
    "robotic_arm[convention=kruse]": RoboticArm(RoboticArmOptions(convention="kruse")),
    "ballistics": Ballistics(),
    "ballistics[angle_max=72]": Ballistics(BallisticsOptions(angle_max=72)),
    "ballistics[simulator=grid]": Ballistics(BallisticsOptions(simulator="grid")),
}
SMOOTH = [name for name in TASKS if "grid" not in name]


@pytest.fixture(params=TASKS, ids=str)
def task(request):
    return TASKS[request.param]


@pytest.fixture(params=SMOOTH, ids=str)
def smooth(request):
    return TASKS[request.param]


def draws(task, n, seed=0):
    return task.sample_prior(n, Generator().manual_seed(seed))


def test_conforms(task):
    assert [str(finding) for finding in check_task(task) if not finding.ok] == []


def test_batch_equals_loop(task):
    x = draws(task, 300)
    alone = torch.cat([task.simulate(row[None]) for row in x])
    torch.testing.assert_close(task.simulate(x), alone, rtol=0, atol=1e-12, equal_nan=True)


def test_layout_and_precision_of_x_do_not_matter(task):
    x = draws(task, 100)
    transposed = x.T.contiguous().T
    torch.testing.assert_close(task.simulate(transposed), task.simulate(x), rtol=0, atol=1e-12)
    y = task.simulate(x.float())
    assert y.dtype == torch.float64
    assert torch.equal(y, task.simulate(x.float().double()))


def test_no_rows_give_no_rows(task):
    assert task.simulate(torch.empty(0, task.x_dim, dtype=torch.float64)).shape == (0, task.y_dim)


def test_share_of_the_prior_inside_the_bounds(task):
    low, high = task.bounds
    share = ((draws(task, 40_000) >= low) & (draws(task, 40_000) <= high)).double().mean(0)
    # 0.95 or 1 of a continuous dimension; a central interval of the Poisson speed holds a little more than 0.95.
    assert all(abs(value - 0.95) < 0.005 or value == 1 or abs(value - 0.963) < 0.006 for value in share.tolist())


def test_every_prior_draw_can_be_simulated(task):
    assert task.simulate(draws(task, 20_000 if "grid" not in str(task.options) else 2000)).isfinite().all()


def test_first_and_second_derivatives_against_finite_differences(smooth):
    x = draws(smooth, 5, seed=3)[:, : smooth.x_dim].requires_grad_()
    assert torch.autograd.gradcheck(smooth.simulate, (x,), eps=1e-6, atol=1e-7)
    assert torch.autograd.gradgradcheck(smooth.simulate, (x,), eps=1e-6, atol=1e-6)


def test_rows_that_are_nan_spoil_no_gradient(task):
    clean, spoilt = draws(task, 6), draws(task, 6)
    spoilt[1, 0], spoilt[3, -1], spoilt[4, 1] = math.nan, math.inf, -math.inf
    gradients = []
    for x in (clean, spoilt):
        x.requires_grad_()
        task.simulate(x).nansum().backward()
        gradients.append(x.grad)
    valid = [0, 2, 5]
    assert torch.equal(gradients[0][valid], gradients[1][valid])
    assert gradients[0].isfinite().all()
    assert gradients[1].isfinite().all()
    assert (gradients[1][[1, 3, 4]] == 0).all()


def test_groups_labels_and_references(task):
    assert task.groups == ("analytic", "paper")
    assert len(task.x_labels) == task.x_dim and len(task.y_labels) == task.y_dim
    assert all("[" in label for label in (*task.x_labels, *task.y_labels))
    assert task.references


def test_options_are_frozen(task):
    with pytest.raises(AttributeError):
        task.options.angle_max = 1
