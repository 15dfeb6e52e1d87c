"""The protocols, with methods whose errors are known beforehand."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from harness.evaluation import protocols, resimulation
from harness.evaluation.resimulation import resimulate
from torch import Generator, Tensor

from harness import data
from harness.contracts import Method, Proposals, Task
from harness.presets import Protocol

PROTOCOL = Protocol(
    targets=7, proposals=12, repeats=5, fixed_proposals=6, trials=(1, 3, 12), bootstrap=50, n_train=200, data_seed=3
)
HARD = 50.0
UNSIMULATED = 40.0


class Scales(Task):
    """y = (x0, 10 x1): the design of a target is known. Beyond 40 nothing can be simulated, beyond 50 nothing is."""

    x_dim = 2
    y_dim = 2
    fixed_target = (1.0, -5.0)

    @property
    def bounds(self) -> Tensor:
        return torch.tensor([[-2.0, -2.0], [2.0, 2.0]], dtype=torch.float64)

    def sample_prior(self, n: int, generator: Generator) -> Tensor:
        return torch.randn(n, 2, generator=generator, dtype=torch.float64)

    def simulate(self, x: Tensor) -> Tensor:
        y = x * torch.tensor([1.0, 10.0], dtype=torch.float64)
        between = (x.abs() > UNSIMULATED) & (x.abs() < HARD)
        return torch.where(between.any(-1, keepdim=True), math.nan, y)

    def in_support(self, x: Tensor) -> Tensor:
        return (x.abs() <= HARD).all(-1)


class Shifted(Method):
    """Proposes the right design, with x0 off by `shift(targets)` `(b, n)` in physical units."""

    dtype = torch.float64
    trainable = False

    def __init__(self, dataset: data.Dataset, shift, *, ranked=False, believed=None, pool=None) -> None:
        super().__init__()
        self.dataset, self.shift, self.ranked, self.believed, self.pool = dataset, shift, ranked, believed, pool
        self.asked: list[tuple[int, int]] = []

    def candidates(self, n: int) -> int:
        return n if self.pool is None else max(n, self.pool)

    def propose(self, y: Tensor, n: int, generator: Generator) -> Proposals:
        self.asked.append((len(y), n))
        exact = self.dataset.y_scale.undo(y) / torch.tensor([1.0, 10.0], dtype=torch.float64)
        x = exact[:, None].repeat(1, n, 1)
        x[..., 0] += self.shift(exact, n, generator)
        believed = None if self.believed is None else self.believed(len(y), n)
        return Proposals(self.dataset.x_scale.apply(x), ranked=self.ranked, believed=believed)


@pytest.fixture(scope="module")
def dataset() -> data.Dataset:
    return data.draw(Scales(), PROTOCOL)


def run(method: Method, dataset: data.Dataset, protocol: Protocol = PROTOCOL, seed: int = 0):
    designs = protocols.collect(method, dataset, protocol, seed, "cpu", lambda done, total: None)
    task = Scales()
    reached = resimulate(task, designs.multi), resimulate(task, designs.fixed)
    return designs, protocols.score(task, dataset, designs, protocol, reached)


def counting(exact: Tensor, n: int, generator: Generator) -> Tensor:
    """The k-th proposal is off by k + 1."""
    return torch.arange(1.0, n + 1, dtype=torch.float64).expand(len(exact), n)


def drawn(exact: Tensor, n: int, generator: Generator) -> Tensor:
    return torch.randn(len(exact), n, generator=generator, dtype=torch.float64)


def test_exchangeable_proposals_are_averaged_one_for_each_target_in_each_repeat(dataset: data.Dataset) -> None:
    designs, scores = run(Shifted(dataset, counting), dataset)
    assert designs.multi.shape == (7, 12, 2)
    assert designs.fixed.shape == (5, 6, 2)
    multi = scores["multi_target"]
    errors = np.arange(1, 6.0) ** 2  # five repeats use the first five proposals
    assert multi["sse"]["mean"] == pytest.approx(errors.mean())
    assert multi["sse"]["std"] == pytest.approx(errors.std(ddof=1))
    assert multi["mse"]["mean"] == pytest.approx(errors.mean() / 2)
    assert multi["nmse"]["mean"] == pytest.approx(errors.mean() / 2 / float(dataset.y_variance[0]))
    assert multi["valid"] == 1.0
    assert (multi["targets"], multi["repeats"]) == (7, 5)


def test_the_fixed_target_is_averaged_over_all_its_proposals_in_each_repeat(dataset: data.Dataset) -> None:
    fixed = run(Shifted(dataset, counting), dataset)[1]["fixed_target"]
    assert fixed["sse"]["mean"] == pytest.approx((np.arange(1, 7.0) ** 2).mean())
    assert fixed["sse"]["std"] == pytest.approx(0.0, abs=1e-9)
    assert fixed["sse"]["median"] == pytest.approx((9 + 16) / 2)
    assert (fixed["target"], fixed["proposals"], fixed["repeats"]) == ([1.0, -5.0], 6, 5)


def test_r_t_of_exchangeable_proposals_is_the_mean_over_all_subsets(dataset: data.Dataset) -> None:
    designs, scores = run(Shifted(dataset, drawn), dataset)
    reached = resimulate(Scales(), designs.multi)
    errors = (reached - dataset.targets[:, None]).square().sum(-1).numpy()
    assert scores["r_T"]["estimator"] == "expected best of random T"
    for trials, value in zip(scores["r_T"]["T"], scores["r_T"]["sse"]["value"], strict=True):
        best = [[min(subset) for subset in itertools.combinations(row, trials)] for row in errors]
        assert value == pytest.approx(np.mean(best))
    low, high = scores["r_T"]["sse"]["low"], scores["r_T"]["sse"]["high"]
    assert all(a <= b <= c for a, b, c in zip(low, scores["r_T"]["sse"]["value"], high, strict=True))


INVALID = {"nan": math.nan, "infinite": math.inf, "not simulated": 45.0, "outside the domain": 60.0}


@pytest.mark.parametrize("kind", INVALID)
def test_an_invalid_proposal_costs_a_trial_and_never_shifts_a_target(dataset: data.Dataset, kind: str) -> None:
    values = {tuple(row): k for k, row in enumerate((dataset.targets / torch.tensor([1.0, 10.0])).tolist())}

    def shift(exact: Tensor, n: int, generator: Generator) -> Tensor:
        """Target k is off by k, and the first proposal of target 2 is invalid."""
        numbers = [min(values, key=lambda known, row=row: math.dist(known, row)) for row in exact.tolist()]
        out = torch.tensor([float(values[row]) for row in numbers], dtype=torch.float64)[:, None].repeat(1, n)
        if len(exact) == 7:
            out[2, 0] = INVALID[kind] - exact[2, 0]
        return out

    scores = run(Shifted(dataset, shift), dataset)[1]
    fallback = float(dataset.y_variance.sum())
    known = np.arange(7.0) ** 2
    first = known.copy()
    first[2] = fallback
    multi = scores["multi_target"]["sse"]
    means = [first.mean(), *[known.mean()] * 4]
    assert multi["mean"] == pytest.approx(np.mean(means))
    assert multi["std"] == pytest.approx(np.std(means, ddof=1))
    assert scores["multi_target"]["valid"] == pytest.approx(1 - 1 / 84)
    r_1, r_3, r_12 = scores["r_T"]["sse"]["value"]
    assert r_1 == pytest.approx((known.sum() + (fallback - 4) / 12) / 7)
    assert r_3 == pytest.approx(known.mean()), "it must never win, however large the error of the constant prediction"
    assert r_12 == pytest.approx(known.mean())


def test_a_target_without_any_valid_proposal_counts_with_the_constant_prediction(dataset: data.Dataset) -> None:
    scores = run(Shifted(dataset, lambda exact, n, generator: torch.full((len(exact), n), math.nan)), dataset)[1]
    for protocol in ("multi_target", "fixed_target"):
        assert scores[protocol]["valid"] == 0.0
        assert scores[protocol]["in_box"] == 0.0
        assert scores[protocol]["nmse"]["mean"] == pytest.approx(1.0)
        assert scores[protocol]["sse"]["mean"] == pytest.approx(float(dataset.y_variance.sum()))
    assert scores["r_T"]["nmse"]["value"] == pytest.approx([1.0, 1.0, 1.0])
    assert math.isnan(scores["novelty"]["nearest"])


def test_designs_outside_the_box_of_the_prior_are_valid_and_counted(dataset: data.Dataset) -> None:
    def shift(exact: Tensor, n: int, generator: Generator) -> Tensor:
        return (torch.where(torch.arange(n) < n // 2, 10.0, 0.0) - exact[:, :1]).double()

    multi = run(Shifted(dataset, shift), dataset)[1]["multi_target"]
    assert multi["valid"] == 1.0
    inside = (dataset.targets[:, 1].abs() <= 20).double().mean()
    assert multi["in_box"] == pytest.approx(0.5 * float(inside))


def test_what_is_ranked_without_candidates_of_its_own_gives_one_answer(dataset: data.Dataset) -> None:
    method = Shifted(dataset, lambda *a: counting(*a).flip(1), ranked=True, believed=torch.zeros)
    designs, scores = run(method, dataset)
    assert designs.ranked
    assert not designs.pooled
    assert scores["multi_target"]["sse"]["mean"] == pytest.approx(144.0)
    assert scores["multi_target"]["sse"]["std"] == 0.0
    assert scores["r_T"]["estimator"] == "best of the first T as ranked"
    assert scores["r_T"]["sse"]["value"] == pytest.approx([144.0, 100.0, 1.0])


def test_the_repeats_of_a_pooled_method_are_random_halves_of_one_pool(dataset: data.Dataset) -> None:
    protocol = replace(PROTOCOL, repeats=4000)
    method = Shifted(dataset, counting, ranked=True, believed=torch.zeros, pool=9)
    designs, scores = run(method, dataset, replace(protocol, proposals=4000, trials=(1,)))
    assert designs.pooled
    assert designs.fixed.shape == (1, 18, 2)  # twice the 9 candidates from which 6 are returned
    assert method.asked[-1] == (1, 18)
    # The best of a random half has rank k with probability 1 / 2^k, and error k^2: mean 6.
    assert scores["multi_target"]["sse"]["mean"] == pytest.approx(6.0, rel=0.05)
    assert scores["multi_target"]["sse"]["std"] > 0
    ranks = np.arange(1, 19.0)
    generator = np.random.default_rng(0)
    halves = np.stack([np.sort(generator.permutation(ranks)[:9])[:6] for _ in range(20_000)])
    expected = (halves**2).mean(1)
    assert scores["fixed_target"]["sse"]["mean"] == pytest.approx(expected.mean(), rel=0.02)
    assert scores["fixed_target"]["sse"]["std"] == pytest.approx(expected.std(), rel=0.1)


def test_as_many_proposals_are_asked_for_as_trials_and_repeats_need(dataset: data.Dataset) -> None:
    for proposals, repeats in ((12, 5), (12, 30)):
        method = Shifted(dataset, counting)
        protocol = replace(PROTOCOL, proposals=proposals, repeats=repeats)
        designs, scores = run(method, dataset, protocol)
        assert designs.multi.shape[1] == max(proposals, repeats)
        assert scores["multi_target"]["sse"]["mean"] == pytest.approx((np.arange(1, repeats + 1.0) ** 2).mean())


def test_the_surrogate_gap_is_that_of_first_proposals_in_units_of_the_variance(dataset: data.Dataset) -> None:
    def shift(exact: Tensor, n: int, generator: Generator) -> Tensor:
        out = torch.full((len(exact), n), 2.0, dtype=torch.float64)
        out[0] = math.nan
        return out

    def believed(b: int, n: int) -> Tensor:
        return torch.arange(float(b))[:, None] + 100 * torch.arange(float(n))

    gap = run(Shifted(dataset, shift, believed=believed), dataset)[1]["surrogate_gap"]
    assert gap["believed"] == {"mean": pytest.approx(3.0), "median": pytest.approx(3.0)}
    one = 4 / 2 / float(dataset.y_variance[0])
    assert gap["resimulated"]["mean"] == pytest.approx((6 * one + 1) / 7)
    assert run(Shifted(dataset, shift), dataset)[1]["surrogate_gap"] is None


def test_novelty_tells_copies_and_diversity(dataset: data.Dataset) -> None:
    class Copies(Shifted):
        def propose(self, y: Tensor, n: int, generator: Generator) -> Proposals:
            rows = self.dataset.train.x[: len(y) * n].view(len(y), n, 2)
            return Proposals(self.dataset.x_scale.apply(rows))

    assert run(Copies(dataset, counting), dataset)[1]["novelty"]["copies"] == 1.0
    exact = run(Shifted(dataset, lambda exact, n, generator: torch.zeros(len(exact), n)), dataset)[1]["novelty"]
    assert (exact["copies"], exact["accurate"], exact["diversity"]) == (0.0, 1.0, pytest.approx(0.0, abs=1e-6))
    assert exact["nearest"] > 0


def test_the_same_seed_gives_the_same_bits_whatever_the_global_random_state_is(dataset: data.Dataset) -> None:
    first, scores = run(Shifted(dataset, drawn), dataset)
    torch.manual_seed(99)
    np.random.seed(99)
    second, again = run(Shifted(dataset, drawn), dataset)
    assert torch.equal(first.multi, second.multi)
    assert torch.equal(first.fixed, second.fixed)
    assert scores == again
    other, _ = run(Shifted(dataset, drawn), dataset, seed=1)
    assert not torch.equal(first.multi, other.multi)


def test_the_two_protocols_draw_from_streams_of_their_own(dataset: data.Dataset) -> None:
    class Noise(Shifted):
        def propose(self, y: Tensor, n: int, generator: Generator) -> Proposals:
            return Proposals(torch.randn(len(y), n, 2, generator=generator, dtype=torch.float64))

    designs, _ = run(Noise(dataset, counting), dataset)
    assert not torch.isin(designs.fixed, designs.multi).any()


def test_targets_keep_their_order_when_they_are_asked_for_in_chunks(
    dataset: data.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, scores = run(Shifted(dataset, counting), dataset)
    monkeypatch.setattr(protocols, "ROWS_PER_CALL", 30)
    monkeypatch.setattr(resimulation, "ROWS_PER_CALL", 11)
    method, told = Shifted(dataset, counting), []
    designs = protocols.collect(method, dataset, PROTOCOL, 0, "cpu", lambda done, total: told.append((done, total)))
    assert torch.equal(designs.multi, whole.multi)
    assert torch.equal(designs.fixed, whole.fixed)
    assert method.asked == [(2, 12)] * 3 + [(1, 12), (5, 6)]
    assert told == [(0, 7), (2, 7), (4, 7), (6, 7), (0, 5)]
    assert str(run(Shifted(dataset, counting), dataset)[1]) == str(scores)


@pytest.mark.parametrize("shape", [(7, 12, 3), (7, 11, 2), (6, 12, 2), (7, 12, 1), (84, 2)], ids=str)
def test_proposals_of_another_shape_are_an_error(dataset: data.Dataset, shape: tuple[int, ...]) -> None:
    class Misshapen(Shifted):
        def propose(self, y: Tensor, n: int, generator: Generator) -> Proposals:
            return Proposals(torch.zeros(shape, dtype=torch.float64))

    with pytest.raises(ValueError, match=r"shape \(.*\(7, 12, 2\) was asked for"):
        run(Misshapen(dataset, counting), dataset)


def test_designs_are_stored_in_the_precision_of_the_method(dataset: data.Dataset) -> None:
    class Single(Shifted):
        dtype = torch.float32

        def propose(self, y: Tensor, n: int, generator: Generator) -> Proposals:
            assert y.dtype == torch.float32
            return Proposals(torch.zeros(len(y), n, 2))

    designs, _ = run(Single(dataset, counting), dataset)
    assert designs.multi.dtype == designs.fixed.dtype == torch.float32
    assert resimulate(Scales(), designs.multi).dtype == torch.float64
