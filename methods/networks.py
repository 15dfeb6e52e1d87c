"""Building blocks that several methods share."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def mlp(inputs: int, outputs: int, width: int, depth: int, *, zero: bool = False) -> nn.Sequential:
    """A multilayer perceptron of `depth` hidden SiLU layers; `zero` starts its output at zero."""
    layers: list[nn.Module] = []
    size = inputs
    for _ in range(depth):
        layers += [nn.Linear(size, width), nn.SiLU()]
        size = width
    last = nn.Linear(size, outputs)
    if zero:
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
    return nn.Sequential(*layers, last)


def squared_error(predicted: Tensor, y: Tensor) -> Tensor:
    """Squared error, mean over the y dimensions: `(..., y_dim)` to `(...)`."""
    return (predicted - y).square().mean(-1)


def repeat_targets(y: Tensor, n: int) -> Tensor:
    """One row per proposal: `(b, y_dim)` to `(b * n, y_dim)`."""
    return y.repeat_interleave(n, 0)


def normal(rows: int, columns: int, generator: torch.Generator, like: Tensor) -> Tensor:
    """Standard normal noise `(rows, columns)` from a CPU generator, in the dtype and on the device of `like`."""
    return torch.randn(rows, columns, generator=generator, dtype=like.dtype).to(like.device)
