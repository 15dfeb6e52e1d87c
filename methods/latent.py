"""Samples of a standard normal latent, by simple random, Latin hypercube or quasi-random sampling."""

from __future__ import annotations

from typing import Literal

import torch
from scipy.stats import qmc
from torch import Generator, Tensor

Sampling = Literal["srs", "lhs", "maximin", "sobol"]

TRIES = 5  # Latin hypercubes among which maximin chooses
EDGE = 1e-6  # keeps the normal quantile finite


def latent_samples(sampling: Sampling, targets: int, n: int, z_dim: int, generator: Generator, like: Tensor) -> Tensor:
    """`targets` independent designs of n points in the normal latent space, `(targets, n, z_dim)`.

    `srs` draws independently; `lhs` is a Latin hypercube, `maximin` the one of `TRIES` whose nearest points lie
    furthest apart, `sobol` a scrambled Sobol sequence; the last three pass through the normal quantile.
    """
    if sampling == "srs":
        return torch.randn(targets, n, z_dim, generator=generator, dtype=like.dtype).to(like.device)
    draw = {"lhs": latin_hypercube, "maximin": maximin_latin_hypercube, "sobol": sobol}[sampling]
    uniform = torch.stack([draw(n, z_dim, generator) for _ in range(targets)])
    return torch.special.ndtri(uniform.clamp(EDGE, 1 - EDGE)).to(like)


def latin_hypercube(n: int, dim: int, generator: Generator) -> Tensor:
    """N points `(n, dim)` in the unit cube, one in each of n slices of every dimension (McKay et al. 1979)."""
    cells = torch.rand(n, dim, generator=generator, dtype=torch.float64).argsort(0)
    return (cells + torch.rand(n, dim, generator=generator, dtype=torch.float64)) / n


def maximin_latin_hypercube(n: int, dim: int, generator: Generator) -> Tensor:
    """The Latin hypercube, of `TRIES`, with the largest smallest distance between points (Johnson et al. 1990)."""
    designs = [latin_hypercube(n, dim, generator) for _ in range(TRIES)]
    return max(designs, key=smallest_distance)


def smallest_distance(points: Tensor) -> float:
    """The distance between the two nearest of the points `(n, dim)`; infinite for a single point."""
    return float(torch.pdist(points).min()) if len(points) > 1 else float("inf")


def sobol(n: int, dim: int, generator: Generator) -> Tensor:
    """The first n points of a scrambled Sobol sequence (scipy)."""
    seed = int(torch.randint(2**31, (1,), generator=generator))
    power = max(0, (n - 1).bit_length())
    return torch.from_numpy(qmc.Sobol(dim, rng=seed).random_base2(power)[:n])
