from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import presets
from harness.errors import UsageError
from harness.plan import Cell, plan
from harness.presets import Preset, Protocol, Schedule
from harness.registry import PluginSpec
from harness.running import slow_first
from harness.selection import select

SMOKE = presets.load("smoke")


def cells(methods: str = "mdn", tasks: str = "sinewave", preset: Preset = SMOKE, seeds: tuple[int, ...] = (0,)):
    return plan(select("methods", methods), select("tasks", tasks), preset, seeds)


def changed(cell: Cell, **options: object) -> Cell:
    return replace(cell, method=replace(cell.method, options={**cell.method.options, **options}))


BASE = Cell(
    PluginSpec("sinewave", "1", {}, "sinewave", "a" * 64),
    PluginSpec("na", "1", {"boundary_loss": True, "steps": 3}, "na", "b" * 64, ("paper",)),
    "quick",
    150_000,
    Schedule(),
    Protocol(),
    0,
)

DECLARED: dict[str, Callable[[Cell], Cell]] = {
    "task name": lambda cell: replace(cell, task=replace(cell.task, name="other")),
    "task version": lambda cell: replace(cell, task=replace(cell.task, version="2")),
    "task options": lambda cell: replace(cell, task=replace(cell.task, options={"convention": "kruse"})),
    "task source": lambda cell: replace(cell, task=replace(cell.task, source="c" * 64)),
    "method name": lambda cell: replace(cell, method=replace(cell.method, name="na-lm")),
    "method version": lambda cell: replace(cell, method=replace(cell.method, version="2")),
    "method source": lambda cell: replace(cell, method=replace(cell.method, source="c" * 64)),
    "method option": lambda cell: changed(cell, boundary_loss=False),
    "budget": lambda cell: replace(cell, budget=150_001),
    "epochs": lambda cell: replace(cell, schedule=replace(cell.schedule, epochs=149)),
    "learning rate": lambda cell: replace(cell, schedule=replace(cell.schedule, learning_rate=1e-4)),
    "targets": lambda cell: replace(cell, protocol=replace(cell.protocol, targets=999)),
    "trials": lambda cell: replace(cell, protocol=replace(cell.protocol, trials=(1,))),
    "targets from": lambda cell: replace(cell, protocol=replace(cell.protocol, targets_from="validation")),
    "training pairs": lambda cell: replace(cell, protocol=replace(cell.protocol, n_train=100)),
    "seed": lambda cell: replace(cell, seed=1),
    "device": lambda cell: replace(cell, device="cuda"),
}

UNDECLARED: dict[str, Callable[[Cell], Cell]] = {
    "preset name": lambda cell: replace(cell, preset="mine"),
    "task label": lambda cell: replace(cell, task=replace(cell.task, label="sinewave[x=1]")),
    "method label": lambda cell: replace(cell, method=replace(cell.method, label="na[boundary_loss=on]")),
    "groups": lambda cell: replace(cell, method=replace(cell.method, groups=())),
    "threads": lambda cell: replace(cell, threads=8),
}


@pytest.mark.parametrize("change", DECLARED.values(), ids=list(DECLARED))
def test_every_declared_input_changes_the_key(change: Callable[[Cell], Cell]) -> None:
    assert change(BASE).key != BASE.key


@pytest.mark.parametrize("change", UNDECLARED.values(), ids=list(UNDECLARED))
def test_what_changes_no_number_does_not_change_the_key(change: Callable[[Cell], Cell]) -> None:
    assert change(BASE).key == BASE.key


def test_the_source_of_the_harness_is_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.plan.harness_source", lambda: "d" * 64)
    assert replace(BASE).key != BASE.key


def test_two_gpus_are_one_kind_of_device() -> None:
    assert replace(BASE, device="cuda:1").key == replace(BASE, device="cuda:0").key


VALUES = st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text() | st.none()


@given(st.dictionaries(st.text(min_size=1), VALUES, max_size=5), st.randoms())
def test_the_key_is_independent_of_the_order_of_options(options: dict[str, object], random) -> None:
    shuffled = list(options.items())
    random.shuffle(shuffled)
    specs = [replace(BASE.method, options=dict(items)) for items in (options.items(), shuffled)]
    keys = {replace(BASE, method=spec).key for spec in specs}
    assert len(keys) == 1


@given(
    st.dictionaries(st.text(min_size=1), VALUES, max_size=5),
    st.integers(0, 2**31),
    st.lists(st.integers(1, 200), min_size=1),
)
def test_a_cell_survives_json_and_pickle(options: dict[str, object], seed: int, trials: list[int]) -> None:
    protocol = Protocol(trials=tuple(trials))
    cell = replace(BASE, method=replace(BASE.method, options=options), seed=seed, protocol=protocol)
    for copy in (Cell.from_json(cell.to_json()), pickle.loads(pickle.dumps(cell))):
        assert copy == cell
        assert copy.key == cell.key
        assert hash(copy) == hash(cell)


def test_cells_come_task_by_task_then_method_then_seed() -> None:
    found = [cell.label for cell in cells("na,mdn", "sinewave,ballistics", seeds=(0, 1))]
    assert found == [
        f"{task}/{method}/{seed}" for task in ("sinewave", "ballistics") for method in ("na", "mdn") for seed in (0, 1)
    ]


def test_keys_are_those_of_a_cell_alone() -> None:
    together = {cell.label: cell.key for cell in cells("mdn,na,prior", "sinewave,ballistics")}
    for label, key in together.items():
        task, method, _ = label.split("/")
        assert cells(method, task)[0].key == key


def test_spelling_out_a_default_makes_no_second_cell() -> None:
    assert [cell.label for cell in cells("na,na[boundary_loss=on]")] == ["sinewave/na/0"]
    assert len(cells("na,na[boundary_loss=off]")) == 2


def test_options_are_resolved_default_preset_user() -> None:
    table = {"na": {"steps": 7, "rate": 0.5, "sinewave": {"rate": 0.25}}, "not-installed": {"any": 1}}
    preset = replace(SMOKE, methods=table)
    options = {cell.label: cell.method.options for cell in cells("na[steps=9]", "sinewave,ballistics", preset)}
    assert options["sinewave/na[steps=9]/0"] | {"steps": 9, "rate": 0.25} == options["sinewave/na[steps=9]/0"]
    assert options["ballistics/na[steps=9]/0"]["rate"] == 0.5


def test_preset_options_are_validated() -> None:
    with pytest.raises(UsageError, match=r"Unknown option of na 'stepps'. Did you mean steps"):
        cells("na", preset=replace(SMOKE, methods={"na": {"stepps": 7}}))


@pytest.mark.parametrize(
    ("preset", "message"),
    [
        (replace(SMOKE, budget=0), "budget = 0 is not allowed. Allowed: 1 or more"),
        (replace(SMOKE, schedule=Schedule(optimiser="sgd")), "schedule.optimiser 'sgd'.*Allowed: adam, adamw"),
        (replace(SMOKE, schedule=Schedule(average=1.0)), "schedule.average"),
        (replace(SMOKE, schedule=Schedule(learning_rate=0.0)), "above 0"),
        (replace(SMOKE, protocol=Protocol(proposals=100)), "numbers from 1 to protocol.proposals = 100"),
        (replace(SMOKE, protocol=Protocol(n_train=3)), "n_train = 3"),
        (replace(SMOKE, protocol=Protocol(targets_from="train")), "Allowed: test, validation"),
    ],
)
def test_sizes_that_no_cell_could_use_are_refused(preset: Preset, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        cells(preset=preset)


def test_slow_tasks_run_first_and_methods_keep_their_order():
    planned = cells("mdn,prior", "sinewave,stack,ballistics,architecture")
    order = [(cell.task.name, cell.method.name) for cell in slow_first(planned)]
    tasks = ["architecture", "stack", "sinewave", "ballistics"]
    assert order == [(task, method) for task in tasks for method in ("mdn", "prior")]
