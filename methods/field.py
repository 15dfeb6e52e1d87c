"""The network of the samplers that carry noise to designs: flow matching and diffusion."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import silu

from methods.networks import mlp
from methods.path import fourier


class Field(nn.Module):
    """A residual network of a noisy design, the time and the target; before training its output is zero.

    The three meet in the first layer, so that what the target adds is computed once, for all steps and all designs.

    Args:
        x_dim: dimensions of a design.
        y_dim: dimensions of a target.
        width: of the hidden layers.
        depth: hidden layers.
        waves: Fourier features of the design, see `fourier`.
        time_waves: the same of the time.
    """

    def __init__(self, x_dim: int, y_dim: int, width: int, depth: int, *, waves: int, time_waves: int) -> None:
        super().__init__()
        self.waves, self.time_waves = waves, time_waves
        self.design = nn.Linear(x_dim * (1 + 2 * waves), width)
        self.time = nn.Linear(1 + 2 * time_waves, width, bias=False)
        self.embed = mlp(y_dim, width, width, 1)
        self.hidden = nn.ModuleList(nn.Linear(width, width) for _ in range(depth - 1))
        self.last = mlp(width, x_dim, width, 0, zero=True)

    def forward(self, x: Tensor, time: Tensor, embedded: Tensor) -> Tensor:
        """The field at noisy designs, `(n, x_dim)`.

        Args:
            x: noisy designs `(n, x_dim)`.
            time: of each of them `(n, 1)`, or of all `(1, 1)`.
            embedded: what `embed` makes of their targets `(n, width)`.
        """
        h = silu(self.design(fourier(x, self.waves)) + self.time(fourier(time, self.time_waves)) + embedded)
        for layer in self.hidden:
            h = h + silu(layer(h))
        field: Tensor = self.last(h)
        return field
