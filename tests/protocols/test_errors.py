"""The protocols of errors, with methods whose errors are known beforehand: plain, ranked and pooled."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from harness.contracts import Proposals
from harness.metrics import METRICS, errors
from harness.protocols.contract import Question
from harness.protocols.fixed_target import FixedTarget
from harness.protocols.multi_target import MultiTarget
from harness.protocols.r_t import RT
from harness.protocols.surrogate_gap import SurrogateGap
from tests.protocols.common import SIZES, Shifted, Toy, counting, drawn, nowhere

R_T = RT(RT.Options(trials=(1, 3, 12, 500), bootstrap=50))


@pytest.fixture(scope="module")
def toy() -> Toy:
    return Toy()


def test_plain_proposals_are_averaged_one_for_each_target_in_each_repeat(toy):
    found = toy.score(MultiTarget(), toy.shifted(counting))
    squares = np.arange(1, 6.0) ** 2  # five repeats use the first five proposals
    assert found.errors["sse"].mean == pytest.approx(squares.mean())
    assert found.errors["sse"].std == pytest.approx(squares.std(ddof=1))
    assert found.errors["mse"].mean == pytest.approx(squares.mean() / 2)
    assert found.errors["nmse"].mean == pytest.approx(squares.mean() / 2 / float(toy.data.y_variance[0]))
    assert (found.valid, found.repeats, found.repeats_from) == (1.0, 5, "fresh proposals")


def test_the_fixed_target_is_averaged_over_all_its_proposals_in_each_repeat(toy):
    found = toy.score(FixedTarget(), toy.shifted(counting)).errors["sse"]
    assert (found.mean, found.median) == (pytest.approx((np.arange(1, 7.0) ** 2).mean()), pytest.approx((9 + 16) / 2))
    assert found.std == pytest.approx(0.0, abs=1e-9)


def test_r_t_of_plain_proposals_is_the_mean_over_all_subsets(toy):
    method = toy.shifted(drawn)
    answered = toy.answered(method, Question("targets", 12))
    squares = (answered.reached - toy.data.targets.y[:, None]).square().sum(-1).numpy()
    found = toy.score(R_T, method)
    assert found.T == [1, 3, 12] and found.estimator == "expected best of random T"
    for trials, value in zip(found.T, found.curves["sse"].value, strict=True):
        best = [[min(subset) for subset in itertools.combinations(row, trials)] for row in squares]
        assert value == pytest.approx(np.mean(best))
    curve = found.curves["sse"]
    assert all(low <= value <= high for low, value, high in zip(curve.low, curve.value, curve.high, strict=True))


def test_a_method_that_only_ranks_gives_one_answer(toy):
    method = toy.shifted(lambda *a: counting(*a).flip(1), ranked=True)
    multi, fixed, curve = (toy.score(protocol, method) for protocol in (MultiTarget(), FixedTarget(), R_T))
    assert (multi.errors["sse"].mean, multi.errors["sse"].std) == (pytest.approx(144.0), 0.0)
    assert fixed.errors["sse"].std == pytest.approx(0.0, abs=1e-9)
    assert multi.repeats_from == "the same ranked proposals in every repeat"
    assert curve.estimator == "best of the first T as ranked"
    assert curve.curves["sse"].value == pytest.approx([144.0, 100.0, 1.0])


def test_the_repeats_of_a_pool_are_random_halves_of_it(toy):
    method = toy.shifted(counting, ranked=True, pool=9)
    sizes = replace(SIZES, repeats=2000, proposals=18)
    fixed = toy.score(FixedTarget(), method, sizes)
    assert method.asked[-1] == (1, 18), "twice the 9 candidates from which 6 are returned"
    halves = np.array([half[:6] for half in itertools.combinations(np.arange(1, 19.0) ** 2, 9)]).mean(1)
    assert fixed.errors["sse"].mean == pytest.approx(halves.mean(), rel=1e-9)
    assert fixed.repeats_from == "random halves of one candidate pool"
    left = 1 - 6 * sum(weight**2 for weight in _weights(18, 9, 6))
    assert fixed.errors["sse"].std == pytest.approx(halves.std() / left**0.5, rel=0.1)
    multi = toy.score(MultiTarget(), toy.shifted(counting, ranked=True, pool=9), replace(SIZES, proposals=18))
    first = np.array([half[0] for half in itertools.combinations(np.arange(1, 19.0) ** 2, 9)])
    assert multi.errors["sse"].mean == pytest.approx(first.mean(), rel=1e-9)


def _weights(size: int, half: int, first: int) -> np.ndarray:
    members = np.concatenate([chosen[:first] for chosen in itertools.combinations(range(size), half)])
    return np.bincount(members, minlength=size) / len(members)


INVALID = {"nan": math.nan, "infinite": math.inf, "not simulated": 45.0, "outside the domain": 60.0}


@pytest.mark.parametrize("kind", INVALID)
def test_an_invalid_proposal_costs_a_trial_and_never_shifts_a_target(toy, kind):
    targets = (toy.data.targets.y / torch.tensor([1.0, 10.0])).tolist()

    def shift(exact: Tensor, n: int, generator: torch.Generator) -> Tensor:
        """Target k is off by k, and the first proposal of target 2 is invalid."""
        places = [min(range(7), key=lambda k, row=row: math.dist(targets[k], row)) for row in exact.tolist()]
        out = torch.tensor(places, dtype=torch.float64)[:, None].repeat(1, n)
        if len(exact) == 7:
            out[2, 0] = INVALID[kind] - exact[2, 0]
        return out

    method, known = toy.shifted(shift), np.arange(7.0) ** 2
    fallback = float((toy.data.known_y - toy.data.targets.y[2]).square().sum(1).mean())
    first = known.copy()
    first[2] = fallback
    found, means = toy.score(MultiTarget(), method), [first.mean(), *[known.mean()] * 4]
    assert found.errors["sse"].mean == pytest.approx(np.mean(means))
    assert found.errors["sse"].std == pytest.approx(np.std(means, ddof=1))
    assert found.valid == pytest.approx(1 - 1 / 84)
    curve = toy.score(R_T, method).curves["sse"].value
    assert curve == pytest.approx([(known.sum() + (fallback - 4) / 12) / 7, known.mean(), known.mean()])


@pytest.mark.parametrize("metric", METRICS)
def test_a_method_that_returns_nothing_has_the_expected_error_of_the_prior_at_every_target(toy, metric):
    answered = toy.answered(toy.shifted(nowhere), Question("targets", 4))
    y, variance = toy.data.train.y, toy.data.y_variance
    of_prior = [float(errors(METRICS[metric], y, row.expand_as(y), variance).mean()) for row in toy.data.targets.y]
    for counted, expected in zip(answered.counted(metric), of_prior, strict=True):
        assert counted == pytest.approx(np.full(4, expected))
    curve = toy.score(R_T, toy.shifted(nowhere))
    assert curve.valid == 0 and curve.curves[metric].value == pytest.approx([np.mean(of_prior)] * 3)


def test_r_t_never_grows_where_half_of_the_designs_are_invalid_and_the_others_bad(toy):
    def shift(exact: Tensor, n: int, generator: torch.Generator) -> Tensor:
        out = torch.full((len(exact), n), 20.0, dtype=torch.float64)
        out[:, ::2] = math.nan
        return out

    for ranked in (False, True):
        found = toy.score(R_T, toy.shifted(shift, ranked=ranked))
        assert found.valid == 0.5
        for curve in found.curves.values():
            assert (np.diff(curve.value) <= 1e-12 * curve.value[0]).all()


def test_designs_outside_the_box_of_the_prior_are_valid_and_counted(toy):
    def shift(exact: Tensor, n: int, generator: torch.Generator) -> Tensor:
        return (torch.where(torch.arange(n) < n // 2, 10.0, 0.0) - exact[:, :1]).double()

    found = toy.score(MultiTarget(), toy.shifted(shift))
    inside = (toy.data.targets.y[:, 1].abs() <= 20).double().mean()
    assert found.valid == 1.0 and found.in_box == pytest.approx(0.5 * float(inside))


def test_the_surrogate_gap_is_that_of_first_proposals(toy):
    def shift(exact: Tensor, n: int, generator: torch.Generator) -> Tensor:
        return torch.full((len(exact), n), 2.0, dtype=torch.float64)

    def believed(b: int, n: int) -> Tensor:
        return torch.arange(float(b))[:, None] + 100 * torch.arange(float(n))

    found = toy.score(SurrogateGap(), toy.shifted(shift, believed=believed))
    assert (found.believed_mean, found.believed_median) == (pytest.approx(3.0), pytest.approx(3.0))
    one = 4 / 2 / float(toy.data.y_variance[0])
    assert (found.resimulated_mean, found.resimulated_median) == (pytest.approx(one), pytest.approx(one))
    assert toy.score(SurrogateGap(), toy.shifted(shift)) is None


def test_nothing_is_believed_of_designs_that_could_not_be_computed(toy):
    def shift(exact: Tensor, n: int, generator: torch.Generator) -> Tensor:
        lost = torch.arange(len(exact))[:, None] < 3
        return torch.where(lost, math.nan, 2.0).double().expand(-1, n)

    def believed(b: int, n: int) -> Tensor:
        error = torch.arange(float(b))[:, None].repeat(1, n)
        error[:3] = math.nan
        return error

    found = toy.score(SurrogateGap(), toy.shifted(shift, believed=believed))  # of 7 targets, believed 3, 4, 5, 6
    assert (found.believed_mean, found.believed_median) == (pytest.approx(4.5), pytest.approx(4.5))
    assert math.isfinite(found.resimulated_mean)


def test_the_same_seed_gives_the_same_bits_whatever_the_global_random_state_is(toy):
    question = Question("targets", 12)
    first = toy.ask(toy.shifted(drawn), question)
    torch.manual_seed(99)
    assert torch.equal(first.x, toy.ask(toy.shifted(drawn), question).x)
    assert not torch.equal(first.x, toy.ask(toy.shifted(drawn), question, seed=1).x)


@pytest.mark.parametrize("shape", [(7, 12, 3), (7, 11, 2), (6, 12, 2), (7, 12, 1), (84, 2)], ids=str)
def test_proposals_of_another_shape_are_an_error(toy, shape):
    class Misshapen(Shifted):
        def propose(self, y, n, generator):
            return Proposals(torch.zeros(shape, dtype=torch.float64))

    with pytest.raises(ValueError, match=r"shape \(.*return \(7, 12, 2\)"):
        toy.ask(Misshapen(toy.lesson(), counting), Question("targets", 12))
