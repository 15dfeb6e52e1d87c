"""The difference between two forward models, learned from few designs by a Gaussian process."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from harness.contracts import Pairs
from harness.scenarios.process import Process


def correction(known: tuple[Pairs, Pairs], simulate: Callable[[Tensor], Tensor]) -> Callable[[Pairs], Pairs]:
    """What adds to the y of pairs of a cheap forward model what they are expected to be off by.

    The difference of the two models is known where both were asked, and is taken for a draw of a Gaussian process
    whose kernel, squared exponential with white noise, is chosen by its marginal likelihood (Kennedy, O'Hagan 2000,
    Biometrika 87, 1, without a scale factor).

    Args:
        known: pairs of the other model, in two parts, physical.
        simulate: the cheap model, which is asked for their designs.
    """
    x, y = torch.cat([part.x for part in known]), torch.cat([part.y for part in known])
    off = y - simulate(x)
    both = off.isfinite().all(1)
    width = x.std(0).where(x.std(0) > 0, 1.0)
    process = Process.of((x[both] / width).numpy(), off[both].numpy())
    return lambda pairs: Pairs(pairs.x, pairs.y + torch.from_numpy(process.mean((pairs.x / width).numpy())))
