"""Metamaterial: four cylinders on a square super-cell, terahertz transmission (Ren et al. 2020, task D4)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor

from harness.contracts import Level, Task
from tasks.metamaterial.few_orders import LEVELS
from tasks.metamaterial.fourier import SITES
from tasks.metamaterial.interpolation import FREQUENCIES, PERIOD
from tasks.metamaterial.proxy import HIGH, LOW, describe, images, load
from tasks.metamaterial.rcwa import D4RCWA

TARGET = (44.0, 32.0, 50.0, 48.0, 49.5, 44.5, 46.2, 43.7)  # um, the design of y*: ours, the papers print none
SLACK = 1e-4  # um; a method answers in float32, whose rounding must not push a design off the edge of the box


class Metamaterial(Task):
    """Heights h1..h4 and radii r1..r4 of four silicon cylinders in um; y is their transmittance at 300 frequencies.

    The forward model is D4-RCWA-proxy, an ensemble of networks trained on spectra of D4-RCWA, our own rigorous
    solver, as the authors trained a network on CST spectra; neither is theirs. `operators["full"]` is D4-RCWA
    itself, to see what the proxy hides. Uniform prior: h in 30..55 um, r in 42..52 um; outside, where the proxy was
    not trained, a design is invalid and y is NaN. Every spectrum has at least four exact solutions, see `images`.

    References: Nadell, Huang, Malof, Padilla 2019 (Opt. Express 27, 27523); Ren, Padilla, Malof 2020, task D4; Ren et
    al. 2022 (arXiv:2112.10254). Constants, symmetries and errors: docs/tasks/metamaterial.md.
    """

    x_dim = 8
    y_dim = 300
    groups: ClassVar[tuple[str, ...]] = ("physical", "paper")
    references: ClassVar[tuple[str, ...]] = (
        "Nadell, Huang, Malof, Padilla 2019 (Opt. Express 27, 27523)",
        "Ren, Padilla, Malof 2020 (NeurIPS)",
    )
    x_labels: tuple[str, ...] = tuple(f"{name} {i} [um]" for name in ("height", "radius") for i in range(1, 5))
    y_axis: tuple[str, tuple[float, ...]] | None = ("frequency [THz]", FREQUENCIES)
    cost: float = 0.13

    @property
    def fixed_target(self) -> tuple[float, ...]:  # type: ignore[override]
        """The proxy's spectrum of TARGET, rounded so that it is the same number everywhere."""
        y = self.simulate(torch.tensor([TARGET], dtype=torch.float64))[0]
        return tuple(round(value, 6) for value in y.tolist())

    @property
    def floor(self) -> dict[str, float]:
        """Error of the proxy against D4-RCWA on spectra kept from its training."""
        facts = describe()
        mse = float(facts["held_out_mse"]["mean"])
        return {"sse": mse * self.y_dim, "mse": mse, "nmse": float(facts["held_out_nmse"])}

    @property
    def bounds(self) -> Tensor:
        return torch.tensor([LOW, HIGH], dtype=torch.float64)

    def sample_prior(self, n: int, generator: Generator) -> Tensor:
        low, high = self.bounds.to(generator.device)
        return low + (high - low) * torch.rand(n, 8, generator=generator, dtype=torch.float64, device=generator.device)

    def in_support(self, x: Tensor) -> Tensor:
        low, high = self.bounds.to(x.device)
        return ((x >= low - SLACK) & (x <= high + SLACK)).all(-1)

    def simulate(self, x: Tensor) -> Tensor:
        x = x.to(torch.float64)
        valid = self.in_support(x)[:, None]
        # Whatever cannot be simulated is replaced before a gradient flows: NaN times zero would be NaN.
        y = load(device=x.device)(torch.where(valid, x, self.bounds.to(x.device).mean(0)))
        return torch.where(valid, y, math.nan)

    def images(self, x: Tensor) -> Tensor:
        """The four designs `(4, n, 8)` that lattice translations by half a period make equal; the first is x.

        Args:
            x: designs `(n, 8)` in um.
        """
        return images(x)

    def diagnose(self, x: Tensor) -> dict[str, Tensor]:
        """How far the networks of the ensemble differ from their mean: mean square over y, `(n,)`.

        Args:
            x: designs `(n, 8)` in um.
        """
        with torch.no_grad():
            each = load(device=x.device).each(x.to(torch.float64))
        return {"proxy_disagreement": each.var(0, correction=0).mean(-1)}

    @property
    def operators(self) -> Mapping[str, Callable[[Tensor], Tensor]]:
        """`full`: D4-RCWA, about 0.7 CPU seconds per design."""
        return {"full": D4RCWA()}

    @property
    def levels(self) -> Mapping[str, Level]:
        """`order-3`, `order-4`: D4-RCWA of fewer orders; a cost of 1 is that of order 6, which the proxy stands for."""
        return LEVELS

    def sketch(self, axes: Any, x: Tensor) -> None:
        """The super-cell from above: circles to scale, darker where higher, heights written in.

        Args:
            axes: matplotlib's.
            x: a design `(8,)` in um.
        """
        from matplotlib.patches import Circle

        heights, radii = x.tolist()[:4], x.tolist()[4:]
        for number, (site, height, radius) in enumerate(zip(SITES, heights, radii, strict=True), 1):
            centre = PERIOD / 4 + PERIOD / 2 * site[0], PERIOD / 4 + PERIOD / 2 * site[1]
            shade = 0.9 - 0.6 * (height - LOW[0]) / (HIGH[0] - LOW[0])
            axes.add_patch(Circle(centre, radius, facecolor=str(min(1, max(0, shade))), edgecolor="black"))
            axes.text(*centre, f"{number}: {height:.1f}", ha="center", va="center")
        axes.set(xlim=(0, PERIOD), ylim=(0, PERIOD), xlabel="x ∥ E [um]", ylabel="y [um]", aspect="equal")
