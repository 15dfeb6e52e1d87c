"""Budgets: the width search against brute force, and every method of the project within 5 %, in all dimensions."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from harness import fitting
from harness.budget import BudgetMissed, build_to_budget, changes, find_width, predict, recount, trainable_parameters
from harness.cli import main
from harness.config import Settings
from harness.contracts import Method, Phase, Problem
from harness.data import draw
from harness.errors import ContractError
from harness.estimate import describe
from harness.plan import Wanted, misfits, plan
from harness.presets import load
from harness.registry import discover
from harness.running import execute
from harness.selection import select
from harness.settings import DataSettings, Schedule
from harness.store import Store
from harness.work import Work, due
from tests.plugins import install
from tests.toys import Waves

CHOSEN = [("methods", "mdn,prior"), ("tasks", "sinewave"), ("scenarios", "base"), ("protocols", "multi-target")]
METHODS = ["mdn", "inn", "cinn", "cvae", "tandem", "na", "na-lm", "na-near", "ipage", "ipage-lm"]
METHODS += ["cfm", "cfm-lm", "edm", "npe", "joint"]


def problem(x_dim: int, y_dim: int) -> Problem:
    bounds = torch.stack([-3 * torch.ones(x_dim), 3 * torch.ones(x_dim)])
    return Problem(x_dim, y_dim, bounds, lambda n, generator: torch.randn(n, x_dim, generator=generator))


@given(st.integers(1, 9), st.integers(1, 50), st.integers(5_000, 3_000_000))
def test_the_width_is_the_one_that_brute_force_finds(square: int, linear: int, budget: int) -> None:
    def count(width: int) -> int:
        return square * width**2 + linear * width

    def distance(width: int) -> float:
        return abs(count(width) / budget - 1)

    best, even = min(range(1, 2000), key=distance), min(range(8, 2000, 8), key=distance)
    if distance(best) <= 0.05:
        found = find_width(count, budget)
        assert distance(found) == distance(even if distance(even) <= 0.025 else best)
    else:
        with pytest.raises(BudgetMissed, match=str(budget)):
            find_width(count, budget)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("dims", [(2, 1), (4, 2)])
@pytest.mark.parametrize("budget", [10_000, 150_000])
def test_every_method_meets_its_budget_by_an_independent_count(name: str, dims: tuple[int, int], budget: int) -> None:
    method, width = build_to_budget(discover("methods")[name].load(), problem(*dims), budget, seed=0)
    counted = 0
    for parameter in {
        id(p): p for module in method.modules() for p in module._parameters.values() if p is not None
    }.values():
        counted += parameter.numel() if parameter.requires_grad else 0
    assert counted == trainable_parameters(method)
    assert abs(counted / budget - 1) <= 0.05
    assert width


@pytest.mark.parametrize("name", ["mdn", "cinn", "cvae", "inn"])
def test_the_surrogate_of_augmented_training_is_counted(name: str) -> None:
    cls = discover("methods")[name].load()
    method, _ = build_to_budget(lambda: cls(cls.Options(augment="surrogate")), problem(2, 1), 150_000, seed=0)
    surrogate = trainable_parameters(method.augmentation.surrogate)
    assert surrogate > 10_000
    assert abs(trainable_parameters(method) / 150_000 - 1) <= 0.05


@pytest.mark.parametrize("y_dim", [1, 300])
@pytest.mark.parametrize("x_dim", [7, 9, 16, 18, 24, 30, 32, 33, 64, 65, 100, 128])
@pytest.mark.parametrize("name", METHODS)
def test_every_method_meets_the_smallest_preset_in_any_dimensions(name: str, x_dim: int, y_dim: int) -> None:
    cls = discover("methods")[name].load()
    create = lambda: cls(cls.Options(**cls.defaults))  # noqa: E731
    size = predict(create, x_dim, y_dim, 10_000)
    method, width = build_to_budget(create, problem(x_dim, y_dim), 10_000, seed=3)
    counted = trainable_parameters(method)
    assert abs(counted / 10_000 - 1) <= 0.05
    assert (size.width, size.parameters) == (width, counted)
    assert {name: getattr(method.options, name) for name in size.lowered} == dict(size.lowered)


@dataclass(frozen=True)
class Steps:
    layers: int = 6


class Coarse(Method):
    """As many parameters as `layers` times the width times 1000."""

    Options: ClassVar[type] = Steps
    finer: ClassVar[tuple[str, ...]] = ("layers",)
    grown = 0

    def build(self, problem: Problem, width: int) -> None:
        self.layers = nn.ParameterList(torch.zeros(1000 * width) for _ in range(self.options.layers))


@pytest.mark.parametrize(
    ("budget", "width", "lowered"), [(12_000, 2, {}), (10_000, 2, {"layers": 5}), (1_000, 1, {"layers": 1})]
)
def test_options_are_lowered_no_further_than_the_budget_asks(budget: int, width: int, lowered: dict) -> None:
    assert predict(Coarse, 2, 1, budget) == type(predict(Coarse, 2, 1, budget))(width, budget, lowered)


def test_what_cannot_meet_the_budget_is_known_without_training() -> None:
    with pytest.raises(BudgetMissed, match=r"Width 1, the least, gives 6000 trainable parameters.* budget of 500\."):
        predict(Coarse, 2, 1, 500)


def test_parameters_that_were_added_later_are_counted() -> None:
    method, _ = build_to_budget(Coarse, problem(2, 1), 12_000, 0)
    recount(method, 12_000)
    method.more = nn.Linear(1000, 300)
    with pytest.raises(BudgetMissed, match=r"Coarse has 312300 trainable parameters now, .*; the budget is 12000\."):
        recount(method, 12_000)
    method.trainable = False
    with pytest.raises(BudgetMissed, match="trainable = False exempts it"):
        recount(method, 12_000)


def descend(optimiser: torch.optim.Optimizer, *parts: nn.Module) -> None:
    for part in parts:
        for parameter in part.parameters():
            parameter.grad = torch.ones_like(parameter)
    optimiser.step()


def test_every_parameter_that_an_optimiser_changes_is_counted_once() -> None:
    first, second, design = nn.Linear(3, 4), nn.Linear(4, 5), torch.zeros(7, requires_grad=True)
    with changes() as changed:
        assert changed() == 0
        optimiser = torch.optim.SGD(first.parameters(), 0.1)
        for _ in range(3):
            descend(optimiser, first)
        assert changed() == 16
        optimiser.add_param_group({"params": list(second.parameters())})
        descend(optimiser, first, second)
        descend(torch.optim.AdamW(second.parameters(), 0.1, fused=True), second)
        design.grad = torch.ones(7)
        torch.optim.Adam([design], 0.1).step()  # a design is no parameter
        assert changed() == 41
        other = nn.Linear(2, 2)
        optimiser.param_groups[0]["params"] = list(other.parameters())  # as many in place of others
        descend(optimiser, other, second)
        assert changed() == 47
    descend(torch.optim.SGD(nn.Linear(9, 9).parameters(), 0.1))
    assert changed() == 47, "and nothing after the block"


class Hidden(Method):
    """A small network that counts, and a large one that is frozen but while it is trained."""

    def build(self, problem: Problem, width: int) -> None:
        self.small = nn.Linear(problem.y_dim, 1000 * width)
        self.large = nn.Linear(problem.y_dim, 200_000).requires_grad_(False)

    def fit(self, train, valid, run) -> None:
        self.large.requires_grad_(True)
        run(Phase("large", self.large, lambda x, y, _: self.large(y).square().mean()))
        self.large.requires_grad_(False)


class Alone(Hidden):
    """The same with an optimiser of its own, on a network that the method does not show."""

    def fit(self, train, valid, run) -> None:
        large = nn.Linear(train.y.shape[1], 200_000)
        large(train.y[:8]).square().mean().backward()
        torch.optim.Adam(large.parameters()).step()


class ExemptAlone(Method):
    """Declared to have nothing to train."""

    trainable: ClassVar[bool] = False

    def fit(self, train, valid, run) -> None:
        Alone.fit(self, train, valid, run)


class Exempt(Method):
    """Declared to have nothing to train, and built with a network."""

    trainable: ClassVar[bool] = False

    def build(self, problem: Problem, width: int) -> None:
        self.net = nn.Linear(4, 4)


class Again(Hidden):
    """Runs its only phase twice."""

    def fit(self, train, valid, run) -> None:
        phase = Phase("small", self.small, lambda x, y, _: self.small(y).square().mean(), share=0.6)
        run(phase)
        run(phase)


@pytest.mark.parametrize("cls", [Hidden, Alone, ExemptAlone])
def test_a_network_that_hides_from_the_count_is_found_by_its_training(cls: type[Method]) -> None:
    given = lesson(cls)
    method, _ = fitting.build(given, cls)
    with pytest.raises(BudgetMissed, match=rf"training of {cls.__name__} changes 400000 parameters; .*Create every"):
        fitting.fit(given, method)


def test_a_method_with_a_network_is_not_exempt() -> None:
    with pytest.raises(BudgetMissed, match=r"trainable is False, which exempts Exempt .* it has 20 trainable param"):
        predict(Exempt, 2, 1, 10_000)


class Shares(Hidden):
    """Runs a phase for each of these shares."""

    shares: ClassVar[tuple[object, ...]] = ()

    def fit(self, train, valid, run) -> None:
        for share in self.shares:
            run(Phase("small", self.small, lambda x, y, _: self.small(y).square().mean(), share=share))


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ((-4.0, 5.0), "The share of phase 'small' is -4.0; give a number from 0 to 1"),
        ((float("nan"),), "is nan; give"),
        (("1",), "is '1'; give"),
        ((0.0,) * 30, "have taken all 2 passes and more; each takes one at least, so give fewer"),
        ((0.05,) * 20, "have taken all 2 passes and more"),
    ],
)
def test_phases_cannot_take_more_passes_than_there_are(shares: tuple[object, ...], message: str) -> None:
    class Odd(Shares):
        pass

    Odd.shares = shares
    given = lesson(Odd)
    method, _ = fitting.build(given, Odd)
    with pytest.raises(ContractError, match=message):
        fitting.fit(given, method)


class Empty(Method):
    """Has nothing to train, and does not say so."""

    trainable: ClassVar[bool] = False


def test_a_phase_without_parameters_is_named() -> None:
    given = lesson(Empty)
    method, _ = fitting.build(given, Empty)
    with pytest.raises(ContractError, match="Phase 'training' of Empty has no parameters to train"):
        fitting.fit(given, method)


def test_the_passes_over_the_data_are_those_of_the_schedule() -> None:
    given = lesson(Again)
    method, _ = fitting.build(given, Again)
    with pytest.raises(ContractError, match=r"The phases take 1\.2 times the schedule's passes"):
        fitting.fit(given, method)


def lesson(cls: type[Method]) -> fitting.Lesson:
    task = Waves(2, 1)
    dataset = draw(task, DataSettings(targets=4, n_train=100))
    schedule = Schedule(epochs=2, batch=32, validate_every=1)
    return fitting.lesson(task, dataset, budget=10_000, schedule=schedule, seed=0)


def test_a_cell_that_cannot_meet_its_budget_fails_without_a_process(tmp_path: Path) -> None:
    wanted = Wanted(*(select(*what) for what in CHOSEN), [0])
    cells = plan(wanted, replace(load("smoke"), budget=15))
    assert misfits(cells).keys() == {cell for cell in cells if cell.method.name == "mdn"}
    store = Store(tmp_path)
    todo = {cell: due(cell, None) for cell in cells if cell.method.name == "mdn"}
    text = describe(cells, todo, store, jobs=1)
    assert "fails: Width 1, the least, gives 390 trainable parameters" in text
    assert "components does not help" in text
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr("harness.execution.run_cells")
        assert execute(todo, store, 1, Settings()) == 0
    (record,) = store.records()
    assert record.status == "failed" and "BudgetMissed" in record.error.type
    assert due(next(iter(todo)), record) == Work()


EXITS = """
import sys

from harness.contracts import Method


class Exits(Method):
    def build(self, problem, width):
        sys.exit(3)
"""


def test_a_method_that_ends_the_process_while_it_is_counted_ends_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(monkeypatch, tmp_path, EXITS, methods={"exits": "Exits"})
    arguments = ["--preset", "smoke", "--methods", "exits,prior", "--tasks", "sinewave", "--out", str(tmp_path / "out")]
    assert main(["run", *arguments, "--dry-run"]) == 0
    assert "Train 2" in capsys.readouterr().out
    assert main(["run", *arguments, "--quiet"]) == 1
    found = {record.label.method: record for record in Store(tmp_path / "out").records()}
    assert found["prior"].status == "ok" and found["exits"].status == "failed"
    assert main(["check", "exits"]) == 1
    assert "SystemExit: 3" in capsys.readouterr().out
