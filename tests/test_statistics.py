"""The r_T estimator and the halves of a pool against brute force, and other statistics against their definitions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from harness.statistics import HalfPool, best_of_first, bootstrap_interval, expected_best, summary

any_errors = st.integers(1, 7).flatmap(
    lambda n: arrays(np.float64, (3, n), elements=st.floats(0, 1e3, allow_subnormal=False))
)


@given(any_errors, st.data())
def test_expected_best_is_the_mean_over_all_subsets(errors, data):
    trials = data.draw(st.integers(1, errors.shape[1]))
    expected = [np.mean([min(subset) for subset in itertools.combinations(row, trials)]) for row in errors]
    np.testing.assert_allclose(expected_best(errors, trials), expected, rtol=1e-10, atol=1e-12)


@given(any_errors)
def test_r_1_is_the_mean_and_r_n_the_best(errors):
    n = errors.shape[1]
    np.testing.assert_allclose(expected_best(errors, 1), errors.mean(1), atol=1e-300)
    np.testing.assert_allclose(expected_best(errors, n), best_of_first(errors, n), atol=1e-300)


@given(any_errors, st.floats(0, 1e3, allow_subnormal=False))
def test_the_best_never_grows_with_the_trials_whatever_part_of_the_designs_is_invalid(errors, fallback):
    """Up to rounding: the weights of an average add up to 1 to 15 digits."""
    errors = errors.copy()
    errors[:, ::2] = fallback
    for estimate in (expected_best, best_of_first):
        curve = np.stack([estimate(errors, trials) for trials in range(1, errors.shape[1] + 1)])
        assert (np.diff(curve, axis=0) <= 1e-12 * errors.max(1)).all()


def test_expected_best_at_protocol_size_matches_random_subsets():
    generator = np.random.default_rng(0)
    errors = generator.exponential(size=(1, 200)) ** 2
    for trials in (10, 50):
        draws = [errors[0, generator.permutation(200)[:trials]].min() for _ in range(20_000)]
        assert expected_best(errors, trials)[0] == pytest.approx(np.mean(draws), rel=0.05)


@pytest.mark.parametrize("estimate", [expected_best, best_of_first])
@pytest.mark.parametrize("trials", [0, 5])
def test_trials_for_which_there_are_no_proposals_are_an_error_that_names_both(estimate, trials):
    with pytest.raises(ValueError, match=f"T = {trials} is not in 1 to 4"):
        estimate(np.zeros((2, 4)), trials)


def test_a_ranked_method_is_judged_in_its_own_order():
    errors = np.array([[3.0, 1.0, 2.0], [9.0, 5.0, 4.0]])
    np.testing.assert_array_equal(best_of_first(errors, 1), [3.0, 9.0])
    np.testing.assert_array_equal(best_of_first(errors, 2), [1.0, 5.0])


def test_the_bootstrap_interval_covers_the_true_mean_about_95_times_in_100():
    generator = np.random.default_rng(1)
    hits = 0
    for trial in range(200):
        low, high = bootstrap_interval(generator.normal(2.0, 1.0, size=(100, 1)), 400, trial)
        hits += bool(low[0] <= 2.0 <= high[0])
    assert 0.88 <= hits / 200 <= 0.99


def test_a_summary_separates_repeats():
    errors = np.array([[1.0, 3.0], [7.0, 1.0]])
    found = summary(errors)
    assert (found.mean, found.median) == (3.0, 2.0)
    assert found.std == pytest.approx(np.std([2.0, 4.0], ddof=1))
    assert found.q90 == pytest.approx(np.quantile(errors, 0.9))
    assert summary(errors[:1]).std == 0.0


POOLS = [(1, 1), (2, 1), (3, 1), (4, 2), (7, 1), (7, 2), (7, 3), (8, 4), (8, 6)]


@pytest.mark.parametrize(("size", "first"), POOLS)
def test_the_weights_of_a_pool_are_those_of_all_its_halves(size, first):
    pool = HalfPool(size, first)
    halves = [half[:first] for half in itertools.combinations(range(size), pool.half)]
    counts = np.bincount(np.concatenate(halves), minlength=size) / len(halves) / len(halves[0])
    np.testing.assert_allclose(pool.weights(), counts, atol=1e-12)
    assert pool.weights().sum() == pytest.approx(1)


@pytest.mark.parametrize(("size", "first"), POOLS)
def test_the_exact_mean_is_that_of_drawn_halves(size, first):
    pool, errors = HalfPool(size, first), np.random.default_rng(0).exponential(size=size)
    drawn = errors[pool.halves(20_000, seed=1)].mean(1)
    assert errors @ pool.weights() == pytest.approx(drawn.mean(), abs=5 * drawn.std() / 20_000**0.5 + 1e-12)


def test_halves_keep_the_order_of_the_pool_and_hold_no_member_twice():
    halves = HalfPool(20, 7).halves(30, seed=3)
    assert halves.shape == (30, 7) and halves.max() < 20
    assert (np.diff(halves, axis=1) > 0).all()
    assert len({tuple(half) for half in halves}) > 25


@pytest.mark.parametrize("size", [1, 2, 3, 8, 21])
def test_the_best_of_a_random_half_has_the_rank_that_the_weights_give(size):
    pool = HalfPool(size, 1)
    ranks = pool.best((20_000,), seed=1)
    assert ranks.max() <= size - pool.half
    np.testing.assert_allclose(np.bincount(ranks, minlength=size) / 20_000, pool.weights(), atol=0.015)


@pytest.mark.parametrize("first", [1, 5, 20])
@pytest.mark.parametrize("ranked", ["by error", "at random"])
def test_the_corrected_deviation_is_that_of_fresh_draws(first, ranked):
    """Over many pools of 40 from a known distribution; 20 fresh candidates make one repeat. Within 8 %."""
    generator, size = np.random.default_rng(first), 40
    pools = generator.exponential(size=(1500, size))
    fresh = generator.exponential(size=(20_000, size // 2))
    if ranked == "by error":
        pools, fresh = np.sort(pools, 1), np.sort(fresh, 1)
    wanted = fresh[:, :first].mean(1)
    pool = HalfPool(size, first)
    halves = pool.halves(20 * 100, seed=0).reshape(100, 20, -1)
    deviations = [pool.corrected(summary(row[halves[place % 100]]), 0.0).std for place, row in enumerate(pools)]
    assert np.mean(np.square(deviations)) ** 0.5 == pytest.approx(wanted.std(), rel=0.08)
    assert (pools @ pool.weights()).mean() == pytest.approx(wanted.mean(), rel=0.03)


def test_a_pool_of_one_has_the_deviation_of_its_repeats():
    pool, same = HalfPool(1, 1), summary(np.full((4, 1), 2.0))
    assert pool.corrected(same, 2.0) == same
