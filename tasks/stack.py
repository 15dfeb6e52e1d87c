"""Stack: light absorbed by five sheets of graphene between films of Si3N4 (Chen et al. 2019; Ren et al. 2022)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Generator, Tensor

from harness.contracts import Level, Task

FILMS = 5
THICKNESS = (5.0, 50.0)  # nm, of every film; this and the next four lines as in the script of Ren et al. 2022
SHORTEST, LONGEST, POINTS = 240.0, 2000.0, 256  # nm, nm: Chebyshev points of the second kind
SILICON_NITRIDE, ENTRANCE, EXIT = 2.0, 1.46, 1.0  # refractive index
SHEET = 0.35  # nm, one layer of graphene
GRAPHENE = 3.306459758 + 3.152632723j  # at 2000 nm, the end of the script's table, which it takes at every wavelength
FINE_STRUCTURE = 1 / 137.036
WAVELENGTHS = tuple(
    (LONGEST + SHORTEST) / 2 - (LONGEST - SHORTEST) / 2 * math.cos(math.pi * i / (POINTS - 1)) for i in range(POINTS)
)
CHUNK = 128  # designs at a time, which fit the cache
EXAMPLE = (15.0, 35.0, 20.0, 40.0, 25.0)  # nm, the design whose spectrum is y*


@dataclass(frozen=True)
class StackOptions:
    """Options of the stack task."""

    material: Literal["constant", "dispersive"] = "constant"
    """Graphene's index: `constant` as published; `dispersive`, a variant of ours, from its universal conductivity."""


def graphene_index(wavelength: Tensor) -> Tensor:
    """Complex refractive index `(w,)` of graphene in the universal limit of the Kubo formula.

    The sheet conductivity e^2 / (4 hbar) spread over the thickness d of the sheet gives the permittivity
    1 + i alpha lambda / (2 d), with the fine-structure constant alpha (Nair et al. 2008).

    Args:
        wavelength: in vacuum `(w,)`, in nm.
    """
    imaginary = FINE_STRUCTURE * wavelength / (2 * SHEET)
    return torch.complex(torch.ones_like(imaginary), imaginary).sqrt()


def sheet_matrix(wavelength: Tensor, graphene: Tensor, front: float) -> Tensor:
    """Transfer matrix `(2, 2, w)` through a sheet: wave amplitudes in Si3N4 behind it to those before it.

    The amplitudes (f, b) of the waves forwards and backwards make the fields E = f + b and H = n (f - b), which the
    characteristic matrix of the sheet takes from its back to its front (Born and Wolf, section 1.6.2).

    Args:
        wavelength: in vacuum `(w,)`, in nm.
        graphene: the sheet's complex refractive index `(w,)`.
        front: refractive index of what is before it.
    """
    phase = 2 * math.pi * SHEET / wavelength * graphene
    cosine, sine = phase.cos(), -1j * phase.sin()
    columns = []
    for sign in (1, -1):
        electric = cosine + sine / graphene * (sign * SILICON_NITRIDE)
        magnetic = sine * graphene + cosine * (sign * SILICON_NITRIDE)
        columns.append(torch.stack([electric + magnetic / front, electric - magnetic / front]) / 2)
    return torch.stack(columns, 1)


def reflectance_transmittance(thickness: Tensor, wavelength: Tensor, graphene: Tensor) -> tuple[Tensor, Tensor]:
    """R and T `(n, w)` of films, each with a sheet of graphene in front.

    The wave is followed from the exit, where there is no way back, to the entrance. A film turns both amplitudes by
    its phase; the part that both share is left out, as it changes neither R nor T.

    Args:
        thickness: of the films `(n, 5)`, in nm.
        wavelength: in vacuum `(w,)`, in nm.
        graphene: the sheets' complex refractive index `(w,)`.
    """
    between = sheet_matrix(wavelength, graphene, SILICON_NITRIDE)
    first = sheet_matrix(wavelength, graphene, ENTRANCE)
    phase = 4 * math.pi * SILICON_NITRIDE / wavelength * thickness.T[..., None]
    turns = torch.complex(phase.cos(), phase.sin())
    forward = torch.full_like(turns[0], (1 + EXIT / SILICON_NITRIDE) / 2)
    backward = torch.full_like(turns[0], (1 - EXIT / SILICON_NITRIDE) / 2)
    for i in reversed(range(len(turns))):
        (f_f, f_b), (b_f, b_b) = first if i == 0 else between
        backward = turns[i] * backward
        forward, backward = f_f * forward + f_b * backward, b_f * forward + b_b * backward
    incident = _power(forward)
    return _power(backward) / incident, EXIT / ENTRANCE / incident


def _power(amplitude: Tensor) -> Tensor:
    return amplitude.real.square() + amplitude.imag.square()


class Stack(Task):
    """Thickness in nm of five Si3N4 films, each behind a sheet of graphene; y is the light that they absorb.

    y is the absorptance A = 1 - R - T at normal incidence from glass (index 1.46) into air, at 256 Chebyshev points
    between 240 and 2000 nm in ascending order, by the transfer-matrix method: exact for plane layers.

    x ~ U(5, 50 nm)^5. Any thickness from 0 can be simulated, and exactly; a negative one is invalid.

    The operator is ours, from the equations. With `material=constant` it agrees with the script of Ren et al. to
    1e-14: there Si3N4 has index 2.0 and graphene, at every wavelength, the index at 2000 nm, since the table that is
    looked up starts there. `material=dispersive` is a variant of ours, not the published task. Ren et al. drew 50 000
    designs, we draw 10 000. y* is ours as well, the papers print none: the spectrum of films of 15, 35, 20, 40 and
    25 nm in the same material, a design of middle thickness that is not the prior's mean.

    References: Chen et al. 2019; Ren et al. 2022, task Stack; Nair et al. 2008 (graphene).
    """

    x_dim = FILMS
    y_dim = POINTS
    groups: ClassVar[tuple[str, ...]] = ("physical", "paper")
    references: ClassVar[tuple[str, ...]] = (
        "Chen et al. 2019, Nanoscale 11, 9749, doi:10.1039/c9nr01315f",
        "Ren, Mahendra, Khatib, Deng, Padilla, Malof 2022, Nanoscale 14, arXiv:2112.10254",
        "Nair et al. 2008, Science 320, 1308",
    )
    x_labels: tuple[str, ...] = tuple(f"film {i + 1} [nm]" for i in range(FILMS))
    y_axis: tuple[str, tuple[float, ...]] | None = ("wavelength [nm]", WAVELENGTHS)
    n_train = 10_000
    cost = 0.03
    Options: ClassVar[type] = StackOptions

    @property
    def fixed_target(self) -> tuple[float, ...]:  # type: ignore[override]
        return tuple(self.simulate(torch.tensor([EXAMPLE], dtype=torch.float64))[0].tolist())

    @property
    def bounds(self) -> Tensor:
        return torch.tensor(THICKNESS, dtype=torch.float64)[:, None].repeat(1, FILMS)

    def sample_prior(self, n: int, generator: Generator) -> Tensor:
        unit = torch.rand(n, FILMS, generator=generator, dtype=torch.float64, device=generator.device)
        return THICKNESS[0] + (THICKNESS[1] - THICKNESS[0]) * unit

    def in_support(self, x: Tensor) -> Tensor:
        return torch.isfinite(x).all(-1) & (x >= 0).all(-1)

    def simulate(self, x: Tensor) -> Tensor:
        x = x.to(torch.float64)
        valid = self.in_support(x)[:, None]
        # Whatever cannot be simulated is replaced before a gradient flows: NaN times zero would be NaN.
        safe = torch.where(valid, x, THICKNESS[0])
        wavelength = x.new_tensor(WAVELENGTHS)
        graphene = self._graphene(wavelength)
        parts = [reflectance_transmittance(rows, wavelength, graphene) for rows in safe.split(CHUNK)]
        absorptance = torch.cat([1 - reflectance - transmittance for reflectance, transmittance in parts])
        return torch.where(valid, absorptance, math.nan)

    def _graphene(self, wavelength: Tensor) -> Tensor:
        if self.options.material == "dispersive":
            return graphene_index(wavelength)
        return torch.full_like(wavelength, GRAPHENE, dtype=torch.complex128)

    @property
    def levels(self) -> Mapping[str, Level]:
        """`other-graphene`: with the other of the two materials; a tenth of the cost is agreed on, not measured."""
        other = StackOptions("constant" if self.options.material == "dispersive" else "dispersive")
        return {"other-graphene": Level(Stack(other).simulate, 0.1, f"with {other.material} graphene")}

    def sketch(self, axes: Any, x: Tensor) -> None:
        height = 0.0
        for i, thickness in enumerate(x.tolist()):
            axes.bar(0, thickness, bottom=height, color="lightskyblue", label=None if i else "Si3N4")
            axes.plot([-0.4, 0.4], [height, height], color="black", label=None if i else "graphene")
            height += thickness
        axes.margins(0.3)
        axes.set_xticks([])
        axes.set_ylabel("distance from the glass [nm]")
        axes.legend(loc="upper right")
