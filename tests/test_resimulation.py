"""Re-simulation: slow simulators see each design once, and threads change nothing."""

from __future__ import annotations

import threading

import pytest
import torch
from torch import Generator, Tensor

from harness import resimulation
from harness.contracts import Pairs, Task
from harness.resimulation import resimulate, simulated


class Squares(Task):
    """y = x0^2; beyond 2 nothing can be simulated, beyond 3 nothing is in the hard domain."""

    x_dim, y_dim, fixed_target = 2, 1, (1.0,)

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Tensor] = []
        self.lock = threading.Lock()

    @property
    def bounds(self) -> Tensor:
        return torch.tensor([[-1.0, -1.0], [1.0, 1.0]], dtype=torch.float64)

    def sample_prior(self, n: int, generator: Generator) -> Tensor:
        return torch.rand(n, 2, generator=generator, dtype=torch.float64)

    def simulate(self, x: Tensor) -> Tensor:
        assert not torch.is_grad_enabled()
        with self.lock:
            self.asked.append(x)
        return torch.where(x[:, :1].abs() <= 2, x[:, :1].square(), torch.nan)

    def in_support(self, x: Tensor) -> Tensor:
        return super().in_support(x) & (x.abs() <= 3).all(1)


class SlowSquares(Squares):
    cost = 1.0


@pytest.fixture
def designs() -> Tensor:
    x = torch.randn(4, 50, 2, generator=Generator().manual_seed(0))
    x[1] = x[0]
    x[2, 0], x[2, 1], x[2, 2] = torch.nan, torch.tensor([2.5, 0.0]), torch.tensor([0.5, 3.5])
    return x


def test_slow_and_fast_simulators_give_the_same(designs: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resimulation, "ROWS_PER_THREAD", 7)
    fast, slow = resimulate(Squares(), designs), resimulate(SlowSquares(), designs)
    assert fast.shape == (4, 50, 1) and fast.dtype == torch.float64
    torch.testing.assert_close(fast, slow, rtol=0, atol=0, equal_nan=True)
    assert torch.isnan(fast[2, :3]).all()
    torch.testing.assert_close(fast[0], fast[1], rtol=0, atol=0, equal_nan=True)


def test_a_slow_simulator_sees_each_design_once(designs: Tensor) -> None:
    task = SlowSquares()
    resimulate(task, designs)
    seen = torch.cat(task.asked)
    assert len(seen) == 150
    assert len(torch.unique(torch.nan_to_num(seen, nan=9.0), dim=0)) == 150


def test_another_operator_takes_the_place_of_the_simulator(designs: Tensor) -> None:
    task = SlowSquares()
    doubled = resimulate(task, designs, operator=lambda x: 2 * x[:, :1])
    assert task.asked == []
    valid = (designs.isfinite() & (designs.abs() <= 3)).all(-1)
    assert torch.equal(doubled[valid][:, 0], 2 * designs[valid][:, 0].double())
    assert torch.isnan(doubled[~valid]).all()


def _drawn(task: Task) -> Pairs:
    with torch.no_grad():
        return task.draw(30, Generator().manual_seed(1))


def test_designs_that_were_learned_from_are_not_simulated_again(designs: Tensor) -> None:
    task, x = SlowSquares(), designs.double()
    known = _drawn(task)
    x[3, :20] = known.x[7:27]
    outside = Pairs(torch.cat([known.x, x[2, 2:3]]), torch.cat([known.y, torch.ones(1, 1, dtype=torch.float64)]))
    plain = resimulate(SlowSquares(), x)
    task.asked.clear()
    reached = resimulate(task, x, known=outside)
    torch.testing.assert_close(reached, plain, rtol=0, atol=0, equal_nan=True)
    assert len(torch.cat(task.asked)) == 150 - 20
    assert torch.isnan(reached[2, 2]).all()


def test_designs_of_pixels_are_told_apart() -> None:
    task = SlowSquares()
    x = (torch.rand(500, 2, 40, generator=Generator().manual_seed(0)) < 0.5).double()
    known = Pairs(x.flatten(1), torch.arange(500.0, dtype=torch.float64)[:, None])
    task.in_support = lambda x: torch.ones(len(x), dtype=torch.bool)  # type: ignore[method-assign]
    assert torch.equal(resimulate(task, known.x[None], known=known)[0], known.y)
    assert not task.asked


def test_where_all_designs_are_known_nothing_is_simulated() -> None:
    task = SlowSquares()
    known = _drawn(task)
    task.asked.clear()
    assert torch.equal(resimulate(task, known.x[None], known=known)[0], known.y)
    assert not task.asked


class Measured(SlowSquares):
    def pairs(self, n: int, generator: Generator) -> Pairs:
        return self.draw(n, generator)


class Kept(Measured):
    simulated_pairs = True


def test_pairs_of_a_task_of_its_own_are_simulated_ones_where_it_says_so() -> None:
    pairs = Pairs(torch.zeros(1, 2), torch.zeros(1, 1))
    assert simulated(SlowSquares(), pairs) is pairs
    assert simulated(Measured(), pairs) is None
    assert simulated(Kept(), pairs) is pairs


def test_no_designs_give_no_responses() -> None:
    for task in (Squares(), SlowSquares()):
        assert resimulate(task, torch.empty(0, 2)).shape == (0, 1)
