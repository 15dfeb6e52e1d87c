"""D4-RCWA: transmission of a free-standing super-cell of four cylinders by the Fourier modal method."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from tasks.metamaterial.fourier import ParityBasis, parity_basis
from tasks.metamaterial.interpolation import FREQUENCIES, LIGHT, PERIOD, interpolate, nodes

ORDER = 6  # M: part of the operator's definition; its MSE against M = 12 is 1.5e-5
SUBSTEP = 0.6  # largest ||A||^(1/2) d of a Taylor step: eighth-order cosine and seventh-order sine err by 1e-10
GRAZING = 1e-12  # least |kz / k0|^2: at its Rayleigh frequency the admittance of a diffraction order is infinite
CHUNK = {"cpu": 16, "cuda": 2048}  # matrices held at once: 16 of order 6 stay in a core's cache


@dataclass(frozen=True)
class Drude:
    """eps(f) = eps_inf - f_p^2 / (f^2 + i f gamma), frequencies in THz, fields ~ exp(-i omega t).

    The values, and PERIOD, are a least-squares fit of this operator at order 6 to public CST spectra of the authors'
    group (docs/tasks/metamaterial.md); 11.7 is the constant of silicon, so it reads as doped silicon.
    """

    eps_inf: float = 11.70
    f_p: float = 1.165
    gamma: float = 1.65

    def permittivity(self, frequencies: Tensor) -> Tensor:
        """Complex relative permittivity, of the shape of the frequencies.

        Args:
            frequencies: in THz.
        """
        return self.eps_inf - self.f_p**2 / (frequencies**2 + 1j * frequencies * self.gamma)


SILICON = Drude()


@dataclass(frozen=True)
class D4RCWA:
    """The operator: x = (h1..h4, r1..r4) in um, `(n, 8)`, to the power transmittance T `(n, 300)` of the zero order.

    Silicon cylinders stand in vacuum at pitch P / 2, light comes at normal incidence with E along x. Between two
    heights the array is uniform in z and obeys, with k0 = 2 pi f / c and magnetic fields in units of E,

        dE/dz = i k0 P H,   P = 1 - C^T [eps]^-1 C / k0^2      E = (Ex, Ey),  C the divergence
        dH/dz = i k0 Q E,   Q = EPS - R^T R / k0^2             H = (Hy, -Hx), R the curl along z
        EPS = [eps] - (D N N^T + N N^T D) / 2,   D = [eps] - [1/eps]^-1    N the normal of the cylinders

    ([.] multiplication matrices in a Fourier basis), thus E'' = -A E with A = k0^2 P Q. Rows that are not finite, or
    whose cylinders are empty or overlap, are NaN.

    References: Moharam et al. 1995 (J. Opt. Soc. Am. A 12, 1068); Li 1996, 1997 (factorisation); Schuster et al. 2007
    (J. Opt. Soc. Am. A 24, 2880; normal vectors).
    """

    order: int = ORDER
    dtype: torch.dtype = torch.complex64
    """complex64 errs by at most 2e-4 in an interpolated T, 3e-10 in MSE, and takes half the time of complex128."""
    material: Drude = SILICON

    def __call__(self, x: Tensor) -> Tensor:
        """T `(n, 300)` on the task's frequencies, float64: 48 solutions per design, rational in between.

        Not differentiable; `transmittance` is.

        Args:
            x: designs `(n, 8)` in um: h1 to h4, r1 to r4.
        """
        with torch.no_grad():
            return interpolate(self.amplitudes(x, nodes(x.device))[1], x.new_tensor(FREQUENCIES, dtype=torch.float64))

    def transmittance(self, x: Tensor, frequencies: Tensor) -> Tensor:
        """T `(n, f)` solved at each of the frequencies; float64, differentiable once in x.

        Args:
            x: designs `(n, 8)` in um: h1 to h4, r1 to r4.
            frequencies: `(f,)` in THz.
        """
        return self.amplitudes(x, frequencies)[1].abs().square().double()

    def amplitudes(self, x: Tensor, frequencies: Tensor) -> tuple[Tensor, Tensor]:
        """Reflected and transmitted amplitude of the zero order, each complex `(n, f)`.

        Args:
            x: designs `(n, 8)` in um: h1 to h4, r1 to r4.
            frequencies: `(f,)` in THz.
        """
        x, frequencies = x.double(), frequencies.double()
        valid = solvable(x)
        safe = torch.where(valid[:, None], x, x.new_tensor([40.0] * 4 + [47.0] * 4))
        size = CHUNK.get(x.device.type, CHUNK["cuda"])
        rows = safe.split(max(1, size // max(1, len(frequencies))))
        parts = [torch.cat([self._solve(row, f) for f in frequencies.split(size)], -1) for row in rows]
        r, t = torch.where(valid[:, None], torch.cat(parts, 1), complex(math.nan, math.nan))
        return r, t

    def _solve(self, x: Tensor, frequencies: Tensor) -> Tensor:
        """Amplitudes `(2, g, f)` of all designs at all frequencies in one batch of matrices `(g, f, n, n)`."""
        basis = parity_basis(self.order, PERIOD, x.device)
        k0 = 2 * math.pi / LIGHT * frequencies
        eps = self.material.permittivity(frequencies).to(self.dtype)[:, None, None]
        heights, radii = x.split(4, 1)
        discs = basis.discs(radii)
        vacuum = _vacuum_admittance(basis, k0).to(self.dtype)
        admittance, maps = vacuum, []
        ascending = heights.argsort(dim=1, stable=True)
        thickness = heights.gather(1, ascending).diff(dim=1, prepend=torch.zeros_like(heights[:, :1]))
        for i in range(4):  # from the bottom up; the i-th layer holds all but the i lowest cylinders
            present = torch.ones_like(heights).scatter(1, ascending[:, :i], 0.0)
            layer = self._layer(basis, (discs * present[..., None, None]).sum(1), k0, eps)
            admittance, down = _add_layer(layer, thickness[:, i, None, None, None], admittance, k0)
            maps.append(down)
        incident = 2 * torch.eye(1, basis.curl_curl.shape[0], dtype=self.dtype, device=x.device).T
        top = field = torch.linalg.solve(vacuum + admittance, incident)
        for down in reversed(maps):
            field = down @ field
        return torch.stack([top[..., 0, 0] - 1, field[..., 0, 0]])

    def _layer(self, basis: ParityBasis, filling: Tensor, k0: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
        """A and P of a layer whose material fills the Fourier table `(g, ...)`; matrices `(g, f, n, n)`."""
        products = [product.to(self.dtype)[:, None] for product in basis.products(filling)]
        direct = [_identity(product) + (eps - 1) * product for product in products]
        inverse = [torch.linalg.inv(_identity(product) + (1 / eps - 1) * product) for product in products[:2]]
        jump = [a - b for a, b in zip(direct[:2], inverse, strict=True)]
        xx, xy, yy = (block.to(self.dtype) for block in basis.normals)
        top = direct[0] - (jump[0] @ xx + xx @ jump[0]) / 2
        side = -(jump[0] @ xy + xy @ jump[1]) / 2
        bottom = direct[1] - (jump[1] @ yy + yy @ jump[1]) / 2
        tensor = torch.cat([torch.cat([top, side], -1), torch.cat([side.mT, bottom], -1)], -2)
        divergence = basis.divergence.to(self.dtype)
        k = divergence.T @ torch.linalg.solve(direct[2], divergence.expand(*direct[2].shape[:2], -1, -1))
        squared = (k0**2).to(self.dtype)[:, None, None]
        return squared * tensor - basis.curl_curl.to(self.dtype) - k @ tensor, _identity(k) - k / squared


def solvable(x: Tensor) -> Tensor:
    """Mask `(n,)` of the designs that are finite, with cylinders that are there and do not overlap.

    Args:
        x: designs `(n, 8)` in um: h1 to h4, r1 to r4.
    """
    return (torch.isfinite(x) & (x > 0)).all(1) & (x[:, 4:] <= PERIOD / 4).all(1)


def _identity(like: Tensor) -> Tensor:
    return torch.eye(like.shape[-1], dtype=like.dtype, device=like.device)


def _vacuum_admittance(basis: ParityBasis, k0: Tensor) -> Tensor:
    """H = Y E of waves that leave into vacuum, Y = (k0 / kz) (1 - R^T R / k0^2), complex `(f, n, n)`."""
    squared = 1 - basis.transverse / k0[:, None] ** 2
    squared = torch.where(squared.abs() < GRAZING, GRAZING, squared)
    return (1 / squared.to(torch.complex128).sqrt())[..., None] * (
        _identity(basis.curl_curl) - basis.curl_curl / k0[:, None, None] ** 2
    )


def _add_layer(
    layer: tuple[Tensor, Tensor], thickness: Tensor, admittance: Tensor, k0: Tensor
) -> tuple[Tensor, Tensor]:
    """The admittance at the top of a layer, and the map of E from its top to its bottom, given that of what is below.

    E = a + b and E' = i rho (a - b) with one scalar rho = 2 k0 for all unknowns: at the bottom b = S a with
    S = (i rho + B)^-1 (i rho - B), B = i k0 P Y; at the top b = G a with G = r + t S (1 - r S)^-1 t.
    """
    a, p = layer
    k0 = k0.to(a.dtype)[:, None, None]
    rho = 2 * k0
    one = _identity(a)
    r, t = slab(a, thickness, rho)
    below = 1j * k0 * (p @ admittance)
    s = torch.linalg.solve(1j * rho * one + below, 1j * rho * one - below)
    forward = torch.linalg.solve(one - r @ s, t)
    backward = s @ forward
    inverse = torch.linalg.inv(one + r + t @ backward)
    return torch.linalg.solve(p, 2 * inverse - one) * (rho / k0), (forward + backward) @ inverse


def slab(a: Tensor, thickness: Tensor, rho: Tensor) -> tuple[Tensor, Tensor]:
    """Reflection and transmission matrices of a layer E'' = -A E between half-spaces of scalar wavenumber rho.

    Taylor series of a thin layer, doubled: t <- t (1 - r^2)^-1 t, r <- r + r t. Both are functions of A and commute;
    there are no eigenvalues, whose derivatives would be singular where two coincide. The number of doublings is
    that of each matrix, so that no row depends on another.

    Args:
        a: A, complex `(..., n, n)`, in 1 / um^2.
        thickness: of the layer in um, broadcastable to A, such as `(g, 1, 1, 1)`.
        rho: the wavenumber in 1 / um, likewise, such as `(f, 1, 1)`.
    """
    one = _identity(a)
    with torch.no_grad():
        size = torch.linalg.matrix_norm(a, 1).sqrt()[..., None, None] * thickness
        doublings = (size / SUBSTEP).log2().ceil().clamp(min=0)
    d = (thickness / 2**doublings).to(a.real.dtype)
    x = a * d**2
    x2 = x @ x
    x3 = x2 @ x
    cosine = one - x / 2 + x2 / 24 - x3 / 720 + (x2 @ x2) / 40320
    sine = (one - x / 6 + x2 / 120 - x3 / 5040) * d
    a_sine = a @ sine
    both = torch.cat([rho**2 * sine - a_sine, (2j * rho * one).expand_as(a)], -1)
    r, t = torch.linalg.solve(2j * rho * cosine + a_sine + rho**2 * sine, both).chunk(2, -1)
    for step in range(int(doublings.max()) if len(a) else 0):
        more = step < doublings
        t_next = t @ torch.linalg.solve(one - r @ r, t)
        r, t = torch.where(more, r + r @ t_next, r), torch.where(more, t_next, t)
    return r, t
