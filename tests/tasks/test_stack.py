from __future__ import annotations

import math

import pytest
import tmm
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from torch import Generator

from harness.conformance import check_task
from tasks.stack import EXAMPLE, GRAPHENE, WAVELENGTHS, Stack, StackOptions, graphene_index, reflectance_transmittance

CONSTANT, DISPERSIVE = (Stack(StackOptions(material=name)) for name in ("constant", "dispersive"))
TASKS = {"constant": CONSTANT, "dispersive": DISPERSIVE}
LAMBDA = torch.tensor(WAVELENGTHS, dtype=torch.float64)
INDEX = {"constant": torch.full_like(LAMBDA, GRAPHENE, dtype=torch.complex128), "dispersive": graphene_index(LAMBDA)}
FINE_STRUCTURE = 0.0072973525693  # CODATA 2018
film = st.floats(0, 200)
films = st.tuples(film, film, film, film, film)


@pytest.fixture(params=TASKS, ids=str)
def task(request):
    return TASKS[request.param]


def draws(n, seed=0):
    return CONSTANT.sample_prior(n, Generator().manual_seed(seed))


def simulate(task, *x):
    return task.simulate(torch.tensor([x], dtype=torch.float64))[0]


def independent(x, wavelength, graphene):
    """R, T and the share absorbed in each layer by the package tmm, with n + ik and light from medium 0."""
    thickness = [math.inf, *(d for row in x for d in (0.35, row)), math.inf]
    data = tmm.coh_tmm("s", [1.46, *[graphene, 2.0] * 5, 1.0], thickness, 0, wavelength)
    return data["R"], data["T"], tmm.absorp_in_each_layer(data)


@pytest.mark.parametrize("material", TASKS)
def test_against_an_independent_transfer_matrix(material):
    extremes = torch.tensor([[5.0] * 5, [50.0] * 5, [0.0, 1000, 0, 3, 0], EXAMPLE], dtype=torch.float64)
    designs = torch.cat([draws(6), extremes])
    reflectance, transmittance = reflectance_transmittance(designs, LAMBDA, INDEX[material])
    y = TASKS[material].simulate(designs)
    for row, design in enumerate(designs.tolist()):
        for i in range(0, 256, 15):
            r, t, absorbed = independent(design, WAVELENGTHS[i], INDEX[material][i].item())
            assert reflectance[row, i].item() == pytest.approx(r, abs=1e-13)
            assert transmittance[row, i].item() == pytest.approx(t, abs=1e-13)
            assert y[row, i].item() == pytest.approx(sum(absorbed[1:-1:2]), abs=1e-12), "graphene alone absorbs"


@given(films, st.floats(0.5, 5))
def test_nothing_is_absorbed_where_graphene_does_not(x, index):
    """R + T = 1 is energy conservation: R and T come from different amplitudes."""
    graphene = torch.full_like(LAMBDA, index, dtype=torch.complex128)
    reflectance, transmittance = reflectance_transmittance(torch.tensor([x], dtype=torch.float64), LAMBDA, graphene)
    torch.testing.assert_close(reflectance + transmittance, torch.ones(1, 256, dtype=torch.float64), rtol=0, atol=1e-12)


@given(films)
def test_energy_is_shared_between_r_t_and_a(x):
    for material, task in TASKS.items():
        parts = reflectance_transmittance(torch.tensor([x], dtype=torch.float64), LAMBDA, INDEX[material])
        shares = torch.stack([*(part[0] for part in parts), simulate(task, *x)])
        assert (shares >= 0).all() and (shares <= 1).all()
        torch.testing.assert_close(shares.sum(0), torch.ones_like(LAMBDA), rtol=0, atol=1e-14)


def test_without_films_the_sheets_are_one_layer():
    """Airy's formula for a slab of 5 x 0.35 nm graphene between glass and air."""
    n, phase = GRAPHENE, 2 * math.pi * GRAPHENE * 1.75 / LAMBDA
    front, back = (1.46 - n) / (1.46 + n), (n - 1) / (n + 1)
    turn = torch.exp(2j * phase)
    denominator = 1 + front * back * turn
    reflectance = ((front + back * turn) / denominator).abs() ** 2
    through = 2 * 1.46 / (1.46 + n) * 2 * n / (n + 1) * torch.exp(1j * phase) / denominator
    absorptance = 1 - reflectance - through.abs() ** 2 / 1.46
    torch.testing.assert_close(simulate(CONSTANT, 0, 0, 0, 0, 0), absorptance, rtol=0, atol=1e-13)


@given(films, st.integers(0, 4), st.integers(0, 255))
def test_half_a_wave_more_of_a_film_changes_nothing_at_that_wavelength(x, which, i):
    longer = list(x)
    longer[which] += WAVELENGTHS[i] / (2 * 2.0)
    for task in TASKS.values():
        assert simulate(task, *longer)[i].item() == pytest.approx(simulate(task, *x)[i].item(), abs=1e-11)


def test_the_order_of_the_films_matters(task):
    assert (simulate(task, *EXAMPLE) - simulate(task, *reversed(EXAMPLE))).abs().max() > 0.01


def test_a_free_sheet_absorbs_the_universal_share():
    """Pi alpha / (1 + pi alpha / 2)^2 = 2.24 % for a conducting sheet without thickness (Nair et al. 2008)."""
    wavelength = torch.tensor([600.0, 2000.0], dtype=torch.float64)
    for at, index in zip(wavelength.tolist(), graphene_index(wavelength).tolist(), strict=True):
        data = tmm.coh_tmm("s", [1, index, 1], [math.inf, 0.35, math.inf], 0, at)
        expected = math.pi * FINE_STRUCTURE / (1 + math.pi * FINE_STRUCTURE / 2) ** 2
        assert 1 - data["R"] - data["T"] == pytest.approx(expected, rel=1e-4)


def test_the_materials_agree_at_2000_nm_only():
    """The constant is the index of a table at 2000 nm, 0.1 % from the universal limit there."""
    x = draws(200)
    difference = (CONSTANT.simulate(x) - DISPERSIVE.simulate(x)).abs()
    assert difference[:, -1].max() < 2e-3
    assert difference[:, 0].min() > 0.01


def test_wavelengths():
    assert len(WAVELENGTHS) == 256 and WAVELENGTHS[0] == 240 and WAVELENGTHS[-1] == 2000
    assert list(WAVELENGTHS) == sorted(WAVELENGTHS)
    assert WAVELENGTHS[85] == pytest.approx(1120 - 880 * 0.5, abs=1e-9), "cos(pi / 3)"


STORED = {  # of the design EXAMPLE
    "constant": [
        0.36575942912403,
        0.24199075883882,
        0.09945525390618,
        0.07707215936868,
        0.07332527965118,
        0.07138842447017,
    ],
    "dispersive": [
        0.05846556950688,
        0.05602652514401,
        0.04355823261869,
        0.05473820383359,
        0.0675385118281,
        0.0713923168302,
    ],
}


@pytest.mark.parametrize("material", STORED)
def test_stored_values(material):
    """Every 51st point, computed with this operator and equal to what the package tmm gives."""
    assert simulate(TASKS[material], *EXAMPLE)[::51].tolist() == pytest.approx(STORED[material], abs=1e-12)


def test_the_fixed_target_is_the_spectrum_of_a_design_that_is_not_the_mean(task):
    y = simulate(task, *EXAMPLE)
    assert y.tolist() == list(task.fixed_target)
    spread = task.simulate(draws(2000)).var(0)
    mean = simulate(task, *[27.5] * 5)
    assert ((mean - y).square() / spread).mean() > 0.05


@pytest.mark.parametrize(
    ("material", "mean", "variance"), [("constant", 0.150, 5.75e-4), ("dispersive", 0.0606, 8.3e-5)]
)
def test_moments_of_the_prior(material, mean, variance):
    task = TASKS[material]
    x = task.sample_prior(10_000, Generator().manual_seed(0))
    low, high = task.bounds
    assert ((x >= low) & (x <= high)).all()
    assert x.min() < 5.02 and x.max() > 49.98
    y = task.simulate(x)
    assert y.mean().item() == pytest.approx(mean, rel=0.01)
    assert y.var(0).mean().item() == pytest.approx(variance, rel=0.03)


def test_conforms(task):
    assert [str(finding) for finding in check_task(task) if not finding.ok] == []


@pytest.mark.parametrize("n", [1, 127, 128, 129, 300])
def test_batch_equals_loop(task, n):
    x = draws(n)
    alone = torch.cat([task.simulate(row[None]) for row in x])
    torch.testing.assert_close(task.simulate(x), alone, rtol=0, atol=1e-14)


def test_no_rows_give_no_rows(task):
    assert task.simulate(torch.empty(0, 5, dtype=torch.float64)).shape == (0, 256)


def test_what_is_negative_or_not_finite_is_nan_and_spoils_no_gradient(task):
    clean, spoilt = draws(6), draws(6)
    spoilt[1, 0], spoilt[3, -1], spoilt[4, 1] = math.nan, math.inf, -1e-9
    gradients = []
    for x in (clean, spoilt):
        x.requires_grad_()
        y = task.simulate(x)
        y.nansum().backward()
        gradients.append(x.grad)
    assert y.isnan().any(1).tolist() == y.isnan().all(1).tolist() == [False, True, False, True, True, False]
    assert task.in_support(spoilt).tolist() == [True, False, True, False, False, True]
    assert torch.equal(gradients[0][[0, 2, 5]], gradients[1][[0, 2, 5]])
    assert (gradients[1][[1, 3, 4]] == 0).all()


def test_designs_outside_the_box_are_simulated(task):
    x = torch.tensor([[0.0] * 5, [1.0, 2, 3, 4, 0], [500.0] * 5], dtype=torch.float64)
    assert task.in_support(x).all() and task.simulate(x).isfinite().all()


def test_derivatives_against_finite_differences(task):
    x = torch.cat([draws(2), torch.zeros(1, 5, dtype=torch.float64) + 1e-3]).requires_grad_()
    assert torch.autograd.gradcheck(task.simulate, (x,), eps=1e-5, atol=1e-8, fast_mode=True)
    assert torch.autograd.gradgradcheck(task.simulate, (x,), eps=1e-5, atol=1e-8, fast_mode=True)


def test_sketch_stacks_the_films():
    axes = Figure().add_subplot()
    CONSTANT.sketch(axes, torch.tensor(EXAMPLE, dtype=torch.float64))
    assert [bar.get_height() for bar in axes.patches] == list(EXAMPLE)
    assert [bar.get_y() for bar in axes.patches] == [0, 15, 50, 70, 110]
