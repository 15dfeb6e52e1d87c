"""Two methods on the same targets: the ratio of their errors, how sure it is, and how often one beats the other.

A ratio is a mean over targets of log10 ratios, so that a few targets with large errors do not decide. Its interval is
of a two-level bootstrap: seeds are resampled, of each method its own, and targets, for both methods the same. There are
no p-values: an interval that reaches over 0 says that the difference is not known.

In simulations (`tests/test_comparing.py`) the 95 % interval of one training each holds the truth in 92 to 94 % of
the cases. With several it is too wide where trainings do not differ as a whole (100 %), and too narrow where they
differ as much as targets do: it holds the truth in 89 % with three trainings, 92 % with five, 94 % with ten.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.statistics import Array

LEAST = 1e-30
"""Errors below count as this one: a training design that is returned may have an error of exactly 0."""
EXACT = 1e-12
"""Share of the error of answering with the mean, below which an answer is as good as exact: a mean of log ratios would
otherwise be decided by how many answers are exact to the last bit."""
SAME = 1e-6
"""Log ratios below are taken for none at all."""
NORMAL = 1.96
"""Standard deviations on each side of a 95 % interval."""
LIKELY = 2.8
"""How many standard deviations a difference must be, so that it is found with a probability of 80 %: 1.96 + 0.84."""
FEW = 10
"""Targets below which nothing is told apart: a bootstrap interval of so few is far too narrow."""
BLOCK = 250
"""Resamples that are drawn together."""
SMALL = 4_000_000
"""Counts of draws up to which they are kept as they are multiplied with, of more in a byte each."""
SEEDS = 3
"""Trainings from which on an interval says anything of other trainings."""


@dataclass(frozen=True)
class Comparison:
    """How the errors of a method A compare with those of B."""

    log_ratio: float
    """Mean over seeds and targets of log10 of A's error over B's; negative where A is better."""
    low: float
    high: float
    """Its 95 % interval."""
    beats: float
    """The probability that A's error is less than B's on a target, for trainings of each; ties count half."""
    seeds: tuple[int, int]
    """Trainings of A and of B."""
    targets: int
    drawn: Array = field(repr=False, compare=False)
    """The log ratio in each resample `(resamples,)`."""
    variances: tuple[float, float] = (0.0, 0.0)
    """What trainings and what targets add to the variance of the log ratio; no trainings where one has a single one."""

    @property
    def separated(self) -> bool:
        """Whether the interval leaves no doubt which of the two is better; never of a few targets alone."""
        return self.targets >= FEW and (self.low > 0 or self.high < 0)

    @property
    def of_targets_only(self) -> bool:
        """Whether there are too few trainings for the interval to speak of others."""
        return min(self.seeds) < SEEDS

    @property
    def targets_needed(self) -> int | None:
        """How many targets would separate two models in four of five cases, if the ratio stays; None where none would.

        The half-width of an interval falls with the root of the number of targets. Of several trainings it has a part
        that more targets do not change, so that the number is not known.
        """
        if self.separated:
            return self.targets
        if abs(self.log_ratio) < SAME or max(self.seeds) > 1:
            return None
        width = (self.high - self.low) / 2 * LIKELY / NORMAL
        return max(FEW, math.ceil(self.targets * (width / abs(self.log_ratio)) ** 2))

    @property
    def seeds_needed(self) -> int | None:
        """How many trainings of each would separate two methods in four of five cases, if the ratio stays, or None.

        None where more targets are wanted first, or where a method has a single training, so that nothing is known
        of how trainings differ.
        """
        of_seeds, of_targets = self.variances
        left = (self.log_ratio / LIKELY) ** 2 - of_targets
        if self.separated or not of_seeds or left <= 0:
            return None
        return max(min(self.seeds) + 1, math.ceil(min(self.seeds) * of_seeds / left))


@dataclass(frozen=True)
class Drawn:
    """The errors of one method in each resample of the bootstrap; those of two methods are of the same targets."""

    logs: Array
    """Mean of log10 of the errors `(resamples,)`."""
    means: Array
    """Mean of the errors `(resamples,)`."""
    of_seeds: Array
    """Mean over targets of log10 of the errors `(seeds,)`."""
    of_targets: Array
    """Mean over seeds of log10 of the errors `(targets,)`."""
    mean: float
    """The mean of all errors."""
    carried: float
    """The share of the mean error that the hundredth of the targets with the largest errors makes up."""


def drawn(errors: Array, *, least: float = LEAST, resamples: int = 1000, seed: int = 0) -> Drawn:
    """Draw seeds and targets of a method's errors.

    Args:
        errors: `(seeds, targets)`, finite, zero or more.
        least: errors below count as this one.
        resamples: of the bootstrap.
        seed: of the bootstrap; the targets that are drawn depend on it and on their number alone.
    """
    logs = logarithms(errors, least)
    each = _over_targets(np.concatenate([logs, errors]), resamples, seed)
    mean, own = _over_seeds(logs, each[: len(logs)], seed)
    of_logs = mean + _wider(len(logs)) * (own - mean)
    mean, own = _over_seeds(errors, each[len(logs) :], seed)
    with np.errstate(invalid="ignore"):  # as a ratio, so that no mean of errors is below 0
        of_means = np.where(mean > 0, mean * (own / mean) ** _wider(len(errors)), 0.0)
    return Drawn(of_logs, of_means, logs.mean(1), logs.mean(0), float(errors.mean()), _carried(errors.mean(0)))


def _carried(errors: Array) -> float:
    """The share of a sum of errors `(targets,)` that the largest hundredth makes up, one at least; 0 of no error."""
    largest = np.sort(errors)[-math.ceil(len(errors) / 100) :]
    return float(largest.sum() / errors.sum()) if errors.any() else 0.0


def compare(a: Array, b: Array, *, least: float = LEAST, resamples: int = 1000, seed: int = 0) -> Comparison:
    """Compare the errors of two methods A and B on the same targets in one order.

    Args:
        a: `(seeds of A, targets)`, finite, zero or more.
        b: `(seeds of B, targets)`, likewise.
        least: errors below count as this one.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Raises:
        ValueError: the numbers of targets differ, or there are none.

    >>> found = compare(np.full((1, 100), 1e-3), np.full((1, 100), 1e-2))
    >>> round(found.log_ratio, 6), found.separated
    (-1.0, True)
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or 0 in (*a.shape, *b.shape):
        raise ValueError(f"Errors {a.shape} and {b.shape} are not of the same targets; give (seeds, targets) of each.")
    one, other = (drawn(errors, least=least, resamples=resamples, seed=seed) for errors in (a, b))
    return comparison(one, other, beats(a, b, least=least))


def comparison(a: Drawn, b: Drawn, beats: float) -> Comparison:
    """The comparison of what was drawn of two methods A and B.

    Args:
        a: of A.
        b: of B, with the same resamples of the same targets.
        beats: the probability that A's error is less than B's on a target, as `beats` gives it.
    """
    ratios = a.logs - b.logs
    low, high = np.percentile(ratios, [2.5, 97.5])
    return Comparison(
        log_ratio=float(a.of_targets.mean() - b.of_targets.mean()),
        low=float(low),
        high=float(high),
        beats=beats,
        seeds=(len(a.of_seeds), len(b.of_seeds)),
        targets=len(a.of_targets),
        drawn=ratios,
        variances=_variances(a, b),
    )


def beats(a: Array, b: Array, *, least: float = LEAST) -> float:
    """How often errors of A are less than those of B on the same target, over all pairs of seeds; ties count half.

    Args:
        a: `(seeds of A, targets)`.
        b: `(seeds of B, targets)`.
        least: errors below count as this one.

    >>> float(beats(np.array([[1.0, 2.0, 3.0, 4.0]]), np.array([[2.0, 2.0, 2.0, 2.0]])))
    0.375
    """
    least = max(least, LEAST)
    ours, theirs = np.maximum(a, least), np.maximum(b, least)
    counted = sum(np.count_nonzero(one < theirs) + np.count_nonzero(one <= theirs) for one in ours)
    return counted / (2 * len(ours) * theirs.size)


def _variances(a: Drawn, b: Drawn) -> tuple[float, float]:
    """The variance of the mean log error of A less that of B: of trainings, and of targets."""
    several = min(len(a.of_seeds), len(b.of_seeds)) > 1
    trainings = sum(float(each.var(ddof=1)) / len(each) for each in (a.of_seeds, b.of_seeds)) if several else 0.0
    difference = a.of_targets - b.of_targets
    return trainings, float(difference.var(ddof=1)) / len(difference) if len(difference) > 1 else 0.0


def apart(a: Drawn, b: Drawn) -> int:
    """-1 where there is no doubt that A has smaller errors than B, 1 where B has them, and 0 where there is doubt.

    Both the ratios and the means of the errors must leave none.

    The mean alone would not do: where a few targets carry most of it, its bootstrap interval is too narrow
    (`tests/test_comparing.py`).

    Args:
        a: drawn of A.
        b: drawn of B, with the same resamples of the same targets.
    """
    signs = [_sign(a.logs - b.logs), _sign(a.means - b.means)]
    return signs[0] if signs[0] == signs[1] and len(a.of_targets) >= FEW else 0


def _sign(differences: Array) -> int:
    """The sign of a difference, of which the 95 % interval leaves no doubt; 0 where it does."""
    low, high = np.percentile(differences, [2.5, 97.5])
    return -1 if high < 0 else 1 if low > 0 else 0


def overall(comparisons: Sequence[Comparison]) -> Comparison:
    """The comparison over several tasks, each with the same weight; tasks are fixed and not resampled.

    Args:
        comparisons: of the same two methods, one for each task, with equally many resamples.
    """
    drawn = np.mean([item.drawn for item in comparisons], 0)
    low, high = np.percentile(drawn, [2.5, 97.5])
    ratio, beats = (float(np.mean([getattr(item, name) for item in comparisons])) for name in ("log_ratio", "beats"))
    fewest = min(item.seeds[0] for item in comparisons), min(item.seeds[1] for item in comparisons)
    return Comparison(ratio, float(low), float(high), beats, fewest, min(item.targets for item in comparisons), drawn)


def logarithms(errors: Array, least: float) -> Array:
    """Log10 of errors, of which those below `least` count as that.

    Args:
        errors: `(...)`, zero or more.
        least: errors below count as this one; 1e-30 where it is less.

    >>> logarithms(np.array([0.01, 0.0]), least=1e-12).tolist()
    [-2.0, -12.0]
    """
    found: Array = np.log10(np.maximum(errors, max(least, LEAST)))
    return found


def _over_targets(values: Array, resamples: int, seed: int) -> Array:
    """The mean over targets of `(rows, targets)` in each resample of them `(rows, resamples)`.

    Which are drawn depends on `seed` and on their number alone.
    """
    blocks = _targets(resamples, values.shape[1], seed)
    return np.concatenate([values @ counts.T.astype(float, copy=False) for counts in blocks], 1) / values.shape[1]


def _over_seeds(values: Array, of_seeds: Array, seed: int) -> tuple[Array, Array]:
    """The mean over seeds of what each has in each resample of targets `(seeds, resamples)`, and over seeds resampled.

    Which are drawn depends on the values `(seeds, targets)` as well.
    """
    seeds, resamples = of_seeds.shape
    mean: Array = of_seeds.mean(0)
    if seeds == 1:
        return mean, mean
    generator = np.random.default_rng([seed, zlib.crc32(np.ascontiguousarray(values).tobytes())])
    return mean, np.take_along_axis(of_seeds.T, generator.integers(seeds, size=(resamples, seeds)), 1).mean(1)


def _wider(seeds: int) -> float:
    """What a deviation over resampled seeds is multiplied by: a resample of n varies n / (n - 1) times too little."""
    return math.sqrt(seeds / (seeds - 1)) if seeds > 1 else 1.0


@lru_cache(maxsize=4)
def _targets(resamples: int, count: int, seed: int) -> tuple[NDArray[Any], ...]:
    """How often each target is drawn `(resamples, count)`, the same for all pairs of methods; in blocks, for memory."""
    kind = float if resamples * count <= SMALL else np.uint8
    generator, shares = np.random.default_rng(seed), np.full(count, 1 / count)
    sizes = (min(BLOCK, resamples - start) for start in range(0, resamples, BLOCK))
    # Counts fit into a byte: that one of many targets is drawn more than 255 times has a probability below 1 / 255!.
    return tuple(generator.multinomial(count, shares, size=size).astype(kind) for size in sizes)


def profile(errors: Array, thresholds: Array) -> Array:
    """The share of errors that are at most each of the thresholds `(k,)`.

    Args:
        errors: `(...)`.
        thresholds: `(k,)`.

    >>> profile(np.array([[0.1, 0.2], [0.3, 0.4]]), np.array([0.05, 0.2, 1.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    ordered = np.sort(errors, axis=None)
    return np.searchsorted(ordered, thresholds, side="right") / ordered.size
