"""The proxy: an ensemble of networks that stands in for a forward model of which only rows are known."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Generator, Tensor, nn

CHUNK = 1024  # designs whose activations are held at once, for the cache


class Proxy(nn.Module):
    """The mean of `members` SiLU networks from physical x `(n, x_dim)` to physical y `(n, y_dim)`.

    x and y are standardised inside. Each member's y is clamped to [low, high] first: where many rows have exactly the
    least (or the greatest) y, that value is the bound, and members take it exactly; elsewhere it is infinite.

    Args:
        members: networks of the ensemble.
        sizes: columns of x, of each hidden layer, and of y.
        generator: of the first weights; the global random state where omitted.
    """

    x_mean: Tensor
    x_scale: Tensor
    y_mean: Tensor
    y_scale: Tensor
    low: Tensor
    high: Tensor

    def __init__(self, members: int, sizes: list[int], generator: Generator | None = None) -> None:
        super().__init__()
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for inputs, outputs in pairwise(sizes):
            bound = inputs**-0.5
            for parameters, rows in ((self.weights, inputs), (self.biases, 1)):
                unit = torch.rand(members, rows, outputs, generator=generator)
                parameters.append(nn.Parameter(bound * (2 * unit - 1)))
        for name, size, value in _constants(sizes[0], sizes[-1]):
            self.register_buffer(name, torch.full((size,), value, dtype=torch.float64))

    def standardised(self, x: Tensor) -> Tensor:
        """Outputs `(members, n, y_dim)`, standardised and not clamped.

        Args:
            x: designs `(n, x_dim)`, or others for each member `(members, n, x_dim)`, standardised.
        """
        members = self.weights[0].shape[0]
        hidden = x if x.dim() == 3 else x.expand(members, -1, -1)
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            hidden = torch.baddbmm(bias, nn.functional.silu(hidden) if layer else hidden, weight)
        return hidden

    def each(self, x: Tensor) -> Tensor:
        """The answers of all members `(members, n, y_dim)`, physical.

        Args:
            x: designs `(n, x_dim)`, physical.
        """
        output = self.standardised((x - self.x_mean) / self.x_scale)
        return (output * self.y_scale + self.y_mean).clamp(self.low, self.high)

    def forward(self, x: Tensor) -> Tensor:
        """The answers `(n, y_dim)`, physical: the mean over the members.

        Args:
            x: designs `(n, x_dim)`, physical.
        """
        return torch.cat([self.each(rows).mean(0) for rows in x.split(CHUNK)])


def _constants(x_dim: int, y_dim: int) -> Iterator[tuple[str, int, float]]:
    yield from (("x_mean", x_dim, 0.0), ("x_scale", x_dim, 1.0), ("y_mean", y_dim, 0.0), ("y_scale", y_dim, 1.0))
    yield from (("low", y_dim, -torch.inf), ("high", y_dim, torch.inf))
