"""The data of a task: fixed by the data seed, split without overlap, standardised on the training part."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Generator, Tensor

from harness.data import Standardisation, draw, fitted, pose, standardised
from harness.registry import discover
from harness.settings import DataSettings
from tests.toys import Waves

SETTINGS = DataSettings(n_train=500, targets=40)


def sinewave():
    return discover("tasks")["sinewave"].load()()


@given(arrays("float64", (7, 3), elements=st.floats(-1e6, 1e6, allow_nan=False)))
def test_standardisation_returns_what_went_in(rows) -> None:
    rows = torch.from_numpy(rows)
    scale = Standardisation.of(rows)
    assert torch.allclose(scale.undo(scale.apply(rows)), rows, rtol=1e-9, atol=1e-6)


def test_standardised_training_data_have_mean_zero_and_deviation_one() -> None:
    data = draw(sinewave(), SETTINGS)
    pairs = standardised((data.x_scale, data.y_scale), data.train, torch.float64, "cpu")
    for rows in (pairs.x, pairs.y):
        assert torch.allclose(rows.mean(0), torch.zeros(rows.shape[1]).double(), atol=1e-12)
        assert torch.allclose(rows.std(0), torch.ones(rows.shape[1]).double(), atol=1e-12)


def test_a_constant_dimension_is_left_unscaled() -> None:
    rows = torch.tensor([[1.0, 5.0], [3.0, 5.0]]).double()
    assert torch.isfinite(Standardisation.of(rows).apply(rows)).all()


def test_the_data_depend_on_the_data_seed_alone() -> None:
    first, again = draw(sinewave(), SETTINGS), draw(sinewave(), SETTINGS)
    torch.manual_seed(123)
    other = draw(sinewave(), DataSettings(n_train=500, targets=40, data_seed=1))
    assert first.hashes() == again.hashes()
    assert first.hashes()["split"] != other.hashes()["split"]
    assert first.hashes()["targets"] != other.hashes()["targets"]


def test_no_target_occurs_in_the_pairs_that_a_method_may_learn_from() -> None:
    data = draw(sinewave(), DataSettings(n_train=5000, targets=1000))
    seen = torch.cat([data.train.y, data.valid.y])
    assert torch.cdist(data.targets.y, seen).min() > 0
    assert torch.cdist(data.train.x, data.valid.x).min() > 0


def test_validation_targets_are_the_validation_part() -> None:
    data = draw(sinewave(), DataSettings(n_train=500, targets=40, targets_from="validation"))
    assert torch.equal(data.targets.y, data.valid.y[:40])


def test_a_method_is_told_nothing_but_dimensions_range_and_prior() -> None:
    task, data = sinewave(), draw(sinewave(), SETTINGS)
    problem = fitted(pose(task, data), torch.float32, "cpu")
    assert set(vars(problem)) == {"x_dim", "y_dim", "bounds", "sample_prior", "condition_dim", "kinds", "step"}
    x = standardised((data.x_scale, data.y_scale), data.train, torch.float32, "cpu").x
    assert torch.equal(problem.bounds, torch.stack([x.min(0).values, x.max(0).values]))
    draws = problem.sample_prior(1000, torch.Generator().manual_seed(0))
    assert draws.dtype == torch.float32
    assert (draws.mean(0).abs() < 0.2).all()


@pytest.mark.parametrize(("valid", "n", "most"), [(0.0, 2000, 2000), (0.0, 1, 100), (0.005, 2000, 20_000)])
def test_a_task_that_can_hardly_be_simulated_is_given_up_early(valid: float, n: int, most: int) -> None:
    task = Rarely(valid)
    with pytest.raises(ValueError, match=r"Only \d+ of \d+ prior draws of Rarely could be simulated\."):
        task.draw(n, Generator().manual_seed(0))
    assert n <= task.asked <= most


@pytest.mark.parametrize("n", [1, 100, 2000])
def test_a_task_that_can_be_simulated_often_enough_is_not_given_up(n: int) -> None:
    for seed in range(20):
        assert len(Rarely(0.05).draw(n, Generator().manual_seed(seed)).x) == n


class Rarely(Waves):
    """A share of the designs can be simulated."""

    def __init__(self, valid: float) -> None:
        super().__init__(2, 1)
        self.limit, self.asked = float(torch.special.ndtri(torch.tensor(valid))), 0

    def simulate(self, x: Tensor) -> Tensor:
        self.asked += len(x)
        return super().simulate(x).where(x[:, :1] < self.limit, torch.nan)
