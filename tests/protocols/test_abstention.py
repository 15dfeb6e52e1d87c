"""Whether misses are foretold: by a method that knows its errors, by one that guesses, and by the distance."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from harness import data
from harness.metrics import ACCURATE
from harness.protocols.abstention import Abstention, distance, excess, told
from harness.protocols.contract import Question
from harness.scenarios.gaps import Gaps
from harness.scenarios.shift import Shift
from harness.settings import DataSettings
from tests.protocols.common import SIZES, Toy, exact

SETTINGS = DataSettings(targets=80, n_train=300, data_seed=3)


def mixed(count: int = 400) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    errors = ACCURATE * np.exp(random.normal(size=count))
    return errors * np.exp(random.normal(size=count)), errors


def test_a_score_that_is_the_error_tells_all_and_one_that_is_luck_tells_nothing():
    _, errors = mixed()
    perfect = told(errors, errors)
    assert perfect.auroc == 1 and perfect.error == 0
    assert perfect.kept == pytest.approx(np.sort(errors)[:200].mean() / errors.mean())
    assert told(-errors, errors).auroc == 0
    luck = told(np.random.default_rng(2).random(400), errors)
    assert abs(luck.auroc - 0.5) < 3 * luck.error and luck.kept == pytest.approx(1, abs=0.15)
    assert told(np.ones(400), errors).auroc == 0.5, "of equal scores"


def test_the_auroc_is_that_of_a_library_and_its_error_that_of_resampled_targets():
    scores, errors = mixed()
    found = told(scores, errors)
    assert found.auroc == pytest.approx(roc_auc_score(errors > ACCURATE, scores))
    random = np.random.default_rng(3)
    resampled = [told(scores[rows], errors[rows]).auroc for rows in random.integers(400, size=(400, 400))]
    assert found.error == pytest.approx(np.std(resampled), rel=0.15)


def test_a_score_that_is_not_a_number_is_the_worst():
    scores, errors = mixed()
    missing = np.where(errors > ACCURATE, math.nan, 1.0)
    assert told(missing, errors).auroc == 1
    assert told(np.where(errors > ACCURATE, np.inf, 1.0), errors) == told(missing, errors) != told(scores, errors)


def test_where_all_or_none_are_missed_there_is_no_auroc_and_without_errors_nothing():
    scores, errors = mixed()
    for factor in (1e-9, 1e9):
        found = told(scores, factor * errors)
        assert found.auroc is None and found.error is None and found.kept < 0.9
    assert told(scores, 0 * errors) is None and told(scores[:5], errors[:5]) is None


def test_of_shifted_targets_the_excess_over_the_best_design_is_what_counts():
    toy = Toy(settings=SETTINGS)
    toy.data = data.draw(toy.task, SETTINGS, Shift(Shift.Options(tail=0.5, beyond=1.0)))
    answered = toy.answered(toy.shifted(exact), Question("targets", 3))
    found, y = excess(answered), answered.targets.y
    best = torch.where(
        answered.targets.views["tail"].y.isfinite(),
        answered.targets.views["tail"].best_known,
        answered.targets.views["beyond"].best_known,
    )
    expected = -((best - y).square() / answered.data.y_variance).mean(1)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-9)
    assert (found < 0).any(), "a method that reaches beyond what is known is better than that"


def test_the_distance_is_that_to_the_nearest_training_y_in_the_entries_that_are_known():
    toy = Toy(settings=SETTINGS)
    toy.data = data.draw(toy.task, SETTINGS, Gaps(Gaps.Options(share=0.5, fill="native")))
    found = distance(toy.answered(toy.shifted(exact), Question("targets", 3)))
    shown, known = toy.data.targets.shown, toy.data.train.y
    for row, value in zip(shown, found, strict=True):
        (place,) = row.isfinite().nonzero()
        assert value == pytest.approx(float(((known[:, place] - row[place]) / known[:, place].std(0)).square().min()))


@pytest.mark.parametrize("promises", [True, False])
def test_only_a_method_that_promises_an_error_has_a_score_of_its_own(promises):
    toy = Toy(settings=SETTINGS)
    off = torch.linspace(0, 1, 80, dtype=torch.float64)[:, None]

    def believed(count, n):
        return off[:count].square().expand(count, n)

    method = toy.shifted(lambda y, n, generator: off.expand(-1, n), believed=believed if promises else None)
    found = toy.score(Abstention(), method, SIZES)
    assert found.targets == 80 and 0.5 < found.missed < 1
    assert (found.own is not None) == promises and found.distance.auroc == pytest.approx(0.5, abs=0.25)
    if promises:
        assert found.own.auroc == 1
        names = {statistic for _, statistic, *_ in Abstention().numbers(found)}
        assert names == {"missed"} | {
            f"{name}_{key}" for name in ("own", "distance") for key in ("auroc", "error", "kept")
        }
