"""Conditional diffusion in the form of Karras et al. 2022 (EDM), sampled by its ordinary differential equation."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor

from harness.settings import setting
from methods.transport import Transport, TransportOptions

RHO = 7.0  # how the noise levels of the steps are spaced, Table 1


@dataclass(frozen=True)
class EDMOptions(TransportOptions):
    """Options of the diffusion model; Karras et al. give -1.2 and 1.2, 0.002 and 80 for images (Table 1)."""

    nfe: int = setting(63, help="evaluations of the network for a design; each step but the last takes two", least=1)
    mean: float = setting(-2.0, help="of the logarithm of sigma in training")
    deviation: float = setting(1.5, help="of the logarithm of sigma in training", above=0)
    sigma_min: float = setting(0.002, help="least noise level of the steps, in standardised x", above=0)
    sigma_max: float = setting(20.0, help="greatest noise level of the steps, where they start", above=0)


class EDM(Transport):
    """Denoising diffusion with the preconditioning, the noise levels and Heun's rule of Karras et al.

    The network F gives the denoised design D(x; sigma) = c_skip x + c_out F(c_in x; ln sigma / 4), with the factors of
    their Table 1 and sigma_data = 1, as designs are standardised. Noise is carried to designs along
    dx/dsigma = (x - D) / sigma by their Algorithm 1, which adds no noise on the way.

    References: Karras et al., "Elucidating the design space of diffusion-based generative models", 2022.
    """

    references: ClassVar[tuple[str, ...]] = ("Karras et al. 2022 (NeurIPS), arXiv:2206.00364",)
    Options: ClassVar[type] = EDMOptions

    def denoised(self, x: Tensor, sigma: Tensor, embedded: Tensor) -> Tensor:
        """D, `(n, x_dim)`.

        Args:
            x: designs with noise `(n, x_dim)`.
            sigma: deviation of the noise of each `(n, 1)`, or of all `(1, 1)`.
            embedded: what the network makes of their targets `(n, width)`.
        """
        scale = (1 + sigma.square()).sqrt()
        return x / scale.square() + sigma / scale * self.field(x / scale, sigma.log() / 4, embedded)

    def field_loss(self, x: Tensor, embedded: Tensor) -> Tensor:
        sigma = (self.options.mean + self.options.deviation * torch.randn_like(x[:, :1])).exp()
        error = self.denoised(x + sigma * torch.randn_like(x), sigma, embedded) - x
        return (error.square() * (1 + sigma**-2)).mean()

    def levels(self) -> list[float]:
        """The noise levels between the steps, from the greatest to none (Table 1)."""
        count = (self.options.nfe + 1) // 2
        first, last = (level ** (1 / RHO) for level in (self.options.sigma_max, self.options.sigma_min))
        return [(first + i / max(1, count - 1) * (last - first)) ** RHO for i in range(count)] + [0.0]

    def carry(self, noise: Tensor, embedded: Tensor) -> Tensor:
        levels = self.levels()
        x = noise * levels[0]
        for sigma, after in pairwise(levels):
            slope = self.slope(x, sigma, embedded)
            if after:
                there = x + (after - sigma) * slope
                slope = (slope + self.slope(there, after, embedded)) / 2
            x = x + (after - sigma) * slope
        return x

    def slope(self, x: Tensor, sigma: float, embedded: Tensor) -> Tensor:
        """Dx/dsigma of noisy designs, `(n, x_dim)`.

        Args:
            x: designs with noise `(n, x_dim)`.
            sigma: its deviation.
            embedded: what the network makes of their targets `(n, width)`.
        """
        return (x - self.denoised(x, x.new_full((1, 1), sigma), embedded)) / sigma
