"""1000 points in the latent space of the most dimensions among our tasks, 1023 on `architecture`."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import Generator

from methods.latent import Sampling, latent_samples

POINTS, DIMENSIONS = 1000, 1023


@pytest.mark.benchmark(group="1000 latent samples of 1023 dimensions")
@pytest.mark.parametrize("sampling", get_args(Sampling))
def test_latent_samples(benchmark, sampling: str) -> None:
    generator = Generator().manual_seed(0)
    arguments = sampling, 1, POINTS, DIMENSIONS, generator, torch.zeros(1)
    found = benchmark.pedantic(latent_samples, args=arguments, rounds=3, warmup_rounds=1)
    assert found.shape == (1, POINTS, DIMENSIONS)
