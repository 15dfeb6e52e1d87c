"""What a search looks at is what the harness makes of its designs."""

from __future__ import annotations

import torch
from torch import Generator
from toys import Mixed

from harness import kinds
from harness.data import draw, fitted, pose
from harness.settings import DataSettings
from methods.levels import nearest

TASK = Mixed()
DATA = draw(TASK, DataSettings(n_train=400, targets=5))


def test_nearest_designs_are_those_that_the_harness_takes() -> None:
    problem = fitted(pose(TASK, DATA), torch.float64, "cpu")
    x = 2 * torch.randn(500, TASK.x_dim, generator=Generator().manual_seed(0), dtype=torch.float64)
    given = x.clone()
    taken = kinds.snap(DATA.x_scale.undo(x), TASK.kinds, TASK.bounds)
    torch.testing.assert_close(DATA.x_scale.undo(nearest(problem, x)), taken, rtol=0, atol=1e-9)
    assert torch.equal(x, given)


def test_continuous_designs_are_left_as_they_are() -> None:
    problem = fitted(pose(TASK, DATA), torch.float32, "cpu")
    x = torch.randn(5, TASK.x_dim)
    only = problem.__class__(TASK.x_dim, TASK.y_dim, problem.bounds, problem.sample_prior)
    assert nearest(only, x) is x
