"""Deflection in mm of a steel cantilever of length, width and height x (m) under 100 N."""

import torch

from harness.contracts import Task


class Cantilever(Task):
    x_dim, y_dim, fixed_target = 3, 1, (2.0,)
    bounds = torch.tensor([[0.5, 0.02, 0.02], [1.5, 0.05, 0.05]], dtype=torch.float64)

    def sample_prior(self, n, generator):
        unit = torch.rand(n, 3, generator=generator, dtype=torch.float64)
        return self.bounds[0] + (self.bounds[1] - self.bounds[0]) * unit

    def in_support(self, x):
        return (x > 0).all(-1) & x.isfinite().all(-1)

    def simulate(self, x):
        length, width, height = x.unbind(-1)
        y = 1e3 * 4 * 100 * length**3 / (210e9 * width * height**3)
        return y.where(self.in_support(x), torch.nan)[:, None]
