from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from scatrs import layered
from scipy.special import spherical_jn, spherical_yn
from torch import Generator

from harness.conformance import check_task
from tasks.shell import (
    EXAMPLE,
    LARGEST,
    WAVELENGTHS,
    RiccatiBessel,
    Shell,
    permittivities,
    scattering_efficiency,
    spectra,
)

SHELL = Shell()
LAMBDA = torch.tensor(WAVELENGTHS, dtype=torch.float64)
MEDIA = permittivities(LAMBDA)
SMALL_AND_LARGE = torch.tensor([[30.0] * 8, [70.0] * 8, EXAMPLE, [0, 70, 0, 5, 60, 0, 1, 80]], dtype=torch.float64)
layer = st.floats(0, 70)
layers = st.tuples(*[layer] * 8)


def draws(n, seed=0):
    return SHELL.sample_prior(n, Generator().manual_seed(seed))


def simulate(*x):
    return SHELL.simulate(torch.tensor([x], dtype=torch.float64))[0]


def sphere(thickness, permittivity, wavelength=LAMBDA):
    return scattering_efficiency(torch.tensor([thickness], dtype=torch.float64), wavelength, permittivity)[0]


def riccati(order, x):
    """psi, chi and their derivatives from scipy's spherical Bessel functions."""
    j, y = spherical_jn(order, x), spherical_yn(order, x)
    return x * j, -x * y, j + x * spherical_jn(order, x, True), -y - x * spherical_yn(order, x, True)


def boundary_values(thickness, media, wavelength, order, electric):
    """The coefficient a_l or b_l as one linear system of the fields at all interfaces (B and H 1983, section 8.1).

    Unknown are A of the core, A and B of the other layers, and c of the field psi - c (psi - i chi) outside.
    """
    radius, wavenumber = np.cumsum(thickness), 2 * np.pi * np.sqrt(media) / wavelength
    count = 2 * len(radius)
    matrix, right = np.zeros((count, count), complex), np.zeros(count, complex)
    for i, r in enumerate(radius):
        for side in (0, 1):
            k = wavenumber[i + side]
            psi, chi, psi_slope, chi_slope = riccati(order, k * r)
            slope = (1 - 2 * side) * k / (media[i + side] if electric else 1)
            rows, sign = slice(2 * i, 2 * i + 2), 1 - 2 * side
            first, second = [sign * psi, slope * psi_slope], [sign * chi, slope * chi_slope]
            if i + side == 0:
                matrix[rows, 0] = first
            elif i + side < len(radius):
                matrix[rows, 2 * (i + side) - 1], matrix[rows, 2 * (i + side)] = first, second
            else:
                matrix[rows, -1] = -np.array(first) + 1j * np.array(second)
                right[rows] = -np.array(first)
    size = np.abs(matrix).max(0)
    return np.linalg.solve(matrix / size, right)[-1] / size[-1]


def series(radius, wavelength, terms, medium=1.77):
    """2 / x^2 sum (2 l + 1) terms(l)."""
    x = 2 * math.pi * radius * math.sqrt(medium) / wavelength
    return 2 / x**2 * sum((2 * order + 1) * terms(order) for order in range(1, 16))


@pytest.mark.parametrize("x", [1e-4, 0.01, 0.5, 3.0, 11.7, 26.4])
def test_riccati_bessel_functions_to_fifty_digits(x):
    psi, chi = RiccatiBessel.apply(torch.tensor([x], dtype=torch.float64), 18)
    with mpmath.workdps(50):
        for order in range(19):
            scale = mpmath.sqrt(mpmath.pi * mpmath.mpf(x) / 2)
            exact = scale * mpmath.besselj(order + 0.5, x), -scale * mpmath.bessely(order + 0.5, x)
            size = max(abs(exact[0]), min(1, abs(exact[1]) ** -1))
            assert abs(psi[order].item() - exact[0]) < 2e-14 * size
            assert abs(chi[order].item() - exact[1]) < 2e-14 * max(1, abs(exact[1]))


def independent(x, orders=None):
    """Q_sca and Q_ext `(n, 201)` of designs x `(n, 8)` by the package scatrs, with all orders that it deems needed."""
    index = MEDIA.sqrt().T.numpy()
    wavenumber = 2 * np.pi * index[:, -1:] / LAMBDA[:, None].numpy()
    radius = x.cumsum(-1).clamp(min=1e-6)[:, None]
    options = {} if orders is None else {"n_max": orders, "allow_unvalidated": True}
    found = layered.efficiencies(wavenumber * radius.numpy(), index[:, :-1] / index[:, -1:], **options)
    return torch.tensor(found.q_sca.copy()), torch.tensor(found.q_ext.copy())


def test_against_an_independent_code_for_layered_spheres():
    x = torch.cat([draws(300), SMALL_AND_LARGE])
    for orders in (15, 20):
        scattered, extinct = independent(x, orders)
        torch.testing.assert_close(spectra(x, orders), scattered, rtol=0, atol=1e-8)
        torch.testing.assert_close(spectra(x, orders), extinct, rtol=0, atol=1e-8)


@pytest.mark.parametrize("design", [EXAMPLE, (70.0,) * 8, (10.0, 70, 5, 60, 1, 40, 2, 80)])
def test_boundary_values_and_no_absorption(design):
    """Q from |a|^2 + |b|^2 and, as extinction, from Re(a + b): equal, as the media absorb nothing."""
    y = simulate(*design)
    for i in range(0, 201, 50):

        def coefficients(order, i=i):
            media = MEDIA[:, i].numpy()
            return [boundary_values(design, media, WAVELENGTHS[i], order, electric) for electric in (True, False)]

        found = {order: coefficients(order) for order in range(1, 16)}
        scattered = series(sum(design), WAVELENGTHS[i], lambda order, f=found: sum(abs(c) ** 2 for c in f[order]))
        extinct = series(sum(design), WAVELENGTHS[i], lambda order, f=found: sum(c.real for c in f[order]))
        assert y[i].item() == pytest.approx(scattered, abs=1e-9)
        assert y[i].item() == pytest.approx(extinct, abs=1e-9)


@pytest.mark.parametrize("permittivity", [2.04, 5.0, 1.0])
def test_a_homogeneous_sphere_is_the_mie_series(permittivity):
    """B and H 1983, equation 4.53."""
    media = torch.full_like(MEDIA, permittivity)
    media[-1] = 1.77
    y = sphere(EXAMPLE, media)
    m, radius = math.sqrt(permittivity / 1.77), sum(EXAMPLE)
    for i in range(0, 201, 20):
        x = 2 * math.pi * radius * math.sqrt(1.77) / WAVELENGTHS[i]

        def term(order, x=x):
            psi, chi, psi_slope, chi_slope = riccati(order, x)
            inner, _, inner_slope, _ = riccati(order, m * x)
            xi, xi_slope = psi - 1j * chi, psi_slope - 1j * chi_slope
            a = (m * inner * psi_slope - psi * inner_slope) / (m * inner * xi_slope - xi * inner_slope)
            b = (inner * psi_slope - m * psi * inner_slope) / (inner * xi_slope - m * xi * inner_slope)
            return abs(a) ** 2 + abs(b) ** 2

        assert y[i].item() == pytest.approx(series(radius, WAVELENGTHS[i], term), rel=1e-10)


def test_a_sphere_much_smaller_than_the_wavelength():
    """Rayleigh scattering, 8/3 x^4 ((m^2 - 1) / (m^2 + 2))^2, up to terms in x^2."""
    x = 2 * math.pi * math.sqrt(1.77) / LAMBDA
    contrast = (2.04 / 1.77 - 1) / (2.04 / 1.77 + 2)
    torch.testing.assert_close(simulate(1, *[0] * 7), 8 / 3 * x**4 * contrast**2, rtol=2e-3, atol=0)


def test_without_a_sphere_nothing_is_scattered():
    assert simulate(*[0] * 8).max() < 1e-15


@given(layers, st.integers(0, 7))
def test_a_layer_of_no_thickness_is_not_there(x, which):
    without = [*x[:which], *x[which + 1 :]]
    media = torch.cat([MEDIA[:which], MEDIA[which + 1 :]])
    torch.testing.assert_close(simulate(*x[:which], 0, *x[which + 1 :]), sphere(without, media), rtol=1e-8, atol=1e-8)


@given(layers, st.floats(0, 1), st.integers(0, 7))
def test_a_layer_may_be_cut_in_two(x, share, which):
    cut = [*x[:which], share * x[which], (1 - share) * x[which], *x[which + 1 :]]
    media = torch.cat([MEDIA[: which + 1], MEDIA[which:]])
    torch.testing.assert_close(sphere(cut, media), simulate(*x), rtol=1e-8, atol=1e-8)


def test_only_the_ratio_of_size_to_wavelength_counts():
    larger = sphere([3 * d for d in EXAMPLE], MEDIA, 3 * LAMBDA)
    torch.testing.assert_close(larger, simulate(*EXAMPLE), rtol=1e-10, atol=0)


def test_fifteen_orders_are_enough_for_the_prior():
    x = draws(300)
    assert (SHELL.simulate(x) - spectra(x, 18)).abs().max() < 1e-4


def test_more_orders_are_enough_for_the_hard_domain():
    """Against all orders that an independent code takes, where fifteen miss narrow resonances altogether."""
    x = torch.cat([draws(100) * 1.39, 70 - 0.1 * (70 - draws(100)), SMALL_AND_LARGE])
    x = x[SHELL.in_support(x)]
    converged = independent(x)[0]
    assert len(x) > 150
    assert (SHELL.operators["more-orders"](x) - converged).abs().max() < 1e-6
    assert 0.1 < (SHELL.simulate(x) - converged).abs().max() < 1
    assert (SHELL.simulate(x) - converged).square().mean() < 2e-5


def test_titania_is_rutile():
    """Ordinary index 2.61 at the sodium line, 2.49 at 1 um or more (Devore 1951)."""
    index = permittivities(torch.tensor([589.3, 1014.0], dtype=torch.float64))[1].sqrt()
    assert index.tolist() == pytest.approx([2.613, 2.484], abs=2e-3)


def test_stored_values():
    """Every 40th point, computed with this operator and equal to what the package scatrs gives."""
    example = [2.74077216037, 3.020368434931, 2.92243906773, 3.401024776368, 3.98684090608, 4.06627170871]
    alternating = [2.625932332171, 3.230389742257, 2.409416610893, 2.205191307438, 2.453651405954, 3.137099069104]
    assert simulate(*EXAMPLE)[::40].tolist() == pytest.approx(example, abs=1e-9)
    assert simulate(30, 70, 30, 70, 30, 70, 30, 70)[::40].tolist() == pytest.approx(alternating, abs=1e-9)


def test_the_fixed_target_is_the_spectrum_of_a_design_that_is_not_the_mean():
    y = simulate(*EXAMPLE)
    assert y.tolist() == pytest.approx(SHELL.fixed_target, abs=1e-12)
    spread = SHELL.simulate(draws(300)).var(0)
    assert ((simulate(*[50] * 8) - y).square() / spread).mean() > 0.1


def test_moments_of_the_prior():
    x = draws(20_000)
    low, high = SHELL.bounds
    assert ((x >= low) & (x <= high)).all()
    assert x.min() < 30.01 and x.max() > 69.99
    y = SHELL.simulate(x[:1000])
    assert y.mean().item() == pytest.approx(3.11, abs=0.05)
    assert y.var(0).mean().item() == pytest.approx(0.143, abs=0.01)


def test_conforms():
    assert [str(finding) for finding in check_task(SHELL) if not finding.ok] == []


@pytest.mark.parametrize("n", [1, 15, 16, 17, 50])
def test_batch_equals_loop(n):
    x = draws(n)
    alone = torch.cat([SHELL.simulate(row[None]) for row in x])
    torch.testing.assert_close(SHELL.simulate(x), alone, rtol=0, atol=1e-12)


def test_no_rows_give_no_rows():
    assert SHELL.simulate(torch.empty(0, 8, dtype=torch.float64)).shape == (0, 201)


def test_what_is_negative_too_large_or_not_finite_is_nan_and_spoils_no_gradient():
    clean, spoilt = draws(7), draws(7)
    spoilt[1, 0], spoilt[3, -1], spoilt[4, 1], spoilt[5, 2] = math.nan, math.inf, -1e-9, LARGEST
    gradients = []
    for x in (clean, spoilt):
        x.requires_grad_()
        y = SHELL.simulate(x)
        y.nansum().backward()
        gradients.append(x.grad)
    assert y.isnan().any(1).tolist() == y.isnan().all(1).tolist() == [False, True, False, True, True, True, False]
    assert torch.equal(y.isfinite().all(1), SHELL.in_support(spoilt))
    assert torch.equal(gradients[0][[0, 2, 6]], gradients[1][[0, 2, 6]])
    assert (gradients[1][[1, 3, 4, 5]] == 0).all()


def test_designs_outside_the_box_are_simulated():
    x = torch.tensor([[0.0] * 8, [0, 1, 0, 2, 0, 3, 0, 4], [560.0, *[0] * 7], [0.0] * 7 + [560]], dtype=torch.float64)
    assert SHELL.in_support(x).all() and SHELL.simulate(x).isfinite().all()
    assert not SHELL.in_support(x * (1 + 1e-9))[2:].any()


def test_derivatives_against_finite_differences():
    def some(x):
        return scattering_efficiency(x, LAMBDA[::40], MEDIA[:, ::40])

    x = torch.cat([draws(2), SMALL_AND_LARGE[2:3]]).requires_grad_()
    assert torch.autograd.gradcheck(some, (x,), eps=1e-5, atol=1e-6)
    assert torch.autograd.gradgradcheck(some, (x,), eps=1e-5, atol=1e-6, fast_mode=True)


def test_sketch_draws_circles_from_the_outside_in():
    axes = Figure().add_subplot()
    SHELL.sketch(axes, torch.tensor(EXAMPLE, dtype=torch.float64))
    radii = [patch.get_xy()[:, 0].max() for patch in axes.patches]
    assert radii == pytest.approx(np.cumsum(EXAMPLE)[::-1])
