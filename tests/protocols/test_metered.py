"""Calls to the true forward model: counted, refused after the last, and what searches make of them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from harness import data
from harness.cache_folder import VARIABLE
from harness.protocols.metered import Metered
from harness.protocols.traces import kept, pays_between, pays_from, trace
from harness.reporting import drawn as figures
from harness.reporting import render
from harness.scenarios.metered import Metered as Scenario
from harness.searching import ENOUGH
from harness.searching.meter import INVALID, Meter, Spent
from harness.searching.searches import SEARCHES, Space
from harness.settings import DataSettings, Sizes
from tests import results
from tests.protocols.common import SIZES, Scales, Toy, counting, exact, nowhere

ONE = torch.ones(2, dtype=torch.float64)


def meter(calls: int, target=(1.0, -1.0), simulate=lambda x: x) -> Meter:
    return Meter(simulate, torch.tensor(target, dtype=torch.float64), ONE, calls)


def test_the_call_after_the_last_is_refused_and_the_last_counts() -> None:
    seen = []
    counted = meter(5, simulate=lambda x: (seen.append(len(x)), x)[1])
    counted.residuals(np.zeros((3, 2)))
    assert counted.left == 2
    with pytest.raises(Spent):
        counted.residuals(np.ones((4, 2)))
    assert sum(seen) == 5 == len(counted.errors) and counted.left == 0
    with pytest.raises(Spent):
        counted.residuals(np.ones((1, 2)))
    assert sum(seen) == 5, "nothing was simulated for a call that was refused"


def test_errors_are_those_of_the_known_entries_and_invalid_designs_are_far_off() -> None:
    counted = meter(9, target=(1.0, float("nan")), simulate=lambda x: torch.where(x > 5, torch.nan, x))
    counted.residuals(np.array([[3.0, 0.0], [1.5, 0.0], [9.0, 9.0]]))
    assert counted.errors == [4.0, 0.25, INVALID**2] and counted.best(1) == 4.0 and counted.best(3) == 0.25


def test_a_search_ends_where_a_target_is_reached() -> None:
    counted = meter(100)
    with pytest.raises(Spent):
        counted.residuals(np.array([[1.0, -1.0]]))
    assert counted.errors == [0.0] and ENOUGH > 0


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize("calls", [7, 300])
def test_a_search_makes_no_more_calls_than_it_may_and_gets_nearer(name: str, calls: int) -> None:
    """To the point where a bowl with a bend has the value that is wanted."""
    random = np.random.default_rng(0)
    counted = meter(calls, simulate=lambda x: torch.stack([x[:, 0] + 0.3 * x[:, 1] ** 2, x[:, 1]], 1))
    space = Space(np.zeros(2), np.ones(2), np.full(2, -4.0), np.full(2, 4.0))
    SEARCHES[name](counted, (random.normal(size=(10, 2)) for _ in range(100)), space, 1)
    assert len(counted.errors) <= calls and (len(counted.errors) == calls or min(counted.errors) <= ENOUGH)
    if calls > 100:
        assert min(counted.errors) < {"none": 0.1, "lm": ENOUGH, "cma-es": 1e-6, "de": 1e-3}[name]


@pytest.mark.parametrize("name", ["cma-es", "de"])
def test_the_same_seed_gives_the_same_search(name: str) -> None:
    traces = []
    for seed in (1, 1, 2):
        random, counted = np.random.default_rng(0), meter(100)
        space = Space(np.zeros(2), np.ones(2), np.full(2, -4.0), np.full(2, 4.0))
        SEARCHES[name](counted, (random.normal(size=(10, 2)) for _ in range(100)), space, seed)
        traces.append(counted.errors)
    assert traces[0] == traces[1] != traces[2]


def test_gradients_are_counted() -> None:
    """Of a linear problem one step is enough: ten designs, one start, one Jacobian of two calls, one step."""
    counted = meter(1000)
    space = Space(np.zeros(2), np.ones(2), np.full(2, -9.0), np.full(2, 9.0))
    SEARCHES["lm"](counted, iter([np.random.default_rng(0).normal(size=(10, 2))]), space, 0)
    assert 14 <= len(counted.errors) <= 30 and min(counted.errors) <= ENOUGH


def test_the_curve_is_of_the_best_so_far_and_the_median_of_the_calls_that_are_needed() -> None:
    errors = np.minimum.accumulate(np.array([[1.0, 0.5, 0.5, 1e-6], [2.0, 1e-5, 1e-5, 1e-5], [3.0, 3.0, 3.0, 3.0]]), 1)
    found = trace(errors, 1e-4)
    assert found.calls == [1, 2, 3, 4] and found.mean[0] == 2.0 and found.median == [2.0, 0.5, 0.5, 1e-5]
    assert found.reached == pytest.approx([0, 1 / 3, 1 / 3, 2 / 3]) and found.needed == 4
    assert trace(errors[2:], 1e-4).needed is None


@pytest.mark.parametrize(
    ("own", "prior", "wanted"), [(10.0, 60.0, 200.0), (60.0, 10.0, None), (None, 60.0, None), (60.0, 60.0, None)]
)
def test_learning_pays_where_its_pairs_are_fewer_than_the_calls_it_saves(own, prior, wanted) -> None:
    assert pays_from(10_000, own, prior) == wanted


def test_the_interval_of_where_learning_pays_is_that_of_medians_over_targets() -> None:
    random = np.random.default_rng(5)
    covered = []
    for _ in range(200):
        prior, own = random.lognormal(4, 0.5, 50), random.lognormal(1, 0.5, (1, 50))
        low, high = pays_between(10_000, own, prior)
        covered.append(low <= 10_000 / (np.exp(4) - np.exp(1)) <= high)
    assert 0.9 <= np.mean(covered) <= 1.0


def test_learning_may_never_pay_where_the_searches_are_alike() -> None:
    calls = np.random.default_rng(6).lognormal(3, 0.5, (2, 50))
    low, high = pays_between(1000, calls[:1], calls[1])
    assert low and high is None
    assert pays_between(1000, np.full((1, 9), np.inf), np.full(9, 20.0)) == (None, None)


@pytest.fixture
def toy() -> Toy:
    made = Toy(Scales(), DataSettings(targets=20, n_train=200, data_seed=3))
    made.data = data.draw(made.task, made.data.settings, Scenario(Scenario.Options(calls=50, targets=8)))
    return made


def test_with_one_call_it_is_the_first_proposal_and_from_the_prior_a_draw(toy: Toy) -> None:
    found = toy.score(Metered(), toy.shifted(counting), Sizes(proposals=12, repeats=5, fixed_proposals=6))
    assert (
        found.targets == 8 and set(found.own) == {"none", "lm"} and set(found.prior) == {"none", "lm", "cma-es", "de"}
    )
    first = float((1 / toy.data.y_variance[0]) / 2)
    assert found.own["none"].mean[0] == pytest.approx(first, rel=1e-6), "off by one in x0, a mean over two y"
    assert found.own["none"].mean[-1] == found.own["none"].mean[0], "later proposals are further off"
    assert found.own["lm"].needed < 25 and found.prior["lm"].reached[-1] == 1


def test_the_errors_of_each_target_are_those_of_the_curves_and_nothing_is_searched_twice(toy: Toy, monkeypatch) -> None:
    protocol, material = Metered(), toy.material(Metered(), toy.shifted(counting), SIZES)
    found = protocol.score(material)
    monkeypatch.setattr("harness.searching.tracing._traced", None)
    numbers = protocol.by_target(material)
    for unlearned, traces in enumerate((found.own, found.prior)):
        for search, curve in traces.items():
            for count, median in zip(curve.calls, curve.median, strict=True):
                errors = numbers[kept(search, count, unlearned)]
                assert len(errors) == found.targets and np.median(errors) == pytest.approx(median)
            assert np.median(numbers[kept(search, "first", unlearned)]) == (curve.needed or np.inf)
    assert len(numbers) == sum(len(curve.calls) + 1 for curve in (*found.own.values(), *found.prior.values()))


def test_searches_from_the_prior_are_made_once_for_all_methods(toy: Toy, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    calls = []
    real = Scales.simulate
    monkeypatch.setattr(Scales, "simulate", lambda self, x: (calls.append(len(x)), real(self, x))[1])
    found = [toy.score(Metered(), toy.shifted(shift), SIZES) for shift in (exact, nowhere)]
    assert found[0].prior == found[1].prior and found[0].own != found[1].own
    before = len(calls)
    toy.score(Metered(), toy.shifted(nowhere), SIZES)
    assert len(calls) - before <= 2, "but for the probes and the proposals nothing is simulated anew"
    other = Toy(Scales(), DataSettings(targets=20, n_train=200, data_seed=4))
    other.data = data.draw(other.task, other.data.settings, Scenario(Scenario.Options(calls=50, targets=8)))
    assert other.score(Metered(), other.shifted(exact), SIZES).prior != found[0].prior


@pytest.mark.parametrize("spoil", [lambda b: b[:-40] + bytes([b[-40] ^ 64]) + b[-39:], lambda b: b[: len(b) // 2]])
def test_damaged_searches_are_made_again(toy: Toy, tmp_path, monkeypatch, spoil) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    first = toy.score(Metered(), toy.shifted(exact), SIZES)
    (path,) = (tmp_path / "searched").glob("*.safetensors")
    whole = path.read_bytes()
    path.write_bytes(spoil(whole))
    with pytest.warns(UserWarning, match="is damaged and is made again"):
        assert toy.score(Metered(), toy.shifted(exact), SIZES).prior == first.prior
    assert path.read_bytes() == whole


def test_learning_pays_for_nobody_whose_proposals_are_draws_of_the_prior(tmp_path) -> None:
    wanted = results.cells("prior,lookup", "robotic_arm", "metered[calls=60,targets=20]", asked="metered")
    results.run(tmp_path, wanted)
    (table,) = json.loads(render("metered", tmp_path, format="json"))
    assert all(row["pays"] is None for row in table["rows"] if row["method"] == "prior")
    found = [row for row in table["rows"] if row["method"] == "lookup" and row["pays"]]
    assert found and all(row["pays_low"] <= row["pays"] <= (row["pays_high"] or np.inf) for row in found)


def test_where_nothing_is_proposed_a_target_is_missed_by_far(toy: Toy) -> None:
    found = toy.score(Metered(), toy.shifted(nowhere), Sizes(proposals=12, repeats=5, fixed_proposals=6))
    assert found.own["none"].median == [INVALID**2] * len(found.own["none"].calls) and found.own["lm"].needed is None


def test_exact_proposals_need_one_call(toy: Toy) -> None:
    found = toy.score(Metered(), toy.shifted(exact), Sizes(proposals=12, repeats=5, fixed_proposals=6))
    assert found.own["none"].needed == found.own["lm"].needed == 1


def test_a_slow_forward_model_is_asked_for_fewer_targets() -> None:
    class Slow(Scales):
        cost = 100.0

    settings = DataSettings(targets=40, n_train=50)
    counts = {}
    for calls in (10, 1000):
        made = data.draw(Slow(), settings, Scenario(Scenario.Options(calls=calls)))
        counts[calls] = len(made.targets.y)
    assert counts == {10: 30, 1000: 5}


def test_elsewhere_there_is_no_score_and_real_records_have_their_table_and_figure(tmp_path) -> None:
    plain = Toy(Scales())
    assert plain.score(Metered(), plain.shifted(exact)) is None
    wanted = results.cells("mdn,prior", "robotic_arm", "metered[calls=100,targets=4]", asked="multi-target,metered")
    results.run(tmp_path, wanted)
    (table,) = json.loads(render("metered", tmp_path, format="json"))
    assert [(row["method"], row["search"]) for row in table["rows"]][-4:] == [
        ("draws of the prior", search) for search in ("none", "lm", "cma-es", "de")
    ]
    (figure,) = figures(["metered"], tmp_path)
    assert [panel.title.rpartition(", ")[2] for panel in figure.panels] == ["none", "lm"]
