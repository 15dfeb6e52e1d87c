"""Latent samples: stratification, distance and distribution."""

import pytest
import torch
from scipy import stats

from methods.latent import latent_samples, latin_hypercube, maximin_latin_hypercube, smallest_distance


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("draw", [latin_hypercube, maximin_latin_hypercube])
def test_every_slice_of_every_dimension_holds_one_point(draw) -> None:
    points = draw(50, 3, generator(0))
    assert torch.equal((points * 50).floor().sort(0).values, torch.arange(50.0).double()[:, None].expand(50, 3))


def test_maximin_is_better_than_random() -> None:
    seeds = range(40)
    maximin = [smallest_distance(maximin_latin_hypercube(40, 2, generator(seed))) for seed in seeds]
    plain = [smallest_distance(latin_hypercube(40, 2, generator(seed))) for seed in seeds]
    uniform = [smallest_distance(torch.rand(40, 2, generator=generator(seed))) for seed in seeds]
    for other in (plain, uniform):
        assert stats.mannwhitneyu(maximin, other, alternative="greater").pvalue < 1e-4


@pytest.mark.parametrize("sampling", ["srs", "lhs", "maximin", "sobol"])
def test_all_samplings_are_standard_normal_reproducible_and_independent_between_targets(sampling: str) -> None:
    like = torch.zeros(1)
    z = latent_samples(sampling, 8, 250, 3, generator(1), like)
    assert z.shape == (8, 250, 3)
    assert z.dtype == like.dtype
    assert torch.equal(z, latent_samples(sampling, 8, 250, 3, generator(1), like))
    assert not torch.equal(z[0], z[1])
    assert stats.kstest(z.flatten().double().numpy(), "norm").pvalue > 1e-3


def test_latin_hypercubes_have_a_steadier_mean_than_simple_random_samples() -> None:
    like = torch.zeros(1)
    spread = {
        sampling: latent_samples(sampling, 200, 20, 2, generator(2), like).mean(1).std()
        for sampling in ("srs", "maximin", "sobol")
    }
    assert spread["maximin"] < 0.3 * spread["srs"]
    assert spread["sobol"] < 0.3 * spread["srs"]
