from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Generator

from tasks.crystal import Crystal, CrystalOptions, fit, parameters, rows
from tasks.crystal.slater_koster import dd_block, dp_block, pp_block
from tasks.crystal.tight_binding import gap, hamiltonian, lattice, levels

TASK = Crystal()
LEARNT_FROM_DFT = Crystal(CrystalOptions(data="dft"))
FROZEN = parameters.read()
CONSTANTS = parameters.Parameters.of(FROZEN["parameters"])
KNOWN = rows.read()
TRAIN, HELD = rows.split(len(KNOWN), fit.HELD_OUT, fit.SEED)
CUBIC = torch.tensor([[3.94, 3.94, 3.94, 90.0, 90.0, 90.0]], dtype=torch.float64)


def draws(n, seed=0):
    return TASK.sample_prior(n, Generator().manual_seed(seed))


def directions(n, seed=0):
    n = torch.randn(n, 3, generator=Generator().manual_seed(seed), dtype=torch.float64)
    return n / n.norm(dim=-1, keepdim=True)


def constant(value, like):
    return torch.full(like.shape[:-1], value, dtype=torch.float64)


# Slater and Koster's table I as printed; (l, m, n) points from the first orbital's atom to the second's.


def printed_pd(l, m, n, s, p):  # noqa: E741
    """`[p, d]`: x, y, z with xy, yz, zx, x2-y2, 3z2-r2."""
    q, t = l * l - m * m, n * n - (l * l + m * m) / 2
    r = math.sqrt(3)
    return np.array(
        [
            [
                r * l * l * m * s + m * (1 - 2 * l * l) * p,
                r * l * m * n * s - 2 * l * m * n * p,
                r * l * l * n * s + n * (1 - 2 * l * l) * p,
                r / 2 * l * q * s + l * (1 - q) * p,
                l * t * s - r * l * n * n * p,
            ],
            [
                r * m * m * l * s + l * (1 - 2 * m * m) * p,
                r * m * m * n * s + n * (1 - 2 * m * m) * p,
                r * l * m * n * s - 2 * l * m * n * p,
                r / 2 * m * q * s - m * (1 + q) * p,
                m * t * s - r * m * n * n * p,
            ],
            [
                r * l * m * n * s - 2 * l * m * n * p,
                r * n * n * m * s + m * (1 - 2 * n * n) * p,
                r * n * n * l * s + l * (1 - 2 * n * n) * p,
                r / 2 * n * q * s - n * q * p,
                n * t * s + r * n * (l * l + m * m) * p,
            ],
        ]
    )


def printed_dd(l, m, n, s, p, d):  # noqa: E741
    """Symmetric, in the order xy, yz, zx, x2-y2, 3z2-r2."""
    q, t, u, r = l * l - m * m, n * n - (l * l + m * m) / 2, l * l + m * m, math.sqrt(3)
    xy_xy = 3 * l * l * m * m * s + (u - 4 * l * l * m * m) * p + (n * n + l * l * m * m) * d
    yz_yz = 3 * m * m * n * n * s + (m * m + n * n - 4 * m * m * n * n) * p + (l * l + m * m * n * n) * d
    zx_zx = 3 * n * n * l * l * s + (n * n + l * l - 4 * n * n * l * l) * p + (m * m + n * n * l * l) * d
    xy_yz = 3 * l * m * m * n * s + l * n * (1 - 4 * m * m) * p + l * n * (m * m - 1) * d
    xy_zx = 3 * l * l * m * n * s + m * n * (1 - 4 * l * l) * p + m * n * (l * l - 1) * d
    yz_zx = 3 * l * m * n * n * s + l * m * (1 - 4 * n * n) * p + l * m * (n * n - 1) * d
    xy_x2 = 1.5 * l * m * q * s - 2 * l * m * q * p + l * m * q / 2 * d
    yz_x2 = 1.5 * m * n * q * s - m * n * (1 + 2 * q) * p + m * n * (1 + q / 2) * d
    zx_x2 = 1.5 * n * l * q * s + n * l * (1 - 2 * q) * p - n * l * (1 - q / 2) * d
    xy_z2 = r * l * m * t * s - 2 * r * l * m * n * n * p + r / 2 * l * m * (1 + n * n) * d
    yz_z2 = r * m * n * t * s + r * m * n * (u - n * n) * p - r / 2 * m * n * u * d
    zx_z2 = r * l * n * t * s + r * l * n * (u - n * n) * p - r / 2 * l * n * u * d
    x2_x2 = 0.75 * q * q * s + (u - q * q) * p + (n * n + q * q / 4) * d
    x2_z2 = r / 2 * q * t * s - r * n * n * q * p + r / 4 * (1 + n * n) * q * d
    z2_z2 = t * t * s + 3 * n * n * u * p + 0.75 * u * u * d
    return np.array(
        [
            [xy_xy, xy_yz, xy_zx, xy_x2, xy_z2],
            [xy_yz, yz_yz, yz_zx, yz_x2, yz_z2],
            [xy_zx, yz_zx, zx_zx, zx_x2, zx_z2],
            [xy_x2, yz_x2, zx_x2, x2_x2, x2_z2],
            [xy_z2, yz_z2, zx_z2, x2_z2, z2_z2],
        ]
    )


def printed_pp(l, m, n, s, p):  # noqa: E741
    v = np.array([l, m, n])
    return s * np.outer(v, v) + p * (np.eye(3) - np.outer(v, v))


def test_blocks_are_the_printed_table():
    n = directions(50)
    s, p, d = (constant(value, n) for value in (-1.3, 0.7, 0.2))
    for i, v in enumerate(n.tolist()):
        away = [-component for component in v]  # the table's first orbital is p, ours d
        np.testing.assert_allclose(dp_block(n, s, p)[i].T, printed_pd(*away, -1.3, 0.7), atol=1e-14)
        np.testing.assert_allclose(dd_block(n, s, p, d)[i], printed_dd(*v, -1.3, 0.7, 0.2), atol=1e-14)
        np.testing.assert_allclose(pp_block(n, s, p)[i], printed_pp(*v, -1.3, 0.7), atol=1e-14)


def test_one_bond_has_the_two_centre_integrals_as_its_eigenvalues():
    n = directions(50)
    s, p, d = (constant(value, n) for value in (-1.3, 0.7, 0.2))
    wanted = torch.tensor([1.3, 0.7, 0.7], dtype=torch.float64).expand(50, 3)
    torch.testing.assert_close(torch.linalg.svdvals(dp_block(n, s, p)), wanted, rtol=0, atol=1e-14)
    wanted = torch.tensor([-1.3, 0.2, 0.2, 0.7, 0.7], dtype=torch.float64).expand(50, 5)
    torch.testing.assert_close(torch.linalg.eigvalsh(dd_block(n, s, p, d)), wanted, rtol=0, atol=1e-14)
    wanted = torch.tensor([-1.3, 0.7, 0.7], dtype=torch.float64).expand(50, 3)
    torch.testing.assert_close(torch.linalg.eigvalsh(pp_block(n, s, p)), wanted, rtol=0, atol=1e-14)


def test_sigma_and_pi_limits_of_a_bond_along_z():
    z = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    sigma, pi = torch.tensor(-2.0, dtype=torch.float64), torch.tensor(1.0, dtype=torch.float64)
    wanted = torch.zeros(5, 3, dtype=torch.float64)
    wanted[4, 2], wanted[2, 0], wanted[1, 1] = 2.0, -1.0, -1.0  # 3z2-r2 with z, zx with x, yz with y
    torch.testing.assert_close(dp_block(z, sigma, pi), wanted, rtol=0, atol=1e-15)


ATOMS = {"Sr": (0, 0, 0), "Ti": (0.5, 0.5, 0.5), "O1": (0.5, 0.5, 0), "O2": (0.5, 0, 0.5), "O3": (0, 0.5, 0.5)}
BLOCKS = {"Ti": slice(0, 5), "O1": slice(5, 8), "O2": slice(8, 11), "O3": slice(11, 14)}


def bands(x, k):
    """All neighbours one by one, printed table, complex Bloch phases of the atoms' own places: `(14,)` energies."""
    a, b, c, *angles = x
    ca, cb, cg = (math.cos(math.radians(angle)) for angle in angles)
    cosines = np.array([[1, cg, cb], [cg, 1, ca], [cb, ca, 1]])
    cell = np.linalg.cholesky(cosines) * np.array([[a], [b], [c]])
    table = FROZEN["parameters"]
    h = np.zeros((14, 14), complex)
    h[range(5), range(5)] = table["e_d"]
    h[range(5, 14), range(5, 14)] = table["e_p"]

    for one, two in itertools.product(BLOCKS, ATOMS):
        for steps in itertools.product((-2, -1, 0, 1, 2), repeat=3):
            apart = np.array(ATOMS[two]) + steps - np.array(ATOMS[one])
            length = round(2 * float(apart @ apart), 9)
            away = apart @ cell
            r = float(np.linalg.norm(away))

            def v(*channels, r=r):
                constants = [table["channels"][name] for name in channels]
                return [item["V0"] * (r / item["r0"]) ** -item["n"] for item in constants]

            kinds = one.rstrip("123"), two.rstrip("123")
            phase = np.exp(2j * math.pi * np.dot(k, apart))
            here, there = BLOCKS[one], BLOCKS.get(two)
            if kinds == ("Ti", "O") and length == 0.5:
                h[here, there] += phase * printed_pd(*(-away / r), *v("pd_sigma", "pd_pi")).T
                h[here, here] += printed_dd(*(away / r), *v("d_O_sigma", "d_O_pi", "d_O_delta"))
            elif kinds == ("O", "Ti") and length == 0.5:
                h[here, there] += phase * printed_pd(*(away / r), *v("pd_sigma", "pd_pi"))
                h[here, here] += printed_pp(*(away / r), *v("p_Ti_sigma", "p_Ti_pi"))
            elif kinds == ("O", "O") and length == 1:
                h[here, there] += phase * printed_pp(*(away / r), *v("pp_sigma", "pp_pi"))
                h[here, here] += printed_pp(*(away / r), *v("p_O_sigma", "p_O_pi"))
            elif kinds == ("O", "O") and length == 2 and one == two:
                h[here, there] += phase * printed_pp(*(away / r), *v("pp_far_sigma", "pp_far_pi"))
            elif kinds == ("O", "Sr") and length == 1:
                h[here, here] += printed_pp(*(away / r), *v("p_Sr_sigma", "p_Sr_pi"))
            elif kinds == ("Ti", "Ti") and length == 2:
                h[here, there] += phase * printed_dd(*(away / r), *v("dd_sigma", "dd_pi", "dd_delta"))
            elif kinds == ("Ti", "Sr") and length == 1.5:
                h[here, here] += printed_dd(*(away / r), *v("d_Sr_sigma", "d_Sr_pi"), 0.0)
    np.testing.assert_allclose(h, h.conj().T, atol=1e-12)
    return np.linalg.eigvalsh(h)


def test_levels_against_a_sum_over_all_neighbours():
    x = draws(4)
    ours = levels(x, CONSTANTS)
    for cell, energies in zip(x.tolist(), ours, strict=True):
        for i, k in enumerate(itertools.product((0, 0.5), repeat=3)):
            np.testing.assert_allclose(energies[i], bands(cell, k), rtol=0, atol=1e-10)


def test_hamiltonian_is_symmetric_and_couples_no_d_with_p_at_gamma():
    h = hamiltonian(draws(50), CONSTANTS)
    torch.testing.assert_close(h, h.mT, rtol=0, atol=1e-12)
    assert (h[:, 0, :5, 5:] == 0).all()
    assert (h[:, 7, :5, 5:].abs().amax((1, 2)) > 1).all()


def test_lattice_has_the_edges_and_angles_that_it_was_given():
    x = draws(100)
    vectors = lattice(x)
    edges = vectors.norm(dim=-1)
    for i, (one, two) in enumerate(((1, 2), (2, 0), (0, 1))):
        cosine = (vectors[:, one] * vectors[:, two]).sum(-1) / (edges[:, one] * edges[:, two])
        torch.testing.assert_close(torch.rad2deg(cosine.acos()), x[:, 3 + i], rtol=0, atol=1e-11)
    torch.testing.assert_close(edges, x[:, :3], rtol=1e-14, atol=0)


def test_the_cubic_cell():
    """Frozen: any other value is another version. DFT gives 1.849 eV."""
    y = TASK.simulate(CUBIC).item()
    assert y == pytest.approx(1.919712, abs=1e-6)
    assert abs(y - 1.849) < 0.15


def test_the_file_belongs_to_this_version_and_to_the_committed_rows():
    assert FROZEN["version"] == fit.VERSION == Crystal.version
    assert FROZEN["operator"] == Crystal.operator == "tb-pbe-fit"
    assert FROZEN["data"] == {"rows": len(KNOWN), "sha256": rows.digests()}


def test_errors_on_the_held_out_rows_are_those_in_the_file():
    held = FROZEN["held_out"]
    assert KNOWN.ids[HELD].tolist() == held["ids"]
    assert set(TRAIN.tolist()) | set(HELD.tolist()) == set(range(len(KNOWN)))
    assert (len(TRAIN), len(HELD)) == (FROZEN["fit"]["rows"], held["rows"])
    y = TASK.simulate(KNOWN.x[HELD])[:, 0]
    truth = KNOWN.gap[HELD].clamp(min=0)
    assert (y - truth).square().mean().sqrt().item() == pytest.approx(held["rmse"], abs=1e-6)
    assert (y - truth).abs().mean().item() == pytest.approx(held["mae"], abs=1e-6)
    assert fit.errors(CONSTANTS, KNOWN[HELD]).items() <= held.items()
    assert held["rmse"] <= 0.06
    assert held["correlation"] > 0.98
    assert abs(held["low_bias"]) < 0.05 and abs(held["high_bias"]) < 0.05


def test_the_fit_does_not_improve_any_further():
    begun = fit.loss(CONSTANTS, KNOWN[TRAIN], FROZEN["fit"]["gap_weight"])
    setting = fit.Setting(FROZEN["fit"]["gap_weight"], 0.0)
    ended = fit.loss(fit.fit(KNOWN[TRAIN], setting, CONSTANTS, steps=2), KNOWN[TRAIN], setting.gap_weight)
    assert begun < 1.01 * ended


def test_a_fit_recovers_a_model_from_its_own_levels():
    some = KNOWN[TRAIN[:30]]
    energies = levels(some.x, CONSTANTS)
    made = replace(some, gap=gap(energies), levels=energies[..., : rows.BANDS] + 3.0)
    setting = fit.Setting(10.0, 0.0)
    moved = replace(CONSTANTS, amplitude=CONSTANTS.amplitude * 1.1)
    before = fit.loss(moved, made, 10.0).item()
    after = fit.loss(fit.fit(made, setting, moved, steps=60), made, 10.0).item()
    assert fit.loss(CONSTANTS, made, 10.0).item() < 1e-20
    assert after < 0.01 * before


def test_packing_loses_nothing():
    again = fit.unpacked(fit.packed(CONSTANTS), CONSTANTS.reference)
    for name in ("levels", "reference", "amplitude", "exponent"):
        torch.testing.assert_close(getattr(again, name), getattr(CONSTANTS, name), rtol=0, atol=1e-6)
    assert parameters.Parameters.of(CONSTANTS.declared()).declared() == CONSTANTS.declared() == FROZEN["parameters"]


def test_what_is_frozen_is_not_overwritten(tmp_path):
    path = tmp_path / "parameters.json"
    fit.write(path, FROZEN)
    assert json.loads(path.read_text()) == FROZEN
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(SystemExit, match=r"frozen as version .* --output"):
        fit.main(["--output", str(path)])


def test_24_images_have_the_same_gap():
    x = draws(200)
    images = TASK.images(x)
    assert images.shape == (24, 200, 6)
    assert torch.equal(images[0], x)
    y = TASK.simulate(images.reshape(-1, 6)).reshape(24, 200)
    torch.testing.assert_close(y, y[:1].expand_as(y), rtol=0, atol=1e-10)
    apart = (images[:, None] - images[None]).abs().amax((-1, -2)) + torch.eye(24)
    assert apart.min() > 1e-3


def test_images_of_images_are_images():
    x = draws(5)
    images = TASK.images(x)
    for image in TASK.images(images[13]):
        assert (images - image).abs().amax((-1, -2)).min() < 1e-12


def test_one_angle_turned_alone_is_another_crystal():
    """Acute and obtuse rhombohedra differ: a model of |angle - 90| would be wrong."""
    x = draws(200)
    turned = torch.cat([x[:, :5], 180 - x[:, 5:]], 1)
    assert (TASK.simulate(turned) - TASK.simulate(x)).abs().median() > 0.01


def test_batch_equals_loop():
    x = draws(300)
    alone = torch.cat([TASK.simulate(row[None]) for row in x])
    torch.testing.assert_close(TASK.simulate(x), alone, rtol=0, atol=1e-12)


def test_gradient_is_the_central_difference():
    x = draws(20).requires_grad_()
    (gradient,) = torch.autograd.grad(TASK.simulate(x).sum(), x)
    step = 1e-5
    for i in range(6):
        shift = step * torch.eye(6, dtype=torch.float64)[i]
        with torch.no_grad():
            difference = (TASK.simulate(x + shift) - TASK.simulate(x - shift))[:, 0] / (2 * step)
        torch.testing.assert_close(gradient[:, i], difference, rtol=0, atol=1e-6)


@pytest.mark.parametrize("x", [CUBIC, torch.tensor([[3.9, 3.9, 4.0, 90, 90, 90]], dtype=torch.float64)])
def test_gradients_of_symmetric_cells_with_equal_levels_are_finite(x):
    x = x.clone().requires_grad_()
    TASK.simulate(x).sum().backward()
    assert x.grad.isfinite().all()


OUTSIDE = {
    "edge too long": (4.40, 3.94, 3.94, 90, 90, 90),
    "edge too short": (3.94, 3.94, 3.50, 90, 90, 90),
    "sheared too far": (3.94, 3.94, 3.94, 90, 103.5, 90),
    "no cell": (3.94, 3.94, 3.94, 10, 90, 170),
    "negative edge": (-3.94, 3.94, 3.94, 90, 90, 90),
    "no edge": (0, 3.94, 3.94, 90, 90, 90),
    "no angle": (3.94, 3.94, 3.94, 90, 90, 0),
    "huge": (1e300, 3.94, 3.94, 90, 90, 90),
    "infinite": (3.94, math.inf, 3.94, 90, 90, 90),
    "NaN": (3.94, 3.94, 3.94, 90, math.nan, 90),
}


def test_designs_outside_the_model_are_nan_and_spoil_no_other():
    outside = torch.tensor([*OUTSIDE.values()], dtype=torch.float64)
    x = torch.cat([CUBIC, outside, draws(3)]).requires_grad_()
    inside = TASK.in_support(x)
    assert inside.tolist() == [True] + [False] * len(outside) + [True] * 3
    y = TASK.simulate(x)[:, 0]
    assert torch.equal(y.isfinite(), inside)
    assert torch.equal(TASK.diagnose(x)["signed gap [eV]"].isfinite(), inside)
    y.nansum().backward()
    assert x.grad.isfinite().all()
    assert (x.grad[~inside] == 0).all()
    torch.testing.assert_close(y[inside], TASK.simulate(x[inside])[:, 0], rtol=0, atol=1e-12)


def test_the_domain_is_the_box_and_a_margin():
    low, high = TASK.bounds
    half = (high - low) / 2
    corners = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=6)), dtype=torch.float64)
    centre = (low + high) / 2
    assert TASK.in_support(centre + corners * half).all()
    assert TASK.in_support(centre + 1.049 * corners * half).all()
    assert not TASK.in_support(centre + 1.051 * torch.eye(6, dtype=torch.float64) * half).any()
    assert TASK.simulate(centre + 1.049 * corners * half).isfinite().all()


def test_moments_of_the_prior():
    """What DFT gives: 12 % of the rows below 0.5 eV, two of 873 closed, median 0.91 eV."""
    y = TASK.simulate(draws(5000))
    assert 0.07 < (y < 0.5).double().mean() < 0.16
    assert (y == 0).double().mean() < 0.02
    assert 0.85 < y.median() < 1.05
    signed = TASK.diagnose(draws(5000))["signed gap [eV]"]
    assert torch.equal(signed.clamp(min=0), y[:, 0])


def test_band_edges_are_where_dft_has_them():
    """Of 873 cells the highest filled level is at Gamma or R, the lowest empty one at Gamma."""
    energies = levels(draws(2000), CONSTANTS)
    filled, empty = energies[..., 8].argmax(1), energies[..., 9].argmin(1)
    assert ((filled == 0) | (filled == 7)).double().mean() > 0.98
    assert (empty == 0).all()
    assert FROZEN["held_out"]["same_edge"] > 0.8


def test_the_gap_at_gamma_bounds_the_gap():
    found = TASK.diagnose(draws(500))
    assert (found["gap at Gamma [eV]"] >= found["signed gap [eV]"]).all()


def test_rows_are_cells_of_the_prior_with_the_gap_of_their_levels():
    low, high = TASK.bounds
    assert ((KNOWN.x >= low) & (KNOWN.x <= high)).all()
    assert len(KNOWN.ids.unique()) == len(KNOWN)
    torch.testing.assert_close(gap(KNOWN.levels), KNOWN.gap, rtol=0, atol=2e-4)
    assert (KNOWN.levels.diff(dim=-1) >= 0).all()


def test_pairs_of_dft_are_the_rows_and_re_simulation_is_the_model():
    pairs = LEARNT_FROM_DFT.pairs(5000, Generator().manual_seed(0))
    assert len(pairs.x) == len(pairs.y) == len(KNOWN)
    order = pairs.x[:, 0].argsort()
    again = KNOWN.x[:, 0].argsort()
    assert torch.equal(pairs.x[order], KNOWN.x[again])
    assert torch.equal(pairs.y[order, 0], KNOWN.gap[again].clamp(min=0))
    assert torch.equal(LEARNT_FROM_DFT.simulate(pairs.x), TASK.simulate(pairs.x))
    some = [LEARNT_FROM_DFT.pairs(100, Generator().manual_seed(seed)).x for seed in (0, 0, 1)]
    assert some[0].shape == (100, 6)
    assert torch.equal(some[0], some[1]) and not torch.equal(some[0], some[2])


def test_the_model_difference_is_that_of_the_held_out_rows():
    assert TASK.model_difference == 0
    assert LEARNT_FROM_DFT.model_difference == FROZEN["held_out"]["rmse"]
    assert TASK.floor == {}
    floor = LEARNT_FROM_DFT.floor
    assert floor["sse"] == floor["mse"] == FROZEN["held_out"]["rmse"] ** 2
    assert floor["mse"] / floor["nmse"] == pytest.approx(KNOWN.gap.clamp(min=0).var().item())


def test_sketch_draws_every_atom_and_edge():
    figure = pytest.importorskip("matplotlib.figure").Figure()
    axes = figure.subplots()
    TASK.sketch(axes, CUBIC[0])
    assert len(axes.lines) == 12
    assert [len(points.get_offsets()) for points in axes.collections] == [8, 1, 6]
