"""Building blocks that several methods share."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

REDRAWS = 10  # rounds in which designs outside the range of the training designs are drawn again


def mlp(inputs: int, outputs: int, width: int, depth: int, *, zero: bool = False) -> nn.Sequential:
    """A multilayer perceptron with SiLU in between.

    Args:
        inputs: columns of its input.
        outputs: columns of its output.
        width: of the hidden layers.
        depth: hidden layers.
        zero: start with an output of zero.
    """
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
    """Squared error, mean over the y dimensions, `(...)`.

    Args:
        predicted: `(..., y_dim)`.
        y: targets, broadcastable to it.
    """
    return (predicted - y).square().mean(-1)


def known_error(predicted: Tensor, y: Tensor) -> Tensor:
    """Squared error, mean over the entries of y that are known, `(...)`.

    Args:
        predicted: `(..., y_dim)`.
        y: targets, broadcastable to it; an entry that is NaN is not known.

    >>> known_error(torch.tensor([1.0, 5.0]), torch.tensor([3.0, float("nan")])).item()
    4.0
    """
    known = y.isfinite()
    if bool(known.all()):
        return squared_error(predicted, y)
    square = (predicted - y.nan_to_num()).square() * known
    return square.sum(-1) / known.sum(-1)


def huber_error(predicted: Tensor, y: Tensor, turn: float) -> Tensor:
    """Squared error that grows linearly from a residual on, mean over the entries of y that are known, `(...)`.

    Where |r| > t it is t (2 |r| - t), twice the function of Huber 1964, Annals of Mathematical Statistics 35, 73.

    Args:
        predicted: `(..., y_dim)`.
        y: targets, broadcastable to it; an entry that is NaN is not known.
        turn: the residual t.

    >>> huber_error(torch.tensor([1.0, 5.0]), torch.tensor([1.5, 0.0]), 1.0).item()
    4.625
    """
    known = y.isfinite()
    residual = (predicted - y.nan_to_num()).abs()
    error = torch.where(residual <= turn, residual.square(), turn * (2 * residual - turn)) * known
    return error.sum(-1) / known.sum(-1)


def repeat_targets(y: Tensor, n: int) -> Tensor:
    """One row for each proposal, `(b * n, y_dim)`: n times the first target, then the second, and so on.

    Args:
        y: targets `(b, y_dim)`.
        n: proposals for each.
    """
    return y.repeat_interleave(n, 0)


def normal(rows: int, columns: int, generator: torch.Generator, like: Tensor) -> Tensor:
    """Standard normal noise `(rows, columns)`.

    Args:
        rows: how many rows.
        columns: how many columns.
        generator: all randomness comes from it; on the CPU, so that the noise is the same on every device.
        like: a tensor of the dtype and on the device that are wanted.
    """
    return torch.randn(rows, columns, generator=generator, dtype=like.dtype).to(like.device)


def keep_inside(x: Tensor, bounds: Tensor, redraw: Callable[[Tensor], Tensor], *, rounds: int) -> tuple[Tensor, int]:
    """Draw again the designs outside the range of the training designs, up to `rounds` times.

    A density model has learned nothing out there, and a few such draws can make up most of a mean error.

    Args:
        x: `(n, x_dim)`; changed in place. NaN counts as outside.
        bounds: `(2, x_dim)`.
        redraw: gives a fresh draw for each of these rows; it must not depend on which other rows there are.
        rounds: how often at most.

    Returns:
        x, and how many designs were drawn in all, the first included.
    """
    drawn = len(x)
    for _ in range(rounds):
        outside = (~((x >= bounds[0]) & (x <= bounds[1])).all(1)).nonzero()[:, 0]
        if not len(outside):
            break
        drawn += len(outside)
        x[outside] = redraw(outside)
    return x, drawn
