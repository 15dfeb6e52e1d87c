"""The harness's own Gaussian process of a forward model, and what it says of candidates for the next simulations."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness.statistics import Array

COMPONENTS = 10
"""Principal components of y that are learned."""
SEPARATE = 16
"""Coordinates of x up to which each has a length scale of its own."""


@dataclass(frozen=True)
class Process:
    """A Gaussian process whose components share a kernel; x and the components of y are standardised."""

    x: Array
    """`(n, x_dim)`"""
    weights: Array
    """`(n, k)`: of the kernel at the known designs, for the mean."""
    factor: Array
    """Cholesky factor of the kernel matrix with noise `(n, n)`."""
    kernel: Callable[[Array, Array], Array]
    noise: float
    axes: Array
    """Rows `(k, y_dim)` that take components back to y."""
    centre: Array
    spread: Array
    """Deviation of each y over the known `(y_dim,)`."""

    @classmethod
    def of(cls, x: Array, y: Array) -> Process:
        """Fitted to pairs by the marginal likelihood, with a squared exponential kernel and white noise.

        Args:
            x: designs `(n, x_dim)`, standardised.
            y: what they reach `(n, y_dim)`.
        """
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

        centre, spread = y.mean(0), np.where(y.std(0) > 0, y.std(0), 1.0)
        left, sizes, right = np.linalg.svd((y - centre) / spread, full_matrices=False)
        kept = slice(0, max(1, min(COMPONENTS, int((sizes > 1e-6 * sizes[0]).sum()))))
        scores, axes = left[:, kept] * np.sqrt(len(y)), right[kept] * sizes[kept, None] / np.sqrt(len(y)) * spread
        scale = np.ones(x.shape[1]) if x.shape[1] <= SEPARATE else np.sqrt(x.shape[1])
        kernel = ConstantKernel() * RBF(scale, (1e-2, 1e3)) + WhiteKernel(1e-3, (1e-8, 1.0))
        model = GaussianProcessRegressor(kernel, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(x, scores)
        weights = model.alpha_.reshape(len(x), -1)
        return cls(x, weights, model.L_, model.kernel_.k1, float(model.kernel_.k2.noise_level), axes, centre, spread)

    def mean(self, x: Array) -> Array:
        """What is expected of y `(m, y_dim)`.

        Args:
            x: designs `(m, x_dim)`, standardised.
        """
        found: Array = self.kernel(x, self.x) @ self.weights @ self.axes + self.centre
        return found

    def covariance(self, x: Array) -> Array:
        """What is not known: the covariance of a component without noise `(m, m)`.

        Args:
            x: designs `(m, x_dim)`, standardised.
        """
        from scipy.linalg import solve_triangular

        half = solve_triangular(self.factor, self.kernel(self.x, x), lower=True)
        found: Array = self.kernel(x, x) - half.T @ half
        return found


def information(covariance: Array, noise: float, candidates: int) -> Array:
    """Of each candidate, what its y says of the y at other designs: expected predictive information gain, EPIG.

    The mean over these of the mutual information of two noisy values (Bickford Smith et al. 2023, AISTATS,
    arXiv:2304.08151, for a Gaussian process).

    Args:
        covariance: of the candidates and then of the others `(m, m)`.
        noise: variance of the noise.
        candidates: how many of the rows are candidates.

    Returns:
        In nats `(candidates,)`.
    """
    both = covariance[:candidates, candidates:]
    variance = np.maximum(np.diag(covariance), 0) + noise
    product = variance[:candidates, None] * variance[candidates:]
    share = np.clip(both**2 / product, 0, 1 - 1e-12)
    found: Array = -np.log1p(-share).mean(1) / 2
    return found


def conditioned(covariance: Array, noise: float, place: int) -> Array:
    """The covariance after a noisy value at one of the designs is known.

    Args:
        covariance: `(m, m)`.
        noise: variance of the noise.
        place: the design.
    """
    column = covariance[:, place]
    found: Array = covariance - np.outer(column, column) / (column[place] + noise)
    return found
