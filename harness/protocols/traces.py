"""What a search gives over targets: the least error by calls, calls until one is reached, and where learning pays."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from harness.statistics import Array

FIRST = "first"
"""Stands for the calls until a target is reached, where else a number of calls stands."""
RESAMPLES = 2000
POINTS = 4
"""Numbers of calls that a curve has for each power of ten."""


@dataclass(frozen=True)
class Trace:
    """What one search gives over targets."""

    calls: list[int]
    mean: list[float]
    """The least nmse of so many calls, mean over targets; so the next ones."""
    median: list[float]
    reached: list[float]
    """The share of the targets that is reached."""
    needed: float | None
    """Calls until a target is reached, the median; None where half of the targets are not."""


def counted(most: int) -> list[int]:
    """The numbers of calls that a curve has.

    Args:
        most: the last of them.

    >>> counted(12)
    [1, 2, 3, 6, 10, 12]
    """
    steps = range(math.floor(POINTS * math.log10(most)) + 1)
    return sorted({min(most, round(10 ** (step / POINTS))) for step in steps} | {most})


def kept(search: str, count: int | str, unlearned: bool | int) -> str:
    """The name under which the errors of each target are kept.

    Args:
        search: its name.
        count: of calls, or `first`, for the calls until a target is reached.
        unlearned: whether it begins with draws of the prior.

    >>> kept("lm", 100, False), kept("de", 10, True)
    ('lm_100', 'prior_de_10')
    """
    return f"{'prior_' * unlearned}{search}_{count}"


def until_reached(errors: Array, accuracy: float) -> Array:
    """The calls until each target is reached `(targets,)`; infinite where it is not.

    Args:
        errors: the least nmse after each call `(targets, calls)`.
        accuracy: at which a target is reached.
    """
    first: Array = np.where((errors <= accuracy).any(1), (errors <= accuracy).argmax(1) + 1.0, np.inf)
    return first


def trace(errors: Array, accuracy: float) -> Trace:
    """The curve of searches for several targets.

    Args:
        errors: the least nmse after each call `(targets, calls)`.
        accuracy: at which a target is reached.
    """
    calls = counted(errors.shape[1])
    rows = errors[:, [count - 1 for count in calls]]
    needed = float(np.median(until_reached(errors, accuracy)))
    return Trace(
        calls,
        rows.mean(0).tolist(),
        np.median(rows, 0).tolist(),
        (rows <= accuracy).mean(0).tolist(),
        needed if math.isfinite(needed) else None,
    )


def pays_from(pairs: int, own: float | None, prior: float) -> float | None:
    """From how many targets on learning takes fewer simulations than searching from the prior; None where never.

    Args:
        pairs: that were simulated to learn from.
        own: calls that the method needs for a target; None where it does not reach it.
        prior: calls that the best search from the prior needs.

    >>> pays_from(10_000, 10.0, 60.0)
    200.0
    """
    return None if own is None or own >= prior else pairs / (prior - own)


def pays_between(pairs: int, own: Array, prior: Array) -> tuple[float | None, float | None]:
    """The 95 % interval of `pays_from`, by a bootstrap over targets; an end is None where it never pays there.

    Args:
        pairs: that were simulated to learn from.
        own: calls until each target is reached, of each training `(seeds, targets)`; infinite where it is not.
        prior: the same of the best search from the prior `(targets,)`; all it was allowed where it does not reach it.

    >>> pays_between(10_000, np.full((1, 50), 10.0), np.full(50, 60.0))
    (200.0, 200.0)
    """
    drawn = np.random.default_rng(0).integers(len(prior), size=(RESAMPLES, len(prior)))
    saved = np.median(prior[drawn], 1) - np.median(own[:, drawn], 2).mean(0)
    least, most = np.quantile(saved, (0.025, 0.975), method="inverted_cdf")
    low, high = (pairs / float(calls) if calls > 0 else None for calls in (most, least))
    return low, high
