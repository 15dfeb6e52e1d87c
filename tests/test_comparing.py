"""Comparisons of two methods: what they say of errors whose ratio is known, and how often their intervals hold it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harness.comparing import FEW, LEAST, Comparison, apart, compare, drawn, profile
from harness.statistics import bootstrap_interval


def errors(seed: int, seeds: int, targets: int, *, spread: float = 1.0, ratio: float = 1.0) -> np.ndarray:
    """Log-normal errors with difficulties that the targets have for every method."""
    generator = np.random.default_rng(seed)
    difficulty = np.random.default_rng(targets).normal(size=targets)
    return ratio * 10 ** (difficulty + spread * generator.normal(size=(seeds, targets)))


def test_a_method_against_itself_is_a_tie() -> None:
    own = errors(0, 3, 50)
    found = compare(own, own)
    assert found.log_ratio == pytest.approx(0, abs=1e-12) and found.low <= 0 <= found.high
    assert found.beats == pytest.approx(0.5) and not found.separated and found.targets_needed is None


def test_a_known_ratio_is_found_and_the_other_way_round_is_its_negative() -> None:
    one, other = errors(1, 4, 2000, spread=0.1, ratio=0.2), errors(2, 5, 2000, spread=0.1)
    found, back = compare(one, other), compare(other, one)
    assert found.log_ratio == pytest.approx(np.log10(0.2), abs=0.01) and found.separated
    assert found.low < found.log_ratio < found.high < 0
    assert back.log_ratio == pytest.approx(-found.log_ratio) and back.beats == pytest.approx(1 - found.beats)
    assert (found.seeds, found.targets, found.of_targets_only) == ((4, 5), 2000, False)
    assert compare(one[:2], other).of_targets_only


def test_with_one_seed_the_interval_is_that_of_a_paired_bootstrap() -> None:
    one, other = errors(3, 1, 300), errors(4, 1, 300, ratio=1.3)
    found = compare(one, other, resamples=20_000)
    paired = np.log10(one[0] / other[0])
    oracle = stats.bootstrap((paired,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(0))
    assert (found.low, found.high) == pytest.approx(oracle.confidence_interval, abs=0.006)


def test_the_probability_to_win_is_that_of_the_rank_test() -> None:
    one, other = errors(5, 1, 40), errors(6, 3, 40)
    wins = [np.mean((one[0] < each) + 0.5 * (one[0] == each)) for each in other]
    assert compare(one, other).beats == pytest.approx(np.mean(wins))
    assert compare(np.zeros((1, 4)), np.full((1, 4), LEAST / 10)).beats == 0.5


def test_seeds_that_differ_widen_the_interval() -> None:
    lucky = errors(7, 6, 500, spread=0.1) * np.array([[1], [1], [1], [30], [30], [30]])
    same = errors(8, 6, 500, spread=0.1)
    width = {name: (found := compare(own, same)).high - found.low for name, own in (("lucky", lucky), ("same", same))}
    assert width["lucky"] > 10 * width["same"]


def test_as_many_targets_as_are_said_to_separate_two_methods_do() -> None:
    pairs = [compare(errors(2 * n, 1, 60, ratio=0.8), errors(2 * n + 1, 1, 60)) for n in range(40)]
    found = next(item for item in pairs if not item.separated and item.log_ratio < 0 and item.targets_needed)
    assert found.targets_needed > 60
    more = 8 * 60 * round((found.high - found.low) ** 2 / 4 / np.log10(0.8) ** 2)
    assert compare(errors(1, 1, more, ratio=0.8), errors(2, 1, more)).separated


def test_in_four_of_five_cases_as_many_targets_as_are_said_to_separate_two_methods_do() -> None:
    generator = np.random.default_rng(5)
    found = Comparison(-0.1, -0.3, 0.1, 0.6, (1, 1), 100, np.empty(0))
    needed = found.targets_needed
    separated = [
        compare(
            10 ** (-0.1 + 0.2 / 1.96 * 10 * generator.normal(size=(1, needed))), np.ones((1, needed)), resamples=400
        )
        for _ in range(200)
    ]
    assert np.mean([item.separated for item in separated]) == pytest.approx(0.8, abs=0.08)


@pytest.mark.parametrize("count", [1, 2, 5, 9, 10])
def test_a_few_targets_tell_nothing_apart(count: int) -> None:
    one, other = np.full((1, count), 1e-6), np.ones((1, count))
    enough = count >= FEW
    assert compare(one, other).separated == enough and apart(drawn(one), drawn(other)) == -enough
    assert compare(one, other).targets_needed == (count if enough else FEW)


def test_as_many_trainings_as_are_said_to_separate_two_methods_do() -> None:
    """Trainings differ by a factor of two, the methods by a fifth."""
    generator = np.random.default_rng(3)

    def trained(seeds: int, ratio: float) -> np.ndarray:
        luck, own = generator.normal(size=(seeds, 1)), generator.normal(size=(seeds, 400))
        luck = (luck - luck.mean()) / luck.std(ddof=1)
        return ratio * 10 ** (0.3 * luck + 0.01 * (own - own.mean(1, keepdims=True)))

    def compared(seeds: int) -> Comparison:
        return compare(trained(seeds, 0.8), trained(seeds, 1.0))

    needed = compared(4).seeds_needed
    assert needed == pytest.approx(2 * 0.3**2 * (2.8 / np.log10(0.8)) ** 2, abs=1)
    just = needed * (1.96 / 2.8) ** 2  # here luck is exactly as it is said to be: even odds are certainty
    assert compared(round(1.3 * just)).separated and not compared(round(just / 1.3)).separated
    assert compare(trained(2, 0.8)[:1], trained(4, 1.0)).seeds_needed is None, "one training says nothing of others"


ROUNDS, TARGETS = 300, 150


def held(seeds: int, luck: float, tail: str = "normal") -> float:
    """How often the interval holds the truth, for errors whose log has a spread of two decades or more.

    Targets are as difficult for all trainings, and a training is lucky or not on all targets.
    """
    generator = np.random.default_rng(9)
    inside = 0
    for number in range(ROUNDS):
        draw = generator.normal if tail == "normal" else lambda size: generator.standard_t(3, size)
        difficulty, own = 2 * generator.normal(size=TARGETS), draw(size=(2, seeds, TARGETS))
        one, other = 10 ** (difficulty + own + luck * generator.normal(size=(2, seeds, 1)))
        found = compare(one, other, resamples=400, seed=number)
        inside += found.low <= 0 <= found.high
    return inside / ROUNDS


@pytest.mark.slow
@pytest.mark.parametrize("tail", ["normal", "t"])
def test_an_interval_of_one_training_holds_the_truth_as_often_as_it_says(tail: str) -> None:
    """Also where a few targets carry most of the mean error."""
    assert held(1, 0.0, tail) == pytest.approx(0.95, abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize(("seeds", "luck", "least"), [(3, 0.0, 0.97), (3, 1.0, 0.84), (5, 1.0, 0.87), (10, 1.0, 0.9)])
def test_an_interval_of_several_trainings_is_not_much_too_narrow(seeds: int, luck: float, least: float) -> None:
    assert held(seeds, luck) >= least


def test_an_interval_of_the_mean_error_itself_is_not_to_be_trusted() -> None:
    """Log-normal errors that spread over two decades: why comparisons are of log ratios."""
    generator, truth, inside = np.random.default_rng(9), np.exp((2 * np.log(10)) ** 2 / 2), 0
    for number in range(ROUNDS):
        low, high = bootstrap_interval(10 ** (2 * generator.normal(size=(TARGETS, 1))), 400, number)
        inside += bool(low[0] <= truth <= high[0])
    assert inside / ROUNDS < 0.3


@pytest.mark.slow
@pytest.mark.parametrize("spread", [1.0, 5.0])
def test_methods_that_do_not_differ_are_seldom_told_apart_by_ratio_and_mean_alike(spread: float) -> None:
    """By the mean alone they would be in 7 to 14 % of the cases, as a few targets carry most of it."""
    generator, found = np.random.default_rng(9), 0
    for number in range(ROUNDS):
        difficulty, *own = generator.normal(size=(3, 1, TARGETS))
        one, other = (np.exp(spread * (difficulty + each) / 2**0.5) for each in own)
        found += apart(*(drawn(errors, resamples=400, seed=number) for errors in (one, other)))
    assert found / ROUNDS < 0.05


def test_methods_are_told_apart_where_ratio_and_mean_agree_alone() -> None:
    one = errors(1, 1, 200)
    assert apart(drawn(one), drawn(1.2 * one)) == -1 and apart(drawn(1.2 * one), drawn(one)) == 1
    assert not apart(drawn(one), drawn(one))
    worse_where_it_matters = np.where(one > np.quantile(one, 0.9), 3 * one, one / 2)
    assert compare(worse_where_it_matters, one).high < 0 and worse_where_it_matters.mean() > one.mean()
    assert not apart(drawn(worse_where_it_matters), drawn(one))


@pytest.mark.parametrize("shapes", [((1, 3), (1, 4)), ((3,), (3,)), ((0, 3), (1, 3)), ((1, 0), (1, 0))])
def test_errors_of_other_targets_are_refused(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match="are not of the same targets"):
        compare(*(np.ones(shape) for shape in shapes))


def test_a_profile_is_the_share_within_each_threshold() -> None:
    own = np.array([[1.0, 0.1], [0.01, 1.0]])
    assert profile(own, np.array([0.0, 0.01, 0.5, 1.0, 2.0])).tolist() == [0, 0.25, 0.5, 1, 1]


def test_no_mean_of_errors_is_drawn_below_nothing() -> None:
    errors = np.stack([np.full(50, 2.5e-4), np.full(50, 1.5e-5), np.full(50, 8.5e-6)])
    means = drawn(errors).means
    assert means.min() > 0 and np.percentile(means, 2.5) < 2e-5 and np.percentile(means, 97.5) > 2e-4
    exact = drawn(np.full((3, 50), 1e-7))
    assert apart(exact, drawn(errors)) == -1
    assert not drawn(np.zeros((3, 50))).means.any()
