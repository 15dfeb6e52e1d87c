"""Ways to spend calls to the true forward model: proposals one by one, and local and global searches from them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from harness.searching.meter import Meter, Spent
from harness.statistics import Array

TRIED = 10
"""Designs that are looked at before a local search starts from the best of them."""
STEP = 1e-6
"""Of a finite difference, in deviations of the prior."""
SIGMA = 0.3
"""First step size of CMA-ES, in deviations of the prior."""
POPULATION = 15
"""Of differential evolution, for each coordinate (Storn, Price 1997, J. Global Optimization 11, 341)."""


@dataclass(frozen=True)
class Space:
    """Designs in units of the prior, with the box that they stay in."""

    centre: Array
    """`(x_dim,)`, physical."""
    width: Array
    low: Array
    """`(x_dim,)`, in these units; -inf where there is no bound."""
    high: Array

    def units(self, x: Array) -> Array:
        """Physical designs in these units, moved into the box."""
        return np.clip((x - self.centre) / self.width, self.low, self.high)

    def physical(self, u: Array) -> Array:
        """Designs in these units as they are."""
        return u * self.width + self.centre


Starts = Iterator[Array]
"""Designs `(k, x_dim)`, physical, so many at a time."""
Search = Callable[[Meter, Starts, Space, int], None]


def in_order(meter: Meter, starts: Starts, space: Space, seed: int) -> None:
    """Look at the designs one after another.

    Args:
        meter: counts the calls.
        starts: what to look at.
        space: not used.
        seed: not used.
    """
    with suppress(Spent):
        for x in starts:
            meter.residuals(x)


def least_squares(meter: Meter, starts: Starts, space: Space, seed: int) -> None:
    """Levenberg-Marquardt steps in a trust region from the best of the next ten designs, again and again.

    A Jacobian by finite differences takes a call for each coordinate (scipy.optimize.least_squares, Branch, Coleman, Li
    1999, SIAM J. Sci. Comput. 21, 1).

    Args:
        meter: counts the calls.
        starts: where to begin.
        space: units and bounds.
        seed: not used.
    """
    from scipy import optimize

    residuals_of: dict[bytes, Array] = {}

    def residuals(u: Array) -> Array:
        found = residuals_of[u.tobytes()] = meter.residuals(space.physical(u)[None])[0]
        return found

    def jacobian(u: Array) -> Array:
        step = np.where(u > 0, -STEP, STEP)  # towards the middle, where designs can be simulated
        moved = meter.residuals(space.physical(u + np.diag(step)))
        found: Array = ((moved - residuals_of[u.tobytes()]) / step[:, None]).T
        return found

    with suppress(Spent):
        for x in starts:
            off = meter.residuals(x)
            best = space.units(x[(off**2).mean(1).argmin()])
            inside = np.clip(best, space.low + 1e-9, space.high - 1e-9)
            optimize.least_squares(residuals, inside, jacobian, bounds=(space.low, space.high), xtol=1e-12, ftol=1e-12)
            residuals_of.clear()


def evolution_strategy(meter: Meter, starts: Starts, space: Space, seed: int) -> None:
    """CMA-ES from the best of the next ten designs, again and again where it has converged (Hansen, Ostermeier 2001).

    Args:
        meter: counts the calls.
        starts: where to begin.
        space: units and bounds.
        seed: of its random numbers.
    """
    import cma

    options = {"bounds": [space.low.tolist(), space.high.tolist()], "verbose": -9, "seed": 1 + seed % 2**31}
    with suppress(Spent), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for x in starts:
            off = meter.residuals(x)
            strategy = cma.CMAEvolutionStrategy(space.units(x[(off**2).mean(1).argmin()]), SIGMA, options)
            while not strategy.stop():
                asked = strategy.ask()
                strategy.tell(asked, (meter.residuals(space.physical(np.stack(asked))) ** 2).mean(1).tolist())


def differential_evolution(meter: Meter, starts: Starts, space: Space, seed: int) -> None:
    """Differential evolution of a population of the first designs (scipy, `best1bin`).

    Args:
        meter: counts the calls.
        starts: the population.
        space: units and bounds; a coordinate without bounds is given five deviations.
        seed: of its random numbers.
    """
    from scipy import optimize

    def error(u: Array) -> Array:
        return (meter.residuals(space.physical(u.T)) ** 2).mean(1)

    size = max(5, POPULATION * len(space.width))
    low, high = np.maximum(space.low, -5.0), np.minimum(space.high, 5.0)
    with suppress(Spent):
        while True:
            found: list[Array] = []
            while sum(map(len, found)) < size:
                found.append(next(starts))
            population = np.clip(space.units(np.concatenate(found)[:size]), low, high)
            optimize.differential_evolution(
                error,
                list(zip(low, high, strict=True)),
                init=population,
                maxiter=10**6,
                polish=False,
                vectorized=True,
                updating="deferred",
                rng=seed % 2**31,
            )


SEARCHES: dict[str, Search] = {
    "none": in_order,
    "lm": least_squares,
    "cma-es": evolution_strategy,
    "de": differential_evolution,
}
"""By the name of an option."""
