"""The reference posterior of a task: draws for y* and for some targets, by rejection, or else by importance."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Generator, Tensor

from harness.contracts import Task
from harness.kinds import discrete
from harness.posterior.importance import Sampler, Weighted, about, moved
from harness.posterior.likelihood import Likelihood
from harness.posterior.priors import Density, density
from harness.posterior.rejection import Rejected, reject
from harness.posterior.solving import Peaks, solve
from harness.resimulation import resimulate

How = Literal["rejection", "importance", "none"]

FIXED, EACH = 1000, 200
"""Designs that are compared for y* and for each target, at most. A reference has twice as many: one half is compared
with the other for the noise floor."""
LEAST, FEWEST = 0.1, 20
"""Share of the draws, and how many, below which rejection has failed."""
COUNTED = 0.5
"""The effective sample size below which importance has failed, as a share of the draws: with less, most of the draws
would be in both halves."""
TARGETS, TARGETS_AT_LEAST = 50, 5
"""Targets, and how many at least where simulations take long."""
POOL, SECONDS, CHUNKS = 12_000_000, 60.0, 24
"""Prior draws, the CPU seconds that their simulation may take, and the chunks that this is done in. So many draws of a
task with a formula take a quarter of a minute; with two y about one in 6000 is accepted."""
SOLVING = 200.0
"""CPU seconds that the simulations for importance may take, all targets together."""
WHOLE = 100
"""Proposals for y* from which on all this time is taken; fewer, as in a first look, take a share of it."""
STARTS, STEPS, KEPT, MORE_STEPS = 48, 12, 16, 30
"""Starts of the search for peaks, their steps, and those that go on for more. Of layered spheres, whose solutions are
the most rugged ones, a design with exactly y was found for four of four targets by it, for one of them by one start."""
ROUNDS, MOVING, MORE = 5, 1500, 32
"""Rounds in which the mixture is moved, draws of each, and the components that it gets in each, at most. Without these
components nine of 50 targets of a task of eight x and 300 y had fewer than 40 effective draws of 16 000."""
DRAWN, BATCHES = 10, 4
"""Draws in a batch, for each one that is wanted, and batches at most."""
FOUND = 25.0
"""Squared distance, in deviations of a peak, within which another start has come to it."""
SIMULATIONS = 14_000
"""Simulations for one target by importance, about."""


@dataclass(frozen=True)
class Draws:
    """Draws from the posterior of one target."""

    x: Tensor
    """`(n, x_dim)`, physical; none where there is no reference."""
    how: How
    rate: float
    """The share of the prior draws that was accepted, or the effective sample size."""
    drawn: int
    """Prior draws that were looked at."""
    nmse: float = math.nan
    """Of the draws, the mean."""
    found: bool | None = None
    """By importance, of a target whose design is known: whether the search from prior draws came to it."""


@dataclass(frozen=True)
class Reference:
    """Draws for y*, and for some targets."""

    fixed: Draws
    targets: tuple[Draws, ...]
    """Of the first targets."""
    tolerance: float
    said: str
    """What was checked of the prior, or why importance could not be tried; empty where rejection was enough."""


@dataclass(frozen=True)
class Effort:
    """How much is done for a reference."""

    pool: int
    """Prior draws, at most."""
    fixed: int
    """Draws for y*."""
    each: int
    """Draws for each target."""
    targets: int

    @classmethod
    def of(cls, task: Task, fixed: int, each: int, targets: int = TARGETS) -> Effort:
        """What proposals for y* and for each target are worth, and the task's simulations leave time for."""
        share = min(1.0, fixed / WHOLE)
        pool = share * (min(POOL, 1000 * SECONDS / task.cost) if task.cost > 0 else POOL)
        # Rejection is all that there is for whole numbers, and more targets cost it nothing.
        if task.cost > 0 and not bool(discrete(task.kinds, task.x_dim).any()):
            affordable = int(share * 1000 * SOLVING / task.cost / SIMULATIONS)
            targets = min(targets, max(TARGETS_AT_LEAST, affordable))
        return cls(math.ceil(pool), 2 * min(FIXED, fixed), 2 * min(EACH, each), targets)


@dataclass
class Posing:
    """A task's targets, and how its posterior is found."""

    task: Task
    likelihood: Likelihood
    """Of y*, and then of the targets."""
    designs: Tensor | None
    """The designs behind the targets `(m, x_dim)`, y* left out; None where they are not known."""
    generator: Generator
    effort: Effort

    def simulate(self, x: Tensor) -> Tensor:
        """F(x) of `(n, x_dim)`, NaN where invalid."""
        return resimulate(self.task, x[None])[0]

    def nmse(self, x: Tensor, number: int) -> float:
        """The mean error of designs as solutions of one target; NaN of none."""
        return float(self.likelihood.nmse(self.likelihood.of(self.simulate(x), number), number).mean())


def make(posing: Posing) -> Reference:
    """The reference of a task without conditions."""
    effort = posing.effort
    wanted = [effort.fixed] + [effort.each] * (len(posing.likelihood.targets) - 1)
    least = [min(count, max(FEWEST, round(LEAST * count))) for count in wanted]
    rejected = reject(
        posing.task.sample_prior,
        posing.simulate,
        posing.likelihood,
        wanted,
        effort.pool,
        posing.generator,
        least=least,
        chunk=math.ceil(effort.pool / CHUNKS),
    )
    found, said = [], ""
    known: Density | str | None = None
    for number, count in enumerate(wanted):
        if len(rejected.x[number]) >= least[number]:
            draws = Draws(rejected.x[number], "rejection", rejected.acceptance[number], rejected.drawn[number])
        else:
            known = density(posing.task, posing.generator) if known is None else known
            draws = _importance(posing, rejected, known, number, count)
        found.append(replace(draws, nmse=posing.nmse(draws.x, number)))
    if known is not None:
        said = known if isinstance(known, str) else known.words
    return Reference(found[0], tuple(found[1:]), posing.likelihood.tolerance, said)


def _importance(posing: Posing, rejected: Rejected, known: Density | str, number: int, wanted: int) -> Draws:
    """Draws for one target by importance; none where the prior is not known, or too few draws count."""
    drawn = rejected.drawn[number]
    nothing = Draws(torch.empty(0, posing.task.x_dim, dtype=torch.float64), "none", 0.0, drawn)
    if isinstance(known, str):
        return nothing
    peaks, found = _peaks(posing, rejected, known, number)
    if not bool(peaks.height.isfinite().any()):
        return nothing
    weighted = _weighted(posing, known, peaks, number, wanted)
    if weighted.effective < COUNTED * wanted:
        return replace(nothing, rate=weighted.effective, found=found)
    x = weighted.resampled(wanted, posing.generator) * known.width + known.centre
    return Draws(x, "importance", weighted.effective, drawn, found=found)


def _peaks(posing: Posing, rejected: Rejected, known: Density, number: int) -> tuple[Peaks, bool | None]:
    """The peaks of one target's posterior, and whether that of the design behind it was found without it."""
    residuals = _residuals(posing, number)
    near = rejected.nearest[number]
    best = posing.likelihood.of(posing.simulate(near), number).argsort(descending=True)[:STARTS]
    first = solve(residuals, known, near[best], STEPS)
    kept = first.u[first.height.nan_to_num(torch.inf).argsort()[:KEPT]]
    peaks = solve(residuals, known, kept * known.width + known.centre, MORE_STEPS)
    if posing.designs is None or number == 0:
        return peaks, None
    truth = solve(residuals, known, posing.designs[number - 1 : number], MORE_STEPS)
    away = peaks.u - truth.u
    distance = torch.einsum("ki,ij,kj->k", away, truth.precision[0], away)
    both = Peaks(*(torch.cat([one, other]) for one, other in zip(_fields(peaks), _fields(truth), strict=True)))
    return both, bool((distance < FOUND).any())


def _fields(peaks: Peaks) -> tuple[Tensor, Tensor, Tensor]:
    return peaks.u, peaks.height, peaks.precision


def _weighted(posing: Posing, known: Density, peaks: Peaks, number: int, wanted: int) -> Weighted:
    """Weighted draws of one target's posterior, of which enough count, or as many batches as there may be."""
    residuals = _residuals(posing, number)
    sampler = Sampler(
        _log_posterior(posing, known, number),
        lambda n, generator: (posing.task.sample_prior(n, generator) - known.centre) / known.width,
        lambda u: known.log(u * known.width + known.centre) + known.volume,
    )
    mixture, generator = about(peaks), posing.generator
    for _ in range(ROUNDS):
        found = sampler.weigh(mixture, MOVING, generator)
        if not found.effective:  # no draw can be simulated, or is in the prior's support
            return found
        heavy = found.resampled(MORE, generator).unique(dim=0)
        shapes = solve(residuals, known, heavy * known.width + known.centre, 0)
        mixture = moved(mixture, found).with_more(shapes)
    found = sampler.weigh(mixture, DRAWN * wanted, generator)
    for _ in range(BATCHES - 1):
        if found.effective >= COUNTED * wanted:
            break
        found = found.joined(sampler.weigh(mixture, DRAWN * wanted, generator))
    return found


def _residuals(posing: Posing, number: int) -> Callable[[Tensor], Tensor]:
    return lambda x: posing.likelihood.residuals(posing.simulate(x), number)


def _log_posterior(posing: Posing, known: Density, number: int) -> Callable[[Tensor], Tensor]:
    def log(u: Tensor) -> Tensor:
        x = u * known.width + known.centre
        found = known.log(x)
        inside = found.isfinite()
        found[inside] += posing.likelihood.of(posing.simulate(x[inside]), number)
        return found

    return log
