"""Ranks and coverage: calibrated draws pass, others do not, and `sbi` finds the same."""

import warnings

import pytest
import torch
from torch import Generator

from harness.posterior.calibration import calibration, closer, coverage, ranks

CONTINUOUS = torch.ones(2, dtype=torch.bool)


def problem(targets=1000, n=100, width=1.0, shift=0.0, seed=0):
    """Draws for x ~ N(0, 1) and y = x + N(0, 1): N(y / 2, 1 / 2), or wider, or shifted; with x, and prior draws."""
    generator = Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    x = normal(targets, 2)
    y = x + normal(targets, 2)
    draws = y[:, None] / 2 + 0.5**0.5 * width * normal(targets, n, 2) + shift
    return draws, x, normal(targets, 2)


def found(**options):
    return calibration(*problem(**options), CONTINUOUS, Generator().manual_seed(5))


def test_calibrated_draws_pass():
    values = [found(seed=seed) for seed in range(20)]
    assert sum(one.ks < one.ks_chance for one in values) >= 17
    assert all(one.error < 0.03 and abs(one.width) < 0.04 for one in values)


def test_draws_that_are_too_narrow_too_wide_or_off_do_not():
    narrow, wide, off = found(width=0.5), found(width=2.0), found(shift=0.4)
    assert min(one.ks / one.ks_chance for one in (narrow, wide, off)) > 2
    assert narrow.width < -0.05 and wide.width > 0.05
    assert min(one.error for one in (narrow, wide)) > 0.05


def test_draws_of_the_prior_pass_too_which_is_why_calibration_is_not_all():
    draws, x, points = problem()
    prior = torch.randn(draws.shape, generator=Generator().manual_seed(3), dtype=torch.float64)
    one = calibration(prior, x, points, CONTINUOUS, Generator().manual_seed(5))
    assert one.ks < one.ks_chance and one.error < 0.03


def test_ties_of_whole_numbers_and_missing_draws_are_no_bias():
    generator = Generator().manual_seed(0)
    x = torch.randint(4, (2000, 2), generator=generator).double()
    draws = torch.randint(4, (2000, 30, 2), generator=generator).double()
    draws[::2, :10] = torch.nan
    one = calibration(draws, x, problem(targets=2000)[2], CONTINUOUS, generator)
    assert one.ks < one.ks_chance and one.error < 0.03
    draws[0] = torch.nan
    assert calibration(draws, x, x, CONTINUOUS, generator).targets == 1999


def test_ranks_are_those_of_sbi():
    sbc = pytest.importorskip("sbi.diagnostics.sbc", reason="sbi is not installed: pip install .[test]")
    draws, x, _ = problem(targets=300, n=50, width=0.6)
    ours = ranks(draws, x, Generator().manual_seed(0))
    theirs = (draws < x[:, None]).sum(1).double()
    assert torch.equal((ours * 51).floor(), theirs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pvalues = sbc.check_uniformity_frequentist(theirs, 50)
    one = calibration(draws, x, x, CONTINUOUS, Generator().manual_seed(0))
    assert float(pvalues.max()) < 1e-3 and one.ks > 1.5 * one.ks_chance


@pytest.mark.parametrize("width", [0.6, 1.0, 1.8])
def test_coverage_is_that_of_sbi(width):
    tarp = pytest.importorskip("sbi.diagnostics.tarp", reason="sbi is not installed: pip install .[test]")
    draws, x, points = problem(targets=600, n=200, width=width)
    ours = coverage(closer(draws, x, points, Generator().manual_seed(0)))
    theirs, alpha = tarp._run_tarp(draws.transpose(0, 1).float(), x.float(), points.float(), num_bins=200)
    levels = torch.linspace(0.05, 1, 20)
    at = torch.stack([theirs[(alpha - level).abs().argmin()] for level in levels])
    assert float((ours - at).abs().max()) < 0.03  # their levels are bins of what was found, ours are fixed
    sign = calibration(draws, x, points, CONTINUOUS, Generator().manual_seed(0)).width
    area, _ = tarp.check_tarp(theirs, alpha)
    assert width == 1.0 or (sign > 0) == (area > 0) == (width > 1)
