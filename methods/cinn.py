"""Conditional invertible neural network (Ardizzone et al. 2019)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Generator, Tensor

from harness.contracts import Method, Phase, Problem, Proposals
from harness.settings import setting
from methods.augmentation import Augmentation
from methods.flows import build_flow
from methods.levels import blurred, loosened
from methods.networks import REDRAWS, keep_inside, normal, repeat_targets


@dataclass(frozen=True)
class CINNOptions:
    """Options of the conditional INN."""

    coupling: Literal["spline", "affine"] = setting("spline", help="rational-quadratic splines, or Real-NVP")
    blocks: int = setting(8, help="couplings", least=1)
    bins: int = setting(8, help="bins of a spline", least=2)
    depth: int = setting(2, help="hidden layers of each coupling's network", least=1)
    rotate: bool = setting(False, help="splines only: join pairs of blocks by fixed rotations, not by permutations")
    weight_decay: float = setting(1e-5, help="of the optimiser", least=0)
    target_noise: float = setting(0.0, help="deviation of the noise added to y in training, in standardised y", least=0)
    inside: bool = setting(True, help="draw a design again that falls outside the range of the training designs")
    augment: Literal["off", "surrogate"] = setting("off", help="train on prior draws that a surrogate labels")


class CINN(Method):
    """Conditional INN: z = g(x; y) is normal, with loss |z|^2 / 2 - log|det dg/dx|; proposals are g^-1(z; y).

    References: Ardizzone et al., "Guided image generation with conditional invertible neural networks", 2019;
    spline couplings: Durkan et al., "Neural spline flows", 2019.
    """

    groups: ClassVar[tuple[str, ...]] = ("paper",)
    references: ClassVar[tuple[str, ...]] = ("Ardizzone et al. 2019, arXiv:1907.02392",)
    finer: ClassVar[tuple[str, ...]] = ("blocks", "bins")
    handles: ClassVar[frozenset[str]] = frozenset({"conditions"})
    Options: ClassVar[type] = CINNOptions

    def build(self, problem: Problem, width: int) -> None:
        options = self.options
        self.x_dim, self.step, self.bounds = problem.x_dim, problem.step, loosened(problem)
        self.dim = max(2, problem.x_dim)  # a coupling needs two dimensions: a scalar x gets a noise dimension
        self.flow = build_flow(
            options.coupling,
            self.dim,
            problem.y_dim,
            blocks=options.blocks,
            width=width,
            depth=options.depth,
            bins=options.bins,
            rotate=options.rotate,
        )
        self.augmentation = Augmentation(options.augment, problem, width)

    def negative_log_likelihood(self, x: Tensor, y: Tensor, progress: float) -> Tensor:
        """-log p(x | y), mean over the batch.

        Args:
            x: designs `(b, x_dim)`, standardised.
            y: their targets `(b, y_dim)`, standardised.
            progress: not used.
        """
        x = blurred(x, self.step)
        if self.dim > self.x_dim:
            x = torch.cat([x, torch.randn(len(x), self.dim - self.x_dim, dtype=x.dtype, device=x.device)], 1)
        z, log_det = self.flow(x, y)
        return (0.5 * z.square().sum(1) - log_det).mean() + 0.5 * self.dim * math.log(2 * math.pi)

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

    def phases(self) -> Iterator[Phase]:
        decay, likelihood = self.options.weight_decay, self.negative_log_likelihood
        yield from self.augmentation.phases(self.flow, self.loss, likelihood, weight_decay=decay, clip=5.0)

    @torch.no_grad()
    def propose(self, y: Tensor, n: int, generator: Generator) -> Proposals:
        with self.stage("generation"):
            targets = repeat_targets(y, n)

            def draw(rows: Tensor | slice) -> Tensor:
                z = normal(len(targets), self.dim, generator, y)[rows]
                return self.flow.inverse(z, targets[rows])[:, : self.x_dim]

            x, drawn = keep_inside(draw(slice(None)), self.bounds, draw, rounds=REDRAWS * self.options.inside)
        return Proposals(x.reshape(len(y), n, self.x_dim), generated=drawn)
