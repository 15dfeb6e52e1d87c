"""Sinewave: two dimensionless inputs, one output, many closed solution curves (Ren et al. 2020, task D2)."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor

from harness.contracts import Task


class Sinewave(Task):
    """y = sin(3 pi x1) + cos(3 pi x2) with x ~ U[-1, 1]^2.

    Draws are independent: the published data were a 100 x 100 grid, whose symmetry put every test y into the training
    set as well. The solutions of y* = 1.2 are nine closed curves in the box, one around each maximum of y. The
    function has no hard domain: designs outside the box are simulated.

    References: Ren, Padilla, Malof 2020, task D2; y* from Bi, Fung, Zhang 2023 (iPage), Table 1.
    """

    x_dim = 2
    y_dim = 1
    fixed_target = (1.2,)
    groups: ClassVar[tuple[str, ...]] = ("analytic", "paper")
    references: ClassVar[tuple[str, ...]] = ("Ren, Padilla, Malof 2020 (NeurIPS)", "Bi, Fung, Zhang 2023 (AAAI)")
    x_labels: tuple[str, ...] = ("x1 [1]", "x2 [1]")
    y_labels: tuple[str, ...] = ("y [1]",)

    @property
    def bounds(self) -> Tensor:
        return torch.tensor([[-1.0, -1.0], [1.0, 1.0]], dtype=torch.float64)

    def sample_prior(self, n: int, generator: Generator) -> Tensor:
        unit = torch.rand(n, 2, generator=generator, dtype=torch.float64, device=generator.device)
        return 2 * unit - 1

    def simulate(self, x: Tensor) -> Tensor:
        x = x.to(torch.float64)
        valid = self.in_support(x)[:, None]
        angle = 3 * math.pi * torch.where(valid, x, 0.0)
        return torch.where(valid, angle[:, :1].sin() + angle[:, 1:].cos(), math.nan)

    def sketch(self, axes: Any, x: Tensor) -> None:
        """The design in the box, on the curves of all designs with its y.

        Args:
            axes: matplotlib's.
            x: a design `(2,)`, dimensionless.
        """
        line = torch.linspace(-1, 1, 201, dtype=torch.float64)
        plane = torch.cartesian_prod(line, line)
        y = self.simulate(plane).view(201, 201).T  # a contour takes rows for the vertical axis
        axes.contour(line, line, y, levels=[float(self.simulate(x[None]))], colors="C0", linestyles="solid")
        axes.plot(*x[:, None].tolist(), "o", color="C0")
        axes.set(xlabel=self.x_labels[0], ylabel=self.x_labels[1], aspect="equal")
