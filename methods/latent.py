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

    Args:
        sampling: one of these four.
        targets: for how many targets.
        n: points for each.
        z_dim: dimensions of the latent space.
        generator: all randomness comes from it.
        like: a tensor of the dtype and on the device that are wanted.
    """
    if sampling == "srs":
        return torch.randn(targets, n, z_dim, generator=generator, dtype=like.dtype).to(like.device)
    draw = {"lhs": latin_hypercube, "maximin": maximin_latin_hypercube, "sobol": sobol}[sampling]
    uniform = torch.stack([draw(n, z_dim, generator) for _ in range(targets)])
    return torch.special.ndtri(uniform.clamp(EDGE, 1 - EDGE)).to(like)


def latin_hypercube(n: int, dim: int, generator: Generator) -> Tensor:
    """N points `(n, dim)` in the unit cube, one in each of n slices of every dimension (McKay et al. 1979).

    Args:
        n: how many points.
        dim: dimensions of the cube.
        generator: all randomness comes from it.
    """
    cells = torch.rand(n, dim, generator=generator, dtype=torch.float64).argsort(0)
    return (cells + torch.rand(n, dim, generator=generator, dtype=torch.float64)) / n


def maximin_latin_hypercube(n: int, dim: int, generator: Generator) -> Tensor:
    """The Latin hypercube `(n, dim)`, of `TRIES`, whose nearest points lie furthest apart (Johnson et al. 1990).

    Args:
        n: how many points.
        dim: dimensions of the cube.
        generator: all randomness comes from it.
    """
    designs = [latin_hypercube(n, dim, generator) for _ in range(TRIES)]
    return max(designs, key=smallest_distance)


def smallest_distance(points: Tensor) -> float:
    """The distance between the two nearest points; infinite for a single one.

    Args:
        points: `(n, dim)`.
    """
    return float(torch.pdist(points).min()) if len(points) > 1 else float("inf")


def sobol(n: int, dim: int, generator: Generator) -> Tensor:
    """The first n points `(n, dim)` of a scrambled Sobol sequence in the unit cube (scipy).

    Args:
        n: how many points.
        dim: dimensions of the cube.
        generator: gives the seed of the scrambling.
    """
    seed = int(torch.randint(2**31, (1,), generator=generator))
    power = max(0, (n - 1).bit_length())
    return torch.from_numpy(qmc.Sobol(dim, rng=seed).random_base2(power)[:n])
