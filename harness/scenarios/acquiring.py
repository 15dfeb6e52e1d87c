"""Which designs to simulate next, batch after batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.scenarios.process import Process, conditioned, information
from harness.statistics import Array

Acquire = Literal["random", "maximin", "variance", "bald", "epig", "inverse-epig"]
Candidates = Literal["prior", "inverse"]
OTHERS = 100
"""Designs that EPIG wants to know about."""


@dataclass(frozen=True)
class Known:
    """What has been simulated, and what is wanted."""

    x: Array
    """`(n, x_dim)`, in deviations of the prior."""
    y: Array
    """`(n, y_dim)`; a row is NaN where a design could not be simulated."""
    wanted: Array
    """Y of targets such as will be asked for `(m, y_dim)`."""


def chosen(known: Known, pool: Array, others: Array, count: int, acquire: Acquire, candidates: Candidates) -> list[int]:
    """The designs of a pool that are simulated next.

    Args:
        known: so far.
        pool: to choose from `(p, x_dim)`, draws of the prior.
        others: further draws of the prior, about which EPIG wants to know.
        count: how many.
        acquire: by what: `random`; `maximin`, furthest from all that are known or chosen; `variance`, where least is
            known; `bald`, the same with what is chosen taken for known; `epig`, what says most of draws of the prior;
            `inverse-epig`, what says most of the designs that seem to lead to wanted y.
        candidates: the whole pool, or those of it that seem to lead to wanted y (`inverse`).
    """
    if acquire == "random" and candidates == "prior":
        return list(range(count))
    valid = np.isfinite(known.y).all(1)
    needed = acquire not in ("random", "maximin") or candidates == "inverse"
    process = Process.of(known.x[valid], known.y[valid]) if needed else None
    places = np.arange(len(pool))
    if candidates == "inverse":
        assert process is not None
        fitting = _leading(process, pool, known.wanted, count)
        # In the order of the pool, which is random.
        places = np.array([*sorted(fitting), *np.setdiff1d(places, fitting)[: max(0, count - len(fitting))]])
    if acquire == "random":
        return [int(place) for place in places[:count]]
    among = pool[places]
    if acquire == "maximin":
        picked = _apart(known.x, among, count)
    else:
        assert process is not None
        picked = _informative(process, among, _about(acquire, process, pool, others, known.wanted), count, acquire)
    return [int(places[place]) for place in picked]


def _leading(process: Process, pool: Array, wanted: Array, least: int) -> list[int]:
    """The designs of the pool whose expected y is nearest to a wanted one, those of more wanted y first."""
    expected = process.mean(pool)
    scale = np.where(expected.std(0) > 0, expected.std(0), 1.0)
    nearest = [int((((expected - y) / scale) ** 2).sum(1).argmin()) for y in wanted]
    places, times = np.unique(nearest, return_counts=True)
    return [int(place) for place in places[np.argsort(-times, kind="stable")]]


def _about(acquire: Acquire, process: Process, pool: Array, others: Array, wanted: Array) -> Array:
    if acquire == "inverse-epig":
        return pool[_leading(process, pool, wanted, OTHERS)[:OTHERS]]
    return others[:OTHERS] if acquire == "epig" else pool[:0]


def _apart(known: Array, pool: Array, count: int) -> list[int]:
    """Greedy maximin: each the furthest from what is known and was chosen before."""
    distance = np.min([((pool - x) ** 2).sum(1) for x in known], 0)
    picked: list[int] = []
    for _ in range(count):
        picked.append(int(distance.argmax()))
        distance = np.minimum(distance, ((pool - pool[picked[-1]]) ** 2).sum(1))
    return picked


def _informative(process: Process, pool: Array, about: Array, count: int, acquire: Acquire) -> list[int]:
    """The designs with the largest variance or information, each given those before but for `variance`."""
    covariance = process.covariance(np.concatenate([pool, about]))
    if acquire == "variance":
        return [int(place) for place in np.argsort(-np.diag(covariance)[: len(pool)], kind="stable")[:count]]
    picked: list[int] = []
    for _ in range(count):
        if len(about):
            worth = information(covariance, process.noise, len(pool))
        else:
            worth = np.diag(covariance)[: len(pool)].copy()
        worth[picked] = -np.inf
        picked.append(int(worth.argmax()))
        covariance = conditioned(covariance, process.noise, picked[-1])
    return picked
