"""The difference between two forward models, learned from few designs by a Gaussian process."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from harness.contracts import Pairs
from harness.scenarios.process import Process


def corrected(pairs: Pairs, known: tuple[Pairs, Pairs], simulate: Callable[[Tensor], Tensor]) -> Pairs:
    """Pairs of a cheap forward model with what it is expected to be off by added to their y.

    The difference of the two models is known where both were asked, and is taken for a draw of a Gaussian process
    whose kernel, squared exponential with white noise, is chosen by its marginal likelihood (Kennedy, O'Hagan 2000,
    Biometrika 87, 1, without a scale factor).

    Args:
        pairs: of the cheap model, physical.
        known: pairs of the other model, in two parts.
        simulate: the cheap model.
    """
    x, y = torch.cat([part.x for part in known]), torch.cat([part.y for part in known])
    off = y - simulate(x)
    both = off.isfinite().all(1)
    width = x.std(0).where(x.std(0) > 0, 1.0)
    process = Process.of((x[both] / width).numpy(), off[both].numpy())
    return Pairs(pairs.x, pairs.y + torch.from_numpy(process.mean((pairs.x / width).numpy())))
