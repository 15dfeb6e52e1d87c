from __future__ import annotations

import math
import os

import numpy as np
import pytest
import torch
from scipy.linalg import expm
from scipy.special import j1
from torch import Generator

from harness.conformance import check_task
from tasks.metamaterial import Metamaterial, generate
from tasks.metamaterial.fourier import SITES
from tasks.metamaterial.interpolation import FREQUENCIES, LIGHT, PERIOD, interpolate, nodes
from tasks.metamaterial.proxy import PERMUTATIONS, WEIGHTS, Proxy, describe, invariants, load, save
from tasks.metamaterial.rcwa import D4RCWA, Drude

TASK = Metamaterial()
DESIGN = torch.tensor([[44, 32, 50, 48, 49.5, 44.5, 46.2, 43.7]], dtype=torch.float64)
FEW = torch.tensor([0.81, 1.0, 1.2, 1.37, 1.38], dtype=torch.float64)  # THz, below the Rayleigh frequency
EXACT = D4RCWA(order=4, dtype=torch.complex128)
GLASS = D4RCWA(order=4, dtype=torch.complex128, material=Drude(11.8, 0.0, 0.0))
COARSE = D4RCWA(order=2)
AXIS = torch.tensor(FREQUENCIES, dtype=torch.float64)
AT = [10, 60, 120, 200, 260]  # frequencies of the regression
REGRESSION = [
    [0.7366517971968587, 0.6406682842861233, 0.733239897643576, 0.14056152024358373, 0.20870797945945047],
    [0.6788461021862272, 0.714655519723726, 0.7009944014183599, 0.6425973498747727, 0.41258543329764236],
]


def draws(n, seed=0):
    return TASK.sample_prior(n, Generator().manual_seed(seed))


def permuted(x, order):
    return torch.cat([x[:, order], x[:, [4 + i for i in order]]], 1)


class PlaneWaves:
    """The same physics by other means, for low orders: all plane waves, Maxwell's equations in Cartesian components
    (fields ~ exp(-i w t), H in units of E), one matrix exponential per layer, no symmetry, no doubling."""

    def __init__(self, order, grid=1200):
        m = np.arange(-order, order + 1)
        self.index = np.stack(np.meshgrid(m, m, indexing="ij"), -1).reshape(-1, 2)
        self.kx, self.ky = (np.diag(2 * np.pi / PERIOD * column) for column in self.index.T)
        self.step = self.index[:, None] - self.index[None]
        s = (np.arange(grid) + 0.5) / grid * PERIOD / 2 - PERIOD / 4
        squared = s[:, None] ** 2 + s**2
        fade = np.clip(np.sqrt(squared) / 30, 0, 1)
        fade = fade**2 * (3 - 2 * fade)
        parts = 0.5 + fade * (s[:, None] ** 2 / squared - 0.5), fade * s[:, None] * s / squared
        harmonic = np.arange(-2 * order, 2 * order + 1)
        wave = np.where(harmonic[:, None] % 2, 0, np.exp(-2j * np.pi / PERIOD * harmonic[:, None] * s)) / grid
        self.nxx, self.nxy = (
            (wave @ part @ wave.T)[self.step[..., 0] + 2 * order, self.step[..., 1] + 2 * order] for part in parts
        )
        self.nyy = np.eye(len(self.index)) - self.nxx

    def filling(self, radii, present):
        g = 2 * np.pi / PERIOD * np.hypot(*np.moveaxis(self.step, -1, 0))
        total = 0
        for site, radius, here in zip(SITES, radii, present, strict=True):
            disc = 2 * np.pi * radius * np.where(g == 0, radius / 2, j1(g * radius) / np.where(g == 0, 1, g))
            total = total + here * disc / PERIOD**2 * (-1.0) ** (self.step @ np.array(site))
        return total

    def generator(self, filling, eps, k0):
        one, kx, ky = np.eye(len(self.index)), self.kx, self.ky
        full = one + (eps - 1) * filling
        jump = full - np.linalg.inv(one + (1 / eps - 1) * filling)
        (xx, xy), (yx, yy) = (
            [direct * full - (jump @ normal + normal @ jump) / 2 for direct, normal in row]
            for row in (((1, self.nxx), (0, self.nxy)), ((0, self.nxy), (1, self.nyy)))
        )
        ez = -np.linalg.inv(full) @ np.hstack([-ky, kx]) / k0  # from (Hx, Hy)
        hz = np.hstack([-ky, kx]) / k0  # from (Ex, Ey)
        zero = np.zeros_like(one)
        electric = 1j * k0 * np.block([[zero, one], [-one, zero]]) + 1j * np.vstack([kx, ky]) @ ez
        magnetic = 1j * k0 * np.block([[-yx, -yy], [xx, xy]]) + 1j * np.vstack([kx, ky]) @ hz
        return np.block([[np.zeros_like(electric), electric], [magnetic, np.zeros_like(electric)]])

    def waves(self, k0, sign):
        kx, ky = np.diag(self.kx), np.diag(self.ky)
        kz = sign * np.sqrt((k0**2 - kx**2 - ky**2).astype(complex))
        hx = np.hstack([np.diag(-ky * kx / kz), np.diag(-(ky**2) / kz - kz)]) / k0
        hy = np.hstack([np.diag(kz + kx**2 / kz), np.diag(kx * ky / kz)]) / k0
        return np.vstack([np.eye(2 * len(kx)), hx, hy])

    def transmittance(self, x, frequency, material):
        heights, radii = x[:4], x[4:]
        k0, eps = 2 * np.pi * frequency / LIGHT, complex(material.permittivity(torch.tensor(frequency)))
        total, above = np.eye(4 * len(self.index)), max(heights)
        for height in [*sorted(heights, reverse=True)[1:], 0.0]:
            layer = self.generator(self.filling(radii, [h >= above for h in heights]), eps, k0)
            total, above = expm(layer * (above - height)) @ total, height
        forward, backward = self.waves(k0, 1), self.waves(k0, -1)
        centre = len(self.index) // 2
        both = np.linalg.solve(np.hstack([total @ backward, -forward]), -total @ forward[:, centre])
        return abs(both[2 * len(self.index) + centre]) ** 2


@pytest.mark.parametrize("order", [1, 2])
def test_against_all_plane_waves_and_matrix_exponentials(order):
    reference, operator = PlaneWaves(order), D4RCWA(order=order, dtype=torch.complex128)
    for x in [DESIGN[0], *draws(2)]:
        for f in (0.9, 1.17, 1.42):
            expected = reference.transmittance(x.tolist(), f, operator.material)
            found = operator.transmittance(x[None], torch.tensor([f])).item()
            assert found == pytest.approx(expected, abs=2e-6)  # the grid of the reference's normal field


def test_energy_is_conserved_without_loss():
    r, t = GLASS.amplitudes(torch.cat([DESIGN, draws(2)]), FEW)
    assert (r.abs().square() + t.abs().square() - 1).abs().max() < 1e-9


def test_doped_silicon_absorbs():
    r, t = EXACT.amplitudes(torch.cat([DESIGN, draws(2)]), FEW)
    lost = 1 - r.abs().square() - t.abs().square()
    assert lost.min() > 0.005 and lost.max() < 0.9


def test_cylinders_of_vacuum_transmit_everything():
    thin = D4RCWA(order=2, dtype=torch.complex128, material=Drude(1 + 1e-6, 0.0, 0.0))
    assert (thin.transmittance(DESIGN, FEW) - 1).abs().max() < 1e-6


@pytest.mark.parametrize("order", PERMUTATIONS[1:])
def test_lattice_translations_change_nothing(order):
    x = torch.cat([DESIGN, draws(1)])
    assert (EXACT.transmittance(permuted(x, order), FEW) - EXACT.transmittance(x, FEW)).abs().max() < 1e-10


def test_exchanging_cylinders_2_and_3_swaps_the_polarisations():
    other = EXACT.transmittance(permuted(DESIGN, [0, 2, 1, 3]), FEW)
    assert (other - EXACT.transmittance(DESIGN, FEW)).abs().max() > 1e-2


def test_continuous_where_the_order_of_heights_changes():
    x = DESIGN.repeat(3, 1)
    x[:, 0] = x[0, 3] + torch.tensor([-1e-9, 0, 1e-9])
    t = EXACT.transmittance(x, FEW)
    assert t.isfinite().all() and (t - t[1]).abs().max() < 1e-8


def test_batch_equals_loop_for_the_operator():
    x, operator = draws(3), D4RCWA(order=3)
    assert torch.equal(operator(x), torch.cat([operator(row[None]) for row in x]))
    together, alone = EXACT.amplitudes(x, FEW[:2])[1], [EXACT.amplitudes(row[None], FEW[:2])[1] for row in x]
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-12)


def test_derivative_of_the_operator():
    operator = D4RCWA(order=2, dtype=torch.complex128)
    x = draws(2, seed=3).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: operator.transmittance(x, FEW[:2]), (x,), eps=1e-5, atol=1e-7)


def test_designs_that_cannot_be_solved_are_nan_and_spoil_nothing():
    clean, spoilt = draws(5), draws(5)
    spoilt[0, 0], spoilt[2, 5], spoilt[3, 7] = math.nan, -1.0, PERIOD / 4 + 1e-6
    gradients, values = [], []
    for x in (clean, spoilt):
        x.requires_grad_()
        values.append(COARSE.transmittance(x, FEW))
        values[-1].nansum().backward()
        gradients.append(x.grad)
    assert values[1][[0, 2, 3]].isnan().all()
    assert torch.equal(values[0][[1, 4]], values[1][[1, 4]])
    assert torch.equal(gradients[0][[1, 4]], gradients[1][[1, 4]])
    assert (gradients[1][[0, 2, 3]] == 0).all()
    assert COARSE(spoilt.detach()).isnan().all(1).tolist() == [True, False, True, True, False]


def test_no_rows_and_any_layout():
    assert COARSE(torch.empty(0, 8)).shape == (0, 300)
    x = draws(3)
    assert torch.equal(COARSE.transmittance(x.T.contiguous().T, FEW), COARSE.transmittance(x, FEW))


def test_orders_converge():
    four, six, eight = (D4RCWA(order=m).transmittance(DESIGN, AXIS[::30]) for m in (4, 6, 8))
    assert (six - eight).square().mean() < 1e-4 < (four - eight).square().mean() < 2e-3


@pytest.mark.parametrize(("dtype", "bound"), [(torch.complex64, 1e-3), (torch.complex128, 2e-6)])
def test_interpolation_between_the_nodes(dtype, bound):
    operator = D4RCWA(order=4, dtype=dtype)
    direct = EXACT.transmittance(DESIGN, AXIS[5::15])
    assert (operator(DESIGN)[:, 5::15] - direct).abs().max() < bound


def test_interpolation_keeps_nan_rows():
    t = torch.full((2, len(nodes())), 0.5 + 0.5j, dtype=torch.complex64)
    t[1, 3] = math.nan
    y = interpolate(t, AXIS)
    assert (y[0] - 0.5).abs().max() < 1e-6 and y[1].isnan().all()


CST = os.environ.get("INVERSE_HARNESS_CST_SPECTRA")


@pytest.mark.skipif(CST is None, reason="INVERSE_HARNESS_CST_SPECTRA does not name the file of public CST spectra")
def test_against_public_cst_spectra():
    data = np.load(CST)
    assert np.allclose(data["f"], FREQUENCIES)
    error = (D4RCWA()(torch.from_numpy(data["x"])).numpy() - data["T"]) ** 2
    assert error.mean() < 1e-4 and np.median(error.mean(1)) < 6e-5 and error.mean(1).max() < 1e-3


def test_invariants_are_the_same_on_an_orbit_and_on_no_other():
    x = draws(50)
    assert (invariants(TASK.images(x).flatten(0, 1)).unflatten(0, (4, 50)) - invariants(x)).abs().max() < 1e-13
    mixed = torch.cat([x[:, [1, 0, 3, 2]], x[:, 4:]], 1)  # the heights of another member of the orbit than the radii
    others = torch.cat([permuted(x, [0, 2, 1, 3]), permuted(x, [1, 0, 2, 3]), mixed])
    assert (invariants(others) - invariants(x).repeat(3, 1)).abs().amax(1).min() > 1e-3


def test_the_proxy_is_exactly_symmetric():
    x = draws(20)
    y = TASK.simulate(TASK.images(x).flatten(0, 1)).unflatten(0, (4, 20))
    assert TASK.images(x).shape == (4, 20, 8) and torch.equal(TASK.images(x)[0], x)
    assert (y - y[0]).abs().max() < 1e-12


def test_the_stated_error_of_the_proxy():
    facts = describe()
    assert facts["held_out_mse"]["mean"] < 6e-5
    assert WEIGHTS.stat().st_size < 6e6
    x = torch.from_numpy(generate.designs(10**6, 4)).double()  # a stream that no training data is from
    error = (TASK.simulate(x) - TASK.operators["full"](x)).square().mean(1)
    assert error.mean() < 4 * facts["held_out_mse"]["mean"] and error.max() < 2 * facts["held_out_mse"]["worst"]


def test_weights_survive_storage_and_other_formats_are_refused(tmp_path):
    proxy, x = Proxy(2, 8, 2), draws(5)
    save(proxy, tmp_path / "w", {"note": "n"})
    assert describe(tmp_path / "w")["note"] == "n"
    stored = load(tmp_path / "w")
    assert (stored(x) - proxy.double()(x)).abs().max() < 1e-2  # half precision
    assert not any(parameter.requires_grad for parameter in stored.parameters())
    save(proxy, tmp_path / "w2", {"format": "0"})
    with pytest.raises(ValueError, match="format '0'"):
        describe(tmp_path / "w2")


def test_conforms():
    assert [str(finding) for finding in check_task(TASK) if not finding.ok] == []


def test_batch_equals_loop_and_derivatives_for_the_proxy():
    x = draws(40)
    alone = torch.cat([TASK.simulate(row[None]) for row in x])
    torch.testing.assert_close(TASK.simulate(x), alone, rtol=0, atol=1e-12)
    few = draws(2).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: TASK.simulate(x)[:, ::60], (few,), eps=1e-5, atol=1e-6)


def test_outside_the_box_is_invalid():
    x = TASK.bounds[:1].repeat(4, 1)
    x[1, 0], x[2, 7], x[3, 4] = 29.99, 52.01, math.nan
    assert TASK.in_support(x).tolist() == [True, False, False, False]
    assert TASK.simulate(x).isfinite().all(1).tolist() == [True, False, False, False]
    assert TASK.in_support(TASK.bounds.float()).all()


def test_spectra_of_the_prior():
    """Mean, variance and range of T over the prior, as of the operator's first 6000 spectra."""
    y = TASK.simulate(draws(2000))
    assert y.mean().item() == pytest.approx(0.4572, abs=0.004)
    assert y.var(0).mean().item() == pytest.approx(0.0277, rel=0.05)
    assert y.min() > -0.1 and y.max() < 0.9


def test_the_fixed_target_is_the_spectrum_of_a_design_and_its_images():
    x = TASK.images(DESIGN)[:, 0]
    assert (TASK.simulate(x) - torch.tensor(TASK.fixed_target, dtype=torch.float64)).abs().max() < 1e-6


def test_disagreement_of_the_ensemble():
    found = TASK.diagnose(draws(100))["proxy_disagreement"]
    assert found.shape == (100,) and 0 < found.median() < 4 * describe()["held_out_mse"]["mean"]


def test_regression_of_the_operator():
    """T of chunk 0's first two designs; another solver of the same order, by eigenvalues, gives them to 5e-8."""
    x = torch.from_numpy(generate.designs(0)[:2]).double()
    operator = D4RCWA(dtype=torch.complex128)
    found = operator.transmittance(x, AXIS[AT])
    torch.testing.assert_close(found, torch.tensor(REGRESSION, dtype=torch.float64), rtol=0, atol=1e-9)


def test_the_sketch_draws_four_cylinders():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    figure, axes = pyplot.subplots()
    TASK.sketch(axes, DESIGN[0])
    assert [patch.radius for patch in axes.patches] == DESIGN[0, 4:].tolist()
    pyplot.close(figure)
