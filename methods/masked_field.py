"""The network of `joint`: where the latent entries of [x, y] end, whichever of the others are given."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from methods.networks import mlp

SINGLE = 8  # entries of y up to which each has a time of its own
BLOCKS = 16  # of the entries of a longer y, one after the other, each with the mean of their times
TIME_WAVES = 4
GAIN_WIDTH = 32


class MaskedField(nn.Module):
    """A residual network of values on their way and their times, which ends at values without noise.

    That an entry is given is said by its time alone, as of one whose noise is gone: what the network learns of entries
    that are nearly there serves for those that are given (Bao et al. 2023 give x and y times of their own likewise).
    The gain, a factor on the values that depends on the times alone, is what remains where nothing is known: there the
    end is a share of the noisy value. All begins at zero.

    Args:
        x_dim: dimensions of a design.
        y_dim: dimensions of a target.
        width: of the hidden layers.
        depth: hidden layers.
        waves: sines and cosines of each value, with 1, 2, 4, ... radians per standard deviation.
    """

    owner: Tensor

    def __init__(self, x_dim: int, y_dim: int, width: int, depth: int, waves: int) -> None:
        super().__init__()
        self.waves = waves
        dim, blocks = x_dim + y_dim, y_dim if y_dim <= SINGLE else BLOCKS
        place = torch.cat([torch.zeros(x_dim), 1 + (torch.arange(y_dim) * blocks / y_dim).floor()]).long()
        members = nn.functional.one_hot(place, 1 + blocks).to(torch.get_default_dtype())
        self.register_buffer("owner", members / members.sum(0), persistent=False)
        times = (1 + blocks) * (1 + 2 * TIME_WAVES)
        self.first = nn.Linear(dim * (1 + 2 * waves) + times, width)
        self.hidden = nn.ModuleList(nn.Linear(width, width) for _ in range(depth - 1))
        self.last = nn.Linear(width, dim)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)
        self.gain = mlp(times, dim, GAIN_WIDTH, 1, zero=True)

    def forward(self, values: Tensor, clock: Tensor) -> Tensor:
        """Ends `(n, x_dim + y_dim)`: what the values are expected to be without noise.

        Args:
            values: `(n, x_dim + y_dim)`, 0 where absent.
            clock: their times, likewise.
        """
        times = fourier(math.pi * clock @ self.owner, TIME_WAVES)
        h = silu(self.first(torch.cat([fourier(values, self.waves), times], 1)))
        for layer in self.hidden:
            h = h + silu(layer(h))
        end: Tensor = self.last(h) + self.gain(times) * values
        return end


def fourier(values: Tensor, count: int) -> Tensor:
    """The values `(n, d)`, and their sines and cosines with 1, 2, 4, ... radians per unit: `(n, d * (1 + 2 * count))`.

    Args:
        values: `(n, d)`.
        count: how many frequencies.
    """
    angles = [values * 2.0**k for k in range(count)]
    return torch.cat([values, *(angle.sin() for angle in angles), *(angle.cos() for angle in angles)], 1)
