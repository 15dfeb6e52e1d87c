"""Chosen simulations: what a Gaussian process says of candidates, and that a study with more calls continues one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness import data
from harness.behaviour import PROBES
from harness.cache_folder import VARIABLE
from harness.plan import refusal, specification
from harness.registry import build_scenario, build_task
from harness.scenarios.acquiring import Known, chosen
from harness.scenarios.active import Options, acquired
from harness.scenarios.process import Process, conditioned, information
from harness.selection import select
from harness.settings import DataSettings
from tests.test_conditions import Lever
from tests.toys import Waves

ACQUIRE = ("random", "maximin", "variance", "bald", "epig", "inverse-epig")
RANDOM = np.random.default_rng(0)


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(tmp_path_factory.mktemp("cache")))
        yield


def smooth(x: np.ndarray) -> np.ndarray:
    return np.stack([np.sin(x[:, 0]) + x[:, 1], x[:, 0] * x[:, 1]], 1)


@pytest.fixture(scope="module")
def process() -> Process:
    x = np.random.default_rng(1).normal(size=(60, 2))
    return Process.of(x, smooth(x))


def test_a_process_knows_what_it_was_told_and_less_further_away(process: Process) -> None:
    x = np.random.default_rng(2).normal(size=(50, 2)) * 0.7
    assert np.abs(process.mean(x) - smooth(x)).max() < 0.05
    known, far = process.covariance(process.x), process.covariance(np.array([[9.0, 9.0]]))
    assert np.diag(known).max() < 0.01 * far[0, 0]


def test_what_is_left_after_another_value_is_that_of_a_process_that_knows_it(process: Process) -> None:
    x = np.random.default_rng(3).normal(size=(6, 2)) * 2
    found = conditioned(process.covariance(x), process.noise, 2)
    every = np.concatenate([process.x, x[2:3]])
    matrix = process.kernel(every, every) + process.noise * np.eye(len(every))
    across = process.kernel(x, every)
    expected = process.kernel(x, x) - across @ np.linalg.solve(matrix, across.T)
    np.testing.assert_allclose(found, expected, atol=1e-2 * np.abs(expected).max())


def test_information_is_that_of_two_normal_values() -> None:
    """-1/2 log(1 - rho^2), the mean over what is to be known."""
    share = 0.6
    covariance = np.array([[1.0, 0.0, share], [0.0, 1.0, 0.0], [share, 0.0, 1.0]])
    found = information(covariance, 0.0, 2)
    np.testing.assert_allclose(found, [-np.log(1 - share**2) / 2, 0.0], atol=1e-12)
    noisy = information(covariance, 1.0, 2)
    assert noisy[0] == pytest.approx(-np.log(1 - (share / 2) ** 2) / 2)


def known(count: int = 40) -> Known:
    x = np.random.default_rng(4).normal(size=(count, 2))
    wanted = np.random.default_rng(5).normal(size=(30, 2)) + np.array([2.0, 0.0])
    return Known(x, smooth(x), smooth(wanted))


@pytest.mark.parametrize("candidates", ["prior", "inverse"])
@pytest.mark.parametrize("acquire", ACQUIRE)
def test_as_many_as_are_wanted_are_chosen_each_once(acquire, candidates) -> None:
    pool, others = (np.random.default_rng(seed).normal(size=(80, 2)) for seed in (6, 7))
    found = chosen(known(), pool, others, 7, acquire, candidates)
    assert len(found) == len(set(found)) == 7 and set(found) <= set(range(80))


def test_maximin_takes_what_is_furthest_from_all_that_is_known() -> None:
    pool = np.array([[0.1, 0.0], [5.0, 0.0], [5.1, 0.0], [0.0, 4.0]])
    one = Known(np.zeros((1, 2)), np.zeros((1, 2)), np.zeros((1, 2)))
    assert chosen(one, pool, pool, 2, "maximin", "prior") == [2, 3]


def test_a_batch_of_bald_does_not_ask_twice_for_the_same_and_one_of_variance_does() -> None:
    pool = np.array([[3.0, 3.0], [3.0, 3.0001], [-3.0, 3.0], [0.0, 0.0]])
    assert set(chosen(known(), pool, pool, 2, "variance", "prior")) in ({0, 1}, {2, 0}, {2, 1})
    assert set(chosen(known(), pool, pool, 2, "bald", "prior")) in ({0, 2}, {1, 2})


def test_inverse_epig_chooses_where_wanted_y_come_from() -> None:
    """They are wanted of designs about (2, 0)."""
    pool, others = (np.random.default_rng(seed).normal(size=(400, 2)) * 1.5 for seed in (6, 7))
    near = {
        name: np.linalg.norm(pool[chosen(known(), pool, others, 10, name, "prior")] - [2.0, 0.0], axis=1).mean()
        for name in ("inverse-epig", "maximin")
    }
    assert near["inverse-epig"] < near["maximin"]


@pytest.mark.parametrize("acquire", ["random", "maximin", "inverse-epig"])
def test_more_calls_continue_what_fewer_have_begun(acquire) -> None:
    task = Waves(2, 1)
    few, more = (acquired(task, Options(calls=calls, acquire=acquire)) for calls in (35, 50))
    assert len(few[0]) == 35 and len(more[0]) == 50
    assert np.array_equal(more[0][:35], few[0]) and np.array_equal(more[1][:35], few[1])
    np.testing.assert_allclose(more[1], task.simulate(torch.from_numpy(more[0])).numpy())
    again = acquired(task, Options(calls=50, acquire=acquire))
    assert np.array_equal(again[0], more[0]), "from the cache"
    assert not np.array_equal(acquired(task, Options(calls=35, acquire=acquire, seed=1))[0], few[0])


def test_there_may_be_many_rounds() -> None:
    task = Waves(2, 1)
    many = acquired(task, Options(calls=320, batch=1, acquire="random"))
    assert len(many[0]) == 320, "as many rounds as calls behind the first"
    few = acquired(task, Options(calls=60, batch=1, acquire="random"))
    assert np.array_equal(many[0][:60], few[0])


class Counted(Waves):
    """Counts the designs that are simulated."""

    calls = 0

    def simulate(self, x):
        self.calls += len(x)
        return super().simulate(x)


def test_a_forward_model_is_called_for_the_study_and_once_to_be_recognised() -> None:
    """However many rounds there are: with a simulator of one's own each call may be dear."""
    task, again = Counted(2, 1), Counted(2, 1)
    acquired(task, Options(calls=60, batch=2))
    assert task.calls == PROBES + 60
    acquired(again, Options(calls=60, batch=2))
    assert again.calls == PROBES, "from the cache"


def test_a_round_that_is_damaged_is_made_again_with_what_goes_before(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    first = acquired(Waves(2, 1), Options(calls=50))
    files = sorted((tmp_path / "acquired").glob("*.safetensors"), key=lambda path: path.stat().st_size)
    assert len(files) == 4
    for path in files[1:]:
        path.write_bytes(path.read_bytes()[:-40])
    with pytest.warns(UserWarning, match="is damaged and is made again"):
        assert np.array_equal(acquired(Waves(2, 1), Options(calls=50))[0], first[0])
    assert np.array_equal(acquired(Waves(2, 1), Options(calls=60))[0][:50], first[0])


def test_many_rounds_may_be_damaged_at_once(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    study = Options(calls=320, batch=1, acquire="random")
    first = acquired(Waves(2, 1), study)
    for path in (tmp_path / "acquired").glob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:-40])
    with pytest.warns(UserWarning, match="is damaged and is made again"):
        assert np.array_equal(acquired(Waves(2, 1), study)[0], first[0])


def test_methods_learn_from_all_calls_that_succeeded_and_are_asked_as_usual() -> None:
    task, settings = Waves(2, 1), DataSettings(n_train=100, targets=20)
    scenario = build_scenario(specification(*select("scenarios", "active[calls=40]")))
    seen, base = data.draw(task, settings, scenario), data.draw(task, settings)
    assert len(seen.train.x) + len(seen.valid.x) == 40 and torch.equal(seen.targets.y, base.targets.y)
    x = np.concatenate([seen.train.x, seen.valid.x])
    assert {row.tobytes() for row in x} == {row.tobytes() for row in acquired(task, Options(calls=40))[0]}


def test_shifted_targets_are_the_usual_ones_that_are_furthest_out() -> None:
    task, settings = Waves(2, 1), DataSettings(n_train=100, targets=50)
    scenario = build_scenario(specification(*select("scenarios", "active[calls=20,targets=shifted]")))
    seen, base = data.draw(task, settings, scenario), data.draw(task, settings)
    distance = (base.targets.y - base.known_y.mean(0)).abs()[:, 0]
    assert len(seen.targets.y) == 5
    furthest = base.targets.y[distance.argsort(descending=True)[:5], 0]
    assert sorted(seen.targets.y[:, 0].tolist()) == sorted(furthest.tolist())


def test_what_cannot_be_is_refused_in_words() -> None:
    method = specification(*select("methods", "na"))
    spec = specification(*select("scenarios", "active[calls=30,start=40]"))
    assert refusal(method, spec, Waves(2, 1)) == "start = 40 is more than calls = 30"
    assert "conditions" in refusal(method, specification(*select("scenarios", "active")), Lever())
    sinewave = build_task(specification(*select("tasks", "sinewave")))
    assert not refusal(method, specification(*select("scenarios", "active")), sinewave)
