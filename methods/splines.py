"""Monotonic rational-quadratic splines (Durkan, Bekasov, Murray, Papamakarios 2019, section 3.1)."""

from __future__ import annotations

import torch
from nflows.transforms.splines.rational_quadratic import DEFAULT_MIN_BIN_WIDTH, DEFAULT_MIN_DERIVATIVE
from torch import Tensor
from torch.nn import functional


def rational_quadratic_spline(
    x: Tensor, sizes: Tensor, slopes: Tensor, bound: float, *, inverse: bool
) -> tuple[Tensor, Tensor]:
    """The spline through K + 1 knots from (-bound, -bound) to (bound, bound), or its inverse.

    That of nflows, in half the time: it makes widths and heights together and looks at a bin once, and softmax and
    gather are fast along an axis that is not the last. Where rounding makes the discriminant of the inverse negative,
    which nflows refuses, it is zero.

    Args:
        x: `(...)`, in [-bound, bound].
        sizes: `(2, K, ...)`, the widths and the heights of the bins before the softmax.
        slopes: `(K + 1, ...)`, at the knots, before the softplus.
        bound: of both axes.
        inverse: x is a value of the spline, and its place is wanted.

    Returns:
        The value and log of the slope there, `(...)` each.
    """
    count = sizes.shape[1]
    sizes = 2 * bound * (DEFAULT_MIN_BIN_WIDTH + (1 - DEFAULT_MIN_BIN_WIDTH * count) * sizes.softmax(1))
    upper = sizes.cumsum(1) - bound
    place = (x >= upper[int(inverse), :-1]).sum(0)
    both = place.expand(2, 1, *place.shape)
    width, height = size = sizes.gather(1, both)[:, 0]
    left, bottom = upper.gather(1, both)[:, 0] - size
    slopes = DEFAULT_MIN_DERIVATIVE + functional.softplus(slopes)
    first, last = slopes.gather(0, torch.stack([place, place + 1]))
    mean = height / width
    bend = first + last - 2 * mean
    if inverse:
        rise = x - bottom
        b = height * first - rise * bend
        a = height * mean - b
        root = (b.square() + 4 * a * mean * rise).clamp_min(0).sqrt()
        t = 2 * mean * rise / (b + root)
    else:
        t = (x - left) / width
    product = t * (1 - t)
    below = mean + bend * product
    slope = mean.square() * (last * t.square() + 2 * mean * product + first * (1 - t).square()) / below.square()
    if inverse:
        return left + width * t, -slope.log()
    return bottom + height * (mean * t.square() + first * product) / below, slope.log()
