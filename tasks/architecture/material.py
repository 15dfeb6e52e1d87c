"""From pixel values to the effective stiffness and Young's modulus: the material law of a pixel, the forward model."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from tasks.architecture.homogenisation import effective_stiffness, youngs_modulus

PIXELS = 32  # on a side
SOLID = 4.0  # Young's modulus of a solid pixel: the median training design then has y near the target 1
VOID = 0.04  # of an empty pixel: a soft filling, so that a design that does not hang together has a modulus too
POWER = 3  # the least with which grey obeys the Hashin-Shtrikman bound: max(2 / (1 - nu), 4 / (1 + nu)) for nu = 1/3


def pixel_modulus(x: Tensor) -> Tensor:
    """Young's modulus of pixels, in the shape of x: VOID + (SOLID - VOID) x^POWER.

    The power law and the bound on its exponent: Bendsoe, Sigmund 1999 (Archive of Applied Mechanics 69, 635).

    Args:
        x: values of pixels, which are clamped to [0, 1].

    >>> pixel_modulus(torch.tensor([0.0, 1.0], dtype=torch.float64)).tolist()
    [0.04, 4.0]
    """
    return VOID + (SOLID - VOID) * x.clamp(0, 1) ** POWER


def forward(x: Tensor, divisions: int = 1) -> Tensor:
    """E_x `(n, 1)` of finite designs, float64, in quarters of the solid's modulus.

    Args:
        x: pixels `(n, 1024)`, [ix, iy] row by row.
        divisions: elements on a side of each pixel.
    """
    return youngs_modulus(stiffness(x, divisions))[:, None]


def averaged(x: Tensor, side: int) -> Tensor:
    """E_x `(n, 1)` on a coarser mesh, whose elements have the mean of side x side pixels.

    Args:
        x: pixels `(n, 1024)`, [ix, iy] row by row.
        side: pixels on a side of an element.
    """
    cells = x.to(torch.float64).clamp(0, 1).reshape(len(x), 1, PIXELS, PIXELS)
    return youngs_modulus(effective_stiffness(pixel_modulus(avg_pool2d(cells, side)[:, 0])))[:, None]


def stiffness(x: Tensor, divisions: int = 1) -> Tensor:
    """C `(n, 3, 3)` of finite designs for the strains (xx, yy, 2 xy), float64, in quarters of the solid's modulus.

    Args:
        x: pixels `(n, 1024)`, [ix, iy] row by row.
        divisions: elements on a side of each pixel.
    """
    modulus = pixel_modulus(x.to(torch.float64)).reshape(len(x), PIXELS, PIXELS)
    for axis in (1, 2):
        modulus = modulus.repeat_interleave(divisions, axis)
    return effective_stiffness(modulus)
