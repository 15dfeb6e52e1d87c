"""Statistics of errors. Numpy only. Errors have no gaps here: an invalid design has the error that it counts with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Summary:
    """Errors of a question that was put several times."""

    mean: float
    """Mean over targets and repeats."""
    std: float
    """Standard deviation over repeats of the mean over targets; 0 for a single repeat."""
    median: float
    q90: float
    """90 % quantile, over targets and repeats."""


def summary(errors: Array) -> Summary:
    """The summary of errors over repeats.

    Args:
        errors: `(repeats, proposals)`, finite.

    >>> summary(np.array([[1.0, 3.0], [2.0, 2.0]]))
    Summary(mean=2.0, std=0.0, median=2.0, q90=2.7)
    """
    means = errors.mean(1)
    deviation = float(means.std(ddof=1)) if len(means) > 1 else 0.0
    return Summary(float(means.mean()), deviation, float(np.median(errors)), float(np.quantile(errors, 0.9)))


def expected_best(errors: Array, trials: int) -> Array:
    """Expected least error among `trials` of the n proposals of each target, over all subsets of that size.

    With errors sorted e_(1) <= ... <= e_(n), the k-th is the least of a subset with probability
    C(n - k, T - 1) / C(n, T) (order statistics; the unbiased pass@k of Chen et al. 2021, section 2.1). It never grows
    with T.

    Args:
        errors: `(targets, n)`, finite.
        trials: T, at most n.

    Returns:
        `(targets,)`.

    Raises:
        ValueError: T is not in 1 to n.
    """
    n = errors.shape[1]
    if not 1 <= trials <= n:
        raise ValueError(f"T = {trials} is not in 1 to {n}, the number of proposals.")
    weights = np.zeros(n)
    weights[0] = trials / n
    for k in range(1, n - trials + 1):
        weights[k] = weights[k - 1] * (n - k - trials + 1) / (n - k)
    return np.sort(errors, axis=1) @ weights


def best_of_first(errors: Array, trials: int) -> Array:
    """Least error `(targets,)` among the first `trials` proposals of each target, for methods that rank.

    Args:
        errors: `(targets, n)`, best first by the method's own estimate.
        trials: T, at most n.

    Raises:
        ValueError: T is not in 1 to n.

    >>> best_of_first(np.array([[0.3, 0.1, 0.2]]), 2).tolist()
    [0.1]
    """
    if not 1 <= trials <= errors.shape[1]:
        raise ValueError(f"T = {trials} is not in 1 to {errors.shape[1]}, the number of proposals.")
    least: Array = errors[:, :trials].min(1)
    return least


def bootstrap_interval(values: Array, resamples: int, seed: int) -> tuple[Array, Array]:
    """95 % percentile bootstrap interval of the mean over targets: low and high `(k,)`.

    Args:
        values: `(targets, k)`; all k are resampled together.
        resamples: of the bootstrap.
        seed: of the bootstrap.
    """
    generator = np.random.default_rng(seed)
    n = len(values)
    # A resample is a multinomial count of how often each target was drawn.
    counts = generator.multinomial(n, np.full(n, 1 / n), size=resamples)
    means = counts @ values / n
    low, high = np.percentile(means, [2.5, 97.5], axis=0)
    return low, high


@dataclass(frozen=True)
class HalfPool:
    """Repeats from one ranked pool of candidates: each is the first members of a random half of it.

    The mean over all halves is known exactly. The halves share their pool, so that statistics of them differ less than
    those of fresh draws. With errors that do not depend on the rank, two independent halves have a member of rank i in
    common as often as its weight w_i squared says. So 1 - k sum w_i^2 is left of the variance of a mean of k members:
    1 - h / N for a whole half (the finite population correction), about 2 / 3 for the first alone. The errors of the
    first of a half that is ranked by its errors keep 2 / 3 where these are exponential. `std` is corrected for it.
    """

    pool: int
    """N, the number of candidates."""
    first: int
    """How many members of a half make one repeat."""

    @property
    def half(self) -> int:
        """H, the size of a half."""
        return max(1, self.pool // 2)

    def weights(self) -> Array:
        """The probability `(N,)` of each rank to be among the first of a random half, divided by their number."""
        from scipy.stats import hypergeom

        if self.pool == 1:
            return np.ones(1)
        chosen = self.half / self.pool
        earlier = np.arange(self.pool)
        # Of the other N - 1 members h - 1 are in the half; of those before rank i at most `first` - 1 may be.
        within = hypergeom.cdf(self.first - 1, self.pool - 1, earlier, self.half - 1)
        weights: Array = chosen * within / min(self.first, self.half)
        return weights

    def halves(self, repeats: int, seed: int) -> NDArray[np.int64]:
        """The members of each repeat, in the order of the pool: indices `(repeats, first)`.

        Args:
            repeats: how many halves are drawn.
            seed: of the draws.
        """
        generator = np.random.default_rng(seed)
        drawn: Sequence[NDArray[np.int64]] = [
            np.sort(generator.permutation(self.pool)[: self.half]) for _ in range(repeats)
        ]
        return np.stack(drawn)[:, : self.first]

    def best(self, shape: tuple[int, ...], seed: int) -> NDArray[np.int64]:
        """For independent random halves, the rank (from 0) of the best member: indices of this shape.

        A half of h of N members misses the first k with probability C(N - k, h) / C(N, h).

        Args:
            shape: of the answer.
            seed: of the draws.
        """
        missing = self.pool - self.half
        misses = np.cumprod([(missing - k) / (self.pool - k) for k in range(missing)])
        draws = np.random.default_rng(seed).random(shape)
        ranks: NDArray[np.int64] = np.searchsorted(-misses, -draws, side="right")
        return ranks

    def corrected(self, sampled: Summary, mean: float) -> Summary:
        """The summary of sampled halves with the exact mean, and the deviation that fresh draws would have.

        Args:
            sampled: over some halves.
            mean: the exact one, over all halves.
        """
        left = 1 - min(self.first, self.half) * float((self.weights() ** 2).sum())
        return Summary(mean, sampled.std / left**0.5 if self.pool > 1 else sampled.std, sampled.median, sampled.q90)
