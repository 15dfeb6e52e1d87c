"""The difference between two forward models, learned from few designs by a Gaussian process."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from harness.contracts import Pairs

COMPONENTS = 10
"""Principal components of the difference that are learned."""
SEPARATE = 16
"""Coordinates of x up to which each has a length scale of its own."""


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
    return Pairs(pairs.x, pairs.y + torch.from_numpy(_predicted(x[both].numpy(), off[both].numpy(), pairs.x.numpy())))


def _predicted(x: np.ndarray, off: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The expected difference `(m, y_dim)` at designs, from that at others `(n, y_dim)`."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    width = np.where(x.std(0) > 0, x.std(0), 1.0)
    mean = off.mean(0)
    _, _, axes = np.linalg.svd(off - mean, full_matrices=False)
    axes = axes[:COMPONENTS]
    scores = (off - mean) @ axes.T
    size = x.shape[1]
    scale = np.ones(size) if size <= SEPARATE else np.sqrt(size)
    kernel = ConstantKernel() * RBF(scale, (1e-2, 1e3)) + WhiteKernel(1e-4, (1e-10, 1.0))
    model = GaussianProcessRegressor(kernel, normalize_y=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(x / width, scores)
    found: np.ndarray = model.predict(wanted / width).reshape(len(wanted), -1) @ axes + mean
    return found
