"""A 14-band tight-binding model of SrTiO3 in a cell of any shape: Ti 3d and O 2p, two-centre integrals.

Atoms keep their fractional coordinates, and neighbours are those of the cubic cell: H is smooth in the shape of the
cell. Neighbours couple orbitals, and they shift the energies of an atom's own orbitals by blocks of the same form, a
two-centre crystal field: without it shear hardly moves the gap.

Every atom is a centre of inversion, so opposite bonds have the same block, up to the sign of the odd d-p block. At
the eight k-points that are their own reverse (TRIM: Gamma, X, M, R), where the DFT bands have their extrema, Bloch
phases are +-1 and H is real.

References: Slater, Koster 1954, Phys. Rev. 94, 1498; Mattheiss 1972, Phys. Rev. B 6, 4718 (SrTiO3); Harrison 1980,
Electronic Structure and the Properties of Solids.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

import torch
from torch import Tensor

from tasks.crystal.parameters import Parameters
from tasks.crystal.slater_koster import dd_block, dp_block, pp_block

Vector: TypeAlias = tuple[float, float, float]
Pair: TypeAlias = tuple[str, str]
Bonds: TypeAlias = Mapping[Pair, tuple[Tensor, Tensor]]
"""Unit vectors `(n, m, 3)` and distances `(n, m)` of each of `SHELLS`."""

FILLED = 9  # bands that the 18 electrons of three O 2p shells fill
CHUNK = 256  # cells whose matrices are held at once
TRIM: tuple[Vector, ...] = tuple((i / 2, j / 2, k / 2) for i, j, k in product((0, 1), repeat=3))
SITES: dict[str, Vector] = {
    "Sr": (0.0, 0.0, 0.0),
    "Ti": (0.5, 0.5, 0.5),
    "O1": (0.5, 0.5, 0.0),
    "O2": (0.5, 0.0, 0.5),
    "O3": (0.0, 0.5, 0.5),
}
OXYGENS = ("O1", "O2", "O3")


@dataclass(frozen=True)
class Shell:
    """One of every two opposite bonds between two sublattices, m in all."""

    vectors: tuple[Vector, ...]
    """Fractional."""
    even: tuple[tuple[float, ...], ...]
    """`(8, m)`: the Bloch phases of a bond and of its opposite, added, at each TRIM point."""
    odd: tuple[tuple[float, ...], ...]
    """`(8, m)`: subtracted."""


def shell(first: str, second: str, length: float) -> Shell:
    """The bonds from one site to all images of another that have this length in the cubic cell of edge 1.

    Args:
        first: a name among `SITES`.
        second: another, or the same.
        length: in units of the cubic cell's edge.
    """
    apart = [b - a for a, b in zip(SITES[first], SITES[second], strict=True)]
    vectors, even, odd = [], [], []
    for steps in product((-1, 0, 1), repeat=3):
        bond = (apart[0] + steps[0], apart[1] + steps[1], apart[2] + steps[2])
        if math.isclose(math.hypot(*bond), length) and bond > (0.0, 0.0, 0.0):
            back = [-step - 2 * shift for step, shift in zip(steps, apart, strict=True)]
            phases = [(_phase(k, steps), _phase(k, back)) for k in TRIM]
            vectors.append(bond)
            even.append([here + there for here, there in phases])
            odd.append([here - there for here, there in phases])
    return Shell(tuple(vectors), tuple(zip(*even, strict=True)), tuple(zip(*odd, strict=True)))


def _phase(k: Vector, steps: Iterable[float]) -> float:
    """The Bloch phase exp(2 pi i k.T) of a lattice vector T, which is +-1 at a TRIM point."""
    return (-1.0) ** round(2 * sum(a * b for a, b in zip(k, steps, strict=True)))


SHELLS: dict[Pair, Shell] = {
    **{("Ti", oxygen): shell("Ti", oxygen, 0.5) for oxygen in OXYGENS},
    **{pair: shell(*pair, math.sqrt(0.5)) for pair in (("O1", "O2"), ("O1", "O3"), ("O2", "O3"))},
    **{(oxygen, "Sr"): shell(oxygen, "Sr", math.sqrt(0.5)) for oxygen in OXYGENS},
    ("Ti", "Sr"): shell("Ti", "Sr", math.sqrt(0.75)),
    ("Ti", "Ti"): shell("Ti", "Ti", 1.0),  # and any oxygen to its own images
}


def lattice(x: Tensor) -> Tensor:
    """Lattice vectors in angstrom, the rows of `(n, 3, 3)`, of cells.

    Alpha is the angle between b and c, beta between c and a, gamma between a and b. A cell that cannot be is NaN.

    Args:
        x: edges a, b, c in angstrom and angles alpha, beta, gamma in degrees `(n, 6)`.
    """
    a, b, c = x[:, :3].unbind(-1)
    angles = torch.deg2rad(x[:, 3:])
    cos_alpha, cos_beta, cos_gamma = angles.cos().unbind(-1)
    sin_gamma = angles[:, 2].sin()
    across = (cos_alpha - cos_beta * cos_gamma) / sin_gamma
    up = (1 - cos_beta**2 - across**2).sqrt()
    zero = torch.zeros_like(a)
    rows = (a, zero, zero), (b * cos_gamma, b * sin_gamma, zero), (c * cos_beta, c * across, c * up)
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def hamiltonian(x: Tensor, parameters: Parameters) -> Tensor:
    """Real symmetric H `(n, 8, 14, 14)` in eV of cells at the TRIM points.

    Orbitals: d in the order of `slater_koster.D_TENSORS`, then x, y, z of each of `OXYGENS`.

    Args:
        x: cells `(n, 6)`, which must exist: edges in angstrom, angles in degrees.
        parameters: constants of the model, in eV and angstrom.
    """
    cells = lattice(x)
    bonds = {}
    for pair, item in SHELLS.items():
        vectors = (x.new_tensor(item.vectors)[:, :, None] * cells[:, None]).sum(-2)
        distance = vectors.norm(dim=-1)
        bonds[pair] = vectors / distance[..., None], distance
    dd, dp = _titanium(bonds, parameters)
    pp = _oxygen(bonds, parameters)
    rows = [torch.cat([dd, *dp], -1)]
    rows += [torch.cat([dp[i].mT, *pp[i]], -1) for i in range(3)]
    return torch.cat(rows, -2)


def _bloch(blocks: Tensor, phases: tuple[tuple[float, ...], ...]) -> Tensor:
    """Sum over the bonds of blocks `(n, m, i, j)` with phases `(8, m)`: `(n, 8, i, j)`."""
    return (blocks.new_tensor(phases)[:, :, None, None] * blocks[:, None]).sum(2)


def _titanium(bonds: Bonds, parameters: Parameters) -> tuple[Tensor, list[Tensor]]:
    """The d-d block `(n, 8, 5, 5)`, and the d-p block `(n, 8, 5, 3)` with each oxygen."""
    v = parameters.integral
    n, r = bonds["Ti", "Sr"]
    field = parameters.levels[0] * torch.eye(5, dtype=r.dtype, device=r.device)
    field = field + 2 * dd_block(n, v("d_Sr_sigma", r), v("d_Sr_pi", r), torch.zeros_like(r)).sum(1)
    dp = []
    for oxygen in OXYGENS:
        n, r = bonds["Ti", oxygen]
        field = field + 2 * dd_block(n, v("d_O_sigma", r), v("d_O_pi", r), v("d_O_delta", r)).sum(1)
        dp.append(_bloch(dp_block(n, v("pd_sigma", r), v("pd_pi", r)), SHELLS["Ti", oxygen].odd))
    n, r = bonds["Ti", "Ti"]
    dd = _bloch(dd_block(n, v("dd_sigma", r), v("dd_pi", r), v("dd_delta", r)), SHELLS["Ti", "Ti"].even)
    return dd + field[:, None], dp


def _oxygen(bonds: Bonds, parameters: Parameters) -> list[list[Tensor]]:
    """The p-p blocks `(n, 8, 3, 3)` between oxygens, three rows of three."""
    v = parameters.integral
    n, r = bonds["Ti", "Ti"]
    far = _bloch(pp_block(n, v("pp_far_sigma", r), v("pp_far_pi", r)), SHELLS["Ti", "Ti"].even)
    pp = [[far] * 3 for _ in OXYGENS]
    for i, oxygen in enumerate(OXYGENS):
        field = parameters.levels[1] * torch.eye(3, dtype=r.dtype, device=r.device)
        for pair, (n, r) in bonds.items():
            if oxygen in pair:
                other = pair[1 - pair.index(oxygen)].rstrip("123")
                field = field + 2 * pp_block(n, v(f"p_{other}_sigma", r), v(f"p_{other}_pi", r)).sum(1)
        pp[i][i] = far + field[:, None]
        for j in range(i):
            n, r = bonds[OXYGENS[j], oxygen]
            block = pp_block(n, v("pp_sigma", r), v("pp_pi", r))
            pp[i][j] = pp[j][i] = _bloch(block, SHELLS[OXYGENS[j], oxygen].even)
    return pp


def levels(x: Tensor, parameters: Parameters) -> Tensor:
    """Energies `(n, 8, 14)` in eV, ascending, of cells at the TRIM points.

    Args:
        x: cells `(n, 6)`, which must exist: edges in angstrom, angles in degrees.
        parameters: constants of the model, on any device.
    """
    parameters = parameters.to(x.device)
    return torch.cat([torch.linalg.eigvalsh(hamiltonian(rows, parameters)) for rows in x.split(CHUNK)])


def gap(energies: Tensor) -> Tensor:
    """Lowest empty less highest filled level `(n,)`, in eV; negative where bands overlap.

    Args:
        energies: `(n, k, bands)` in eV, ascending along the bands.
    """
    return energies[..., FILLED].amin(-1) - energies[..., FILLED - 1].amax(-1)
