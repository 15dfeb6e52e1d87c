"""Whether the draws for many targets are spread as widely as they miss: ranks and expected coverage.

Both need nothing but draws that can be exchanged: not the best of more, and not in an order.
"""

from __future__ import annotations

import math

import torch
from scipy import stats
from torch import Generator, Tensor

from harness.posterior.results import Calibration

LEVELS = 20
"""Levels at which coverage is kept, evenly spaced in 0 to 1."""
DOUBT = 0.05
"""Probability with which the ranks of calibrated draws differ by more than is said."""


def calibration(
    draws: Tensor, designs: Tensor, points: Tensor, continuous: Tensor, generator: Generator
) -> Calibration:
    """The calibration of draws for many targets; a draw that is not finite does not count.

    Args:
        draws: `(m, n, d)`, standardised.
        designs: those behind the targets `(m, d)`, standardised.
        points: about which regions of expected coverage are drawn `(m, d)`; independent of the designs.
        continuous: mask `(d,)` of the coordinates that are ranked.
        generator: breaks ties.
    """
    enough = draws.isfinite().all(-1).sum(1) > 0
    draws, designs, points = draws[enough], designs[enough], points[enough]
    ranked = ranks(draws[..., continuous], designs[:, continuous], generator)
    curve = coverage(closer(draws, designs, points, generator))
    levels = torch.linspace(1 / LEVELS, 1, LEVELS, dtype=torch.float64)
    upper = levels > 0.5
    tests = max(1, ranked.shape[1])
    return Calibration(
        targets=len(draws),
        draws=draws.shape[1],
        ks=max((_distance(column) for column in ranked.T), default=math.nan),
        ks_chance=float(stats.kstwo.isf(1 - (1 - DOUBT) ** (1 / tests), max(1, len(draws)))),
        coverage=curve.tolist(),
        error=float((curve - levels).abs().mean()),
        width=float((curve - levels)[upper].mean()),
    )


def ranks(draws: Tensor, designs: Tensor, generator: Generator) -> Tensor:
    """Where the design behind each target stands among the draws for it, in each coordinate `(m, d)`, 0 to 1.

    Of calibrated draws these are uniform (Talts et al. 2018, Theorem 1). Ties, such as of whole numbers, and the room
    between two ranks are filled at random, so that the distribution is exactly uniform with any number of draws.
    """
    valid = draws.isfinite().all(-1, keepdim=True)
    below = ((draws < designs[:, None]) & valid).sum(1)
    equal = ((draws == designs[:, None]) & valid).sum(1)
    luck = torch.rand(below.shape, generator=generator, dtype=torch.float64)
    return (below + luck * (equal + 1)) / (valid.sum(1) + 1)


def closer(draws: Tensor, designs: Tensor, points: Tensor, generator: Generator) -> Tensor:
    """The share `(m,)` of the draws that are nearer to a point than the design is: credibility of the ball that ends
    at the design (Lemos et al. 2023, algorithm 2).
    """
    distances = (draws - points[:, None]).norm(dim=-1)[..., None]
    own = (designs - points).norm(dim=-1)[:, None]
    return ranks(distances, own, generator)[:, 0]


def coverage(shares: Tensor) -> Tensor:
    """How many designs lie within the regions of each level: of calibrated draws, as many as the level says."""
    levels = torch.linspace(1 / LEVELS, 1, LEVELS, dtype=torch.float64)
    return (shares[:, None] <= levels).double().mean(0)


def _distance(values: Tensor) -> float:
    return float(stats.kstest(values.numpy(), "uniform").statistic)
