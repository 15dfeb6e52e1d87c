"""Statistics of errors. Numpy only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def expected_best(errors: Array, trials: int, fallback: float) -> Array:
    """Expected least error among `trials` of the n proposals of each target, over all subsets of that size.

    With errors sorted e_(1) <= ... <= e_(n), the k-th is the least of a subset with probability
    C(n - k, T - 1) / C(n, T) (order statistics; the unbiased pass@k of Chen et al. 2021, section 2.1). An invalid
    proposal (NaN) never wins; a subset of invalid ones counts with `fallback`.

    Args:
        errors: `(targets, n)`.
        trials: T, at most n.
        fallback: the error of the constant prediction.

    Returns:
        `(targets,)`.

    Raises:
        ValueError: T is not in 1 to n.
    """
    n = errors.shape[1]
    if not 1 <= trials <= n:
        raise ValueError(f"T = {trials} is not in 1 to {n}, the number of proposals.")
    ordered = np.sort(errors, axis=1)  # NaN last
    weights = np.zeros(n)
    weights[0] = trials / n
    for k in range(1, n - trials + 1):
        weights[k] = weights[k - 1] * (n - k - trials + 1) / (n - k)
    return np.where(np.isnan(ordered), fallback, ordered) @ weights


def best_of_first(errors: Array, trials: int, fallback: float) -> Array:
    """Least error among the first `trials` proposals of each target, for methods that rank; NaN never wins.

    Raises:
        ValueError: T is not in 1 to n.
    """
    if not 1 <= trials <= errors.shape[1]:
        raise ValueError(f"T = {trials} is not in 1 to {errors.shape[1]}, the number of proposals.")
    first = np.where(np.isnan(errors[:, :trials]), np.inf, errors[:, :trials]).min(1)
    return np.where(np.isinf(first), fallback, first)


def bootstrap_interval(values: Array, resamples: int, seed: int) -> tuple[Array, Array]:
    """95 % percentile bootstrap interval of the mean over the first axis of `(targets, k)`: low and high `(k,)`."""
    generator = np.random.default_rng(seed)
    n = len(values)
    # A resample is a multinomial count of how often each target was drawn.
    counts = generator.multinomial(n, np.full(n, 1 / n), size=resamples)
    means = counts @ values / n
    low, high = np.percentile(means, [2.5, 97.5], axis=0)
    return low, high


def summary(errors: Array, fallback: float) -> dict[str, float]:
    """Mean over targets in each repeat, then mean and standard deviation over repeats; median and 90 % over all.

    Args:
        errors: `(repeats, proposals)`; invalid ones are NaN and count with `fallback`.
        fallback: the error of the constant prediction.
    """
    counted = np.where(np.isnan(errors), fallback, errors)
    means = counted.mean(1)
    return {
        "mean": float(means.mean()),
        "std": float(means.std(ddof=1)) if len(means) > 1 else 0.0,
        "median": float(np.median(counted)),
        "q90": float(np.quantile(counted, 0.9)),
    }


def random_halves(pool: int, repeats: int, size: int, seed: int) -> NDArray[np.int64]:
    """`repeats` random subsets of a ranked pool, each in the order of the pool: indices `(repeats, size)`."""
    generator = np.random.default_rng(seed)
    draws: Any = [np.sort(generator.permutation(pool)[:size]) for _ in range(repeats)]
    return np.stack(draws)


def first_of_random_half(pool: int, shape: tuple[int, ...], seed: int) -> NDArray[np.int64]:
    """For independent random halves of a ranked pool, the rank (from 0) of the best member: indices of this shape.

    A half of h of n members misses the first k with probability C(n - k, h) / C(n, h).
    """
    half = max(1, pool // 2)
    misses = np.cumprod([(pool - half - k) / (pool - k) for k in range(pool - half)])
    draws = np.random.default_rng(seed).random(shape)
    ranks: NDArray[np.int64] = np.searchsorted(-misses, -draws, side="right")
    return ranks
