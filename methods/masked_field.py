"""The network of `joint`: where the latent entries of [x, y] end, whichever others are given."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from methods.path import fourier, usual_end

BLOCKS = 16  # of y at most, entries side by side; each has the mean of its entries' times
TIME_WAVES = 4


class MaskedField(nn.Module):
    """A residual network of values on their way and their times, which ends at values without noise.

    That an entry is given is said by its time alone, as of one whose noise is gone: what the network learns of entries
    that are nearly there serves for those that are given (Bao et al. 2023 give x and y times of their own likewise).
    It learns what is to be added to the end that a value would have if it were standard normal and alone.

    Args:
        x_dim: dimensions of a design.
        y_dim: dimensions of a target.
        width: of the hidden layers.
        depth: hidden layers.
        waves: sines and cosines of each value, with 1, 2, 4, ... radians per standard deviation.
    """

    share: Tensor
    """Of each entry in the mean of its block `(x_dim + y_dim, blocks)`."""

    def __init__(self, x_dim: int, y_dim: int, width: int, depth: int, waves: int) -> None:
        super().__init__()
        self.waves = waves
        dim, parts = x_dim + y_dim, min(y_dim, BLOCKS)
        blocks = 1 + parts
        place = torch.cat([torch.zeros(x_dim).long(), 1 + torch.arange(y_dim) * parts // y_dim])
        members = nn.functional.one_hot(place, blocks).float()
        self.register_buffer("share", members / members.sum(0), persistent=False)
        times = blocks * (1 + 2 * TIME_WAVES)
        self.first = nn.Linear(dim * (1 + 2 * waves) + times, width)
        self.hidden = nn.ModuleList(nn.Linear(width, width) for _ in range(depth - 1))
        self.last = nn.Linear(width, dim)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, values: Tensor, clock: Tensor) -> Tensor:
        """Ends `(n, x_dim + y_dim)`: what the values are expected to be without noise.

        Args:
            values: `(n, x_dim + y_dim)`, 0 where absent.
            clock: their times, likewise.
        """
        times = fourier(math.pi * clock @ self.share, TIME_WAVES)
        h = silu(self.first(torch.cat([fourier(values, self.waves), times], 1)))
        for layer in self.hidden:
            h = h + silu(layer(h))
        end: Tensor = self.last(h) + usual_end(values, clock)
        return end
