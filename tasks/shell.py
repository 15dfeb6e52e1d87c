"""Shell: light scattered by a sphere of eight dielectric layers (Peurifoy et al. 2018; Ren et al. 2022)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Generator, Tensor

from harness.contracts import Condition, Family, Level, Task

LAYERS = 8
THICKNESS = (30.0, 70.0)  # nm, of every layer; this, the media and the orders as in the script of Ren et al. 2022
WAVELENGTHS = tuple(float(value) for value in range(400, 801, 2))  # nm, in vacuum
SILICA, WATER = 2.04, 1.77  # relative permittivity
MEDIA = Condition("index of the medium", math.sqrt(WATER), 1.0, 1.5)  # from air to glass; water where it is fixed
ORDERS, MORE_ORDERS = 15, 20  # multipoles as published, and for an error below 1e-7 in the whole hard domain
FEW_ORDERS = 8  # of a cheaper model: fewer miss the resonances of large spheres
LARGEST = LAYERS * THICKNESS[1]  # nm, outer radius
SMALLEST = 0.01  # nm, taken for a radius of 0, where chi is infinite; changes Q by less than 1e-9
START = 46  # order where psi is taken as 0: psi / chi is below 1e-14 there, for x up to the largest here, 26.4
SEED = 1e-300  # of the downward recurrence, which grows by 1e256 at the smallest radius
CHUNK = 16  # designs at a time, which fit the cache
EXAMPLE = (40.0, 60.0, 45.0, 55.0, 60.0, 40.0, 55.0, 45.0)  # nm, the design whose spectrum is y*


class RiccatiBessel(torch.autograd.Function):
    """psi_l(x) = x j_l(x) and chi_l(x) = -x y_l(x) for l = 0 ... orders, each `(orders + 1, *x.shape)`; x > 0.

    Both obey f_{l+1} = (2 l + 1) / x f_l - f_{l-1}, chi stably upwards, psi downwards. The latter leaves a factor
    open, which psi_0 chi_1 - psi_1 chi_0 = 1 fixes. Derivatives are f_l' = f_{l-1} - l / x f_l with psi_{-1} = chi_0
    and chi_{-1} = -psi_0. Source: Bohren and Huffman 1983, sections 4.3 and 4.8.
    """

    @staticmethod
    def forward(x: Tensor, orders: int) -> tuple[Tensor, Tensor]:
        """The functions psi and chi.

        Args:
            x: above 0, of any shape.
            orders: the highest order l.
        """
        psi, chi = x.new_empty(orders + 1, *x.shape), x.new_empty(orders + 1, *x.shape)
        inverse = 1 / x
        below, here = torch.zeros_like(x), torch.full_like(x, SEED)
        for order in range(START, 0, -1):
            below, here = here, below.neg_().addcmul_(inverse, here, value=2 * order + 1)
            if order <= orders + 1:
                psi[order - 1] = here
        chi[0] = x.cos()
        chi[1] = chi[0] * inverse + x.sin()
        for order in range(1, orders):
            torch.neg(chi[order - 1], out=chi[order + 1]).addcmul_(inverse, chi[order], value=2 * order + 1)
        psi /= psi[0] * chi[1] - psi[1] * chi[0]
        return psi, chi

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, int], output: tuple[Tensor, Tensor]) -> None:
        ctx.save_for_backward(inputs[0], *output)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        x, psi, chi = ctx.saved_tensors
        order_over_x = torch.arange(len(psi), dtype=x.dtype, device=x.device).view(-1, *[1] * x.dim()) / x
        psi_slope = torch.cat([chi[:1], psi[:-1]]) - order_over_x * psi
        chi_slope = torch.cat([-psi[:1], chi[:-1]]) - order_over_x * chi
        return (gradients[0] * psi_slope + gradients[1] * chi_slope).sum(0), None


def permittivities(wavelength: Tensor) -> Tensor:
    """Relative permittivity `(LAYERS + 1, w)` of silica and TiO2 in turn, then water.

    TiO2 is rutile, ordinary ray, after Devore 1951 (J. Opt. Soc. Am. 41, 416).

    Args:
        wavelength: in vacuum `(w,)`, in nm.
    """
    silica, water = torch.full_like(wavelength, SILICA), torch.full_like(wavelength, WATER)
    rutile = 5.913 + 0.2441 / ((wavelength / 1000) ** 2 - 0.0803)
    return torch.stack([silica, rutile] * (LAYERS // 2) + [water])


def scattering_efficiency(thickness: Tensor, wavelength: Tensor, permittivity: Tensor, orders: int = ORDERS) -> Tensor:
    """Q_sca `(n, w)` of spheres of k layers.

    Args:
        thickness: of the layers `(n, k)`, core first, in the unit of `wavelength`.
        wavelength: in vacuum `(w,)`.
        permittivity: of each layer `(k + 1, w)`, or of those of each sphere `(k + 1, n, w)`, real; the last is that of
            the medium around it.
        orders: multipoles that are summed.
    """
    order = torch.arange(1, orders + 1, dtype=wavelength.dtype, device=wavelength.device)[:, None, None]
    radius = thickness.cumsum(-1).clamp(min=SMALLEST).T[..., None]
    wavenumber = 2 * math.pi / wavelength * permittivity.sqrt()
    wavenumber = wavenumber if permittivity.dim() == 3 else wavenumber[:, None]
    inside, x = radius * wavenumber[:-1], radius * wavenumber[1:]
    psi, chi = RiccatiBessel.apply(torch.stack([inside, x], 1), orders)
    magnetic = electric = torch.ones_like(psi[1:, 0, 0]), torch.zeros_like(psi[1:, 0, 0])
    for i, index in enumerate(wavenumber[1:] / wavenumber[:-1]):
        magnetic = _across(*magnetic, psi[:, i], chi[:, i], 1 / index)
        electric = _across(*electric, psi[:, i], chi[:, i], index, order * ((1 - index**2) / x[i]))
    power = _scattered(*magnetic) + _scattered(*electric)
    return 2 / x[-1].square() * ((2 * order + 1) * power).sum(0)


def _across(
    a: Tensor, b: Tensor, psi: Tensor, chi: Tensor, factor: Tensor, shift: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """A and B `(orders, n, w)` of the field A psi_l + B chi_l beyond an interface, from those before it.

    With u = A psi_l + B chi_l and s = u' + l u / x = A psi_{l-1} + B chi_{l-1}, an interface keeps u and takes s to
    `factor` s + `shift` u. `psi` and `chi` are `(orders + 1, 2, n, w)`: before it and beyond it.
    """
    (psi, psi_beyond), (chi, chi_beyond) = psi.unbind(1), chi.unbind(1)
    u = torch.addcmul(a * psi[1:], b, chi[1:])
    s = torch.addcmul(a * psi[:-1], b, chi[:-1]) * factor
    if shift is not None:
        s = torch.addcmul(s, shift, u)
    a = torch.addcmul(chi_beyond[1:] * s, chi_beyond[:-1], u, value=-1)
    b = torch.addcmul(psi_beyond[:-1] * u, psi_beyond[1:], s, value=-1)
    return a, b


def _scattered(a: Tensor, b: Tensor) -> Tensor:
    """Squared modulus of the coefficient of the outgoing wave, where no medium absorbs."""
    return b.square() / (a.square() + b.square())


def spectra(x: Tensor, orders: int = ORDERS, medium: Tensor | None = None) -> Tensor:
    """Scattering efficiency `(n, 201)` at the task's wavelengths, NaN outside its domain.

    Args:
        x: designs `(n, 8)` in nm, core first.
        orders: multipoles that are summed.
        medium: refractive index around each sphere `(n, 1)`; None for water.
    """
    x = x.to(torch.float64)
    valid = in_domain(x)[:, None]
    # Whatever cannot be simulated is replaced before a gradient flows: NaN times zero would be NaN.
    safe = torch.where(valid, x, THICKNESS[0])
    wavelength = x.new_tensor(WAVELENGTHS)
    permittivity = permittivities(wavelength)
    if medium is None:
        chunks = [scattering_efficiency(rows, wavelength, permittivity, orders) for rows in safe.split(CHUNK)]
    else:
        chunks = [
            scattering_efficiency(rows, wavelength, _surrounded(permittivity, around), orders)
            for rows, around in zip(safe.split(CHUNK), medium.to(torch.float64).split(CHUNK), strict=True)
        ]
    return torch.where(valid, torch.cat(chunks), math.nan)


def _surrounded(permittivity: Tensor, medium: Tensor) -> Tensor:
    """The permittivities `(LAYERS + 1, n, w)` of spheres in media of indices `(n, 1)`."""
    layers = permittivity[:-1, None].expand(-1, len(medium), -1)
    return torch.cat([layers, medium.square().expand(-1, permittivity.shape[1])[None]])


def in_domain(x: Tensor) -> Tensor:
    """Mask `(n,)` of spheres that have no negative layer and at most the largest outer radius.

    Args:
        x: designs `(n, 8)` in nm.

    >>> in_domain(torch.tensor([[50.0] * 8, [80.0] * 8])).tolist()
    [True, False]
    """
    x = x.to(torch.float64)
    return torch.isfinite(x).all(-1) & (x >= 0).all(-1) & (x.sum(-1) <= LARGEST)


class Shell(Task):
    """Thickness in nm of eight layers, silica and TiO2 in turn, of a sphere in water; y is how strongly it scatters.

    y is the scattering efficiency Q = sigma / (pi R^2) of Mie theory at 201 wavelengths from 400 to 800 nm: with the
    multipole coefficients a_l, b_l, outer radius R and x = 2 pi n_water R / wavelength,

        Q = 2 / x^2 sum_{l=1}^{15} (2 l + 1) (|a_l|^2 + |b_l|^2)

    x ~ U(30, 70 nm)^8. A layer may have any thickness from 0; a negative one is invalid. So is a sphere of more than
    560 nm outer radius, the largest of the prior: the larger the sphere, the more of its narrow resonances belong to
    orders above the 15 that define the task. `rescore --operator more-orders` takes 20.

    The operator is ours, from the equations; it agrees with the script of Ren et al. to 1e-11. They rounded designs to
    0.1 nm and drew 50 000 of them, where we draw 10 000 and do not round. y* is ours as well, the papers print none:
    the spectrum of layers of 40, 60, 45, 55, 60, 40, 55 and 45 nm, a middle-sized sphere that is not the prior's mean.

    References: Peurifoy et al. 2018; Ren et al. 2022, task Shell; Bohren and Huffman 1983; Devore 1951 (TiO2).
    """

    x_dim = LAYERS
    y_dim = len(WAVELENGTHS)
    fixed_target = tuple(spectra(torch.tensor([EXAMPLE], dtype=torch.float64))[0].tolist())
    groups: ClassVar[tuple[str, ...]] = ("physical", "paper")
    references: ClassVar[tuple[str, ...]] = (
        "Peurifoy et al. 2018, Science Advances 4, eaar4206",
        "Ren, Mahendra, Khatib, Deng, Padilla, Malof 2022, Nanoscale 14, arXiv:2112.10254",
        "Bohren, Huffman 1983, Absorption and Scattering of Light by Small Particles",
        "Devore 1951, J. Opt. Soc. Am. 41, 416",
    )
    x_labels: tuple[str, ...] = tuple(f"{'TiO2' if i % 2 else 'silica'} {i + 1} [nm]" for i in range(LAYERS))
    y_axis: tuple[str, tuple[float, ...]] | None = ("wavelength [nm]", WAVELENGTHS)
    n_train = 10_000
    cost = 0.7

    @property
    def bounds(self) -> Tensor:
        return torch.tensor(THICKNESS, dtype=torch.float64)[:, None].repeat(1, LAYERS)

    def sample_prior(self, n: int, generator: Generator) -> Tensor:
        unit = torch.rand(n, LAYERS, generator=generator, dtype=torch.float64, device=generator.device)
        return THICKNESS[0] + (THICKNESS[1] - THICKNESS[0]) * unit

    def in_support(self, x: Tensor) -> Tensor:
        return in_domain(x)

    def simulate(self, x: Tensor) -> Tensor:
        return spectra(x)

    @property
    def family(self) -> Family:
        return Family(self, (MEDIA,), lambda x, medium: spectra(x, medium=medium))

    @property
    def operators(self) -> Mapping[str, Callable[[Tensor], Tensor]]:
        return {"more-orders": partial(spectra, orders=MORE_ORDERS)}

    @property
    def levels(self) -> Mapping[str, Level]:
        """`few-orders`: 8 multipoles in place of 15, for 0.56 of the CPU time, with an nmse of 0.3."""
        return {"few-orders": Level(partial(spectra, orders=FEW_ORDERS), 0.56, f"with {FEW_ORDERS} multipoles")}

    def sketch(self, axes: Any, x: Tensor) -> None:
        angle = np.linspace(0, 2 * math.pi, 181)
        for i, radius in reversed(list(enumerate(x.cumsum(0).tolist()))):
            material, colour = (("silica", "lightskyblue"), ("TiO2", "slategrey"))[i % 2]
            label = material if i < 2 else None
            axes.fill(radius * np.cos(angle), radius * np.sin(angle), color=colour, label=label)
        axes.set_aspect("equal")
        axes.margins(0.2)
        axes.set_xlabel("nm")
        axes.legend(loc="upper right")
