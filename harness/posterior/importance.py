"""Draws from a posterior by importance resampling, where rejection finds none: from a mixture about its peaks.

Before the mixture is used it is moved to the draws that it gave (population Monte Carlo: Cappe et al. 2008, Statistics
and Computing 18, 447), and gets components about those that weigh most, where it was too thin (incremental mixture
importance sampling: Raftery, Bao 2010, Biometrics 66, 1162). Everything is in units of the prior,
u = (x - centre) / width.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from harness.posterior.solving import Peaks

DEPTH = 20.0
"""How much less likely, as a logarithm, a peak may be than the highest one."""
APART = 1.0
"""Distance, in deviations of a peak, below which another one is the same."""
DEGREES = 5
"""Of freedom, of Student's t: tails that are heavier than the posterior's leave no weight without bound. With normal
ones the least effective sample size over nine targets of eight x and 300 y was six times smaller."""
WIDE = 0.05
"""Share of the draws that come from the prior, for the same reason."""
SPREAD = 0.2
"""Share of the mixture's weight that all peaks have alike, whatever their heights say."""
FEWEST = 50.0
"""Draws that count for a component, below which its shape is kept: less tell no covariance."""


@dataclass(frozen=True)
class Mixture:
    """Multivariate t distributions with `DEGREES` degrees of freedom."""

    weights: Tensor
    """`(k,)`, of sum one."""
    means: Tensor
    """`(k, d)`."""
    roots: Tensor
    """Cholesky factors of the scale matrices `(k, d, d)`."""

    def log_each(self, u: Tensor) -> Tensor:
        """The logarithms `(n, k)` of weight times density of each component at `(n, d)`."""
        d = u.shape[1]
        shifted = (u - self.means[:, None]).mT
        squares = torch.linalg.solve_triangular(self.roots, shifted, upper=False).square().sum(1).mT
        volume = self.roots.diagonal(dim1=1, dim2=2).log().sum(1)
        constant = math.lgamma((DEGREES + d) / 2) - math.lgamma(DEGREES / 2) - d / 2 * math.log(DEGREES * math.pi)
        return self.weights.log() - volume + constant - (DEGREES + d) / 2 * torch.log1p(squares / DEGREES)

    def draw(self, n: int, generator: Generator) -> Tensor:
        """N draws `(n, d)`."""
        chosen = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        noise = torch.randn(n, self.means.shape[1], generator=generator, dtype=torch.float64)
        squares = torch.randn(n, DEGREES, generator=generator, dtype=torch.float64).square().sum(1)
        scaled = (self.roots[chosen] @ noise[:, :, None])[..., 0]
        return self.means[chosen] + scaled * (DEGREES / squares).sqrt()[:, None]

    def with_more(self, peaks: Peaks) -> Mixture:
        """Half of the weight for further components, alike, each with the shape of the posterior where it is."""
        count = len(peaks.u)
        weights = torch.cat([self.weights / 2, torch.full((count,), 0.5 / count, dtype=torch.float64)])
        roots = torch.cat([self.roots, _root(torch.linalg.inv(peaks.precision))])
        return Mixture(weights, torch.cat([self.means, peaks.u]), roots)


def _root(covariances: Tensor) -> Tensor:
    return torch.linalg.cholesky((covariances + covariances.mT) / 2)


def about(peaks: Peaks) -> Mixture:
    """The mixture about different peaks, each with the weight and the shape of the Gaussian that is nearest to it."""
    order = peaks.height.argsort()
    chosen: list[int] = []
    for number in order.tolist():
        if not peaks.height[number] <= peaks.height[order[0]] + DEPTH:
            break
        away = [peaks.u[number] - peaks.u[other] for other in chosen]
        distances = [float(d @ peaks.precision[o] @ d) for d, o in zip(away, chosen, strict=True)]
        if all(distance > APART**2 for distance in distances):
            chosen.append(number)
    covariances = torch.linalg.inv(peaks.precision[chosen])
    log = torch.linalg.slogdet(covariances).logabsdet / 2 - peaks.height[chosen]
    weights = (1 - SPREAD) * log.softmax(0) + SPREAD / len(chosen)
    return Mixture(weights, peaks.u[chosen], _root(covariances))


@dataclass(frozen=True)
class Weighted:
    """Draws and the logarithms of their weights."""

    u: Tensor
    """`(n, d)`."""
    log: Tensor
    """`(n,)`."""
    each: Tensor
    """The share `(n, k)` that each component of the mixture has in a draw."""

    @property
    def weights(self) -> Tensor:
        """Of sum one."""
        return self.log.softmax(0)

    @property
    def effective(self) -> float:
        """The effective sample size: how many draws of the same weight know as much (Kong 1992)."""
        return float(1 / self.weights.square().sum()) if bool(self.log.isfinite().any()) else 0.0

    def joined(self, other: Weighted) -> Weighted:
        """These draws and others of the same mixture."""
        return Weighted(
            *(torch.cat(both) for both in ((self.u, other.u), (self.log, other.log), (self.each, other.each)))
        )

    def resampled(self, n: int, generator: Generator) -> Tensor:
        """N draws `(n, d)` of the same weight, in random order; each is there as often as its weight says, to one."""
        offset = torch.rand((), generator=generator, dtype=torch.float64)
        places = (torch.arange(n, dtype=torch.float64) + offset) / n
        chosen = torch.searchsorted(self.weights.cumsum(0), places).clamp_max(len(self.u) - 1)
        return self.u[chosen[torch.randperm(n, generator=generator)]]


@dataclass(frozen=True)
class Sampler:
    """A posterior that can be evaluated, in units of the prior."""

    log_posterior: Callable[[Tensor], Tensor]
    """Unnormalised, `(n, d)` to `(n,)`."""
    sample_prior: Callable[[int, Generator], Tensor]
    log_prior: Callable[[Tensor], Tensor]
    """Normalised."""

    def weigh(self, mixture: Mixture, n: int, generator: Generator) -> Weighted:
        """N draws of the mixture and of the prior, weighted to be draws of the posterior."""
        wide = round(WIDE * n)
        u = torch.cat([mixture.draw(n - wide, generator), self.sample_prior(wide, generator)])
        each = mixture.log_each(u)
        log_q = torch.logaddexp(each.logsumexp(1) + math.log1p(-WIDE), self.log_prior(u) + math.log(WIDE))
        return Weighted(u, self.log_posterior(u) - log_q, each.softmax(1))


def moved(mixture: Mixture, found: Weighted) -> Mixture:
    """The mixture with the weight, mean and covariance that the weighted draws have for each component."""
    share = found.weights[:, None] * found.each
    total = share.sum(0).clamp_min(1e-300)
    counted = total.square() / share.square().sum(0).clamp_min(1e-300)
    means = (share.mT @ found.u) / total[:, None]
    away = found.u - means[:, None]
    covariances = torch.einsum("nk,knd,kne->kde", share, away, away) / total[:, None, None]
    roots, failed = torch.linalg.cholesky_ex(covariances)
    enough = (counted > FEWEST) & (failed == 0)
    weights = (1 - SPREAD) * total / total.sum() + SPREAD / len(total)
    return Mixture(
        weights, means.where(enough[:, None], mixture.means), roots.where(enough[:, None, None], mixture.roots)
    )
