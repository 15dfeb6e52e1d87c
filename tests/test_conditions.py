"""A task whose y ends in conditions: drawn, shown, used by the forward model, and never counted as an error."""

from __future__ import annotations

import pytest
import torch
from torch import Generator, Tensor

from harness import data
from harness.contracts import Task
from harness.metrics import METRICS, errors
from harness.resimulation import resimulate
from harness.settings import DataSettings

SETTINGS = DataSettings(n_train=200, targets=30)


class Lever(Task):
    """y = a x0 + x1 for a lever of length a, the condition."""

    x_dim, y_dim, fixed_target = 2, 2, (1.0, 2.0)
    bounds = torch.tensor([[0.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
    conditions = torch.tensor([[1.0], [3.0]], dtype=torch.float64)

    def sample_prior(self, n: int, generator: Generator) -> Tensor:
        return torch.rand(n, 2, generator=generator, dtype=torch.float64)

    def simulate(self, x: Tensor, conditions: Tensor) -> Tensor:  # type: ignore[override]
        return x[:, :1] * conditions + x[:, 1:]


@pytest.fixture
def dataset() -> data.Dataset:
    return data.draw(Lever(), SETTINGS)


def test_the_last_entries_of_y_are_conditions_in_their_range(dataset: data.Dataset) -> None:
    conditions = torch.cat([dataset.train.y[:, 1], dataset.targets.shown[:, 1]])
    assert conditions.min() >= 1
    assert conditions.max() <= 3
    assert len(conditions.unique()) > 100
    problem = data.pose(Lever(), dataset)
    assert (problem.y_dim, problem.condition_dim) == (2, 1)


def test_the_pairs_obey_the_forward_model_under_their_condition(dataset: data.Dataset) -> None:
    x, y = dataset.train.x, dataset.train.y
    torch.testing.assert_close(y[:, 0], x[:, 0] * y[:, 1] + x[:, 1])


def test_designs_are_re_simulated_under_the_condition_of_their_target(dataset: data.Dataset) -> None:
    shown = dataset.targets.shown
    x = Lever().sample_prior(30 * 7, Generator().manual_seed(1)).view(30, 7, 2)
    reached = resimulate(Lever(), x, shown)
    torch.testing.assert_close(reached[..., 0], x[..., 0] * shown[:, None, 1] + x[..., 1])
    torch.testing.assert_close(reached[..., 1], shown[:, None, 1].expand(30, 7))


def test_a_condition_is_no_error(dataset: data.Dataset) -> None:
    targets, variance = dataset.targets, dataset.y_variance
    reached = targets.shown.clone()
    reached[:, 0] += 2.0
    for name, wanted in (("sse", 4.0), ("mse", 4.0), ("nmse", float(4 / variance[0]))):
        found = errors(METRICS[name], reached, targets.y, variance)
        torch.testing.assert_close(found, torch.full_like(found, wanted))
