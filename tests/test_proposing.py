"""`propose` on pairs of one's own: its files, what it says of the answer, and what it refuses, in plain words."""

from __future__ import annotations

import re
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas
import pytest
import torch

import harness
from harness.cli import joined, main
from harness.errors import UsageError
from harness.solver import far

CELL = "results/smoke/dataset/na"
NAMES = "deflection [mm];mass [g]"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pairs and a run on them, whose forward model is a proxy."""
    folder = tmp_path_factory.mktemp("own")
    x = np.random.default_rng(0).uniform(0, 1, (120, 2))
    y = np.stack([x[:, 0] + x[:, 1] ** 2, 60 + 20 * x[:, 0] * x[:, 1]], 1)
    rows = [";".join(f"{value:.6f}" for value in row) for row in np.concatenate([x, y], 1)]
    (folder / "pairs.csv").write_text("\n".join([f"x1;x2;{NAMES}", *rows]) + "\n")
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        task = "dataset[path=pairs.csv,y=deflection*+mass*]"
        arguments = ["--preset", "smoke", "--methods", "na,mdn", "--tasks", task, "--protocols", "multi-target"]
        assert main(["run", *arguments, "--quiet"]) == 0
    torch.set_num_threads(threads)
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of that folder, in which a test may change what it likes."""
    shutil.copytree(made, tmp_path / "own")
    monkeypatch.chdir(tmp_path / "own")
    yield tmp_path / "own"


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["propose", *arguments]) == 0
    return capsys.readouterr().out


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", f"# wanted\n{NAMES}\n0.8;70\n1.1;65\n"),
        ("a.csv", "mass,deflection,other\n70,0.8,steel\n65,1.1,oak\n"),
        ("a.tsv", "deflection [mm]\tmass [g]\n0.8\t70\n1.1\t65\n"),
        ("a.csv[decimal=comma]", f"{NAMES}\n0,8;70,0\n1,1;65\n"),
        ("a.csv[comment=!]", f"! wanted\n{NAMES}\n0.8;70\n1.1;65\n"),
    ],
)
def test_however_targets_are_written_they_are_the_same(capsys, name: str, text: str) -> None:
    Path(name.partition("[")[0]).write_text(text, encoding="utf-8")
    said(capsys, CELL, "--targets", name, "--n", "2", "--out", "found.csv")
    expected = harness.load(CELL).propose([[0.8, 70], [1.1, 65]], 2)
    pandas.testing.assert_frame_equal(pandas.read_csv("found.csv"), expected, check_dtype=False)


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"deflection [mm],mass [g]\n0.8,70,3\n", "names 2 columns, but its first row has 3 values"),
        (b"deflection [mm],mass [g]\n0.8,70\n0.8,70,3\n", "Line 3 of a.csv has 3 values"),
        (b"mass [g],deflection [mm],mass [g]\n70,0.8,3\n", "several columns named 'mass [g]'"),
        (b"deflection [mm]\n0.8\n", "have the columns deflection [mm]. Give one column for each y"),
        (b"deflection;mass\n0,8;70\n", "Write decimal=comma if its decimal sign is a comma"),
        (b"deflection,mass\n0.8,heavy\n", "the first is 'heavy', in row 1"),
        (b"deflection,mass\n", "a.csv has no rows. Give one for each target"),
        (b"", "a.csv has no names of columns"),
        ("deflection,mass\n0.8,70\n".encode("utf-16"), "looks like UTF-16"),
        (b"deflection,mass,\xb5\n0.8,70,1\n", "not UTF-8: line 1 has the byte 0xb5"),
    ],
)
def test_targets_are_refused_as_pairs_are(capsys, text: bytes, message: str) -> None:
    Path("a.csv").write_bytes(text)
    assert main(["propose", CELL, "--targets", "a.csv"]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("half", ["known", "own"])
def test_a_changed_row_is_noticed_whichever_half_it_is_in(place: Path, capsys, half: str) -> None:
    rows = getattr(harness.load(CELL).task, half).x
    path = place / "pairs.csv"
    before = f"{rows[0, 0]:.6f};"
    assert path.read_text().count(before) == 1
    path.write_text(path.read_text().replace(before, "0.123456;"))
    assert main(["propose", CELL, "--target", "0.8,70"]) == 2
    error = capsys.readouterr().err
    assert "What [path=pairs.csv] names has changed" in error and "run the cell again" in error
    assert ("are the same, but the others" in error) is (half == "known")
    with pytest.raises(UsageError, match="now gives other data than when this was recorded"):
        harness.load(CELL)
    assert main(["rescore", "--out", "results/smoke"]) == 3
    assert "What [path=pairs.csv] names has changed" in capsys.readouterr().out


def test_fewer_rows_and_a_missing_file_are_noticed(place: Path, capsys) -> None:
    path = place / "pairs.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:-2]) + "\n")
    with pytest.raises(UsageError, match="methods learned from 60 pairs, and there would be 59 now"):
        harness.load(CELL)
    path.unlink()
    with pytest.raises(UsageError, match=r"Unknown data file .* was made with \[path=pairs.csv\]: put back what that"):
        harness.load(CELL)


def test_of_a_scenario_with_fewer_pairs_the_numbers_are_not_compared(place: Path) -> None:
    """30 pairs of a scenario are none that went missing."""
    few, task = "pairs[n=30]", "dataset[path=pairs.csv,y=deflection*+mass*]"
    arguments = ["--preset", "smoke", "--methods", "lookup", "--tasks", task, "--protocols", "multi-target"]
    assert main(["run", *arguments, "--scenarios", few, "--quiet"]) == 0
    path = place / "pairs.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:-2]) + "\n")
    with pytest.raises(UsageError, match="names has changed: the pairs that the scenario begins with"):
        harness.load(f"results/smoke/dataset[pairs]/lookup/{few}")


@pytest.mark.usefixtures("place")
def test_what_judges_and_what_is_left_free_is_said(capsys) -> None:
    floor = harness.load(CELL).task.floor["nmse"]
    text = said(capsys, CELL, "--target", "0.8,", "--n", "2")
    assert "a proxy that was trained on the other 60 designs of pairs.csv" in text and f"nmse {floor:.3g}," in text
    assert "mass [g] is left free in target 0" in text
    assert main(["propose", "results/smoke/dataset/mdn", "--target", "0.8,nan"]) == 2
    assert "which mdn does not handle" in capsys.readouterr().err
    assert main(["list", "methods"]) == 0
    name, handling = "", set()
    for line in capsys.readouterr().out.splitlines():
        name = line.split()[0] if re.match(r"  \S", line) else name
        handling |= {name} if re.match(r" +handles: .*\bgaps\b", line) else set()
    assert {"na", "kernel", "lookup", "joint"} <= handling and "mdn" not in handling


def test_conditions_are_no_y_and_the_one_that_is_missing_is_named(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    values = np.random.default_rng(0).uniform(0, 1, (120, 6))
    table = pandas.DataFrame(values, columns=["a", "b", "heat", "load", "time", "wind"])
    table["y"] = table["a"] + table["b"] * table["heat"] + table["load"]
    table.to_csv("pairs.csv", index=False)
    task = "dataset[path=pairs.csv,x=a:b,y=y,given=heat:wind]"
    run = ["run", "--preset", "smoke", "--methods", "kernel", "--tasks", task, "--protocols", "multi-target", "--quiet"]
    assert main(run) == 0 and main(["show-task", task, "--picture", "task.png"]) == 0
    described = capsys.readouterr().out
    assert "Response: y\nGiven with a target: heat\n" in described
    cell = "results/smoke/dataset/kernel"
    text = said(capsys, cell, "--target", "1,0.5,0.2,0.3,0.4", "--n", "2")
    titles = text.splitlines()[1].split()
    assert titles[3:8] == ["y", "wanted", "y", "reached", "heat"] and "heat wanted" not in text
    assert "Not shown: the columns of wind; --out" in text
    for target, message in (
        ("1,0.5,,0.3,0.4", "NaN in load, which is given with a target and not searched for: target 0. Give a value."),
        ("1,0.5,,0.3,", "NaN in load, wind, which are given with a target"),
        ("1", "Give 5 values with commas between them, one for each y: y, and for each condition: heat, load, time"),
    ):
        assert main(["propose", cell, "--target", target]) == 2
        assert message in capsys.readouterr().err
    text = said(capsys, cell, "--target", "1,0.5,0.2,0.3,99", "--n", "2")
    assert "reached –: the forward model has no y for such a design." in text


@pytest.mark.usefixtures("place")
def test_a_record_is_found_by_the_label_that_tables_show(capsys) -> None:
    label = "results/smoke/dataset[pairs]/na"
    assert said(capsys, label, "--target", "0.8,70") == said(capsys, CELL, "--target", "0.8,70")
    assert main(["show", "dataset[pairs]/na", "--out", "results/smoke"]) == 0
    capsys.readouterr()
    for path in ("results/smoke", "results/smoke/dataset", "results/smoke/dataset/nb"):
        with pytest.raises(UsageError, match=r"There are results/smoke/dataset/mdn, results/smoke/dataset/na\."):
            harness.load(path)
    with pytest.raises(UsageError, match=r"There are results/smoke\. Name"):
        harness.load("results/quick/dataset/na")
    assert main(["show", "sinewave/na"]) == 2
    assert "Unknown result folder 'results/quick'. Did you mean results/smoke" in capsys.readouterr().err


@pytest.mark.usefixtures("place")
def test_a_solver_is_a_line(capsys) -> None:
    solver = harness.load(CELL)
    assert len(repr(solver)) < 200
    assert repr(solver).startswith("Solver(na on dataset[pairs], preset smoke, ") and "48 pairs, mean nmse " in repr(
        solver
    )
    with pytest.warns(harness.TrainedLittle, match="trained for 4 steps, as in the preset smoke"):
        solver.propose([0.8, 70], 1)
    assert capsys.readouterr().err == "", "no bar where there is no terminal"
    with pytest.raises(UsageError, match=r"The targets are a dict\. Give numbers, an array, or a data frame"):
        solver.propose({"deflection [mm]": 0.8, "mass [g]": 70})


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["propose", CELL, "--target", "0.8"],
            "Give 2 values with commas between them, one for each y: deflection [mm]",
        ),
        (
            ["propose", CELL, "--target", "0.8,70", "--n", "two"],
            "--n: 'two' is not allowed. Allowed: a whole number, 1",
        ),
        (["propose", CELL, "--target", "0.8,70", "--out", "a.xlsx"], "Allowed: a name that ends in .csv"),
        (["propose"], "it needs cell. Write for example: python -m harness propose results/quick/"),
        (["check"], "it needs names. Write for example"),
        (["export"], "it needs target. Write for example"),
        (["check", "noise"], "'noise' is a scenario. Only methods and tasks can be checked"),
        (["run", "--budget", "ten"], "--budget = ten is not allowed. Allowed: a whole number, 1 or more, or none."),
        (["run", "--methods", "na[candidates=many]"], "Allowed: a whole number, 1 or more."),
        (["run", "--jobs", "-2"], "--jobs = -2 is not allowed. Allowed: 1 or more."),
        (["run", "--config", "none.toml"], "there is no such file. It was looked for"),
        (["run", "--preset", "none.toml"], "there is no such file. It was looked for"),
    ],
)
def test_what_is_allowed_is_said(capsys, arguments: list[str], message: str) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error and "Errno" not in error


@pytest.mark.usefixtures("place")
def test_a_number_may_begin_with_a_minus(capsys) -> None:
    assert "deflection [mm] = -0.2 (target 0) lies outside" in said(capsys, CELL, "--target", "-0.2,70")
    assert joined(["--target", "-.5,1", "--n", "2", "--quiet"]) == ["--target=-.5,1", "--n", "2", "--quiet"]


CURVE = np.linspace(-1, 1, 400)


def test_a_target_that_no_pair_comes_near_is_named_though_each_of_its_numbers_is_in_range() -> None:
    solver = harness.fit("lookup", harness.pairs(CURVE, np.stack([CURVE, CURVE**2], 1)), preset="smoke")
    on, off = torch.tensor([[0.5, 0.25]], dtype=torch.float64), torch.tensor([[0.0, 0.9]], dtype=torch.float64)
    assert list(far(solver.given, on)) == [] == list(far(solver.given, torch.tensor([[0.0, torch.nan]])))
    (line,) = far(solver.given, torch.cat([on, off]))
    scale = solver.given.scales[1].scale.numpy()
    every = np.concatenate([solver.given.train.y, solver.given.valid.y])
    distance = np.linalg.norm((every - [0.0, 0.9]) / scale, axis=1).min()
    assert line.startswith("Target 1 is far") and f"is {distance:.3g} standard deviations" in line
    with pytest.warns(harness.OutsideRange, match="Target 0 is far from all pairs"):
        solver.propose([0.0, 0.9], 1)


def test_between_whole_numbers_nothing_is_far() -> None:
    y = np.random.default_rng(0).integers(0, 5, (300, 2))
    solver = harness.fit("lookup", harness.pairs(y + 0.1, y), preset="smoke")
    assert list(far(solver.given, torch.tensor([[1.5, 2.5]], dtype=torch.float64))) == []


def test_a_forward_model_in_other_units_is_said_to_differ() -> None:
    x = np.random.default_rng(0).uniform(0, 1, (100, 2))
    y = x.sum(1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        harness.pairs(x, y, simulate=lambda x: x.sum(1))
    with pytest.warns(UserWarning, match=r"differs from y: nmse .* over 16 pairs"):
        harness.pairs(x, y, simulate=lambda x: 1000 * x.sum(1))
    with pytest.warns(UserWarning, match="answers none of 16 of the pairs"):
        harness.pairs(x, y, simulate=lambda x: np.full(len(x), np.nan))
