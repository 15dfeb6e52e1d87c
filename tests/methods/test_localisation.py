"""The searches through a forward model: known answers, and rows that never influence each other."""

import pytest
import torch
from torch import Tensor

from methods.localisation import adam, boundary_loss, levenberg_marquardt, linearise, restart
from methods.networks import mlp

FREE = torch.tensor([[-torch.inf], [torch.inf]]).double()


def box(dim: int, size: float = 3.0) -> Tensor:
    return torch.stack([-size * torch.ones(dim), size * torch.ones(dim)]).double()


def test_boundary_loss_is_per_row_and_independent_of_the_batch_size() -> None:
    x, bounds = 3 * torch.randn(2048, 5).double(), box(5, 1.0)
    whole = boundary_loss(x, bounds)
    assert torch.equal(whole, torch.cat([boundary_loss(row[None], bounds) for row in x]))
    expected = torch.stack([sum((abs(float(v)) - 1 for v in row if abs(float(v)) > 1), 0.0 * row[0]) for row in x])
    assert torch.allclose(whole, expected.double())


def test_the_weight_of_the_boundary_does_not_depend_on_how_many_rows_are_optimised() -> None:
    torch.manual_seed(0)
    net, bounds = mlp(3, 1, 16, 2).double(), box(3, 0.5)
    starts, y = torch.randn(400, 3).double(), torch.randn(400, 1).double()
    settings = {"steps": 30, "rate": 0.05, "boundary": 0.1}
    together = adam(net, y, starts, bounds, **settings)[0]
    alone = torch.cat([adam(net, y[i : i + 1], starts[i : i + 1], bounds, **settings)[0] for i in range(10)])
    assert torch.allclose(together[:10], alone, atol=1e-9)


def test_levenberg_marquardt_finds_the_least_squares_answer_of_an_overdetermined_linear_problem() -> None:
    torch.manual_seed(1)
    matrix, right = torch.randn(6, 3).double(), torch.randn(1, 6).double()
    answer = torch.linalg.lstsq(matrix, right.T).solution.T
    assert answer.abs().max() < 3
    x, error = levenberg_marquardt(
        linearise(lambda x: x @ matrix.T), right, torch.zeros(1, 3).double(), box(3), steps=60, tolerance=0.0
    )
    assert torch.allclose(x, answer, atol=1e-6)
    assert float(error) == pytest.approx(float((answer @ matrix.T - right).square().mean()), rel=1e-9)


@pytest.mark.parametrize(("x_dim", "y_dim"), [(4, 1), (4, 2), (5, 3)])
def test_levenberg_marquardt_solves_an_underdetermined_nonlinear_problem(x_dim: int, y_dim: int) -> None:
    torch.manual_seed(2)
    net = mlp(x_dim, y_dim, 24, 2).double().requires_grad_(False)
    y = net(torch.randn(200, x_dim).double())
    starts = torch.randn(200, x_dim).double()
    _, error = levenberg_marquardt(linearise(net), y, starts, box(x_dim), steps=40, tolerance=1e-24)
    assert (error < 1e-16).double().mean() > 0.95


def test_the_answer_stays_in_the_box_and_on_the_face_where_the_least_error_lies() -> None:
    bounds = box(2, 1.0)
    y = torch.tensor([[5.0]]).double()
    x, _ = levenberg_marquardt(
        linearise(lambda x: x.sum(1, keepdim=True)), y, torch.zeros(1, 2).double(), bounds, steps=30, tolerance=0.0
    )
    assert torch.allclose(x, torch.ones(1, 2).double())


def test_a_singular_row_does_not_disturb_the_others() -> None:
    def forward(x: Tensor) -> Tensor:
        flat = x[:, :1] > 10  # no slope at all
        return torch.where(flat, 0.0 * x, x.square())

    y = torch.tensor([[4.0, 1.0, 1.0]] * 2).double()
    starts = torch.tensor([[1.0, 2.0, 2.0], [20.0, 20.0, 20.0]]).double()
    x, error = levenberg_marquardt(linearise(forward), y, starts, box(3, 30.0), steps=60, tolerance=1e-20)
    assert torch.allclose(x[0], torch.tensor([2.0, 1.0, 1.0]).double(), atol=1e-6)
    assert torch.isfinite(x).all()
    assert error[1] > 1


@pytest.mark.parametrize(("x_dim", "y_dim"), [(4, 2), (2, 5)])
def test_both_modes_of_differentiation_give_the_jacobian(x_dim: int, y_dim: int) -> None:
    torch.manual_seed(3)
    net = mlp(x_dim, y_dim, 8, 1).double().requires_grad_(False)
    x = torch.randn(7, x_dim).double()
    value, jacobian = linearise(net)(x)
    expected = torch.stack([torch.autograd.functional.jacobian(lambda v: net(v), row) for row in x])
    assert torch.allclose(value, net(x))
    assert torch.allclose(jacobian, expected)


def test_restart_retries_only_stuck_rows_and_keeps_the_better_answer() -> None:
    asked: list[int] = []

    def solve(y: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
        asked.append(len(y))
        return start, start[:, 0].abs()

    y, x, error = torch.zeros(4, 1), torch.tensor([[9.0], [0.0], [9.0], [0.0]]), torch.tensor([9.0, 0.0, 9.0, 0.0])
    draws = iter([torch.tensor([[5.0], [1.0], [10.0], [1.0]]), torch.tensor([[0.0], [1.0], [0.0], [1.0]])])
    x, error, searches = restart(solve, y, x, error, lambda rows: next(draws)[rows], rounds=3, tolerance=0.1)
    assert asked == [2, 2]
    assert searches == 4 + 2 + 2
    assert error.tolist() == [0.0, 0.0, 0.0, 0.0]
    assert x[:, 0].tolist() == [0.0, 0.0, 0.0, 0.0]
