"""Targets with entries that are not known: nothing in the way of a hidden entry moves a proposal."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Generator, Tensor
from toys import trained, untrained

from harness.contracts import Problem
from harness.plan import specification
from harness.registry import build_method, discover
from harness.selection import select
from methods.localisation import adam, levenberg_marquardt, linearise
from methods.networks import known_error, mlp

GAPS = sorted(
    name
    for name, plugin in discover("methods").items()
    if plugin.distribution == "inverse-harness" and "gaps" in plugin.load().handles
)
BOX = torch.tensor([[-3.0] * 3, [3.0] * 3], dtype=torch.float64)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=Generator().manual_seed(seed))


def test_these_methods_say_that_they_handle_gaps() -> None:
    assert GAPS == ["joint", "kernel", "lookup", "na", "na-lm", "na-near", "prior"]


@pytest.mark.parametrize("name", ["na", "na-lm", "na-near"])
def test_a_surrogate_learns_from_the_entries_of_y_that_are_known(name: str) -> None:
    """With the same half of y hidden in all pairs it learns what it does from the other half alone."""
    made = trained(name, 3, 2)
    x, y = made.train.x, made.train.y.clone()
    y[:, 1] = math.nan
    with torch.no_grad():
        whole = made.method.surrogate.loss(x, made.train.y, 0.0)
        half = made.method.surrogate.loss(x, y, 0.0)
        expected = (made.method.surrogate(x)[:, 0] - y[:, 0]).square().mean()
    assert float(half) == pytest.approx(float(expected), rel=1e-6) and float(half) != pytest.approx(float(whole))


@pytest.mark.parametrize("name", ["na", "tandem", "cfm-lm"])
def test_with_a_turn_the_loss_of_a_surrogate_grows_linearly_and_is_else_the_square(name: str) -> None:
    x = drawn(50, 3, seed=1).float()
    losses = {}
    for huber in ("0", "1e3", "0.1"):
        surrogate = untrained(f"{name}[huber={huber}]", 3, 2).method.surrogate
        with torch.no_grad():
            reached = surrogate(x)
            for off in (0.05, 5.0, 10.0):
                losses[huber, off] = float(surrogate.loss(x, reached + off, 0.0))
    for off in (0.05, 5.0, 10.0):
        assert losses["0", off] == pytest.approx(off**2, rel=1e-4) == losses["1e3", off]
    assert losses["0.1", 0.05] == pytest.approx(0.05**2, rel=1e-4)
    assert losses["0.1", 10.0] - losses["0.1", 5.0] == pytest.approx(2 * 0.1 * 5.0, rel=1e-4)


def test_a_surrogate_with_a_turn_is_not_led_astray_by_wrong_pairs() -> None:
    """Of a line of which a tenth of the pairs is far off, the right ones are learned."""
    error = {}
    for name in ("na", "na[huber=0.05]"):
        method = untrained(name, 1, 1, width=16).method
        x = torch.linspace(-1, 1, 200)[:, None]
        y = x.clone()
        y[::10] += 3.0
        optimiser = torch.optim.Adam(method.surrogate.parameters(), 1e-2)
        for _ in range(300):
            optimiser.zero_grad()
            method.surrogate.loss(x, y, 0.0).backward()
            optimiser.step()
        right = torch.arange(200) % 10 > 0
        with torch.no_grad():
            error[name] = float(method.surrogate.error(x[right], x[right]).mean())
    assert error["na[huber=0.05]"] < 0.05 * error["na"]


def test_lookup_finds_the_nearest_in_the_entries_that_both_know() -> None:
    method = build_method(specification(select("methods", "lookup")[0]))
    method.build(Problem(1, 3, torch.tensor([[0.0], [1.0]]), lambda n, generator: torch.rand(n, 1)), 1)
    nan = math.nan
    y = torch.tensor([[0.0, 0.0, nan], [0.3, nan, 0.3], [nan, nan, 5.0], [0.1, 9.0, 0.1]], dtype=torch.float64)
    method.x, method.y = torch.arange(4.0, dtype=torch.float64)[:, None], y
    found = method.propose(torch.tensor([[0.2, 0.2, 0.2], [0.0, nan, 4.0]], dtype=torch.float64), 2, Generator())
    assert found.rows.tolist() == [[1, 0], [0, 2]]
    assert found.believed[0].tolist() == pytest.approx([0.01, 0.04])


@pytest.mark.parametrize("name", GAPS)
def test_a_target_without_gaps_is_answered_as_if_it_stood_alone(name: str) -> None:
    made = trained(name, 3, 2)
    hidden = made.targets.clone()
    hidden[1::2, 1] = math.nan
    some, none = made.propose(y=hidden), made.propose()
    assert torch.allclose(some.x[::2], none.x[::2], atol=1e-4)
    assert some.x.isfinite().all()
    assert some.believed is None or some.believed.isfinite().all()
    if name != "prior":
        assert not torch.allclose(some.x[1::2], none.x[1::2], atol=1e-4)


@pytest.mark.parametrize("name", ["na", "na-lm", "na-near", "kernel"])
def test_what_a_surrogate_says_of_a_hidden_entry_does_not_matter(name: str) -> None:
    made = trained(name, 3, 2)
    hidden = made.targets.clone()
    hidden[:, 1] = math.nan
    before = made.propose(y=hidden)
    state = {key: value.clone() for key, value in made.method.state_dict().items()}
    try:
        with torch.no_grad():
            if name == "kernel":
                made.method.weights[:, 1] += 3
            else:
                made.method.surrogate[-1].bias[1] += 3
                made.method.surrogate[-1].weight[1] *= -2
        after = made.propose(y=hidden)
    finally:
        made.method.load_state_dict(state)
    assert torch.equal(before.x, after.x) and torch.equal(before.believed, after.believed)


def test_adam_finds_what_it_finds_for_a_model_without_the_hidden_entry() -> None:
    torch.manual_seed(0)
    net, y, starts = mlp(3, 4, 16, 2).double(), drawn(50, 4), drawn(50, 3, seed=1)
    y[:, 2] = math.nan
    kept = [0, 1, 3]
    settings = {"steps": 30, "rate": 0.1, "boundary": 0.1}
    whole = adam(net, y, starts, BOX, **settings)
    part = adam(lambda x: net(x)[:, kept], y[:, kept], starts, BOX, **settings)
    assert torch.allclose(whole[0], part[0], atol=1e-9) and torch.allclose(whole[1], part[1])


def test_levenberg_marquardt_solves_for_the_entries_that_are_known() -> None:
    matrix, y = drawn(3, 6), drawn(4, 6, seed=1)
    for row in range(3):  # one without gaps, and three with other gaps each
        y[row, row : row + 2] = math.nan
    x, error = levenberg_marquardt(
        linearise(lambda x: x @ matrix), y, torch.zeros(4, 3).double(), 10 * BOX, steps=80, tolerance=0.0
    )
    for row, found, reached in zip(y, x, error, strict=True):
        known = row.isfinite()
        answer = torch.linalg.lstsq(matrix[:, known].T, row[known]).solution
        assert torch.allclose(found, answer, atol=1e-6)
        assert float(reached) == pytest.approx(float((answer @ matrix - row)[known].square().mean()))


def test_a_surrogate_that_breaks_down_is_no_solution() -> None:
    def forward(x: Tensor) -> Tensor:
        return torch.cat([x[:, :1].sqrt(), x[:, :1]], 1)  # NaN for negative x

    y = torch.tensor([[0.1, math.nan], [0.1, 0.01]], dtype=torch.float64)
    start = torch.full((2, 1), -1.0, dtype=torch.float64)
    box = torch.tensor([[-2.0], [2.0]], dtype=torch.float64)
    _, error = levenberg_marquardt(linearise(forward), y, start, box, steps=3, tolerance=1e-12)
    assert error.isnan().all()


def test_the_error_is_the_mean_over_what_is_known() -> None:
    predicted, y = drawn(20, 5), drawn(20, 5, seed=1)
    y[drawn(20, 5, seed=2) > 0.5] = math.nan
    assert torch.allclose(known_error(predicted, y), (predicted - y).square().nanmean(-1))
