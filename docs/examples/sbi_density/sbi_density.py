"""A density estimator of the package sbi, trained and asked by the harness."""

from dataclasses import dataclass
from typing import Literal

import torch
from sbi.neural_nets import posterior_nn

from harness.contracts import Method, Proposals


@dataclass(frozen=True)
class Options:
    """Options of the method."""

    model: Literal["maf", "mdn", "zuko_maf", "zuko_nsf"] = "maf"
    """What sbi calls its density estimators."""


class SbiDensity(Method):
    """Neural posterior estimation with the networks of sbi, by maximum likelihood."""

    Options = Options

    def build(self, problem, width):
        create = posterior_nn(self.options.model, z_score_theta="none", z_score_x="none", hidden_features=width)
        self.density = create(torch.randn(9, problem.x_dim), torch.randn(9, problem.y_dim))

    def loss(self, x, y, progress):
        return self.density.loss(x, condition=y).mean()

    @torch.no_grad()
    def propose(self, y, n, generator):
        with torch.random.fork_rng():  # sbi draws from the global random state: the generator gives its seed
            torch.manual_seed(int(torch.randint(2**62, (), generator=generator)))
            return Proposals(self.density.sample((n,), condition=y).transpose(0, 1))
