"""Draws by rejection and by importance: posteriors that are known, and each other's."""

import math

import pytest
import torch
from torch import Generator

from harness.contracts import Kind
from harness.posterior import mmd, reference
from harness.posterior.importance import about
from harness.posterior.likelihood import Likelihood
from harness.posterior.priors import Density, density
from harness.posterior.reference import Draws, make
from harness.posterior.rejection import reject
from harness.posterior.solving import solve
from tests.posterior.problems import Linear, Ring, Twins, errors_of_moments, posing


def by_importance(task, tolerance, draws=2000, seed=0) -> Draws:
    return make(posing(task, tolerance, pool=2000, draws=draws, seed=seed)).fixed


def known(task, tolerance):
    asked = posing(task, tolerance)
    sd = asked.likelihood.scale * tolerance
    return task.posterior(asked.likelihood.targets[0], sd)


def test_rejection_gives_the_posterior_of_a_linear_problem_and_its_acceptance():
    found = make(posing(Linear(), 0.2)).fixed
    assert found.how == "rejection" and len(found.x) == 2000
    mean, covariance = known(Linear(), 0.2)
    off, apart = errors_of_moments(found.x, mean, covariance)
    assert off < 4 and apart < 0.12
    # The acceptance is the mean likelihood: a normal density of y without its constant.
    asked = posing(Linear(), 0.2)
    sd = asked.likelihood.scale * 0.2
    spread = Linear.matrix @ Linear.matrix.T + torch.diag(sd.square())
    y = asked.likelihood.targets[0]
    expected = torch.diag(sd.square()).det().sqrt() / spread.det().sqrt() * torch.exp(-y @ spread.inverse() @ y / 2)
    assert found.rate == pytest.approx(float(expected), rel=4 / math.sqrt(2000))
    assert found.nmse == pytest.approx(0.04, rel=0.15)  # about tau²: two y, and more x


@pytest.mark.parametrize("tolerance", [0.2, 0.01, 0.001])
def test_importance_gives_the_posterior_of_a_linear_problem(tolerance):
    found = by_importance(Linear(), tolerance)
    assert found.how == "importance" and len(found.x) == 2000 and found.rate > 5000
    off, apart = errors_of_moments(found.x, *known(Linear(), tolerance))
    assert off < 4 and apart < 0.12


@pytest.mark.parametrize("task", [Ring, Twins])
def test_importance_and_rejection_agree_on_what_is_curved_or_in_parts(task):
    one = make(posing(task(), 0.02, pool=6_000_000, draws=1000)).fixed
    other = by_importance(task(), 0.02, draws=1000)
    assert (one.how, other.how) == ("rejection", "importance")
    x, y = one.x, other.x
    found = mmd.unbiased(mmd.kernel(x, x), mmd.kernel(y, y), mmd.kernel(x, y))
    assert found < float(mmd.chance(torch.cat([x, y]), Generator().manual_seed(0)).quantile(0.99))
    low, high = task.bounds
    assert bool(((y >= low) & (y <= high)).all())
    if task is Twins:
        assert float((y[:, 0] > 0).double().mean()) == pytest.approx(0.5, abs=0.06)


def test_targets_share_the_prior_draws_and_none_takes_more_than_it_wants():
    task, targets = Linear(), torch.tensor([[0.0, 0.0], [1.0, 1.0], [90.0, 0.0]], dtype=torch.float64)
    likelihood = Likelihood(targets, torch.ones(2, dtype=torch.float64), 0.3)
    calls = []

    def simulate(x):
        calls.append(len(x))
        return task.simulate(x)

    generator = Generator().manual_seed(0)
    found = reject(task.sample_prior, simulate, likelihood, [50, 80, 50], 40_000, generator, least=[40] * 3, chunk=2000)
    assert [len(x) for x in found.x] == [50, 80, 0]
    assert sum(calls) == max(found.drawn) < 40_000, "what cannot be reached is given up"
    assert found.acceptance[0] > found.acceptance[1] > found.acceptance[2] == 0


def test_designs_that_cannot_be_simulated_are_no_draws():
    class Half(Linear):
        def simulate(self, x):
            return torch.where(x[:, :1] > 0, super().simulate(x), math.nan)

    found = make(posing(Half(), 0.2, pool=200_000, draws=200)).fixed
    assert found.how == "rejection" and bool((found.x[:, 0] > 0).all())


def test_the_same_seed_gives_the_same_bytes():
    for pool in (100_000, 2000):
        one, two, other = (make(posing(Linear(), 0.1, pool=pool, draws=100, seed=seed)).fixed for seed in (0, 0, 1))
        assert torch.equal(one.x, two.x) and not torch.equal(one.x, other.x)


def test_a_target_with_too_few_draws_that_count_has_no_reference(monkeypatch):
    monkeypatch.setattr(reference, "COUNTED", 50.0)
    found = by_importance(Linear(), 0.01, draws=200)
    assert found.how == "none" and not len(found.x) and 200 < found.rate < 10_000


def test_a_search_comes_to_the_solution():
    task = Twins()
    asked = posing(task, 0.02)
    known = density(task, Generator().manual_seed(0))
    assert isinstance(known, Density)
    starts = task.sample_prior(20, Generator().manual_seed(1))
    peaks = solve(lambda x: asked.likelihood.residuals(task.simulate(x), 0), known, starts, 30)
    x = peaks.u * known.width + known.centre
    assert torch.allclose(x.abs(), torch.tensor([[0.6, 0.5]], dtype=torch.float64), atol=1e-3)
    assert len(about(peaks).weights) == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "prior uniform in its box"),
        ({"sample_prior": lambda self, n, g: Ring.sample_prior(self, n, g) ** 3}, "neither uniform nor normal"),
        (
            {"sample_prior": lambda self, n, g: Ring.sample_prior(self, n, g)[:, :1] * torch.tensor([[1.0, 2.0]])},
            "depend",
        ),
        ({"kinds": (Kind("continuous"), Kind("integer"))}, "whole numbers"),
        ({"log_prior": lambda self, x: x[:, 0]}, "the task gives"),
    ],
)
def test_the_density_of_a_prior_is_known_where_its_draws_say_so(change, words):
    found = density(type("Changed", (Ring,), change)(), Generator().manual_seed(0))
    assert words in (found if isinstance(found, str) else found.words)


def test_points_of_a_cross_are_not_taken_for_independent():
    class Cross(Ring):
        def sample_prior(self, n, generator):
            x = super().sample_prior(n, generator)
            return torch.stack([x[:, 0], 2 * x[:, 0] * x[:, 1].sign()], 1)  # a cross: uniform, and not correlated

    assert "depend" in str(density(Cross(), Generator().manual_seed(0)))


def test_a_normal_prior_is_known_by_its_interval():
    found = density(Linear(), Generator().manual_seed(0))
    assert isinstance(found, Density) and bool(found.normal.all())
    x = Linear().sample_prior(5, Generator().manual_seed(1))
    wanted = torch.distributions.Normal(0.0, 1.0).log_prob(x).sum(1)
    assert torch.allclose(found.log(x) + found.volume, wanted)
