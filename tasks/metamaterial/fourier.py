"""Fourier basis of the cylinder array: the parity class of fields that a wave polarised along x excites."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

SITES = ((0, 0), (0, 1), (1, 0), (1, 1))  # of cylinders 1 to 4, in half periods: 1 and 2 are neighbours across E
FADE = 30.0  # um; inside it the normal field fades to isotropic. 0 to 40 um change T by an MSE of 1e-4 at order 5
QUADRATURE = 256  # Gauss-Legendre points per side of a quarter cell, for the Fourier integrals of the normal field

Terms = list[tuple[Tensor, Any]]


class ParityBasis:
    """Orthonormal products of cosines and sines up to order M on a square cell of period P, in float64.

    Every vertical plane through a row of axes is a mirror plane, whatever the four radii and heights. Normal
    incidence with E along x therefore excites only Ex ~ cos cos, Ey ~ sin sin, Ez ~ sin cos and Hz ~ cos sin:
    n = (M + 1)^2 + M^2 unknowns in place of 2 (2 M + 1)^2.

    Args:
        order: M, the highest harmonic.
        period: P in um.
        device: where the tables are kept.
    """

    def __init__(self, order: int, period: float, device: torch.device) -> None:
        self.order, self.period, self.device = order, period, device
        self.even, self.odd, self.mixed, mixed = (
            torch.cartesian_prod(*(torch.arange(start, order + 1, device=device) for start in starts))
            for starts in ((0, 0), (1, 1), (1, 0), (0, 1))
        )
        unit = 2 * math.pi / period
        even, odd = unit * self.even.double(), unit * self.odd.double()
        # d cos = -k sin, d sin = k cos, in each of the two directions.
        self.divergence = torch.cat(
            [_diagonal(self.even, self.mixed, -even[:, 0]), _diagonal(self.odd, self.mixed, odd[:, 1])], 1
        )
        curl = torch.cat([_diagonal(self.even, mixed, even[:, 1]), _diagonal(self.odd, mixed, odd[:, 0])], 1)
        self.curl_curl = curl.T @ curl
        self.transverse = torch.cat([even, odd]).square().sum(1)
        """Squared transverse wavenumber of each unknown `(n,)`, 1 / um^2."""
        harmonics = torch.arange(2 * order + 1, device=device)
        self.wavenumbers = unit * harmonics.double().square().add(harmonics.double().square()[:, None]).sqrt()
        signs = (1.0 - 2.0 * (harmonics % 2)).double(), torch.ones_like(harmonics, dtype=torch.float64)
        self.phases = torch.stack([signs[1 - a][:, None] * signs[1 - b] for a, b in SITES])
        self.normals = self._normals()

    def discs(self, radii: Tensor) -> Tensor:
        """Fourier tables `(..., 4, 2 M + 1, 2 M + 1)` of the indicator functions of four discs.

        Args:
            radii: `(..., 4)` in um.
        """
        return _Disc.apply(radii[..., None, None], self.wavenumbers) / self.period**2 * self.phases

    def products(self, table: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Matrices of the multiplication by a function that is even in x and y, on Ex, Ey and Ez.

        Args:
            table: the function's Fourier table `(..., 2 M + 1, 2 M + 1)`.

        Returns:
            `(..., e, e)`, `(..., o, o)` and `(..., m, m)` with e = (M + 1)^2, o = M^2 and m = M (M + 1).
        """
        sets = (self.even, 1, 1), (self.odd, -1, -1), (self.mixed, -1, 1)
        first, second, third = (
            _gather(table, _even(indices[:, 0], horizontal), _even(indices[:, 1], vertical))
            * _weights(indices)[:, None]
            * _weights(indices)
            for indices, horizontal, vertical in sets
        )
        return first, second, third

    def _normals(self) -> tuple[Tensor, Tensor, Tensor]:
        """Blocks xx, xy, yy of the multiplication by N N^T, N the radial unit vector about the nearest axis.

        Inside FADE of an axis it fades smoothly to half the identity, since N has no limit there.
        """
        cosine, sine = (torch.from_numpy(table).to(self.device) for table in _normal_tables(self.order, self.period))
        half = torch.zeros_like(cosine)
        half[0, 0] = 0.5
        xx, yy = self.products(half + cosine)[0], self.products(half - cosine)[1]
        (i, j), (u, v) = self.even.T, self.odd.T
        xy = _gather(sine, _odd(i, u), _odd(j, v)) * _weights(self.even)[:, None]
        return xx, xy, yy


@lru_cache(maxsize=8)
def parity_basis(order: int, period: float, device: torch.device) -> ParityBasis:
    """The basis, built once for each device.

    Args:
        order: M, the highest harmonic.
        period: P in um.
        device: where its tables are kept.
    """
    return ParityBasis(order, period, device)


class _Disc(torch.autograd.Function):
    """Integral of exp(i G x) over a disc of radius r, 2 pi r J1(G r) / G; its derivative in r is 2 pi r J0(G r)."""

    @staticmethod
    def forward(ctx: Any, radius: Tensor, wavenumber: Tensor) -> Tensor:
        ctx.save_for_backward(radius, wavenumber)
        constant = wavenumber == 0
        ratio = torch.special.bessel_j1(wavenumber * radius) / torch.where(constant, 1.0, wavenumber)
        return 2 * math.pi * radius * torch.where(constant, radius / 2, ratio)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        radius, wavenumber = ctx.saved_tensors
        slope = 2 * math.pi * radius * torch.special.bessel_j0(wavenumber * radius)
        return (gradient * slope).sum((-2, -1), keepdim=True), None


def _diagonal(source: Tensor, target: Tensor, values: Tensor) -> Tensor:
    """The matrix that takes each index pair of `source` to the same pair of `target`, times its value."""
    same = (target[:, None] == source).all(-1)
    return torch.where(same, values, 0.0)


def _weights(indices: Tensor) -> Tensor:
    """Norm of cos cos relative to that of two waves: 1 / sqrt 2 for each index that is zero."""
    return torch.where(indices == 0, math.sqrt(0.5), 1.0).double().prod(-1)


def _even(index: Tensor, parity: int) -> Terms:
    """Harmonics of an even function between cosines (parity 1) or sines (-1), and their signs."""
    return [((index[:, None] - index).abs(), 1), (index[:, None] + index, parity)]


def _odd(row: Tensor, column: Tensor) -> Terms:
    """Harmonics of an odd function between a cosine (row) and a sine (column), and their signs."""
    difference = column - row[:, None]
    return [(column + row[:, None], 1), (difference.abs(), difference.sign())]


def _gather(table: Tensor, horizontal: Terms, vertical: Terms) -> Tensor:
    terms = [sign * other * table[..., u, v] for u, sign in horizontal for v, other in vertical]
    return torch.stack(terms).sum(0)


@lru_cache(maxsize=8)
def _normal_tables(order: int, period: float) -> tuple[np.ndarray, np.ndarray]:
    """Fourier tables of N_x^2 - 1/2 = cos(2 phi) / 2 and N_x N_y = sin(2 phi) / 2, faded inside FADE.

    The field repeats with the pitch P / 2 of the cylinders, so that odd harmonics of the super-cell vanish.
    """
    points, weights = np.polynomial.legendre.leggauss(QUADRATURE)
    quarter = period / 4
    s, weights = quarter * (points + 1) / 2, weights / 2
    squared = s[:, None] ** 2 + s**2
    t = np.minimum(np.sqrt(squared) / FADE, 1)
    fade = t * t * (3 - 2 * t) * weights[:, None] * weights
    harmonics = np.arange(2 * order + 1)
    phase = 2 * np.pi / period * harmonics[:, None] * s
    cosines, sines = np.where(harmonics % 2, 0, np.cos(phase).T).T, np.where(harmonics % 2, 0, np.sin(phase).T).T
    cosine = cosines @ (fade * (s[:, None] ** 2 - s**2) / (2 * squared)) @ cosines.T
    sine = sines @ (fade * s[:, None] * s / squared) @ sines.T
    return cosine, sine
