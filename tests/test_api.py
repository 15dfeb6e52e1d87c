"""The Python interface and the verb `propose`: the same model as a cell of `run`, and an answer in the user's units."""

from __future__ import annotations

import copy
import math
import pickle
import re
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
import torch

import harness
from harness.cache_folder import VARIABLE
from harness.cli import main
from harness.distances import nearest_distance
from harness.errors import UsageError
from harness.outputs import ContractError
from harness.store import cell_folders
from methods.mdn import MDN
from tests.plugins import install
from tests.toys import Waves, same, snapshot

BOX = np.random.default_rng(0).uniform([0, 0, 5], [1, 2, 6], (300, 3))


def forward(x: np.ndarray) -> np.ndarray:
    return np.stack([x[:, 0] + x[:, 1] ** 2, x[:, 0] * x[:, 2]], 1)


PAIRS = harness.pairs(BOX, forward(BOX))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A result folder with two methods on a task, made by `run`."""
    root = tmp_path_factory.mktemp("results")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in a cell
    arguments = ["--preset", "smoke", "--methods", "na,mdn", "--tasks", "robotic_arm", "--out", str(root), "--quiet"]
    assert main(["run", *arguments, "--protocols", "multi-target"]) == 0
    yield root
    torch.set_num_threads(threads)


@pytest.mark.parametrize("method", ["na", "mdn"])
def test_what_run_has_trained_is_what_fit_trains_and_what_load_brings_back(place: Path, method: str) -> None:
    loaded = harness.load(place / "robotic_arm" / method)
    made = harness.fit(method, "robotic_arm", preset="smoke")
    assert same(snapshot(loaded.method), snapshot(made.method))
    assert made.phases and not loaded.phases
    target = [0.5, 1.2]
    pandas.testing.assert_frame_equal(loaded.propose(target, 4), made.propose(target, 4))
    (folder,) = (folder for folder in cell_folders(place) if folder.parent.name == method)
    assert same(snapshot(harness.load(folder).method), snapshot(made.method))


def test_what_is_reached_is_what_the_task_says_of_the_designs_in_the_frame(place: Path) -> None:
    solver = harness.load(place / "robotic_arm/mdn")
    wanted = pandas.DataFrame({"vertical": [0.1, 0.5], "other": [7, 7], "horizontal [link]": [1.5, 1.0]})
    found = solver.propose(wanted, n=5)
    assert found["target"].tolist() == [0] * 5 + [1] * 5
    x = torch.tensor(found[solver.x_names].to_numpy())
    reached = solver.task.simulate(x).numpy()
    np.testing.assert_allclose(found[["horizontal [link] reached", "vertical [link] reached"]], reached, rtol=1e-12)
    asked = np.repeat([[1.5, 0.1], [1.0, 0.5]], 5, axis=0)
    np.testing.assert_array_equal(found[["horizontal [link] wanted", "vertical [link] wanted"]], asked)
    variance = solver.given.train.y.var(0).numpy()
    np.testing.assert_allclose(found["nmse"], ((reached - asked) ** 2 / variance).mean(1), rtol=1e-9)
    scale, known = solver.given.scales[0], solver.given.train.x
    distance = nearest_distance(scale.apply(x), scale.apply(known)).numpy()
    np.testing.assert_allclose(found["nearest"], distance, rtol=1e-9)
    low, high = solver.task.bounds
    assert found["inside"].tolist() == ((x >= low) & (x <= high)).all(1).tolist()
    assert found["believed_nmse"].isna().all(), "a density promises no error"


def test_the_same_seed_gives_the_same_designs_and_another_gives_others(place: Path) -> None:
    solver = harness.load(place / "robotic_arm/mdn")
    first, again, other = (solver.propose([1.0, 0.5], 3, seed=seed) for seed in (1, 1, 2))
    pandas.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


@pytest.mark.parametrize("method", ["na", "ipage", "kernel"])
def test_the_design_of_which_the_method_expects_most_comes_first(method: str) -> None:
    solver = harness.fit(method, harness.pairs(BOX, forward(BOX)), preset="smoke")
    found = solver.propose([[1.0, 2.0], [2.0, 3.0]], n=6)
    for _, designs in found.groupby("target"):
        assert designs["believed_nmse"].is_monotonic_increasing and designs["believed_nmse"].notna().all()


def test_a_scenario_is_that_of_run_and_its_records_stand_behind_the_one_without(tmp_path: Path) -> None:
    few = "pairs[n=300]"
    arguments = ["--preset", "smoke", "--methods", "mdn", "--tasks", "sinewave", "--out", str(tmp_path), "--quiet"]
    assert main(["run", *arguments, "--protocols", "multi-target", "--scenarios", f"base,{few}"]) == 0
    made = harness.fit("mdn", "sinewave", preset="smoke", scenario=few)
    loaded = harness.load(tmp_path / f"sinewave/mdn/{few}")
    assert len(made.given.train.x) + len(made.given.valid.x) == 300
    assert same(snapshot(loaded.method), snapshot(made.method))
    plain = harness.load(tmp_path / "sinewave/mdn")
    assert same(snapshot(plain.method), snapshot(harness.fit("mdn", "sinewave", preset="smoke").method))


def test_own_pairs_are_learned_from_in_a_scenario_and_their_simulator_is_asked_for_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    own = harness.pairs(BOX, forward(BOX), simulate=forward)
    for scenario, pairs in (("pairs[n=50]", 50), ("active[calls=30]", 30), ("base", 300)):
        given = harness.fit("lookup", own, preset="smoke", scenario=scenario).given
        assert len(given.train.x) + len(given.valid.x) == pairs
        np.testing.assert_allclose(forward(given.train.x.numpy()), given.train.y, rtol=1e-12)


def test_rows_of_x_or_of_y_alone_are_no_pairs() -> None:
    solver = harness.fit("tandem", "sinewave", preset="smoke", scenario="unpaired[n=40,rows=30]", epochs=1)
    assert len(solver.given.train.x) + len(solver.given.valid.x) == 40 + 2 * 30
    assert solver.pairs + len(solver.given.valid.x) == 40 and f", {solver.pairs} pairs" in repr(solver)


def test_own_pairs_keep_the_names_of_their_columns_and_are_simulated_where_they_can_be() -> None:
    x = pandas.DataFrame(BOX, columns=["length", "target", "width"])
    y = pandas.Series(forward(BOX)[:, 0], name="gap")
    solver = harness.fit("mdn", harness.pairs(x, y), preset="smoke")
    found = solver.propose(1.0, n=2)
    assert list(found.columns) == ["target", "length", "x: target", "width", "believed_nmse", "inside", "nearest"]
    simulated = harness.pairs(x, y, simulate=lambda x: forward(x)[:, 0])
    assert "gap reached" in harness.fit("mdn", simulated, preset="smoke").propose(1.0, n=2)
    plain = harness.pairs(BOX[:, 0], BOX[:, 1], names=(["a"], ["b"]))
    assert (plain.x_dim, plain.y_dim, plain.x_labels, plain.y_labels) == (1, 1, ("a",), ("b",))
    assert harness.pairs(BOX, BOX[:, :2]).y_labels == ("y1", "y2")


def test_more_pairs_and_more_steps_make_a_better_method() -> None:
    """From arrays to designs that reach their targets: the property that a user wants of all of it together."""
    pairs = harness.pairs(BOX, forward(BOX), simulate=forward)
    wanted = forward(np.random.default_rng(1).uniform([0, 0, 5], [1, 2, 6], (50, 3)))
    errors = [
        harness.fit("na", pairs, preset="smoke", epochs=epochs).propose(wanted, 1)["nmse"].median()
        for epochs in (2, 400)
    ]
    assert errors[1] < 1e-3 < errors[0]


def test_a_class_and_a_task_of_ones_own_need_not_be_registered() -> None:
    solver = harness.fit(MDN, Waves(3, 1), preset="smoke", budget=5000, epochs=2)
    assert solver.name == "MDN" and solver.given.budget == 5000 and solver.phases[0].epochs == 2
    assert solver.propose(0.3, n=4)["x3"].notna().all()


def test_whole_numbers_and_choices_are_kept() -> None:
    x = np.concatenate([BOX[:, :1], np.random.default_rng(2).integers(1, 6, (300, 1))], 1)
    kinds = (harness.Kind("continuous"), harness.Kind("integer"))
    for pairs in (harness.pairs(x, x.sum(1)), harness.pairs(x, x.sum(1), kinds=kinds)):
        found = harness.fit("mdn", pairs, preset="smoke").propose(3.0, n=20)
        assert set(found["x2"]) <= set(range(1, 6)) and len(set(found["x1"])) > 5


def test_a_target_outside_what_was_learned_from_is_named() -> None:
    solver = harness.fit("mdn", harness.pairs(BOX, forward(BOX)), preset="smoke")
    with warnings.catch_warnings():
        warnings.simplefilter("error", harness.OutsideRange)
        solver.propose([2.0, 3.0], 1)
    with pytest.warns(harness.OutsideRange, match=r"y2 = 99 \(target 1\) lies outside what was learned from, 0\.0"):
        solver.propose([[2.0, 3.0], [2.0, 99.0]], 1)


def test_gaps_are_for_methods_that_handle_them() -> None:
    pairs = harness.pairs(BOX, forward(BOX))
    assert len(harness.fit("na", pairs, preset="smoke", epochs=2).propose([2.0, math.nan], 3)) == 3
    with pytest.raises(UsageError, match=r"have gaps \(NaN\), which mdn does not handle"):
        harness.fit("mdn", pairs, preset="smoke", epochs=2).propose([2.0, math.nan], 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: harness.pairs(BOX, BOX[:5]), "x has 300 rows and y has 5. Give a row of y"),
        (lambda: harness.pairs(BOX[:5], BOX[:5]), "Too few pairs: 5. Give 10 or more"),
        (lambda: harness.pairs(BOX * [1, math.nan, 1], BOX), "x has a value that is not finite, first in row 0"),
        (lambda: harness.pairs(BOX, BOX * math.inf), "y has infinite values"),
        (lambda: harness.pairs([["a"]] * 20, BOX[:20]), "x holds something that is no number"),
        (lambda: harness.pairs(BOX[None], BOX), r"x has shape \(1, 300, 3\)\. Give \(rows, columns\)"),
        (lambda: harness.pairs(BOX, BOX, names=(["a", "a", "b"], ["c", "d", "e"])), "x has 3 columns, and its names"),
        (lambda: harness.pairs(BOX * 1j, BOX), "x is complex. Give real numbers"),
        (lambda: harness.pairs(BOX, BOX, names=("a", "b", "c")), "names = .* Give a pair"),
        (lambda: harness.pairs(BOX, BOX, simulate="truth:f"), "simulate = 'truth:f' cannot be called"),
        (lambda: harness.pairs(BOX, BOX, kinds=(harness.Kind("integer", 3),)), "Column 0 of x, .* its kind cannot"),
        (lambda: harness.pairs(BOX, BOX, kinds="integer"), "kinds = 'integer' is not allowed"),
        (lambda: harness.pairs(BOX, BOX, kinds=(harness.Kind("integer"),)), "kinds are of 1 columns, but x has 3"),
        (lambda: harness.fit("mdn", (BOX, BOX)), "tuple is no task. Give a name, or your own pairs"),
        (lambda: harness.fit(3, "sinewave"), "3 is no method"),
        (lambda: harness.fit("mdm", "sinewave"), "Unknown method 'mdm'. Did you mean mdn"),
        (lambda: harness.fit("mdn,na", "sinewave"), "'mdn,na' names 2 methods. Give one."),
        (lambda: harness.fit("mdn", "sinewave", scenario="nose"), "Unknown scenario 'nose'. Did you mean noise"),
        (lambda: harness.fit("mdn", "sinewave", scenario="pairs,noise"), "names 2 scenarios. Give one."),
        (
            lambda: harness.fit("mdn", "sinewave", scenario="fidelity"),
            "^fidelity: the task has no cheaper forward model",
        ),
        (lambda: harness.fit("mdn", "sinewave", scenario="unpaired"), "mdn does not handle lone, which unpaired needs"),
        (lambda: harness.fit("lookup", PAIRS, scenario="active"), "Give your forward model: harness.pairs"),
        (lambda: harness.fit("lookup", PAIRS, scenario="active[calls=20]"), "Give your forward model: harness.pairs"),
        (
            lambda: harness.fit("lookup", PAIRS, scenario="active[acquire=inverse-epig]"),
            "Give your forward model: harness.pairs",
        ),
        (lambda: harness.fit("mdn", "sinewave", preset="fast"), "Unknown preset 'fast'"),
        (lambda: harness.fit("mdn", "sinewave", epochs=0), r"^epochs = 0 is not allowed\. Allowed: 1 or more"),
        (lambda: harness.fit("mdn", "sinewave", device="cuda:99"), "device = 'cuda:99': torch finds . CUDA devices"),
        (lambda: harness.load("nowhere"), "There is no record in 'nowhere'. Name the folder of a cell"),
    ],
)
def test_what_cannot_be_used_is_named(call, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        call()


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ([1.0], r"The targets have shape \(1,\)\. Allowed: 2 numbers \(horizontal \[link\], vertical \[link\]\)"),
        (1.0, r"shape \(\)"),
        ([[1.0, 2.0, 3.0]], r"shape \(1, 3\)"),
        ([["one", "two"]], "no number"),
        ([1.0, math.inf], "infinite values"),
        ([1.0, 1e50], r"The targets hold 1e\+50, which is beyond the numbers that mdn computes with"),
        ([1.0, 1e300], r"a target holds 1e\+300. Allowed: numbers up to 1e\+100"),
        ([1.0, 10**400], "a target holds something that is no number"),
        (np.array([["2026-01-01", "2026-01-02"]], dtype="datetime64[ns]"), "a target holds dates or durations"),
        (pandas.DataFrame({"horizontal": [1.0]}), "have the columns horizontal. Give one column for each y: hor"),
    ],
)
def test_targets_that_cannot_be_used_are_named(place: Path, targets: object, message: str) -> None:
    solver = harness.load(place / "robotic_arm/mdn")
    with pytest.raises(UsageError, match=message):
        solver.propose(targets)
    with pytest.raises(UsageError, match="n = 0 is not allowed"):
        solver.propose([1.0, 0.5], n=0)


def test_a_forward_model_that_gives_another_shape_is_named() -> None:
    with pytest.raises(UsageError, match=r"an array of shape \(16, 3\) for 16 designs. Return \(16, 2\)"):
        harness.pairs(BOX, forward(BOX), simulate=lambda x: x)


def test_a_model_that_is_not_stored_or_not_the_only_one_is_named(place: Path, tmp_path: Path) -> None:
    assert main(["export", str(tmp_path / "copy"), "--out", str(place), "--largest", "1"]) == 0
    with pytest.raises(UsageError, match=r"No model is stored in .*Train it, as by `python -m harness run --methods"):
        harness.load(tmp_path / "copy/robotic_arm/mdn")
    with pytest.raises(UsageError, match="There is no record in"):
        harness.load(place / "robotic_arm")
    folder = next((place / "robotic_arm/mdn").iterdir())
    both = tmp_path / "both"
    for name in (folder.name, "another"):
        both.joinpath(name).mkdir(parents=True)
        both.joinpath(name, "record.json").write_bytes(folder.joinpath("record.json").read_bytes())
    with pytest.raises(UsageError, match=rf"There are 2 records in .*\n.*another .*\n.*{folder.name} .*seed 0"):
        harness.load(both)


class Conditioned(Waves):
    """A force and the temperature at which it is wanted."""

    conditions = torch.tensor([[0.0], [1.0]], dtype=torch.float64)

    def __init__(self) -> None:
        super().__init__(2, 1)
        self.y_dim, self.fixed_target = 2, (0.3, 0.5)

    def simulate(self, x, conditions):
        return super().simulate(x) + conditions


def test_conditions_are_given_and_not_scored() -> None:
    solver = harness.fit("lookup", Conditioned(), preset="smoke")
    found = solver.propose([0.5, 0.2], n=3)
    variance = float(solver.given.train.y[:, 0].var())
    np.testing.assert_allclose(found["nmse"], (found["y1 reached"] - 0.5) ** 2 / variance, rtol=1e-9)
    assert (found["y2 reached"] == 0.2).all()
    with pytest.raises(UsageError, match=r"NaN in y2, which is given with a target and not searched for"):
        solver.propose([0.5, math.nan])


def test_designs_are_those_that_were_proposed_whatever_the_forward_model_does_to_them() -> None:
    def spoiling(x: np.ndarray) -> np.ndarray:
        y = forward(x)
        x[:] = 0
        return y

    found = [
        harness.fit("lookup", harness.pairs(BOX, forward(BOX), simulate=f), preset="smoke").propose([1.0, 2.0], 3)
        for f in (forward, spoiling)
    ]
    pandas.testing.assert_frame_equal(*found)
    assert (found[0][["x1", "x2", "x3"]] != 0).all(axis=None)


def test_names_decide_which_number_is_which() -> None:
    y = pandas.DataFrame(forward(BOX), columns=["u", "v"])
    solver = harness.fit("lookup", harness.pairs(BOX, y, simulate=forward), preset="smoke")
    frame = pandas.DataFrame({"v": [3.0], "u": [1.0]})
    wanted = [solver.propose(given, 1) for given in ([1.0, 3.0], frame, frame.iloc[0])]
    assert all(found.equals(wanted[0]) for found in wanted)
    numbered = harness.fit(
        "lookup", harness.pairs(pandas.DataFrame(BOX), pandas.DataFrame(forward(BOX))), preset="smoke"
    )
    assert len(numbered.propose(pandas.DataFrame([[1.0, 3.0]]), 2)) == 2
    with pytest.raises(UsageError, match="other indices"):
        harness.pairs(pandas.DataFrame(BOX), y.sample(frac=1, random_state=0))


def test_no_column_of_the_answer_takes_the_place_of_another() -> None:
    x = pandas.DataFrame(BOX, columns=["target", "x: target", "gap reached"])
    y = pandas.Series(forward(BOX)[:, 0], name="gap")
    found = harness.fit("lookup", harness.pairs(x, y, simulate=lambda x: forward(x)[:, 0]), preset="smoke").propose(
        1.0, 4
    )
    assert list(found.columns[1:4]) == ["x: target", "x: x: target", "x: gap reached"]
    reached = forward(found.iloc[:, 1:4].to_numpy())[:, 0]
    np.testing.assert_allclose(found["gap reached"], reached)


def test_a_curve_outside_the_range_is_one_warning() -> None:
    y = np.repeat(forward(BOX)[:, :1], 40, axis=1) * np.linspace(1, 2, 40)
    solver = harness.fit("lookup", harness.pairs(BOX, y), preset="smoke")
    with pytest.warns(harness.OutsideRange) as caught:
        solver.propose(np.full(40, 99.0), 1)
    assert len(caught) == 1 and "y1 and 39 more entries of y = 99 (target 0)" in str(caught[0].message)


def test_a_plain_function_is_told_to_keep_no_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = "def first(x, y):\n    return lambda y, n, generator: x[:n].expand(len(y), -1, -1)\n"
    install(monkeypatch, tmp_path, source, methods={"first": "first"})
    arguments = ["--preset", "smoke", "--methods", "first", "--tasks", "sinewave", "--out", str(tmp_path / "out")]
    assert main(["run", *arguments, "--quiet", "--protocols", "multi-target"]) == 0
    with pytest.raises(UsageError, match=r"No model is stored in .* or of a plain function. Train it, as by"):
        harness.load(tmp_path / "out/sinewave/first")


def test_a_kernel_learns_from_the_pairs_of_which_all_is_known() -> None:
    y = forward(BOX)
    y[::3, 1] = math.nan
    solver = harness.fit("kernel", harness.pairs(BOX, y, simulate=forward), preset="smoke")
    assert solver.propose([1.0, 3.0], 1)["nmse"].max() < 0.01


def test_a_broken_answer_is_an_error_of_its_own() -> None:
    class Broken(MDN):
        def propose(self, y, n, generator):
            return super().propose(y, n + 1, generator)

    with pytest.raises(ContractError, match=r"x of 2 proposals for 1 target has shape \(1, 3, 2\)"):
        harness.fit(Broken, Waves(2, 1), preset="smoke", epochs=2).propose(0.1, 2)


def waves(seed: int = 0) -> pandas.DataFrame:
    """Designs of a method that was trained for a moment."""
    return harness.fit("mdn", "sinewave", preset="smoke", epochs=2, seed=seed).propose([0.5, 1.0], 3)


def test_threads_train_as_one_does_alone() -> None:
    alone = [waves(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(waves, range(4)))
    for one, other in zip(alone, together, strict=True):
        pandas.testing.assert_frame_equal(one, other, check_exact=True)


def test_what_a_program_has_set_for_torch_changes_nothing_and_stays_set() -> None:
    usual = waves()
    torch.set_default_dtype(torch.float64)
    try:
        doubled = waves()
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    pandas.testing.assert_frame_equal(usual, doubled, check_exact=True)
    for mode in (torch.inference_mode, torch.no_grad):
        with mode():
            pandas.testing.assert_frame_equal(usual, waves(), check_exact=True)
    solver = harness.fit("na", "sinewave", preset="smoke", epochs=2)
    with torch.inference_mode():
        designs = solver.propose([0.5], 2)
    pandas.testing.assert_frame_equal(designs, solver.propose([0.5], 2), check_exact=True)


@pytest.mark.parametrize("method", ["mdn", "na", "lookup", "kernel", "prior"])
def test_a_pickled_solver_proposes_the_same(method: str) -> None:
    tasks = ("sinewave", harness.pairs(BOX, forward(BOX), simulate=forward))
    for task, target in zip(tasks, ([0.5], [1.0, 3.0]), strict=True):
        solver = harness.fit(method, task, preset="smoke", epochs=2)
        for again in (pickle.loads(pickle.dumps(solver)), copy.deepcopy(solver)):
            assert (again.name, again.phases) == (solver.name, solver.phases)
            pandas.testing.assert_frame_equal(again.propose(target, 3), solver.propose(target, 3), check_exact=True)


def test_what_cannot_be_pickled_is_told_what_to_do() -> None:
    class Local(MDN):
        pass

    with pytest.raises(pickle.PicklingError, match=r"Local on Waves cannot be pickled .*harness\.load"):
        pickle.dumps(harness.fit(Local, Waves(2, 1), preset="smoke", epochs=2))


@pytest.mark.parametrize(
    ("targets", "n", "message"),
    [
        ([[math.nan, math.nan]], 3, "Target 0 asks for nothing: all of its entries are NaN"),
        ([[1.0, 1.0], [1e30, 1.0]], 3, r"has no answer to these targets, of which .* = 1e\+30 \(target 1\)"),
        ([1.0, 1.0], 10**12, r"n = 1000000000000 designs for each of 1 target take .* GB"),
        ([1.0, 1.0], 10**40, "Ask for fewer"),
    ],
)
@pytest.mark.filterwarnings("ignore::harness.solver.OutsideRange")
def test_targets_without_an_answer_are_the_users(place: Path, targets: object, n: int, message: str) -> None:
    solver = harness.load(place / "robotic_arm" / "na")
    with pytest.raises(UsageError, match=message):
        solver.propose(targets, n)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"seed": -1}, "seed = -1 is not allowed"),
        ({"seed": 1.5}, r"seed = 1\.5 is not allowed"),
        ({"seed": "x"}, "seed = 'x' is not allowed"),
        ({"report": 3}, "report = 3 cannot be called"),
        ({"budget": 10**12}, "mdn with budget = 1000000000000 .* does not fit into memory"),
    ],
)
def test_what_fit_cannot_use_is_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        harness.fit("mdn", "sinewave", preset="smoke", epochs=2, **given)


def test_the_verb_prints_designs_and_writes_all_of_them(place: Path, tmp_path: Path, capsys) -> None:
    wanted, out = tmp_path / "wanted.csv", tmp_path / "designs.csv"
    wanted.write_text("horizontal,vertical\n" + "1.0,0.5\n" * 8)
    cell = str(place / "robotic_arm" / "na")
    assert main(["propose", cell, "--targets", str(wanted), "--n", "3", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "na, trained on" in said and f"24 designs: {out}" in said and "Not shown: 4 more designs;" in said
    assert "lies outside" not in said and "was trained for 24 steps, as in the preset smoke" in said
    read = pandas.read_csv(out)
    frame = harness.load(cell).propose(pandas.read_csv(wanted), 3)
    pandas.testing.assert_frame_equal(read, frame, check_dtype=False)
    assert main(["propose", cell, "--target", "1.0,9", "--n", "2"]) == 0
    said = capsys.readouterr().out
    assert "Mind: vertical [link] = 9 (target 0) lies outside what was learned from" in said
    assert "Not shown" not in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "either --target 1.2, a number for each y, or --targets FILE.csv"),
        (["--target", "1,2", "--targets", "a.csv"], "either --target 1.2"),
        (["--target", "1,b"], "--target '1,b' is not allowed. Allowed: a number for each y"),
        (["--targets", "a.csv"], "Unknown data file 'a.csv'."),
        (["--target", "1,0.5", "--out", "no/such/folder.csv"], "there is no folder 'no/such'"),
        (["--target", "1,0.5", "--out", "README.md"], "Allowed: a name that ends in .csv, such as designs.csv"),
        (
            ["--target", "1,0.5,3"],
            "has 3 values. Give 2 values with commas between them, one for each y: horizontal [link]",
        ),
        (["--target", "1,0.5", "--n", "0"], "--n: '0' is not allowed. Allowed: a whole number, 1 or more"),
    ],
)
def test_what_the_verb_cannot_use_is_named(place: Path, capsys, arguments: list[str], message: str) -> None:
    assert main(["propose", str(place / "robotic_arm" / "mdn"), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_the_package_is_imported_without_torch() -> None:
    assert set(harness.__all__) <= set(dir(harness))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = harness.nothing


def test_masked_entries_are_not_known_and_tensors_lose_their_gradient():
    masked = np.ma.masked_array(np.arange(40.0).reshape(20, 2), mask=False)
    masked[0, 1] = np.ma.masked
    found = harness.pairs(np.arange(20.0), masked).y
    assert torch.isnan(found[0, 1]) and found[1].tolist() == [2.0, 3.0]
    x = torch.arange(20.0, requires_grad=True)
    assert harness.pairs(x, x.detach()).x[:, 0].tolist() == list(range(20))


def test_a_cache_folder_that_cannot_be_used_is_refused_before_anything_is_trained(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    monkeypatch.setenv("INVERSE_HARNESS_CACHE", str(tmp_path / "file" / "cache"))
    arguments = ["--preset", "smoke", "--methods", "lookup", "--tasks", "sinewave", "--out", str(tmp_path / "out")]
    assert main(["run", *arguments]) == 2
    assert "INVERSE_HARNESS_CACHE" in capsys.readouterr().err and not (tmp_path / "out").exists()


HEATED = np.random.default_rng(4)
WIDTHS, TEMPERATURES = HEATED.uniform(size=(500, 2)), HEATED.uniform(300, 400, 500)


def warm(inputs):
    return inputs[:, 0] * inputs[:, 2] / 300 + inputs[:, 1]


def heated(**options):
    y = warm(np.column_stack([WIDTHS, TEMPERATURES]))
    return harness.pairs(WIDTHS, y, given=pandas.Series(TEMPERATURES, name="temperature"), simulate=warm, **options)


def test_own_pairs_may_have_conditions_which_are_the_end_of_a_target():
    solver = harness.fit("kernel", heated(), preset="smoke")
    assert solver.y_names == ["y1", "temperature"] and solver.conditions == 1
    found = solver.propose([[0.9, 310.0], [0.9, 390.0]], n=2)
    reached = warm(np.column_stack([found[["x1", "x2"]].to_numpy(), [310.0, 310.0, 390.0, 390.0]]))
    assert found["y1 reached"].to_numpy() == pytest.approx(reached) and found["nmse"].max() < 0.01
    assert found["y1 reached"].to_numpy() == pytest.approx(0.9, abs=0.1)
    again = pickle.loads(pickle.dumps(solver))
    assert again.propose([[0.9, 310.0], [0.9, 390.0]], n=2).equals(found)
    with pytest.raises(UsageError, match="NaN in temperature, which is given with a target"):
        solver.propose([[0.9, math.nan]])
    with pytest.raises(UsageError, match=r"2 numbers \(y1, temperature\)"):
        solver.propose(0.9)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (TEMPERATURES[:9], "x has 500 rows and given has 9"),
        (np.where(np.arange(500) == 7, np.nan, TEMPERATURES), "not finite, first in row 7"),
        (np.full(500, 300.0), "the same in all rows"),
    ],
)
def test_conditions_that_do_not_go_with_the_pairs_are_refused(given, said):
    with pytest.raises(UsageError, match=said):
        harness.pairs(WIDTHS, WIDTHS[:, 0], given=given)


def test_the_examples_of_gaps_and_conditions_run_and_reach_their_targets(capsys):
    text = (Path(__file__).parents[1] / "docs" / "python.md").read_text(encoding="utf-8")
    known: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", text.partition("## My data have gaps")[2], re.DOTALL):
        exec(block, known)
        solver, x = known["solver"], known["x"]
        wanted = [[1.0, 0.2]] if "nan" in block else [[0.9, 310.0], [0.9, 390.0]]
        found = solver.propose(wanted, n=3).to_numpy()[:, 1:3].astype(float)
        if "nan" in block:
            assert np.stack([found.sum(1), found.prod(1)], 1) == pytest.approx(np.tile(wanted, (3, 1)), abs=0.05)
        else:
            temperature = np.repeat([310.0, 390.0], 3)
            assert found[:, 0] * temperature / 300 + found[:, 1] == pytest.approx(0.9, abs=0.05)
        assert x.shape == (600, 2)
    assert capsys.readouterr().out.count("target") == 2
