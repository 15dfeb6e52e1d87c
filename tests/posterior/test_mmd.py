"""The squared maximum mean discrepancy, against brute force and against what chance gives."""

import pytest
import torch
from torch import Generator

from harness.posterior import mmd


def drawn(n, d=2, shift=0.0, seed=0):
    return torch.randn(n, d, generator=Generator().manual_seed(seed), dtype=torch.float64) + shift


def kernels(x, y):
    return mmd.kernel(x, x), mmd.kernel(y, y), mmd.kernel(x, y)


def k(a, b):
    squares = float((a - b).square().sum())
    return sum(h**2 / (h**2 + squares) for h in (0.05, 0.2, 0.9))


def test_both_estimators_are_the_sums_that_they_are_defined_by():
    x, y = drawn(5), drawn(7, shift=0.4, seed=1)
    across = 2 * sum(k(a, b) for a in x for b in y) / (5 * 7)
    apart = sum(
        sum(k(a, b) for i, a in enumerate(rows) for j, b in enumerate(rows) if i != j) / (len(rows) * (len(rows) - 1))
        for rows in (x, y)
    )
    whole = sum(sum(k(a, b) for a in rows for b in rows) / len(rows) ** 2 for rows in (x, y))
    assert mmd.unbiased(*kernels(x, y)) == pytest.approx(apart - across)
    assert mmd.biased(*kernels(x, y)) == pytest.approx(whole - across)


def test_the_unbiased_one_is_0_in_the_mean_for_one_distribution_and_the_biased_one_is_not():
    pairs = [kernels(drawn(40, seed=2 * i), drawn(40, seed=2 * i + 1)) for i in range(300)]
    values = torch.tensor([mmd.unbiased(*pair) for pair in pairs])
    assert abs(float(values.mean())) < 4 * float(values.std()) / 300**0.5
    biased = [mmd.biased(*pair) for pair in pairs]
    assert min(biased) > 0 and sum(biased) / 300 == pytest.approx(6 / 40, rel=0.2)  # 3 / n + 3 / m, less the mean of k


def test_one_design_again_and_again_is_as_far_as_can_be():
    reference, same = 10 * drawn(200, d=6), torch.zeros(200, 6, dtype=torch.float64)
    assert mmd.unbiased(*kernels(same, reference)) == pytest.approx(3, abs=0.1)


def test_chance_is_what_halves_of_one_set_have():
    x = drawn(2 * 30)
    found = mmd.chance(x, Generator().manual_seed(0), splits=50)
    order = torch.rand(60, 50, generator=Generator().manual_seed(0), dtype=torch.float64).argsort(0)
    for place in range(50):
        first = order[:, place] < 30
        assert float(found[place]) == pytest.approx(mmd.unbiased(*kernels(x[first], x[~first])), abs=1e-12)


def test_fresh_draws_stay_below_chance_as_often_as_its_quantile_says():
    quantile = float(mmd.chance(drawn(2 * 100), Generator().manual_seed(0), splits=400).quantile(0.95))
    values = [mmd.unbiased(*kernels(drawn(100, seed=2 * i), drawn(100, seed=2 * i + 1))) for i in range(1, 200)]
    assert 0.9 <= sum(value < quantile for value in values) / len(values) <= 0.99
