"""The r_T estimator against brute force, and the other statistics against their definitions."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from harness.evaluation.statistics import (
    best_of_first,
    bootstrap_interval,
    expected_best,
    first_of_random_half,
    random_halves,
    summary,
)

FALLBACK = 7.0


def brute_force(row: np.ndarray, trials: int) -> float:
    """Mean over all subsets of the least valid error; a subset without a valid one counts with the fallback."""
    least = []
    for subset in itertools.combinations(row, trials):
        valid = [error for error in subset if not np.isnan(error)]
        least.append(min(valid) if valid else FALLBACK)
    return float(np.mean(least))


errors_with_gaps = st.integers(1, 7).flatmap(
    lambda n: arrays(np.float64, (3, n), elements=st.one_of(st.floats(0, 1e3), st.just(float("nan"))))
)


@given(errors_with_gaps, st.data())
def test_expected_best_is_the_mean_over_all_subsets(errors: np.ndarray, data: st.DataObject) -> None:
    trials = data.draw(st.integers(1, errors.shape[1]))
    expected = [brute_force(row, trials) for row in errors]
    np.testing.assert_allclose(expected_best(errors, trials, FALLBACK), expected, rtol=1e-10, atol=1e-12)


@given(errors_with_gaps)
def test_r_1_is_the_mean_and_r_n_the_best(errors: np.ndarray) -> None:
    n = errors.shape[1]
    filled = np.where(np.isnan(errors), FALLBACK, errors)
    np.testing.assert_allclose(expected_best(errors, 1, FALLBACK), filled.mean(1), atol=1e-300)
    np.testing.assert_allclose(expected_best(errors, n, FALLBACK), best_of_first(errors, n, FALLBACK), atol=1e-300)


def test_expected_best_at_protocol_size_matches_random_subsets() -> None:
    generator = np.random.default_rng(0)
    errors = generator.exponential(size=(1, 200)) ** 2
    for trials in (10, 50):
        draws = [errors[0, generator.permutation(200)[:trials]].min() for _ in range(20_000)]
        assert expected_best(errors, trials, FALLBACK)[0] == pytest.approx(np.mean(draws), rel=0.05)


def test_more_trials_than_proposals_is_an_error_that_names_both() -> None:
    with pytest.raises(ValueError, match="T = 5 is not in 1 to 4"):
        expected_best(np.zeros((2, 4)), 5, FALLBACK)


def test_a_ranked_method_is_judged_in_its_own_order() -> None:
    errors = np.array([[3.0, 1.0, 2.0], [np.nan, 5.0, 4.0]])
    np.testing.assert_array_equal(best_of_first(errors, 1, FALLBACK), [3.0, FALLBACK])
    np.testing.assert_array_equal(best_of_first(errors, 2, FALLBACK), [1.0, 5.0])


def test_an_invalid_proposal_costs_a_trial_and_never_wins() -> None:
    clean, spoilt = np.array([[1.0, 2.0, 3.0]]), np.array([[1.0, 2.0, np.nan]])
    assert expected_best(spoilt, 1, FALLBACK)[0] == pytest.approx((1 + 2 + FALLBACK) / 3)
    assert expected_best(spoilt, 3, FALLBACK)[0] == expected_best(clean, 3, FALLBACK)[0] == 1.0


def test_the_bootstrap_interval_covers_the_true_mean_about_95_times_in_100() -> None:
    generator = np.random.default_rng(1)
    hits = 0
    for trial in range(200):
        low, high = bootstrap_interval(generator.normal(2.0, 1.0, size=(100, 1)), 400, trial)
        hits += bool(low[0] <= 2.0 <= high[0])
    assert 0.88 <= hits / 200 <= 0.99


def test_summary_counts_invalid_proposals_and_separates_repeats() -> None:
    errors = np.array([[1.0, 3.0], [np.nan, 1.0]])
    result = summary(errors, FALLBACK)
    assert result["mean"] == pytest.approx((2.0 + 4.0) / 2)
    assert result["std"] == pytest.approx(np.std([2.0, 4.0], ddof=1))
    assert result["median"] == pytest.approx(2.0)


def test_random_halves_keep_the_order_of_the_pool_and_hold_no_index_twice() -> None:
    halves = random_halves(20, 30, 10, seed=3)
    assert halves.shape == (30, 10)
    assert (np.diff(halves, axis=1) > 0).all()
    assert len({tuple(half) for half in halves}) > 25


@pytest.mark.parametrize("pool", [2, 3, 8, 21])
def test_the_best_of_a_random_half_has_the_rank_that_drawing_halves_gives(pool: int) -> None:
    generator = np.random.default_rng(0)
    half = max(1, pool // 2)
    drawn = [generator.permutation(pool)[:half].min() for _ in range(20_000)]
    ranks = first_of_random_half(pool, (20_000,), seed=1)
    assert ranks.max() <= pool - half
    expected = np.bincount(drawn, minlength=pool) / 20_000
    np.testing.assert_allclose(np.bincount(ranks, minlength=pool) / 20_000, expected, atol=0.015)
