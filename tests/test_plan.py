from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys import Waves

from harness import presets
from harness.errors import UsageError
from harness.plan import Cell, Made, Wanted, harness_sources, plan, refusal, specification
from harness.presets import Preset
from harness.provenance import device_kind
from harness.registry import PluginSpec
from harness.running import slow_first
from harness.selection import select
from harness.settings import DataSettings, Schedule, Sizes

SMOKE = presets.load("smoke")


def cells(
    methods: str = "mdn",
    tasks: str = "sinewave",
    preset: Preset = SMOKE,
    seeds: tuple[int, ...] = (0,),
    scenarios: str = "base",
    protocols: str = "all",
) -> list[Cell]:
    chosen = (select("methods", methods), select("tasks", tasks), select("scenarios", scenarios))
    return plan(Wanted(*chosen, select("protocols", protocols), seeds), preset)


def changed(cell: Cell, **options: object) -> Cell:
    return replace(cell, method=replace(cell.method, options={**cell.method.options, **options}))


BASE = Cell(
    PluginSpec("sinewave", "1", {}, "sinewave", "a" * 64),
    PluginSpec("na", "1", {"boundary_loss": True, "steps": 3}, "na", "b" * 64, ("paper",)),
    "quick",
    150_000,
    Schedule(),
    DataSettings(),
    Sizes(),
    0,
    made=Made({}, {}),
)

DECLARED: dict[str, Callable[[Cell], Cell]] = {
    "task name": lambda cell: replace(cell, task=replace(cell.task, name="other")),
    "task version": lambda cell: replace(cell, task=replace(cell.task, version="2")),
    "task options": lambda cell: replace(cell, task=replace(cell.task, options={"convention": "kruse"})),
    "task data": lambda cell: replace(cell, task=replace(cell.task, fingerprint="c" * 64)),
    "scenario": lambda cell: replace(cell, scenario=PluginSpec("noise", "1", {"sd": 0.05}, "noise", "d" * 64)),
    "method name": lambda cell: replace(cell, method=replace(cell.method, name="na-lm")),
    "method version": lambda cell: replace(cell, method=replace(cell.method, version="2")),
    "method option": lambda cell: changed(cell, boundary_loss=False),
    "budget": lambda cell: replace(cell, budget=150_001),
    "epochs": lambda cell: replace(cell, schedule=replace(cell.schedule, epochs=149)),
    "learning rate": lambda cell: replace(cell, schedule=replace(cell.schedule, learning_rate=1e-4)),
    "targets": lambda cell: replace(cell, data=replace(cell.data, targets=999)),
    "targets from": lambda cell: replace(cell, data=replace(cell.data, targets_from="validation")),
    "training pairs": lambda cell: replace(cell, data=replace(cell.data, n_train=100)),
    "seed": lambda cell: replace(cell, seed=1),
    "device": lambda cell: replace(cell, device="cuda"),
    "model of the device": lambda cell: replace(cell, device="cuda", model="cuda NVIDIA Other Model"),
}

UNDECLARED: dict[str, Callable[[Cell], Cell]] = {
    "preset name": lambda cell: replace(cell, preset="mine"),
    "task label": lambda cell: replace(cell, task=replace(cell.task, label="sinewave[x=1]")),
    "method label": lambda cell: replace(cell, method=replace(cell.method, label="na[boundary_loss=on]")),
    "groups": lambda cell: replace(cell, method=replace(cell.method, groups=())),
    "sizes": lambda cell: replace(cell, sizes=Sizes(proposals=3)),
    "task source": lambda cell: replace(cell, task=replace(cell.task, source="c" * 64)),
    "method source": lambda cell: replace(cell, method=replace(cell.method, source="c" * 64)),
    "threads": lambda cell: replace(cell, threads=8),
}


@pytest.fixture(autouse=True)
def two_equal_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.get_device_name", lambda device=None: "NVIDIA Some Model")


@pytest.mark.parametrize("change", DECLARED.values(), ids=list(DECLARED))
def test_every_declared_input_changes_the_key(change: Callable[[Cell], Cell]) -> None:
    assert change(BASE).key != BASE.key


@pytest.mark.parametrize("change", UNDECLARED.values(), ids=list(UNDECLARED))
def test_what_changes_no_number_does_not_change_the_key(change: Callable[[Cell], Cell]) -> None:
    assert change(BASE).key == BASE.key


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (lambda cell: replace(cell, task=replace(cell.task, source="c" * 64)), {"data", "model"}),
        (lambda cell: replace(cell, method=replace(cell.method, source="c" * 64)), {"model"}),
        (lambda cell: replace(cell, schedule=replace(cell.schedule, epochs=1)), {"model"}),
        (lambda cell: replace(cell, data=replace(cell.data, targets=3)), {"data", "model"}),
        (lambda cell: replace(cell, sizes=Sizes(proposals=3)), set()),
        (lambda cell: replace(cell, threads=3), set()),
    ],
)
def test_each_part_has_a_digest_of_its_own(change: Callable[[Cell], Cell], parts: set[str]) -> None:
    base = replace(BASE, made=None)
    before, after = base.digests, change(base).digests
    assert {name for name in before if before[name] != after[name]} == parts


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("data", {"data", "model", "answer", "score"}),
        ("training", {"model", "answer", "score"}),
        ("asking", {"answer", "score"}),
        ("re-simulation", {"score"}),
    ],
)
def test_the_sources_of_the_harness_reach_what_they_make(monkeypatch, source: str, parts: set[str]) -> None:
    def digests() -> dict[str, str]:
        (cell,) = cells("prior", protocols="r_T")
        (protocol,), (question,) = cell.protocols, cell.questions["r_T"].values()
        return {**cell.digests, "answer": cell.answer_digest(question), "score": cell.score_digest(protocol)}

    before, known = digests(), dict(harness_sources())
    monkeypatch.setattr("harness.plan.harness_sources", lambda: {**known, source: "d" * 64})
    after = digests()
    assert {name for name in before if before[name] != after[name]} == parts


def test_two_gpus_are_one_kind_of_device() -> None:
    assert replace(BASE, device="cuda:1").key == replace(BASE, device="cuda:0").key


def test_a_gpu_that_is_named_has_the_key_of_one_that_is_here() -> None:
    there = replace(BASE, device="cuda", model=device_kind("cuda"))
    assert there.key == replace(BASE, device="cuda").key != replace(there, model="cuda NVIDIA Other Model").key


VALUES = st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text() | st.none()


@given(st.dictionaries(st.text(min_size=1), VALUES, max_size=5), st.randoms())
def test_the_key_is_independent_of_the_order_of_options(options: dict[str, object], random) -> None:
    shuffled = list(options.items())
    random.shuffle(shuffled)
    specs = [replace(BASE.method, options=dict(items)) for items in (options.items(), shuffled)]
    keys = {replace(BASE, method=spec).key for spec in specs}
    assert len(keys) == 1


@given(st.dictionaries(st.text(min_size=1), VALUES, max_size=5), st.integers(0, 2**31))
def test_a_cell_survives_pickle(options: dict[str, object], seed: int) -> None:
    cell = replace(BASE, method=replace(BASE.method, options=options), seed=seed)
    copy = pickle.loads(pickle.dumps(cell))
    assert copy == cell and copy.key == cell.key and hash(copy) == hash(cell)


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


def test_protocol_options_are_resolved_and_validated() -> None:
    preset = replace(SMOKE, protocols={"r_T": {"bootstrap": 7, "trials": [1, 2]}})
    (cell,) = cells("prior", preset=preset, protocols="r_T[trials=1+5]")
    assert cell.protocols[0].options == {"bootstrap": 7, "trials": (1, 5)}
    with pytest.raises(UsageError, match=r"Unknown option of r_T 'bootstrp'. Did you mean bootstrap"):
        cells("prior", preset=replace(SMOKE, protocols={"r_T": {"bootstrp": 7}}))
    with pytest.raises(UsageError, match=r"r_T.bootstrap = 0 is not allowed. Allowed: 1 or more"):
        cells("prior", protocols="r_T[bootstrap=0]")


def test_protocols_that_only_show_ask_and_score_nothing() -> None:
    (cell,) = cells("prior")
    names = {spec.name for spec in cell.protocols}
    assert "summary" not in names and {"multi-target", "fixed-target", "r_T", "inference-time"} <= names
    assert cell.questions["inference-time"] == {}


def test_equal_questions_of_several_protocols_are_one() -> None:
    (cell,) = cells("prior", protocols="multi-target,r_T,novelty")
    asked = [question for questions in cell.questions.values() for question in questions.values()]
    assert len(set(asked)) < len(asked)


def test_the_base_scenario_leaves_no_trace_and_another_makes_another_cell() -> None:
    base, noisy = cells("prior", scenarios="base,noise[sd=0.05]")
    assert base.scenario is None and base.declared().scenario is None and base.key == cells("prior")[0].key
    assert noisy.label == "sinewave/prior/noise/0" and noisy.key != base.key
    assert noisy.digests["data"] != base.digests["data"]


def test_what_a_method_does_not_handle_is_refused_in_words() -> None:
    mdn, prior = map(specification, select("methods", "mdn,prior"))
    built, task = specification(*select("scenarios", "gaps[fill=native]")), Waves(2, 3)
    text = refusal(mdn, built, task)
    assert text.startswith("mdn does not handle") and "gaps[fill=native]" in text
    assert refusal(prior, built, task) == refusal(mdn, None, task) == ""
    assert "1 entry" in refusal(prior, built, Waves(2, 1))


def test_slow_tasks_run_first_and_methods_keep_their_order():
    planned = cells("mdn,prior", "sinewave,stack,ballistics,architecture")
    order = [(cell.task.name, cell.method.name) for cell in slow_first(planned)]
    tasks = ["architecture", "stack", "sinewave", "ballistics"]
    assert order == [(task, method) for task in tasks for method in ("mdn", "prior")]


def test_the_same_file_elsewhere_is_the_same_cell(tmp_path, monkeypatch) -> None:
    rows = "\n".join(f"{i / 100},{(i * 7) % 100},{i % 13}" for i in range(300))
    found = {}
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "pairs.csv").write_text(f"x1,x2,y1\n{rows}\n")
        (cell,) = cells("lookup", f"dataset[path={tmp_path / folder / 'pairs.csv'}]")
        found[folder] = cell.key, cell.digests
        assert folder in str(cell.task.options["path"]) and folder not in str(cell.declared())
    assert found["here"] == found["there"]
    (tmp_path / "there" / "pairs.csv").write_text(f"x1,x2,y1\n{rows}\n1,2,3\n")
    (other,) = cells("lookup", f"dataset[path={tmp_path / 'there' / 'pairs.csv'}]")
    assert other.key != found["here"][0]
