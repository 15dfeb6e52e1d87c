"""Two-centre blocks between p and d orbitals (Slater, Koster 1954, Phys. Rev. 94, 1498, table I).

With the unit vector n of a bond, D_m the five orthonormal traceless symmetric tensors of the d orbitals,
s_m = sqrt(3/2) n.D_m.n and p_m = sqrt(2) (D_m n - n (n.D_m.n)), the table reads

    <p_i|H|p_j> = V_sigma n_i n_j + V_pi (delta_ij - n_i n_j)
    <d_m|H|p_i> = -(V_sigma s_m n_i + V_pi p_mi)                             n from d to p
    <d_m|H|d_l> = V_sigma s_m s_l + V_pi p_m.p_l + V_delta (delta_ml - s_m s_l - p_m.p_l)
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

A, B = 1 / math.sqrt(2), 1 / math.sqrt(6)
D_TENSORS = (  # xy, yz, zx, x2-y2, 3z2-r2
    ((0, A, 0), (A, 0, 0), (0, 0, 0)),
    ((0, 0, 0), (0, 0, A), (0, A, 0)),
    ((0, 0, A), (0, 0, 0), (A, 0, 0)),
    ((A, 0, 0), (0, -A, 0), (0, 0, 0)),
    ((-B, 0, 0), (0, -B, 0), (0, 0, 2 * B)),
)


def pp_block(n: Tensor, sigma: Tensor, pi: Tensor) -> Tensor:
    """`(..., 3, 3)` between the p orbitals x, y, z of two atoms, in the unit of the integrals.

    Args:
        n: unit vectors of the bonds `(..., 3)`.
        sigma: the integrals V_sigma `(...)`.
        pi: the integrals V_pi `(...)`.
    """
    outer = n[..., :, None] * n[..., None, :]
    sigma, pi = sigma[..., None, None], pi[..., None, None]
    return pi * torch.eye(3, dtype=n.dtype, device=n.device) + (sigma - pi) * outer


def dp_block(n: Tensor, sigma: Tensor, pi: Tensor) -> Tensor:
    """`(..., 5, 3)` between the d orbitals of one atom and the p orbitals of another that lies along n.

    Args:
        n: unit vectors of the bonds `(..., 3)`, from d to p.
        sigma: the integrals V_sigma `(...)`.
        pi: the integrals V_pi `(...)`.
    """
    s, p = _components(n)
    return -(sigma[..., None, None] * s[..., None] * n[..., None, :] + pi[..., None, None] * p)


def dd_block(n: Tensor, sigma: Tensor, pi: Tensor, delta: Tensor) -> Tensor:
    """`(..., 5, 5)` between the d orbitals of two atoms, in the unit of the integrals.

    Args:
        n: unit vectors of the bonds `(..., 3)`.
        sigma: the integrals V_sigma `(...)`.
        pi: the integrals V_pi `(...)`.
        delta: the integrals V_delta `(...)`.
    """
    s, p = _components(n)
    along, across = s[..., :, None] * s[..., None, :], p @ p.mT
    sigma, pi, delta = (integral[..., None, None] for integral in (sigma, pi, delta))
    return delta * torch.eye(5, dtype=n.dtype, device=n.device) + (sigma - delta) * along + (pi - delta) * across


def _components(n: Tensor) -> tuple[Tensor, Tensor]:
    """Sigma components s `(..., 5)` and pi components p `(..., 5, 3)` of the d orbitals along n."""
    turned = (n.new_tensor(D_TENSORS) * n[..., None, None, :]).sum(-1)
    amplitude = (turned * n[..., None, :]).sum(-1)
    return math.sqrt(1.5) * amplitude, math.sqrt(2) * (turned - amplitude[..., None] * n[..., None, :])
