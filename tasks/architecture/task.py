"""Architecture: pixels of a periodic solid-void cell to its effective Young's modulus (Bi, Fung, Zhang 2023)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Generator, Tensor

from harness.contracts import Kind, Level, Pairs, Task
from tasks.architecture.designs import draw
from tasks.architecture.directions import Directions
from tasks.architecture.homogenisation import youngs_modulus
from tasks.architecture.material import PIXELS, averaged, forward
from tasks.architecture.pairs import are_kept, generate, load

ROUNDING = 1e-5  # of a standardised float32 pixel: not a design that has left the box


class Architecture(Task):
    """Pixels x, 0 or 1, index [ix, iy] row by row, to y = E_x = 1 / S_11, the modulus of the cell along x.

    The cell repeats in both directions. A pixel is an element in plane stress with Young's modulus
    0.04 + 3.96 x^3 (solid 4, void 0.04) and Poisson's ratio 1/3; S is the inverse of the homogenised stiffness, so y is
    what a tensile test along x measures while the cell is free to contract and to shear. y is in quarters of the
    solid's modulus. For every design, harmonic mean <= y <= arithmetic mean of the pixels' moduli.

    The forward model clamps pixels to [0, 1]: a design outside is simulated as the nearest one inside, and `diagnose`
    tells how much of it was clipped. Not finite designs cannot be simulated and give NaN.

    The design distribution is ours: periodic Gaussian random fields, symmetrised by one of five plane groups and
    thresholded, in the spirit of Mao, He, Zhao 2020. Neither designs nor simulator of Bi, Fung, Zhang were published;
    dimensions, number of pairs and y* are theirs.
    """

    x_dim = PIXELS**2
    y_dim = 1
    fixed_target = (1.0,)
    groups: ClassVar[tuple[str, ...]] = ("physical", "paper")
    references: ClassVar[tuple[str, ...]] = (
        "Bi, Fung, Zhang 2023 (AAAI)",
        "Mao, He, Zhao 2020, Science Advances 6, eaaz4169",
        "Bendsoe, Sigmund 1999, Archive of Applied Mechanics 69, 635",
    )
    y_labels: tuple[str, ...] = ("Young's modulus [1/4 solid]",)
    simulated_pairs = True
    ahead = "simulates its designs to learn from, for about 4 min on two cores where these are 100 000"
    n_train = 100_000
    cost = 3.2
    x_shape: tuple[int, ...] = (PIXELS, PIXELS)
    kinds: tuple[Kind, ...] = (Kind("integer", PIXELS**2),)

    @property
    def bounds(self) -> Tensor:
        return torch.stack([torch.zeros(self.x_dim), torch.ones(self.x_dim)]).double()

    def sample_prior(self, n: int, generator: Generator) -> Tensor:
        return torch.from_numpy(draw(n, _seed(generator))).to(generator.device, torch.float64)

    def pairs(self, n: int, generator: Generator) -> Pairs:
        """Prior draws and their y: those of `sample_prior` and `simulate`, kept in a cache where they are many.

        Args:
            n: how many.
            generator: its next number is the seed of the designs.
        """
        if not are_kept(n):
            return self.draw(n, generator)
        x, stiffness = self.solved(n, generator)
        return Pairs(x, youngs_modulus(stiffness)[:, None])

    def prepare(self, n: int, generator: Generator) -> None:
        if are_kept(n):
            load(n, _seed(generator), generate)

    def solved(self, n: int, generator: Generator) -> tuple[Tensor, Tensor]:
        """The designs of `pairs` `(n, 1024)` and their stiffness `(n, 3, 3)`, from the cache.

        Args:
            n: how many.
            generator: its next number is the seed of the designs.
        """
        designs, entries = load(n, _seed(generator), generate)
        x = torch.from_numpy(np.unpackbits(designs, axis=1)).to(generator.device, torch.float64)
        return x, torch.from_numpy(entries).to(generator.device).unflatten(1, (3, 3))

    @property
    def family(self) -> Directions:
        return Directions(self)

    def simulate(self, x: Tensor) -> Tensor:
        return self._simulate(x)

    def _simulate(self, x: Tensor, divisions: int = 1) -> Tensor:
        valid = self.in_support(x)[:, None]
        return torch.where(valid, forward(torch.where(valid, x, 1.0), divisions), math.nan)

    @property
    def operators(self) -> Mapping[str, Callable[[Tensor], Tensor]]:
        """`refined`: two by two elements a pixel, which do not take pixels that touch at a corner for welded."""
        return {"refined": partial(self._simulate, divisions=2)}

    @property
    def levels(self) -> Mapping[str, Level]:
        """Meshes with the mean of 4 x 4 or 2 x 2 pixels: 0.04 and 0.19 of the CPU time, an nmse of 0.04 and 0.01."""
        return {
            "coarse": Level(partial(self._on_mesh, side=4), 0.04, "on a mesh of 8 x 8"),
            "medium": Level(partial(self._on_mesh, side=2), 0.19, "on a mesh of 16 x 16"),
        }

    def _on_mesh(self, x: Tensor, side: int) -> Tensor:
        valid = self.in_support(x)[:, None]
        return torch.where(valid, averaged(torch.where(valid, x, 1.0), side), math.nan)

    def images(self, x: Tensor) -> Tensor:
        """The design, its two mirror images and its rotation by 180 degrees, `(4, n, 1024)`.

        The 1024 periodic shifts leave y unchanged as well, but they describe the same material from another origin;
        all 4096 images of a design would take 34 MB. Images of a symmetric design coincide.

        Args:
            x: designs `(n, 1024)`, pixels of 0 and 1.
        """
        cell = x.reshape(-1, *self.x_shape)
        images = [cell, cell.flip(1), cell.flip(2), cell.flip(1, 2)]
        return torch.stack(images).reshape(len(images), *x.shape)

    def diagnose(self, x: Tensor) -> dict[str, Tensor]:
        """For each design: y of its pixels rounded to 0 or 1, and the shares of checkerboard and of clipped pixels.

        Checkerboard is the share of the 2 x 2 windows, of the rounded design and periodic, whose solid pixels are a
        diagonal pair: with one element a pixel they are joined as if they were welded.

        Args:
            x: designs `(n, 1024)`, pixels of any value.
        """
        valid = self.in_support(x)
        solid = x > 0.5
        found = {
            "thresholded": self.simulate(solid.double())[:, 0],
            "checkerboard": _diagonal_pairs(solid.reshape(-1, *self.x_shape)).double().mean((1, 2)),
            "clipped": ((x < -ROUNDING) | (x > 1 + ROUNDING)).double().mean(1),
        }
        return {name: torch.where(valid, value, math.nan) for name, value in found.items()}

    def sketch(self, axes: Any, x: Tensor) -> None:
        """Draw the cell, solid black, with x to the right and y upwards.

        Args:
            axes: matplotlib's.
            x: a design `(1024,)`, pixels from 0 to 1.
        """
        pixels = x.detach().cpu().reshape(self.x_shape)
        axes.imshow(pixels.T.numpy(), cmap="gray_r", vmin=0, vmax=1, origin="lower", extent=(0, PIXELS, 0, PIXELS))
        axes.set(xlabel="x [pixel]", ylabel="y [pixel]")


def _seed(generator: Generator) -> int:
    return int(torch.randint(2**62, (), generator=generator, device=generator.device))


def _diagonal_pairs(solid: Tensor) -> Tensor:
    """Mask `(n, 32, 32)` of the periodic 2 x 2 windows with two solid pixels that touch at a corner only."""
    right, above = solid.roll(-1, 1), solid.roll(-1, 2)
    return (solid == right.roll(-1, 2)) & (right == above) & (solid != right)
