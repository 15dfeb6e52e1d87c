"""Mixture density network (Bishop 1994) with full covariances, or diagonal ones where x has many dimensions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Generator, Tensor, nn

from harness.contracts import Method, Phase, Problem, Proposals
from methods.augmentation import Augmentation
from methods.levels import blurred, loosened
from methods.networks import REDRAWS, keep_inside, mlp, normal

FULL = 32  # dimensions of x up to which `covariance=auto` is full: beyond, the factor would take the whole budget
ROWS = {"cpu": 256}  # pairs at once: what fits a processor cache; the parameters of all can be gigabytes
ROWS_ELSEWHERE = 4096
LOG_SCALE = 7.0  # bound on |log precision diagonal|: standard deviations of 1e-3 to 1e3 in standardised x


@dataclass(frozen=True)
class MDNOptions:
    """Options of the mixture density network."""

    components: int = 32
    covariance: Literal["auto", "full", "diagonal"] = "auto"
    """`auto`: full for up to 32 dimensions of x."""
    depth: int = 3
    weight_decay: float = 1e-4
    target_noise: float = 0.0
    """Standard deviation of the noise added to y in training, in standardised y."""
    inside: bool = True
    """Draw a design again that falls outside the range of the training designs, up to ten times."""
    augment: Literal["off", "surrogate"] = "off"


class Mixture(nn.Module):
    """p(x | y) = sum_k w_k N(x; m_k, (L_k^T D_k^2 L_k)^-1), L unit lower triangular and D diagonal.

    The triangular factor of the precision costs time linear in batch x components and cannot lose positive
    definiteness. Samples are drawn from the very density whose likelihood is trained. With diagonal covariances L is
    the identity and is left out.
    """

    to_rows: Tensor
    from_columns: Tensor

    def __init__(self, x_dim: int, y_dim: int, components: int, width: int, depth: int, *, full: bool = True) -> None:
        super().__init__()
        self.x_dim, self.components, self.full = x_dim, components, full
        self.lower = torch.tril_indices(x_dim, x_dim, -1)[:, : None if full else 0]
        unit = torch.eye(x_dim)
        self.register_buffer("to_rows", unit[self.lower[0]], persistent=False)
        self.register_buffer("from_columns", unit[:, self.lower[1]], persistent=False)
        size = 1 + 2 * x_dim + self.lower.shape[1]
        self.network = mlp(y_dim, components * size, width, depth)
        with torch.no_grad():  # spread the first means over the standardised designs
            last = self.network[-1]
            assert isinstance(last, nn.Linear)
            bias = last.bias.view(components, size)
            bias.zero_()
            bias[:, 1 : 1 + x_dim] = torch.randn(components, x_dim)

    def parameters_of(self, y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Log weights `(n, k)`, means and log D `(n, k, d)`, and the entries of L below its diagonal `(n, k, e)`."""
        out = self.network(y).view(len(y), self.components, -1)
        # Split and not sliced: the gradient of each slice would be as large as all of them.
        logits, means, scales, entries = out.split([1, self.x_dim, self.x_dim, self.lower.shape[1]], -1)
        return logits[..., 0].log_softmax(-1), means, scales.clamp(-LOG_SCALE, LOG_SCALE), entries

    def factor(self, entries: Tensor) -> Tensor:
        """L `(..., d, d)` from its entries below the diagonal `(..., e)`."""
        factor = torch.eye(self.x_dim, dtype=entries.dtype, device=entries.device).repeat(*entries.shape[:-1], 1, 1)
        factor[..., self.lower[0], self.lower[1]] = entries
        return factor

    def log_density(self, x: Tensor, y: Tensor) -> Tensor:
        """Log p(x | y) `(n,)`."""
        rows = ROWS.get(x.device.type, ROWS_ELSEWHERE)
        parts = zip(x.split(rows), y.split(rows), strict=True)
        return torch.cat([self._log_density(designs, targets) for designs, targets in parts])

    def _log_density(self, x: Tensor, y: Tensor) -> Tensor:
        weights, means, scales, entries = self.parameters_of(y)
        offset = x[:, None] - means
        if self.full:  # L times the offset, without making so many small matrices
            offset = offset + (entries * (offset @ self.from_columns)) @ self.to_rows
        white = offset * scales.exp()
        log_normal = scales.sum(-1) - 0.5 * white.square().sum(-1) - 0.5 * self.x_dim * math.log(2 * math.pi)
        return torch.logsumexp(weights + log_normal, 1)

    def sample(self, y: Tensor, n: int, generator: Generator) -> Tensor:
        """Draws `(b, n, d)` from p(x | y) for each row of y `(b, y_dim)`, n of them."""
        weights, means, scales, entries = self.parameters_of(y)
        choice = torch.multinomial(weights.exp().cpu(), n, replacement=True, generator=generator).to(y.device)
        rows = torch.arange(len(y), device=y.device)[:, None]
        noise = normal(len(y) * n, self.x_dim, generator, y).view(len(y), n, -1)
        offset = noise * (-scales[rows, choice]).exp()
        if self.full:
            factor, white = self.factor(entries)[rows, choice], offset[..., None]
            offset = torch.linalg.solve_triangular(factor, white, upper=False, unitriangular=True)[..., 0]
        return means[rows, choice] + offset


class MDN(Method):
    """Mixture density network: maximum likelihood of p(x | y), proposals drawn from it.

    References: Bishop, "Mixture density networks", 1994.
    """

    groups: ClassVar[tuple[str, ...]] = ("paper",)
    references: ClassVar[tuple[str, ...]] = ("Bishop 1994, NCRG/94/004",)
    finer: ClassVar[tuple[str, ...]] = ("components",)
    Options: ClassVar[type] = MDNOptions

    def build(self, problem: Problem, width: int) -> None:
        options, x_dim = self.options, problem.x_dim
        full = options.covariance == "full" or (options.covariance == "auto" and x_dim <= FULL)
        self.mixture = Mixture(x_dim, problem.y_dim, options.components, width, options.depth, full=full)
        self.step, self.bounds = problem.step, loosened(problem)
        self.augmentation = Augmentation(self.options.augment, problem, width)

    def loss(self, x: Tensor, y: Tensor, progress: float) -> Tensor:
        """Negative log likelihood of the training pairs."""
        if self.options.target_noise:
            y = y + self.options.target_noise * torch.randn_like(y)
        return self.negative_log_likelihood(x, y, progress)

    def negative_log_likelihood(self, x: Tensor, y: Tensor, progress: float) -> Tensor:
        """Negative log likelihood, without noise on y."""
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
