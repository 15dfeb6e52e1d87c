"""Errors in their three units, and what an invalid design counts with."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness.metrics import METRICS, errors, prior_errors


def rows(n: int, dim: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    scale = torch.tensor([0.1, 1.0, 30.0], dtype=torch.float64)[:dim]
    return torch.randn(n, dim, generator=generator, dtype=torch.float64) * scale


def test_the_three_errors_are_the_same_square_in_three_units():
    variance = torch.tensor([4.0, 0.25], dtype=torch.float64)
    reached, y = torch.tensor([[1.0, 2.0]]).double(), torch.tensor([[3.0, 1.5]]).double()
    found = {name: float(errors(metric, reached, y, variance)) for name, metric in METRICS.items()}
    assert found == {"sse": 4.25, "mse": 2.125, "nmse": pytest.approx((4 / 4 + 0.25 / 0.25) / 2)}


def test_the_mean_of_y_as_a_constant_answer_has_nmse_one():
    y = rows(5000, 3, seed=0)
    error = errors(METRICS["nmse"], y.mean(0).expand_as(y), y, y.var(0))
    assert float(error.mean()) == pytest.approx(1, rel=1e-3)


def test_a_y_that_never_changes_is_counted_as_it_is():
    y = torch.tensor([[2.0]]).double()
    assert float(errors(METRICS["nmse"], y + 3, y, torch.zeros(1).double())) == 9


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
@pytest.mark.parametrize("value", [torch.nan, torch.inf, 1e200, 1e80])
def test_an_invalid_design_or_an_error_too_large_for_a_number_is_nan_and_disturbs_no_other(metric, value):
    reached = torch.tensor([[1.0], [value], [2.0]]).double()
    error = errors(metric, reached, torch.zeros(3, 1).double(), torch.ones(1).double())
    assert error.isnan().tolist() == [False, True, False]


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_an_entry_that_is_not_known_does_not_count(metric):
    reached, y, variance = rows(50, 3, seed=1), rows(50, 3, seed=2), rows(100, 3, seed=3).var(0)
    gaps = y.clone()
    gaps[:, 1] = torch.nan
    kept = torch.tensor([0, 2])
    expected = errors(metric, reached[:, kept], y[:, kept], variance[kept])
    torch.testing.assert_close(errors(metric, reached, gaps, variance), expected, rtol=1e-14, atol=0)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("sse", lambda squares, variance: squares.sum(-1)),
        ("mse", lambda squares, variance: squares.mean(-1)),
        ("nmse", lambda squares, variance: (squares / variance).mean(-1)),
    ],
)
def test_where_all_of_y_is_known_an_error_is_its_plain_formula(name, plain):
    reached, y, variance = rows(50, 3, seed=1), rows(50, 3, seed=2), rows(100, 3, seed=3).var(0)
    expected = plain((reached - y).square(), variance)
    torch.testing.assert_close(errors(METRICS[name], reached, y, variance), expected, rtol=1e-14, atol=0)


@given(st.sampled_from([*METRICS]), st.integers(1, 3), st.booleans(), st.integers(0, 100))
def test_an_invalid_design_counts_with_the_mean_error_of_all_training_designs(name, dim, gaps, seed):
    """Which is what a draw from the prior is expected to have, at every single target."""
    metric, known, y = METRICS[name], rows(40, dim, seed), rows(7, dim, seed + 1)
    if gaps and dim > 1:
        y[::2, 0] = torch.nan
    brute = torch.stack([errors(metric, known, target.expand_as(known), known.var(0)).mean() for target in y])
    torch.testing.assert_close(prior_errors(metric, known, y, known.var(0)), brute, rtol=1e-10, atol=0)
