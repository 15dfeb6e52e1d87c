"""Direct inversion: a network gives the mean and the spread of x for a target y."""

import torch
from torch import nn

from harness.contracts import Method, Proposals


class Gaussian(Method):
    def build(self, problem, width):
        self.net = nn.Sequential(
            nn.Linear(problem.y_dim, width),
            nn.GELU(),
            nn.Linear(width, width),
            nn.GELU(),
            nn.Linear(width, 2 * problem.x_dim),
        )

    def loss(self, x, y, progress):
        mean, log_scale = self.net(y).chunk(2, -1)
        return (((x - mean) / log_scale.exp()).square() / 2 + log_scale).sum(-1).mean()

    @torch.no_grad()
    def propose(self, y, n, generator):
        mean, log_scale = self.net(y)[:, None].expand(-1, n, -1).chunk(2, -1)
        noise = torch.randn(mean.shape, generator=generator).to(y.device)
        return Proposals(mean + log_scale.exp() * noise)
