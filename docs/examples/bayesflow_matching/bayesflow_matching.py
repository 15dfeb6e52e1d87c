"""Flow matching with the network of the package bayesflow, trained and asked by the harness."""

import os
from dataclasses import dataclass

import torch

from harness.contracts import Method, Proposals
from harness.settings import setting

os.environ.setdefault("KERAS_BACKEND", "torch")
with torch.enable_grad():  # bayesflow switches gradients off for all that runs after it; this puts them back
    import keras
    from bayesflow.networks import FlowMatching


@dataclass(frozen=True)
class Options:
    """Options of the method."""

    depth: int = setting(3, help="hidden layers", least=1)
    steps: int = setting(8, help="steps of the integration", least=1)


class BayesflowMatching(Method):
    """Flow matching posterior estimation by bayesflow. Keras takes the GPU if there is one: run with --device cuda."""

    Options = Options

    def build(self, problem, width):
        self.x_dim = problem.x_dim
        keras.utils.clear_session()  # keras numbers its layers: the names in a state must be those of every build
        self.network = FlowMatching(
            integrate_kwargs={"method": "rk45", "steps": self.options.steps},  # adaptive steps would join the targets
            subnet_kwargs={"widths": (width,) * self.options.depth, "dropout": 0.0},
        )
        self.network.build((None, problem.x_dim), (None, problem.y_dim))

    def loss(self, x, y, progress):
        noise, time = torch.randn_like(x), torch.rand(len(x), 1).to(x)
        path = noise, x, time, time * x + (1 - time) * noise, x - noise
        return self.network.compute_metrics(path, conditions=y)["loss"]

    @torch.no_grad()
    def propose(self, y, n, generator):
        noise = torch.randn(len(y) * n, self.x_dim, generator=generator).to(y)
        x = self.network(noise, conditions=y.repeat_interleave(n, 0), inverse=True)
        return Proposals(x.view(len(y), n, -1))
