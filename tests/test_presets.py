from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path

import pytest

from harness import config, presets
from harness.errors import UsageError
from harness.plan import Wanted, plan
from harness.selection import select
from harness.settings import DataSettings, Schedule, Sizes, check, setting


@pytest.mark.parametrize("name", presets.BUILT_IN)
def test_every_preset_can_be_planned_with_all_plugins(name: str) -> None:
    preset = presets.load(name)
    methods, tasks = select("methods", "all"), select("tasks", "all")
    base, protocols = select("scenarios", "base"), select("protocols", "all")
    assert len(plan(Wanted(methods, tasks, base, protocols, [0]), preset)) == len(methods) * len(tasks)


@pytest.mark.parametrize("name", presets.BUILT_IN)
def test_presets_give_options_to_installed_methods_and_tasks_only(name: str) -> None:
    methods = {selection.plugin.name for selection in select("methods", "all")}
    tasks = {selection.plugin.name for selection in select("tasks", "all")}
    for method, options in presets.load(name).methods.items():
        assert method in methods
        assert {key for key, value in options.items() if isinstance(value, dict)} <= tasks


def test_an_unknown_preset_gets_close_matches() -> None:
    with pytest.raises(UsageError, match=r"Unknown preset 'smok'. Did you mean smoke\?"):
        presets.load("smok")


def test_a_preset_file_may_start_from_a_built_in_one(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('preset = "smoke"\nbudget = 5000\n[schedule]\nepochs = 2\n')
    preset, smoke = presets.load(str(path)), presets.load("smoke")
    assert (preset.name, preset.budget, preset.schedule.epochs) == ("mine", 5000, 2)
    assert (preset.data, preset.sizes, preset.protocols) == (smoke.data, smoke.sizes, smoke.protocols)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[schedul]\nepochs = 2", "Did you mean schedule"),
        ("[schedule]\nepoch = 2", "Did you mean epochs"),
        ('[schedule]\nepochs = "two"', "not allowed"),
        ("[schedule", "cannot be read"),
    ],
)
def test_a_preset_file_that_cannot_be_used_is_explained(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        presets.load(str(path))


def run_file(tmp_path: Path, text: str) -> str:
    path = tmp_path / "study.toml"
    path.write_text(text)
    return str(path)


def test_flags_win_over_the_run_file_and_the_file_over_defaults(tmp_path: Path) -> None:
    file = run_file(
        tmp_path, 'preset = "smoke"\nmethods = ["mdn", "na"]\nseeds = [0, 1]\ntimeout = "2m"\nfail-fast = true'
    )
    settings, preset = config.load({"methods": ["cvae"], "jobs": "3"}, file)
    assert (settings.methods, settings.seeds, settings.timeout, settings.jobs) == ("cvae", (0, 1), 120.0, 3)
    assert settings.fail_fast
    assert preset == presets.load("smoke")


def test_a_run_file_holds_the_tables_of_a_preset(tmp_path: Path) -> None:
    file = run_file(
        tmp_path,
        '[run]\npreset = "smoke"\nmethods = "na"\nout = "here"\n[schedule]\nepochs = 9\n[sizes]\nrepeats = 2\n'
        "[methods.na]\nsteps = 5\n[methods.na.sinewave]\nrate = 0.1",
    )
    settings, preset = config.load({}, file)
    assert (settings.methods, settings.out) == ("na", Path("here"))
    assert (preset.name, preset.schedule.epochs, preset.sizes.repeats) == ("study", 9, 2)
    assert preset.method_options("na", "sinewave")["rate"] == 0.1
    assert preset.method_options("na", "ballistics")["steps"] == 5


def test_options_leave_those_of_the_preset_below_alone(tmp_path: Path) -> None:
    base = tmp_path / "base.toml"
    base.write_text("[methods.na]\nsteps = 1\n[methods.na.sinewave]\nrate = 0.5\ndepth = 2\n[methods.mdn]\ndepth = 1\n")
    changes = f'preset = "{base}"\n[methods.na.sinewave]\nrate = 0.25\n'
    expected = {"na": {"steps": 1, "sinewave": {"rate": 0.25, "depth": 2}}, "mdn": {"depth": 1}}
    above = tmp_path / "above.toml"
    above.write_text(changes)
    assert presets.load(str(above)).methods == expected
    assert config.load({}, run_file(tmp_path, changes))[1].methods == expected


def test_flags_change_the_preset_and_its_name() -> None:
    flags = {"preset": "smoke", "epochs": "2", "repeats": "1", "budget": "700", "targets": "5", "validation": True}
    _, preset = config.load(flags)
    assert preset.name == "smoke-budget700-epochs2-targets5-repeats1-validation"
    assert (preset.budget, preset.schedule.epochs) == (700, 2)
    assert (preset.sizes.repeats, preset.data.targets, preset.data.targets_from) == (1, 5, "validation")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sedes = 3", "Did you mean seeds"),
        ("[run]\nsedes = 3", "Did you mean seeds"),
        ("[shedule]\nepochs = 3", "Did you mean schedule"),
        ("[methods.naa]\nsteps = 3", "Unknown method in table .* 'naa'. Did you mean na"),
        ("[methods.na.sinewav]\nsteps = 3", "Did you mean sinewave"),
        ("[methods]\nna = 3", "Write a table"),
        ("[protocols.rT]\nbootstrap = 3", "Did you mean r_T"),
        ("[protocol]\nrepeats = 3", "Did you mean protocols"),
        ("[tasks.sinewav]\nbudget = 3", "Unknown task in table .* 'sinewav'. Did you mean sinewave"),
        ("[run]\npreset = 'smoke'\n[tasks]\nsinewave = 3", "Write a table"),
        ("[tasks.sinewave]\nbugdet = 3", "Did you mean budget"),
        ("[tasks.sinewave.schedule]\nepoch = 3", "Did you mean epochs"),
        ("[scenarios.nois]\ntargets = 3", "Did you mean noise"),
        ("[scenarios.noise]\nepochs = 3", "Unknown setting of scenario 'noise' .* 'epochs'.*targets"),
        ("[scenarios.all]\ntargets = 0", "targets = 0 is not allowed"),
        ("run = 3", "a table .run. of flags"),
        ("jobs = 0", "--jobs = 0 is not allowed. Allowed: 1 or more"),
        ("jobs = true", "--jobs = on is not allowed. Allowed: a whole number, 1 or more, or none"),
        ('force = "maybe"', "Allowed: on"),
        ("methods = 3", "--methods = 3 is not allowed. Allowed: a comma list of names, .*; or a list of these"),
        ("tasks = true", "--tasks = on is not allowed. Allowed: a comma list of names"),
        ("scenarios = ['noise', 3]", "--scenarios = 3 is not allowed. Allowed: a comma list of names"),
        ("seeds = true", "--seeds = True is not allowed. Allowed: seeds such as 0, 0,3 or 0-4"),
        ("out = 3", "--out = 3 is not allowed. Allowed: the path of a folder"),
        ("preset = 3", "--preset = 3 is not allowed. Allowed: smoke, quick, paper, or the path of a TOML file"),
        ("slurm = 3", "--slurm = 3 is not allowed. Allowed: a table, or text such as partition=gpu"),
        ("[slurm]\nmem = 3", r"--slurm\[mem\] = 3 is not allowed. Allowed: text or none"),
        ("[data]\ntargets = 'x'", r"data\[targets\] = x is not allowed. Allowed: a whole number\."),
        ("x = [", "cannot be read"),
    ],
)
def test_a_run_file_that_cannot_be_used_is_explained(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        config.load({}, run_file(tmp_path, text))


def test_a_task_may_have_its_own_sizes_and_flags_win_over_them(tmp_path: Path) -> None:
    text = (
        '[run]\npreset = "smoke"\n[tasks.sinewave]\nbudget = 20000\n[tasks.sinewave.schedule]\nepochs = 7\n'
        "[tasks.sinewave.sizes]\nproposals = 30"
    )
    _, preset = config.load({}, run_file(tmp_path, text))
    own, other = preset.for_task("sinewave", 0.0, 10_000), preset.for_task("ballistics", 0.0, 10_000)
    assert (own.budget, own.schedule.epochs, own.sizes.proposals) == (20000, 7, 30)
    assert (other.budget, other.schedule, other.sizes) == (preset.budget, preset.schedule, preset.sizes)
    base = select("scenarios", "base")
    sizes = {
        (cell.task.name, cell.budget)
        for cell in plan(Wanted(select("methods", "prior"), select("tasks", "analytic"), base, [], [0]), preset)
    }
    assert {size for task, size in sizes if task != "sinewave"} == {preset.budget}
    assert ("sinewave", 20000) in sizes
    _, preset = config.load({"budget": "900", "epochs": "1"}, run_file(tmp_path, text))
    own = preset.for_task("sinewave", 0.0, 10_000)
    assert (own.budget, own.schedule.epochs, own.sizes.proposals) == (900, 1, 30)


def test_a_scenario_may_ask_for_less_and_flags_win_over_it(tmp_path: Path) -> None:
    text = '[run]\npreset = "smoke"\n[scenarios.all]\ntargets = 30\nrepeats = 2\n[scenarios.noise]\nproposals = 5'
    _, preset = config.load({}, run_file(tmp_path, text))
    noise, shift = preset.for_scenario("noise"), preset.for_scenario("shift")
    assert (noise.data.targets, noise.sizes.repeats, noise.sizes.proposals) == (30, 2, 5)
    assert (shift.data.targets, shift.sizes.repeats, shift.sizes.proposals) == (30, 2, preset.sizes.proposals)
    assert (noise.budget, noise.schedule, noise.data.n_train) == (preset.budget, preset.schedule, preset.data.n_train)
    chosen = select("methods", "prior"), select("tasks", "sinewave"), select("scenarios", "base,noise")
    own, other = plan(Wanted(*chosen, [], [0]), preset)
    assert (own.data, own.sizes, own.base) == (preset.data, preset.sizes, None)
    assert (other.data, other.sizes, other.base) == (noise.data, noise.sizes, preset.data)
    _, preset = config.load({"targets": "7"}, run_file(tmp_path, text))
    assert preset.for_scenario("noise").data.targets == 7


@pytest.mark.parametrize(
    ("pairs", "epochs"), [(10, 4000), (400, 4000), (1000, 1334), (9000, 143), (10_000, 140), (10**6, 140)]
)
def test_few_pairs_are_passed_over_until_there_are_enough_steps(pairs: int, epochs: int) -> None:
    quick = presets.load("quick")
    own = quick.for_task("my-task", 0.0, pairs)
    assert own.schedule == replace(quick.schedule, epochs=epochs)
    rows = pairs - pairs // 5
    assert epochs * (rows // min(256, rows)) >= 4000
    assert presets.load("smoke").for_task("my-task", 0.0, pairs).schedule == presets.load("smoke").schedule


def test_epochs_that_a_user_gives_are_taken_as_they_are(tmp_path: Path) -> None:
    _, preset = config.load({"epochs": "5"})
    assert preset.for_task("my-task", 0.0, 50).schedule.epochs == 5
    _, preset = config.load({}, run_file(tmp_path, "[schedule]\nepochs = 7"))
    assert preset.for_task("my-task", 0.0, 50).schedule.epochs == 7
    _, preset = config.load({}, run_file(tmp_path, "[tasks.crystal]\nsteps = 9000"))
    assert preset.for_task("crystal", 0.0, 50).schedule.epochs == 9000
    assert preset.for_task("my-task", 0.0, 50).schedule.epochs == 4000
    _, preset = config.load({"epochs": "3"}, run_file(tmp_path, "[tasks.crystal]\nsteps = 9000"))
    assert preset.for_task("crystal", 0.0, 50).schedule.epochs == 3
    _, preset = config.load({}, run_file(tmp_path, "[schedule]\nbatch = 4096"))
    assert preset.for_task("my-task", 0.0, 4000).schedule.epochs == 140, "large batches are not few pairs"
    for settings in ({"steps": "800"}, {"steps": "800", "epochs": "5"}):
        _, preset = config.load(settings)
        assert preset.for_task("my-task", 0.0, 50).schedule.epochs == 800
    _, preset = config.load({"steps": "100000"})
    assert preset.for_task("crystal", 0.0, 1000).schedule.epochs > 10_000, "tasks with epochs of their own, too"
    _, preset = config.load({}, run_file(tmp_path, "steps = 800"))
    assert preset.for_task("my-task", 0.0, 50).schedule.epochs == 800
    with pytest.raises(UsageError, match="steps = -1 is not allowed"):
        config.load({}, run_file(tmp_path, "[tasks.crystal]\nsteps = -1"))


@pytest.mark.parametrize(("cost", "proposals"), [(0.0, 200), (0.5, 200), (1.25, 110), (10.0, 50)])
def test_a_slow_simulator_is_asked_for_fewer_proposals_but_never_for_fewer_repeats(cost: float, proposals: int) -> None:
    preset = replace(presets.load("quick"), simulation_seconds=200.0)
    own = preset.for_task("sinewave", cost, 10_000)
    assert own.sizes == replace(preset.sizes, proposals=proposals) and own.data == preset.data


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("budget = 0", "budget = 0 is not allowed. Allowed: 1 or more"),
        ('[schedule]\noptimiser = "sgd"', "optimiser.*'sgd'.*Allowed: adam, adamw"),
        ("[schedule]\naverage = 1.0", r"schedule.average = 1.0 is not allowed. Allowed: 0 or more and less than 1"),
        ("[schedule]\nlearning_rate = 0.0", "more than 0"),
        ("[data]\nn_train = 3", "data.n_train = 3 is not allowed. Allowed: 8 or more"),
        ('[data]\ntargets_from = "train"', "Allowed: test, validation"),
        ("[sizes]\nrepeats = 0", "sizes.repeats = 0"),
    ],
)
def test_sizes_that_no_cell_could_use_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        presets.load(str(path))


def test_protocols_have_tables_of_their_own(tmp_path: Path) -> None:
    base = tmp_path / "base.toml"
    base.write_text('preset = "smoke"\n[protocols.r_T]\nbootstrap = 50\n')
    file = run_file(tmp_path, f'preset = "{base}"\n[protocols.r_T]\ntrials = [1, 2]\n')
    assert config.load({}, file)[1].protocols["r_T"] == {"bootstrap": 50, "trials": [1, 2]}


@pytest.mark.parametrize("settings", [config.Settings, Schedule, DataSettings, Sizes])
def test_every_setting_says_what_it_is(settings: type) -> None:
    silent = [item.name for item in fields(settings) if not item.metadata["help"]]
    assert silent == []


@pytest.mark.parametrize("kind", ["scenarios", "protocols"])
def test_every_option_of_scenarios_and_protocols_says_what_it_is(kind: str) -> None:
    for selection in select(kind, "all"):
        for item in fields(selection.plugin.load().Options):
            assert item.metadata.get("help"), f"{selection.plugin.name}[{item.name}]"


def test_bounds_hold_for_single_values_and_for_each_of_several() -> None:
    @dataclass(frozen=True)
    class Some:
        share: float = setting(0.5, help="a share", least=0, below=1)
        counts: tuple[int, ...] = setting((1,), help="counts", least=1, most=9)
        limit: int | None = setting(None, help="none is always inside", above=3)

    for values in ({}, {"share": 0.0}, {"counts": (1, 9)}, {"limit": 4}, {"counts": ()}):
        check(Some(**values), "mine")
    for values in ({"share": 1.0}, {"share": -0.1}, {"counts": (1, 10)}, {"counts": (0,)}, {"limit": 3}):
        with pytest.raises(UsageError, match=f"mine.{next(iter(values))} = .* is not allowed"):
            check(Some(**values), "mine")


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("2h", 7200), ("1h30m", 5400), ("45", 45), ("0.5s", 0.5)]
)
def test_durations(text: str, seconds: float) -> None:
    assert config.duration(text, "--timeout") == seconds


@pytest.mark.parametrize("text", ["", "fast", "3 d", "0s", "-1s", "m"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--timeout"):
        config.duration(text, "--timeout")


@pytest.mark.parametrize(
    ("text", "seeds"), [("3", (3,)), ("0,3", (0, 3)), ("0-2", (0, 1, 2)), ("4,0-1,4", (4, 0, 1)), (2, (2,))]
)
def test_seeds(text: object, seeds: tuple[int, ...]) -> None:
    assert config.numbers(text, "--seeds") == seeds


@pytest.mark.parametrize("text", ["", "a", "2-0", "-1", "0,,1", "1.5"])
def test_what_is_no_seed_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--seeds"):
        config.numbers(text, "--seeds")


@pytest.mark.parametrize(("text", "message"), [("gpu", "Unknown value of --device 'gpu'"), ("cuda:99", "CUDA devices")])
def test_a_device_that_is_not_there_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        config.device(text, "--device")
