"""Conditional variational autoencoder (Sohn et al. 2015; Ma et al. 2019 for inverse design)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Generator, Tensor, nn

from harness.contracts import Method, Phase, Problem, Proposals
from harness.settings import setting
from methods.augmentation import Augmentation
from methods.levels import blurred, loosened
from methods.mixture import Mixture
from methods.networks import REDRAWS, keep_inside, mlp, normal, repeat_targets

PRIOR_DEPTH = 2  # hidden layers of the network that gives a learned prior


@dataclass(frozen=True)
class CVAEOptions:
    """Options of the conditional VAE."""

    z_dim: int = setting(4, help="dimensions of the latent z", least=1)
    depth: int = setting(3, help="hidden layers of encoder and decoder", least=1)
    components: int = setting(0, help="normals in a learned prior p(z | y); 0: a standard normal for every y", least=0)
    kl_weight: float = setting(1.0, help="weight of the KL term", least=0)
    warm_up: float = setting(
        0.0,
        help="share of the training in which it rises from 0, against a latent that is never used",
        least=0,
    )
    y_weight: float = setting(
        1.0, help="factor on y beside x and z: where one y stands among a thousand inputs, it is learned last", above=0
    )
    sample: Literal["mean", "full"] = setting("mean", help="propose the decoder's mean, or a draw with its scale")
    weight_decay: float = setting(0.0, help="of the optimiser", least=0)
    inside: bool = setting(True, help="draw a design again that falls outside the range of the training designs")
    augment: Literal["off", "surrogate"] = setting("off", help="train on prior draws that a surrogate labels")


class Autoencoder(nn.Module):
    """q(z | x, y), p(x | z, y) and p(z | y); the first two are normal, with a learned scale for each x dimension.

    Args:
        x_dim: dimensions of a design.
        y_dim: dimensions of a target.
        width: of the hidden layers of all networks.
        options: those of the method.
    """

    def __init__(self, x_dim: int, y_dim: int, width: int, options: CVAEOptions) -> None:
        super().__init__()
        self.y_weight, self.z_dim = options.y_weight, options.z_dim
        self.encoder = mlp(x_dim + y_dim, 2 * self.z_dim, width, options.depth)
        self.decoder = mlp(self.z_dim + y_dim, x_dim, width, options.depth)
        self.log_scale = nn.Parameter(torch.full((x_dim,), -1.0))
        self.prior = (
            Mixture(self.z_dim, y_dim, options.components, width, PRIOR_DEPTH, full=False)
            if options.components
            else None
        )

    def decode(self, z: Tensor, y: Tensor) -> Tensor:
        """Mean of p(x | z, y), `(n, x_dim)`.

        Args:
            z: latents `(n, z_dim)`.
            y: targets `(n, y_dim)`, standardised.
        """
        mean: Tensor = self.decoder(torch.cat([z, self.y_weight * y], 1))
        return mean

    @property
    def scale(self) -> Tensor:
        """Standard deviations of p(x | z, y)."""
        return self.log_scale.clamp(-7, 2).exp()

    def negative_elbo(self, x: Tensor, y: Tensor, kl_weight: float) -> Tensor:
        """-E_q log p(x | z, y) + KL(q || p(z | y)), summed over dimensions, mean over rows, up to a constant.

        The expectation is estimated with one draw of z; so is the KL where the prior is a mixture, for which it has no
        closed form.

        Args:
            x: designs `(n, x_dim)`, standardised.
            y: their targets `(n, y_dim)`, standardised.
            kl_weight: factor on the KL term.
        """
        mean, log_variance = self.encoder(torch.cat([x, self.y_weight * y], 1)).chunk(2, 1)
        log_variance = log_variance.clamp(-12, 4)
        noise = torch.randn_like(mean)
        z = mean + (0.5 * log_variance).exp() * noise
        white = (x - self.decode(z, y)) / self.scale
        reconstruction = (0.5 * white.square() + self.scale.log()).sum(1)
        if self.prior is None:
            divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
        else:
            log_q = -0.5 * (noise.square() + log_variance + math.log(2 * math.pi)).sum(1)
            divergence = log_q - self.prior.log_density(z, self.y_weight * y)
        return (reconstruction + kl_weight * divergence).mean()

    def sample_latent(self, y: Tensor, n: int, generator: Generator) -> Tensor:
        """Draws `(b * n, z_dim)` from p(z | y), n for each target.

        Args:
            y: targets `(b, y_dim)`, standardised.
            n: draws for each.
            generator: all randomness comes from it.
        """
        if self.prior is None:
            return normal(len(y) * n, self.z_dim, generator, y)
        return self.prior.sample(self.y_weight * y, n, generator).flatten(0, 1)


class CVAE(Method):
    """Conditional VAE: maximises the evidence lower bound of p(x | y) and decodes z ~ p(z | y).

    The prior is N(0, I), or learned: Sohn et al. (eq. 4) make it a network of the condition. That it is a mixture here
    is our addition: where the designs of one y fall into modes, one normal cannot be what the latents of all look like.

    The learned decoder scale balances reconstruction against the KL term, for which the published code has a hand-set
    weight per task.

    References: Sohn et al. 2015; Ma et al., "Probabilistic representation and inverse design of metamaterials based on
    a deep generative model with semi-supervised learning strategy", 2019.
    """

    groups: ClassVar[tuple[str, ...]] = ("paper",)
    references: ClassVar[tuple[str, ...]] = ("Sohn, Lee, Yan 2015 (NeurIPS)", "Ma et al. 2019, arXiv:1901.10819")
    finer: ClassVar[tuple[str, ...]] = ("depth",)
    handles: ClassVar[frozenset[str]] = frozenset({"conditions"})
    Options: ClassVar[type] = CVAEOptions

    def build(self, problem: Problem, width: int) -> None:
        options = self.options
        self.autoencoder = Autoencoder(problem.x_dim, problem.y_dim, width, options)
        self.step, self.bounds = problem.step, loosened(problem)
        self.augmentation = Augmentation(options.augment, problem, width)

    def loss(self, x: Tensor, y: Tensor, progress: float) -> Tensor:
        """Negative evidence lower bound, at first with less of the KL term.

        Args:
            x: designs `(b, x_dim)`, standardised.
            y: their targets `(b, y_dim)`, standardised.
            progress: from 0 to 1; the weight of the KL term rises until it is `warm_up`.
        """
        rising = min(1.0, progress / self.options.warm_up) if self.options.warm_up else 1.0
        return self.autoencoder.negative_elbo(blurred(x, self.step), y, rising * self.options.kl_weight)

    def phases(self) -> Iterator[Phase]:
        decay = self.options.weight_decay
        yield from self.augmentation.phases(self.autoencoder, self.loss, self.loss, weight_decay=decay, clip=5.0)

    @torch.no_grad()
    def propose(self, y: Tensor, n: int, generator: Generator) -> Proposals:
        with self.stage("generation"):
            targets = repeat_targets(y, n)

            def draw(rows: Tensor | slice) -> Tensor:
                z = self.autoencoder.sample_latent(y, n, generator)[rows]
                x = self.autoencoder.decode(z, targets[rows])
                if self.options.sample == "full":
                    x = x + self.autoencoder.scale * normal(len(targets), x.shape[1], generator, x)[rows]
                return x

            x, drawn = keep_inside(draw(slice(None)), self.bounds, draw, rounds=REDRAWS * self.options.inside)
        return Proposals(x.view(len(y), n, -1), generated=drawn)
