"""Small problems of which the posterior is known."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from harness.contracts import Task
from harness.posterior.likelihood import Likelihood
from harness.posterior.reference import Effort, Posing


class Linear(Task):
    """y = A x, x ~ N(0, I) in three dimensions, two y: a posterior that is normal."""

    x_dim, y_dim, fixed_target = 3, 2, (0.5, -0.3)
    matrix = torch.tensor([[1.0, 0.5, 0.0], [0.0, 1.0, -1.0]], dtype=torch.float64)

    @property
    def bounds(self) -> Tensor:
        half = torch.full((3,), 1.959963984540054, dtype=torch.float64)
        return torch.stack([-half, half])

    def sample_prior(self, n: int, generator: Generator) -> Tensor:
        return torch.randn(n, 3, generator=generator, dtype=torch.float64)

    def simulate(self, x: Tensor) -> Tensor:
        return x @ self.matrix.T

    def posterior(self, y: Tensor, sd: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and covariance, where y is known with normal errors."""
        weighted = self.matrix.T / sd.square()
        covariance = torch.linalg.inv(weighted @ self.matrix + torch.eye(3, dtype=torch.float64))
        return covariance @ weighted @ y, covariance


class Ring(Task):
    """y = |x|, uniform in a square that cuts the ring of y* at its sides: curved, and with an edge."""

    x_dim, y_dim, fixed_target = 2, 1, (1.1,)
    bounds = torch.tensor([[-1.0, -2.0], [1.0, 2.0]], dtype=torch.float64)

    def sample_prior(self, n: int, generator: Generator) -> Tensor:
        low, high = self.bounds
        return low + (high - low) * torch.rand(n, 2, generator=generator, dtype=torch.float64)

    def simulate(self, x: Tensor) -> Tensor:
        return x.norm(dim=-1, keepdim=True)


class Twins(Ring):
    """y = (x0², x1): two designs of each y."""

    y_dim, fixed_target = 2, (0.36, 0.5)

    def simulate(self, x: Tensor) -> Tensor:
        return torch.stack([x[:, 0].square(), x[:, 1]], -1)


def posing(task: Task, tolerance: float, pool: int = 400_000, draws: int = 2000, seed: int = 0) -> Posing:
    """The question for y* alone."""
    y = task.simulate(task.sample_prior(2000, Generator().manual_seed(9)))
    target = torch.tensor([task.fixed_target], dtype=torch.float64)
    effort = Effort(pool=pool, fixed=draws, each=draws, targets=0)
    return Posing(task, Likelihood(target, y.var(0), tolerance), None, Generator().manual_seed(seed), effort)


def errors_of_moments(x: Tensor, mean: Tensor, covariance: Tensor) -> tuple[float, float]:
    """How far the mean is off, in its own deviations, and the covariance, relative to the product of deviations."""
    sd = covariance.diagonal().sqrt()
    off = (x.mean(0) - mean) / (sd / math.sqrt(len(x)))
    return float(off.abs().max()), float(((x.T.cov() - covariance) / (sd[:, None] * sd)).abs().max())
