"""Frequencies of the D4 task, and rational interpolation between the few at which the operator is solved."""

from __future__ import annotations

import math
import warnings

import numpy as np
import torch
from scipy.interpolate import AAA
from torch import Tensor

LIGHT = 299.792458  # um THz, exact
PERIOD = 216.8  # um, of the super-cell; fitted to public CST spectra, +- 0.1 (docs/tasks/metamaterial.md)
FREQUENCIES = tuple(0.87035 + 0.0021 * k for k in range(300))
"""In THz: what the authors' code keeps ([len - 1800 :: 6] of 2001 columns on 0.8 to 1.5), confirmed by the fit."""
BAND = (0.8, 1.5)  # THz, of the solver's nodes
NODES = 48  # 28, 32, 38, 44 nodes err by an MSE of 5e-6, 5e-8, 5e-10, 1e-14 (complex128, worst of four designs)
ABOVE = 0.28  # share of the nodes above the Rayleigh frequency
TOLERANCE = {torch.complex64: 1e-4, torch.complex128: 1e-9}  # relative, above the rounding of the solver


def nodes(device: torch.device | None = None) -> Tensor:
    """The NODES frequencies `(48,)` in THz, clustered at both ends of BAND and at the Rayleigh frequency c / P.

    There, at 1.383 THz, the diffraction order (1, 0) begins to propagate and t has a square-root branch point.

    Args:
        device: where they are wanted; the CPU where omitted.
    """
    rayleigh = LIGHT / PERIOD
    above = round(ABOVE * NODES)
    below = NODES - above
    left = math.sqrt(rayleigh**2 - BAND[0] ** 2) * (1 + np.cos(np.pi * np.arange(below) / (below - 1))) / 2
    right = math.sqrt(BAND[1] ** 2 - rayleigh**2) * (1 - np.cos(np.pi * np.arange(1, above + 1) / above)) / 2
    points = np.sqrt(rayleigh**2 + np.concatenate([-(left**2), right**2]))
    return torch.from_numpy(points.clip(*BAND)).to(device)


def interpolate(amplitudes: Tensor, frequencies: Tensor) -> Tensor:
    """T = |t|^2 `(n, f)`, float64; NaN rows stay NaN.

    t is rational to high accuracy in kz = sqrt(f^2 - (c/P)^2), which removes the branch point. AAA: Nakatsukasa, Sete,
    Trefethen 2018 (SIAM J. Sci. Comput. 40, A1494).

    Args:
        amplitudes: t at the nodes `(n, 48)`, complex.
        frequencies: `(f,)` in THz.
    """
    tolerance = TOLERANCE[amplitudes.dtype]
    z, wanted = _kz(nodes().numpy()), _kz(frequencies.cpu().numpy())
    result = np.full((len(amplitudes), len(wanted)), np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # AAA warns where rounding, not its degree, is the limit
        for row, t in zip(result, amplitudes.detach().cpu().numpy().astype(complex), strict=True):
            if np.isfinite(t).all():
                row[:] = np.abs(AAA(z, t, rtol=tolerance, max_terms=NODES // 2 + 1)(wanted)) ** 2
    return torch.from_numpy(result).to(amplitudes.device)


def _kz(frequencies: np.ndarray) -> np.ndarray:
    """Normal wavenumber of the diffraction order (1, 0), in THz."""
    return np.sqrt((frequencies**2 - (LIGHT / PERIOD) ** 2).astype(complex))
