"""Effective stiffness of a periodic cell of square pixels: bilinear finite elements, solved by nested dissection.

Every pixel is one element in plane stress. Blocks of four by four are assembled, then four neighbouring blocks to one,
and of each block the inner unknowns are eliminated; the last four close to two periodic strips, and these to the cell.
The displacement of its nodes is the macroscopic strain's plus a periodic part, and what remains when the periodic part
is eliminated too is the effective stiffness:

    C e . e = min over periodic u of the mean of C(x) (e + strain(u)) . (e + strain(u))

The solution is direct, so neither contrast nor tolerance matters, and made of differentiable operations.

References: Andreassen, Andreasen 2014 (Computational Materials Science 83, 488) on periodic homogenisation; George 1973
(SIAM Journal on Numerical Analysis 10, 345) on nested dissection.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, product

import numpy as np
import torch
from torch import Tensor

POISSON = 1 / 3  # of all pixels
PIXELS_AT_ONCE = {"cpu": 2**11}  # the matrices of two cells stay in a core's cache, four times as fast as in memory
PIXELS_ELSEWHERE = 2**20  # 1024 cells, some 4 GB
BLOCKS = ((0, 0), (0, 1), (1, 0), (1, 1))  # the four that become one, (ix, iy)
MACROSCOPIC = 3  # unknowns: the strains xx, yy and 2 xy
FIRST = 4  # pixels of a side of the blocks that are assembled at once

Node = tuple[int, int]


@dataclass(frozen=True)
class Assembly:
    """How the stiffness matrices of the smallest blocks are made from the moduli of their pixels."""

    unknowns: int
    kept: int
    """How many unknowns are kept, the first ones; the others are eliminated."""
    parts: Tensor
    """What each pixel adds to the matrix per modulus, `(pixels of a block, unknowns^2)`."""


@dataclass(frozen=True)
class Merge:
    """How the matrices of two or four blocks become that of one."""

    blocks: int
    unknowns: int
    kept: int
    scatter: Tensor
    """The entry of the merged matrix, row by row, to which each entry of the blocks' matrices is added."""
    strain: Tensor | None = None
    """Where strips close: displacements `(blocks, d, 3)` of the blocks' unknowns under the three unit strains."""


def effective_stiffness(modulus: Tensor) -> Tensor:
    """C `(n, 3, 3)` of periodic cells for the strains (xx, yy, 2 xy), in the unit of the moduli.

    Args:
        modulus: Young's modulus of each pixel `(n, pixels, pixels)`, [ix, iy], float64.

    Raises:
        ValueError: the pixels of a side are no power of two, at least 4.
    """
    count, pixels = modulus.shape[0], modulus.shape[-1]
    if modulus.shape != (count, pixels, pixels) or pixels < 4 or pixels & (pixels - 1):
        raise ValueError(f"Cells {tuple(modulus.shape)} cannot be divided; give (n, p, p) with p = 4, 8, 16, ...")
    assembly, merges = _steps(pixels, modulus.device)
    chunk = max(1, PIXELS_AT_ONCE.get(modulus.device.type, PIXELS_ELSEWHERE) // pixels**2)
    return torch.cat([_reduce(part, assembly, merges) for part in modulus.split(chunk)]) / pixels**2


def youngs_modulus(stiffness: Tensor) -> Tensor:
    """E_x = 1 / S_11 `(n,)`: the stiffness along x while the other two strains relax.

    Args:
        stiffness: C `(n, 3, 3)`.
    """
    return _condense(stiffness, 1)[:, 0, 0]


def modulus_along(stiffness: Tensor, angle: Tensor) -> Tensor:
    """Young's modulus `(n,)` along a direction, while all but the strain along it is free: 1 / (s . C^-1 s).

    s = (cos^2, sin^2, cos sin) is the stress (xx, yy, xy) of a unit pull along the direction.

    Args:
        stiffness: C `(n, 3, 3)` for the strains (xx, yy, 2 xy).
        angle: of the direction to x, in radians, `(n,)`.

    >>> isotropic = torch.tensor([[[9.0, 3.0, 0.0], [3.0, 9.0, 0.0], [0.0, 0.0, 3.0]]], dtype=torch.float64) / 8
    >>> round(modulus_along(isotropic, torch.tensor([0.7], dtype=torch.float64)).item(), 12)
    1.0
    """
    stress = torch.stack([angle.cos().square(), angle.sin().square(), angle.cos() * angle.sin()], -1)
    return 1 / (stress * torch.linalg.solve(stiffness, stress)).sum(-1)


def _reduce(modulus: Tensor, assembly: Assembly, merges: Iterable[Merge]) -> Tensor:
    whole = _four_by_four(modulus).unflatten(0, (-1, len(assembly.parts))) @ assembly.parts
    blocks = _condense(whole.unflatten(1, (assembly.unknowns, assembly.unknowns)), assembly.kept)
    for step in merges:
        blocks = _condense(_merged(blocks, step), step.kept)
    return blocks[:, :3, :3]


def _four_by_four(modulus: Tensor) -> Tensor:
    """The pixels of all cells `(n * pixels^2,)` in the order in which blocks are merged: four by four, as in BLOCKS."""
    halvings = modulus.shape[-1].bit_length() - 1
    axes = modulus.reshape(-1, *(2 * halvings * (2,)))
    return axes.permute(0, *chain.from_iterable((1 + k, 1 + halvings + k) for k in range(halvings))).flatten()


def _merged(blocks: Tensor, step: Merge) -> Tensor:
    """The matrices `(blocks n, d, d)`, in the order of merging, to those `(n, unknowns, unknowns)` of the merged."""
    neighbours = blocks.unflatten(0, (-1, step.blocks))
    if step.strain is not None:
        neighbours = _bordered(neighbours, step.strain)
    merged = neighbours.new_zeros(len(neighbours), step.unknowns**2)
    merged.index_add_(1, step.scatter, neighbours.flatten(1))
    return merged.unflatten(1, (step.unknowns, step.unknowns))


def _bordered(matrix: Tensor, strain: Tensor) -> Tensor:
    """The matrices `(n, blocks, d, d)` for displacements strain e + u: e becomes the first three unknowns."""
    forces = matrix @ strain
    top = torch.cat([strain.mT @ forces, forces.mT], -1)
    return torch.cat([top, torch.cat([forces, matrix], -1)], -2)


def _condense(matrix: Tensor, kept: int) -> Tensor:
    """Static condensation: the stiffness that the first `kept` unknowns feel while the others are in equilibrium."""
    # Transposes of a symmetric matrix are laid out as LAPACK wants them, which saves copies.
    factor = torch.linalg.cholesky(matrix[:, kept:, kept:].mT)
    half = torch.linalg.solve_triangular(factor, matrix[:, :kept, kept:].mT, upper=False)
    return torch.baddbmm(matrix[:, :kept, :kept], half.mT, half, alpha=-1)


@lru_cache(maxsize=8)
def _steps(pixels: int, device: torch.device) -> tuple[Assembly, tuple[Merge, ...]]:
    """The steps from single pixels to the periodic cell."""
    size = min(FIRST, pixels // 2)
    assembly, merges = _assembly(size, device), []
    while 2 * size < pixels:
        merges.append(_merge(_boundaries(size), _boundary(2 * size), device))
        size *= 2
    lower, upper, *_ = _boundaries(size)
    strip = [[(i, j % pixels) for i, j in block] for block in (lower, upper)]
    left, right = ([(i, j) for j in range(pixels)] for i in (0, size))
    strain = np.stack([_displacements(block) for block in (lower, upper)])
    merges.append(_merge(strip, [*left, *right], device, MACROSCOPIC, torch.from_numpy(strain).to(device)))
    # The first node is kept and then held: a translation costs no energy, so nothing else is affected.
    merges.append(_merge([[*left, *right], [*right, *left]], [(0, 0)], device, MACROSCOPIC))
    return assembly, tuple(merges)


def _assembly(size: int, device: torch.device) -> Assembly:
    """The assembly of blocks of size x size pixels."""
    kept = _boundary(size)
    number = {node: k for k, node in enumerate(dict.fromkeys([*kept, *product(range(size + 1), repeat=2)]))}
    pixels = _four_by_four(torch.arange(size**2).reshape(1, size, size)).tolist()
    parts = np.zeros((len(pixels), 2 * len(number), 2 * len(number)))
    for part, pixel in zip(parts, pixels, strict=True):
        x, y = divmod(pixel, size)
        unknowns = [2 * number[x + i, y + j] + axis for i, j in _boundary(1) for axis in (0, 1)]
        part[np.ix_(unknowns, unknowns)] = element_stiffness()
    return Assembly(2 * len(number), 2 * len(kept), torch.from_numpy(parts).flatten(1).to(device))


def _merge(
    blocks: list[list[Node]],
    kept: list[Node],
    device: torch.device,
    macroscopic: int = 0,
    strain: Tensor | None = None,
) -> Merge:
    """The merging of blocks, given by their nodes, of which `kept` come first after the macroscopic unknowns."""
    number = {node: k for k, node in enumerate(dict.fromkeys([*kept, *chain.from_iterable(blocks)]))}
    size = macroscopic + 2 * len(number)
    unknowns = np.array(
        [
            [*range(macroscopic), *(macroscopic + 2 * number[node] + axis for node in block for axis in (0, 1))]
            for block in blocks
        ]
    )
    scatter = unknowns[:, :, None] * size + unknowns[:, None, :]
    return Merge(len(blocks), size, macroscopic + 2 * len(kept), torch.from_numpy(scatter.ravel()).to(device), strain)


def _boundary(size: int) -> list[Node]:
    """The nodes around a block of size x size pixels, counter-clockwise from its corner (0, 0)."""
    side = range(size)
    return [
        *((i, 0) for i in side),
        *((size, j) for j in side),
        *((size - i, size) for i in side),
        *((0, size - j) for j in side),
    ]


def _boundaries(size: int) -> list[list[Node]]:
    """The boundaries of four blocks of size x size pixels, in the coordinates of the square that they form."""
    return [[(i + a * size, j + b * size) for i, j in _boundary(size)] for a, b in BLOCKS]


def _displacements(nodes: list[Node]) -> np.ndarray:
    """Displacements (u_x, u_y) of nodes under the unit strains xx, yy and 2 xy: `(2 len(nodes), 3)`."""
    return np.array([row for x, y in nodes for row in ((x, 0, y / 2), (0, y, x / 2))], dtype=np.float64)


def element_stiffness() -> np.ndarray:
    """Stiffness `(8, 8)` of a square element of modulus 1 for (u_x, u_y) at its corners, counter-clockwise.

    Two by two Gauss points integrate it exactly; in two dimensions its size does not matter.
    """
    isotropic = np.array([[1, POISSON, 0], [POISSON, 1, 0], [0, 0, (1 - POISSON) / 2]]) / (1 - POISSON**2)
    points = (1 + np.array([-1, 1]) / np.sqrt(3)) / 2
    strains = [_strain(x, y) for x in points for y in points]
    return np.mean([strain.T @ isotropic @ strain for strain in strains], axis=0)


def _strain(x: float, y: float) -> np.ndarray:
    """Strain (xx, yy, 2 xy) at a point of the unit element from the displacements of its corners, `(3, 8)`."""
    matrix = np.zeros((3, 8))
    matrix[0, 0::2] = matrix[2, 1::2] = [y - 1, 1 - y, y, -y]
    matrix[1, 1::2] = matrix[2, 0::2] = [x - 1, -x, x, 1 - x]
    return matrix
