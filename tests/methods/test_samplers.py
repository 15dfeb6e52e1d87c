"""Samplers on a problem whose answer is known: x ~ N(0, I), y = x A + noise, with a normal posterior."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cache

import pytest
import torch
from torch import Generator, Tensor

from harness.contracts import Method, Pairs, Problem
from harness.plan import specification
from harness.registry import build_method
from harness.seeds import seeded
from harness.selection import select
from harness.settings import Schedule
from harness.training import train

pytestmark = pytest.mark.slow

SAMPLERS = ["cfm", "edm"]
"""Selections of methods that draw from p(x | y); a new one joins by its name."""

STEPPED = [
    name
    for name in SAMPLERS
    if "nfe" in {item.name for item in fields(select("methods", name)[0].plugin.load().Options)}
]
MIXING = torch.tensor([[1.0, 0.3], [0.5, 0.8]])
NOISE = 0.5
SCHEDULE = Schedule(epochs=40, batch=256, validate_every=10)
DRAWS = 20_000


@dataclass(frozen=True)
class Posterior:
    """Of x for each of some targets."""

    targets: Tensor
    means: Tensor
    covariance: Tensor


def known() -> Posterior:
    """The posterior of a few targets, from mild to rare."""
    precision = torch.eye(2) + MIXING @ MIXING.T / NOISE**2
    targets = torch.tensor([[0.0, 0.0], [1.0, -0.5], [-1.0, -1.0], [0.5, 1.5]])
    covariance = torch.linalg.inv(precision)
    return Posterior(targets, targets @ MIXING.T @ covariance / NOISE**2, covariance)


def pairs(n: int, *, informative: bool) -> Pairs:
    """Designs with y = x A + noise, or with a y that has nothing to do with them."""
    generator = Generator().manual_seed(0)
    x, other, noise = (torch.randn(n, 2, generator=generator) for _ in range(3))
    return Pairs(x, (x if informative else other) @ MIXING + NOISE * noise)


@cache
def taught(name: str, *, informative: bool = True) -> Method:
    (chosen,) = select("methods", name)
    method, everything = build_method(specification(chosen)), pairs(12_000, informative=informative)
    bounds = torch.tensor([[-6.0, -6.0], [6.0, 6.0]])
    problem = Problem(2, 2, bounds, lambda n, generator: torch.randn(n, 2, generator=generator))
    with seeded("build"):
        method.build(problem, 64)
    parts = [Pairs(everything.x[rows], everything.y[rows]) for rows in (slice(2000, None), slice(2000))]
    with seeded("train"):
        method.fit(*parts, lambda phase: train(method, phase, *parts, SCHEDULE, 0, lambda *_: None).best)
    return method


def drawn(method: Method, targets: Tensor, n: int = DRAWS) -> Tensor:
    return method.propose(targets, n, Generator().manual_seed(1)).x


def covariances(x: Tensor) -> Tensor:
    return torch.stack([torch.cov(rows.T) for rows in x])


@pytest.mark.parametrize("name", SAMPLERS)
def test_draws_have_the_mean_and_the_covariance_of_the_posterior(name: str) -> None:
    posterior = known()
    x = drawn(taught(name), posterior.targets)
    off = torch.linalg.solve(torch.linalg.cholesky(posterior.covariance), (x.mean(1) - posterior.means).T)
    assert float(off.square().mean().sqrt()) < 0.05, "in deviations of the posterior"
    wrong = (covariances(x) - posterior.covariance).flatten(1).norm(dim=1) / posterior.covariance.norm()
    assert float(wrong.mean()) < 0.05


@pytest.mark.parametrize("name", STEPPED)
def test_more_steps_change_the_mean_by_less_than_its_interval(name: str) -> None:
    method, targets, n = taught(name), known().targets, 1000
    options = method.options
    few = drawn(method, targets, n)
    try:
        method.options = replace(options, nfe=4 * options.nfe)
        many = drawn(method, targets, n)
    finally:
        method.options = options
    assert not torch.equal(few, many)
    interval = 1.96 * many.std(1) / n**0.5
    assert ((few.mean(1) - many.mean(1)).abs() < interval).all()


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_y_that_tells_nothing_gives_the_prior(name: str) -> None:
    x = drawn(taught(name, informative=False), known().targets)
    assert float(x.mean(1).square().mean().sqrt()) < 0.05
    assert float((covariances(x) - torch.eye(2)).flatten(1).norm(dim=1).mean()) < 0.05 * 2**0.5
