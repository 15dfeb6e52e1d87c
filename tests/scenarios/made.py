"""Small tasks and scenarios that the tests of this folder share."""

from __future__ import annotations

import torch

from harness.contracts import Task
from harness.scenarios.gaps import Gaps
from harness.scenarios.noise import Noise
from harness.scenarios.shift import Shift
from harness.settings import DataSettings

CHANGING = {
    "noise": Noise(Noise.Options(sd=0.1)),
    "gaps": Gaps(Gaps.Options(share=0.5)),
    "native gaps": Gaps(Gaps.Options(share=0.5, fill="native")),
    "shift": Shift(Shift.Options(tail=0.2)),
}
SETTINGS = DataSettings(n_train=100, targets=20, data_seed=1)


class Sums(Task):
    """y = (x0, x0 + x1, x1, 2 x0)."""

    x_dim, y_dim, fixed_target = 2, 4, (1.0, 2.0, 1.0, 2.0)
    bounds = torch.tensor([[-2.0, -2.0], [2.0, 2.0]], dtype=torch.float64)

    def sample_prior(self, n, generator):
        return torch.randn(n, 2, generator=generator, dtype=torch.float64)

    def simulate(self, x):
        return torch.stack([x[:, 0], x.sum(1), x[:, 1], 2 * x[:, 0]], 1)


class Levers(Task):
    """y = (a x0 + x1, x0) under the condition a."""

    x_dim, y_dim, fixed_target = 2, 3, (1.0, 0.5, 2.0)
    bounds = torch.tensor([[0.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
    conditions = torch.tensor([[1.0], [3.0]], dtype=torch.float64)

    def sample_prior(self, n, generator):
        return torch.rand(n, 2, generator=generator, dtype=torch.float64)

    def simulate(self, x, conditions):
        return torch.cat([x[:, :1] * conditions + x[:, 1:], x[:, :1]], 1)
