"""Errors in their three units, and novelty."""

import pytest
import torch

from harness.evaluation import metrics


def test_the_three_errors_are_the_same_square_in_three_units() -> None:
    variance = torch.tensor([4.0, 0.25], dtype=torch.float64)
    errors = metrics.squared_errors(torch.tensor([[1.0, 2.0]]).double(), torch.tensor([[3.0, 1.5]]).double(), variance)
    assert float(errors["sse"]) == pytest.approx(4 + 0.25)
    assert float(errors["mse"]) == pytest.approx((4 + 0.25) / 2)
    assert float(errors["nmse"]) == pytest.approx((4 / 4 + 0.25 / 0.25) / 2)


def test_the_constant_prediction_has_nmse_one() -> None:
    y = torch.randn(5000, 3, dtype=torch.float64) * torch.tensor([0.1, 1.0, 30.0])
    variance = y.var(0)
    errors = metrics.squared_errors(y.mean(0).expand_as(y), y, variance)
    for name, value in metrics.constant_errors(variance).items():
        assert float(errors[name].mean()) == pytest.approx(value, rel=1e-3)


def test_an_invalid_row_is_nan_in_every_unit_and_disturbs_no_other() -> None:
    reached = torch.tensor([[1.0], [torch.nan], [2.0]]).double()
    for value in metrics.squared_errors(reached, torch.zeros(3, 1).double(), torch.ones(1).double()).values():
        assert torch.isnan(value).tolist() == [False, True, False]


def test_a_copy_of_a_training_design_has_distance_zero_and_others_their_nearest() -> None:
    known = torch.randn(3000, 4, dtype=torch.float64)
    queries = torch.cat([known[:5], known[:5] + torch.tensor([1e-3, 0, 0, 0])])
    distance = metrics.nearest_distance(queries, known)
    assert (distance[:5] < metrics.COPY).all()
    assert torch.allclose(distance[5:], torch.tensor(1e-3, dtype=torch.float64), atol=1e-9)


def test_a_design_in_float32_does_not_leave_the_box_by_its_rounding() -> None:
    bounds = torch.tensor([[0.1, 42.0], [0.7, 52.0]]).double() + torch.tensor([0.0, 1 / 3])
    edges = torch.cartesian_prod(*bounds.T).float().double()
    assert not ((edges >= bounds[0]) & (edges <= bounds[1])).all()
    assert metrics.inside(edges, bounds).all()
    assert not metrics.inside(bounds[1] + torch.tensor([0.0, 1e-4]), bounds)


def test_diversity_is_the_mean_distance_of_the_chosen_pairs() -> None:
    x = torch.tensor([[[0.0], [1.0], [3.0], [100.0]], [[0.0], [1.0], [2.0], [3.0]]]).double()
    chosen = torch.tensor([[True, True, True, False], [True, False, False, False]])
    distance = metrics.mean_pairwise_distance(x, chosen)
    assert float(distance[0]) == pytest.approx((1 + 3 + 2) / 3)
    assert torch.isnan(distance[1])
