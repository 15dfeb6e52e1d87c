"""Columns of whole numbers and of choices: which are scaled, and to what a method's answers are moved."""

from __future__ import annotations

import math
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Generator, Tensor
from toys import Mixed

from harness import kinds
from harness.conformance import check_task
from harness.contracts import Kind
from harness.data import draw, fitted, pose, standardised
from harness.settings import DataSettings
from methods.baselines import Prior

MIXED = Mixed()


def draws(n: int, seed: int = 0) -> Tensor:
    return MIXED.sample_prior(n, Generator().manual_seed(seed))


def snapped(x: Tensor) -> Tensor:
    return kinds.snap(x, MIXED.kinds, MIXED.bounds)


def test_what_a_task_draws_is_where_it_was() -> None:
    x = draws(300)
    assert torch.equal(snapped(x), x) and snapped(x).dtype == torch.float64


@given(st.lists(st.floats(-1e9, 1e9), min_size=5, max_size=5))
def test_any_finite_design_becomes_the_nearest_valid_one(entries) -> None:
    x = torch.tensor([entries], dtype=torch.float64)
    moved = snapped(x)
    assert moved[0, 4] == x[0, 4] and torch.equal(snapped(moved), moved)
    assert MIXED.in_support(torch.cat([moved[:, :4], x.new_ones(1, 1)], 1)).all()
    assert moved[0, :3].argmax() == x[0, :3].argmax()
    assert (moved[0, 3] - x[0, 3]).abs() == min(abs(value - entries[3]) for value in range(1, 6))


def test_rows_that_are_not_finite_stay_and_rows_do_not_depend_on_each_other(monkeypatch) -> None:
    x = draws(50) + 0.3 * torch.randn(50, 5, generator=Generator().manual_seed(1), dtype=torch.float64)
    x[3, 0], x[7, 3], x[9, 4] = math.nan, math.inf, -math.inf
    given_, moved = x.clone(), snapped(x)
    assert torch.equal(x.nan_to_num(), given_.nan_to_num())
    bad = torch.tensor([3, 7, 9])
    assert torch.equal(moved[bad].nan_to_num(), x[bad].nan_to_num())
    assert MIXED.in_support(moved).sum() > 40
    monkeypatch.setattr(kinds, "NUMBERS", 5)  # a row at a time
    assert torch.equal(snapped(x).nan_to_num(), moved.nan_to_num())
    shaped = snapped(x.view(5, 10, 5).transpose(0, 1))
    assert torch.equal(shaped.transpose(0, 1).reshape(50, 5).nan_to_num(), moved.nan_to_num())


def test_no_negative_zero() -> None:
    bounds = torch.tensor([[-1.0], [1.0]], dtype=torch.float64)
    moved = kinds.snap(torch.tensor([[-0.2], [0.2]], dtype=torch.float64), (Kind("integer"),), bounds)
    assert not moved.signbit().any() and (moved == 0).all()


def test_whole_numbers_between_broken_bounds_are_inside_them() -> None:
    bounds = torch.tensor([[0.5], [3.5]], dtype=torch.float64)
    moved = kinds.snap(torch.tensor([[-9.0], [9.0]], dtype=torch.float64), (Kind("integer"),), bounds)
    assert moved[:, 0].tolist() == [1.0, 3.0]


def test_where_all_is_continuous_nothing_is_copied() -> None:
    x = torch.randn(4, 2, dtype=torch.float64)
    bounds = torch.zeros(2, 2, dtype=torch.float64)
    assert kinds.snap(x, (), bounds) is x and kinds.snap(x, (Kind("continuous", 2),), bounds) is x
    assert kinds.scaled((), 2).all() and not kinds.discrete((), 2).any()


def test_kinds_that_are_none() -> None:
    with pytest.raises(ValueError, match=r"Kind .real. is not allowed\. Allowed: continuous, integer, categorical"):
        Kind("real")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="A kind 'categorical' has 2 or more"):
        Kind("categorical")
    with pytest.raises(ValueError, match="The kinds are of 4 columns, but x has 5"):
        kinds.scaled((Kind("integer", 4),), 5)


def test_numbers_are_scaled_and_choices_are_not() -> None:
    data = draw(MIXED, DataSettings(n_train=400, targets=10))
    x = standardised((data.x_scale, data.y_scale), data.train, torch.float64, "cpu").x
    assert torch.equal(x[:, :3], data.train.x[:, :3])
    assert torch.allclose(x[:, 3:].std(0), torch.ones(2).double())
    assert kinds.scaled(MIXED.kinds, 5).tolist() == [False] * 3 + [True] * 2
    assert torch.allclose(data.x_scale.undo(x), data.train.x)


def test_a_method_is_told_the_step_from_one_value_to_the_next() -> None:
    data = draw(MIXED, DataSettings(n_train=400, targets=10))
    problem = fitted(pose(MIXED, data), torch.float32, "cpu")
    assert problem.kinds == MIXED.kinds and problem.step is not None and problem.step.dtype == Prior.dtype
    levels = standardised((data.x_scale, data.y_scale), data.train, torch.float64, "cpu").x[:, 3].unique()
    torch.testing.assert_close(levels.diff(), problem.step[3].double().expand(4), rtol=1e-5, atol=0)
    assert problem.step[:3].tolist() == [1.0] * 3 and problem.step[4] == 0


def test_the_round_trip_through_single_precision_keeps_discrete_columns() -> None:
    data = draw(MIXED, DataSettings(n_train=400, targets=10))
    x = standardised((data.x_scale, data.y_scale), data.train, torch.float32, "cpu").x
    moved = snapped(data.x_scale.undo(x.double()))
    assert torch.equal(moved[:, :4], data.train.x[:, :4])
    assert MIXED.simulate(moved).isfinite().all()


def test_kinds_are_found_in_draws() -> None:
    assert kinds.detect(draws(300)) == MIXED.kinds
    assert kinds.detect(torch.cat([draws(300)[:, :3]] * 2, 1)) == (Kind("categorical", 3),) * 2
    many = torch.arange(400.0)[:, None]
    assert kinds.detect(torch.cat([many, many % 40, many % 21, many % 2, many / 2 % 2], 1).double()) == (
        Kind("continuous", 2),
        Kind("integer", 2),
        Kind("continuous"),
    )
    assert kinds.detect((many % 40).repeat(2, 1)) == (Kind("integer"),)
    pixels = torch.randint(2, (100, 30), generator=Generator().manual_seed(0)).double()
    assert kinds.detect(pixels) == (Kind("integer", 30),)


def test_kinds_as_they_are_written() -> None:
    assert kinds.code(MIXED.kinds) == '(Kind("categorical", 3), Kind("integer"), Kind("continuous"))'
    assert eval(kinds.code((Kind("integer", 4),)), {"Kind": Kind}) == (Kind("integer", 4),)
    assert kinds.merged([Kind("integer"), Kind("integer", 2), *MIXED.kinds]) == (Kind("integer", 3), *MIXED.kinds)


class Undeclared(Mixed):
    kinds = ()


class Short(Mixed):
    kinds = (Kind("integer", 4),)


class Words(Mixed):
    kinds = ("integer",) * 5


class Narrow(Mixed):
    bounds = torch.tensor([[0, 0, 0, 1, 0.1], [1, 1, 1, 4, 2.0]], dtype=torch.float64)
    kinds = (Kind("continuous", 3), Kind("integer"), Kind("continuous"))


class Broken(Mixed):
    kinds = (Kind("categorical", 3), Kind("integer", 2))


class Edge(Undeclared):
    """Not discrete, but valid at single precision only by luck."""

    kinds = (Kind("categorical", 3), Kind("integer"), Kind("continuous"))

    def in_support(self, x):
        return super().in_support(x) & ((x[:, 4] * 2**40).frac() == 0)

    def sample_prior(self, n, generator):
        x = super().sample_prior(n, generator)
        return torch.cat([x[:, :4], (x[:, 4:] * 2**40).round() / 2**40], 1)


@pytest.mark.parametrize(
    ("task", "name", "message"),
    [
        (
            Undeclared,
            "round trip",
            r"1?\d\d% of the prior draws are invalid .* The draws look like kinds = \(Kind\(\"categorical\", 3\), "
            r'Kind\("integer"\), Kind\("continuous"\)\): declare that',
        ),
        (Short, "declaration", "The kinds are of 4 columns, but x has 5"),
        (Words, "declaration", r"kinds holds \['integer'\]; give values of harness.contracts.Kind"),
        (Narrow, "round trip", r"draws 5 for column 3 of x, which the harness takes for 4 .*bounds \[1, 4\]"),
        (Broken, "round trip", r"draws .* for column 4 of x, which the harness takes for [012] "),
        (Edge, "round trip", r"Let in_support and simulate take designs that differ by 1e-7"),
    ],
)
def test_check_says_what_to_declare(task, name, message) -> None:
    found = {finding.property: finding.message for finding in check_task(task()) if not finding.ok}
    assert re.search(message, found[name]), found


def test_a_task_of_choices_and_whole_numbers_conforms() -> None:
    assert [str(finding) for finding in check_task(MIXED) if not finding.ok] == []
