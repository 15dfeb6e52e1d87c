"""Whole numbers and choices are modelled as discrete: blurred between their values, and drawn by taking the nearest."""

from dataclasses import replace

import pytest
import torch
from torch import Generator
from toys import Mixed

from harness import kinds
from harness.contracts import Method, Problem
from harness.data import draw, fitted, pose, standardised
from harness.seeds import seeded
from harness.settings import DataSettings
from methods.cinn import CINN, CINNOptions
from methods.cvae import CVAE, CVAEOptions
from methods.edm import EDM, EDMOptions
from methods.flow_matching import CFM, CFMOptions
from methods.inn import INN, INNOptions
from methods.joint import Joint, JointOptions
from methods.levels import blurred, loosened, nearest
from methods.mdn import MDN, MDNOptions
from methods.npe import NPE, NPEOptions
from methods.straight_through import straight

TASK = Mixed()
DATA = draw(TASK, DataSettings(n_train=400, targets=5))
SCALES = DATA.x_scale, DATA.y_scale


def posed(method: type[Method] | Method) -> Problem:
    return fitted(pose(TASK, DATA), method.dtype, "cpu")


def snapped(x):
    return kinds.snap(DATA.x_scale.undo(x.double()), TASK.kinds, TASK.bounds)


def test_the_nearest_value_undoes_the_noise() -> None:
    problem = posed(MDN)
    x = standardised(SCALES, DATA.train, torch.float32, "cpu").x
    with seeded("noise"):
        noisy = blurred(x, problem.step)
    assert torch.equal(noisy[:, 4], x[:, 4])
    assert 0.48 < float(((noisy - x)[:, :4] / problem.step[:4]).abs().max()) <= 0.5 + 1e-6
    assert torch.equal(snapped(noisy)[:, :4], DATA.train.x[:, :4])


def test_designs_that_are_continuous_are_left_alone() -> None:
    x = torch.randn(50, 2)
    problem = posed(MDN)
    free = replace(problem, kinds=(), step=None)
    assert blurred(x, None) is x and straight(free, x) is x and nearest(free, x) is x


def test_what_is_optimised_straight_through_sees_the_designs_that_come_out_and_keeps_the_gradient() -> None:
    problem = posed(MDN)
    x = torch.randn(50, problem.x_dim, generator=Generator().manual_seed(1), requires_grad=True)
    whole = straight(problem, x)
    assert torch.allclose(whole, nearest(problem, x), atol=1e-6) and not torch.allclose(whole[:, :4], x[:, :4])
    weights = torch.arange(50.0 * problem.x_dim).view(50, -1)
    (gradient,) = torch.autograd.grad((whole * weights).sum(), x)
    assert torch.equal(gradient, weights)


def test_only_continuous_columns_can_leave_the_range() -> None:
    problem = posed(MDN)
    low, high = loosened(problem)
    assert torch.equal(torch.stack([low, high])[:, 4], problem.bounds[:, 4])
    assert (low[:4] < -1e30).all() and (high[:4] > 1e30).all() and not (torch.inf <= high).any()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (MDN, MDNOptions(components=3)),
        (CINN, CINNOptions(blocks=2)),
        (CVAE, CVAEOptions(z_dim=2, sample="full")),
        (INN, INNOptions(blocks=2)),
        (CFM, CFMOptions()),
        (EDM, EDMOptions()),
        (NPE, NPEOptions(transforms=2)),
        (Joint, JointOptions()),
    ],
    ids=["mdn", "cinn", "cvae", "inn", "cfm", "edm", "npe", "joint"],
)
def test_what_the_generative_methods_draw_is_valid(kind: type, options: object) -> None:
    with seeded("build"):
        method = kind(options)
        method.build(posed(method), 8)
    pairs = standardised(SCALES, DATA.train, torch.float32, "cpu")
    method.fit(pairs, pairs, lambda phase: 0.0)
    x = snapped(method.propose(pairs.y[:5], 40, Generator().manual_seed(0)).x.flatten(0, 1))
    low, high = TASK.bounds[:, 4]
    inside = (x[:, 4] >= low) & (x[:, 4] <= high)
    assert TASK.in_support(x[inside]).all() and inside.double().mean() > 0.9
    assert len(x[:, :3].unique(dim=0)) == 3 and len(x[:, 4].unique()) > 100
