"""Mixture density network (Bishop 1994) with full covariances, or diagonal ones where x has many dimensions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Generator, Tensor

from harness.contracts import Method, Phase, Problem, Proposals
from harness.settings import setting
from methods.augmentation import Augmentation
from methods.levels import blurred, loosened
from methods.mixture import Mixture
from methods.networks import REDRAWS, keep_inside

FULL = 32  # dimensions of x up to which `covariance=auto` is full: beyond, the factor would take the whole budget


@dataclass(frozen=True)
class MDNOptions:
    """Options of the mixture density network."""

    components: int = setting(32, help="normals in the mixture", least=1)
    covariance: Literal["auto", "full", "diagonal"] = "auto"
    """`auto`: full for up to 32 dimensions of x."""
    depth: int = setting(3, help="hidden layers", least=1)
    weight_decay: float = setting(1e-4, help="of the network, where the optimiser is adamw", least=0)
    target_noise: float = setting(
        0.0, help="standard deviation of the noise added to y in training, in standardised y", least=0
    )
    inside: bool = True
    """Draw a design again that falls outside the range of the training designs, up to ten times."""
    augment: Literal["off", "surrogate"] = "off"
    """`surrogate`: train on fresh draws of the prior, labelled by a surrogate of the same pairs."""


class MDN(Method):
    """Mixture density network: maximum likelihood of p(x | y), proposals drawn from it.

    References: Bishop, "Mixture density networks", 1994.
    """

    groups: ClassVar[tuple[str, ...]] = ("paper",)
    references: ClassVar[tuple[str, ...]] = ("Bishop 1994, NCRG/94/004",)
    finer: ClassVar[tuple[str, ...]] = ("components",)
    handles: ClassVar[frozenset[str]] = frozenset({"conditions"})
    Options: ClassVar[type] = MDNOptions

    def build(self, problem: Problem, width: int) -> None:
        options, x_dim = self.options, problem.x_dim
        full = options.covariance == "full" or (options.covariance == "auto" and x_dim <= FULL)
        self.mixture = Mixture(x_dim, problem.y_dim, options.components, width, options.depth, full=full)
        self.step, self.bounds = problem.step, loosened(problem)
        self.augmentation = Augmentation(self.options.augment, problem, width)

    def loss(self, x: Tensor, y: Tensor, progress: float) -> Tensor:
        """Negative log likelihood of the training pairs.

        Args:
            x: designs `(b, x_dim)`, standardised.
            y: their targets `(b, y_dim)`, standardised, before noise is added to them.
            progress: not used.
        """
        if self.options.target_noise:
            y = y + self.options.target_noise * torch.randn_like(y)
        return self.negative_log_likelihood(x, y, progress)

    def negative_log_likelihood(self, x: Tensor, y: Tensor, progress: float) -> Tensor:
        """-log p(x | y), mean over the batch, without noise on y.

        Args:
            x: designs `(b, x_dim)`, standardised.
            y: their targets `(b, y_dim)`, standardised.
            progress: not used.
        """
        return -self.mixture.log_density(blurred(x, self.step), y).mean()

    def phases(self) -> Iterator[Phase]:
        decay = self.options.weight_decay
        likelihood = self.negative_log_likelihood
        yield from self.augmentation.phases(self.mixture, self.loss, likelihood, weight_decay=decay, clip=5.0)

    @torch.no_grad()
    def propose(self, y: Tensor, n: int, generator: Generator) -> Proposals:
        with self.stage("generation"):

            def draw() -> Tensor:
                return self.mixture.sample(y, n, generator).flatten(0, 1)

            rounds = REDRAWS * self.options.inside
            x, drawn = keep_inside(draw(), self.bounds, lambda rows: draw()[rows], rounds=rounds)
        return Proposals(x.view(len(y), n, -1), generated=drawn)
