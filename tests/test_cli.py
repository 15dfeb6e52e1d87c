from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from harness import presets
from harness.cli import build_parser, main
from harness.config import Settings, flag
from harness.execution import Summary
from harness.plan import Cell
from harness.store import Store
from harness.work import Work
from tests.plugins import METHOD, install
from tests.stored import cell_of as one_cell
from tests.stored import put, tiny


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Relative result folders end up in the test's own folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "harness.presets.load", lambda name, load=presets.load: tiny() if name == "tiny.toml" else load(name)
    )
    return tmp_path


@pytest.fixture
def never_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **settings: object) -> None:
        raise AssertionError("a cell was run")

    monkeypatch.setattr("harness.execution.run_cells", refuse)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("rnu", "Unknown verb 'rnu'. Did you mean run?"),
        ("run --methds mdn", "Did you mean --methods"),
        ("run --methods mnd", "Unknown method 'mnd'. Did you mean mdn"),
        ("run --methods na[boundary_los=off]", "Did you mean boundary_loss"),
        ("run --methods na[boundary_loss=5]", "Allowed: on|off"),
        ("run --tasks sinwave", "Did you mean sinewave"),
        ("run --preset quik", "Did you mean quick"),
        ("run --seeds x", "--seeds = 'x' is not allowed"),
        ("run --jobs 0", "--jobs = 0 is not allowed"),
        ("run --jobs many", "--jobs = many is not allowed"),
        ("run --timeout soon", "--timeout = 'soon' is not allowed"),
        ("run --device tpu", "Allowed: cpu, cuda, cuda:0"),
        ("run --engine slrum", "Did you mean slurm"),
        ("run --slurm mem=4G", "--slurm belongs to --engine slurm"),
        ("run --engine slurm --slurm mem=4", "mem = '4' is not allowed. Allowed: a number with K, M, G or T"),
        ("run --config nowhere.toml", "cannot be read"),
        ("run --epochs 0", "--epochs = 0 is not allowed"),
        ("table all --out nowhere", "Unknown result folder 'nowhere'"),
        ("verify --out nowhere", "Unknown result folder 'nowhere'"),
        ("show nothing/here --out nowhere", "Unknown result folder 'nowhere'"),
        ("show abcdef --out nowhere", "Unknown result folder 'nowhere'"),
        ("list method", "Did you mean methods"),
        ("new thing mine", "Allowed: method, task"),
        ("new task mine", "Write: new task NAME --from pairs.csv"),
        ("new method mine --x a", "--x belongs to a task"),
        ("new task mine --from nowhere.csv", "nowhere.csv"),
        ("show-task sinwave", "Did you mean sinewave"),
        ("rescore --protocols operators[designs=0]", "operators.designs = 0 is not allowed"),
        ("run --preset smoke --protocols r_T[trials=1000000]", "trials = 1000000 is more than the 20 proposals"),
        ("run --protocols r_T[trials=1+10+1]", "r_T: trials = 1+10+1 names 1 twice. Write each T once"),
        ("run --protocols recall[trials=3+3]", "recall: trials = 3+3 names 3 twice"),
        ("run --config twice.toml", "r_T: trials = 1+1 names 1 twice"),
        ("run --config none.toml", "r_T: trials names no T"),
        ("run --protocols r_T,r_T[bootstrap=9]", "r_T is named as r_T and as r_T[bootstrap=9], but is scored once"),
        ("run --protocols r_T[bootstrap=8],r_T[bootstrap=9]", "Name one of them"),
        ("run --protocols=", "The selection '' names no protocols"),
        ("rescore --protocols=", "The selection '' names no protocols"),
        ("rescore --protocols r_T[trials=1+1]", "trials = 1+1 names 1 twice"),
        ("check ,", "The selection ',' names no plug-in"),
        ("run --tasks dataset", "Write dataset[path=pairs.csv"),
        ("check mnd", "Unknown method or task 'mnd'. Did you mean mdn"),
    ],
)
@pytest.mark.usefixtures("never_run")
def test_wrong_usage_ends_with_two_before_anything_is_trained(
    capsys: pytest.CaptureFixture[str], elsewhere: Path, arguments: str, message: str
) -> None:
    for name, trials in (("twice", "[1, 1]"), ("none", "[]")):
        (elsewhere / f"{name}.toml").write_text(f"[protocols.r_T]\ntrials = {trials}\n", encoding="utf-8")
    before = list(elsewhere.iterdir())
    assert main(arguments.split()) == 2
    assert message in capsys.readouterr().err
    assert list(elsewhere.iterdir()) == before


@pytest.mark.usefixtures("never_run")
def test_all_protocols_and_one_of_them_with_other_options(capsys: pytest.CaptureFixture[str], elsewhere: Path) -> None:
    arguments = ["run", "--dry-run", "--preset", "smoke", "--methods", "prior", "--tasks", "sinewave", "--protocols"]
    assert main([*arguments, "all,r_T[bootstrap=9]"]) == 0


def test_a_new_method_is_written_and_never_over_another(capsys: pytest.CaptureFixture[str], elsewhere: Path) -> None:
    assert main(["new", "method", "my-method"]) == 0
    written = sorted(path.relative_to(elsewhere) for path in elsewhere.rglob("*") if path.is_file())
    assert Path("my-method/pyproject.toml") in written and len(written) == 3
    assert main(["new", "method", "my-method"]) == 2
    assert "my-method" in capsys.readouterr().err
    assert main(["new", "method", "my-method", "--folder", "other"]) == 0


def test_no_verb_prints_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "rescore" in capsys.readouterr().out


@pytest.mark.usefixtures("never_run")
def test_a_dry_run_prints_the_plan_and_writes_nothing(capsys: pytest.CaptureFixture[str], elsewhere: Path) -> None:
    arguments = ["run", "--dry-run", "--preset", "smoke", "--methods", "mdn", "na", "--tasks", "sinewave"]
    assert main([*arguments, "--seeds", "0-1", "--jobs", "8"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("4 cells (2 methods × 1 task × 1 scenario × 2 seeds), preset smoke: 0 up to date")
    assert "train 4, ask 4, score 4, 4 at a time.\nResults: results/smoke" in text
    assert all(f"sinewave/{method}/{seed}" in text for method in ("mdn", "na") for seed in (0, 1))
    assert "By rule" in text
    assert "Nothing was run." in text
    assert list(elsewhere.iterdir()) == []


def cell_of(method: str = "mdn", seed: int = 0) -> Cell:
    return one_cell(method, seeds=(seed,), preset=tiny())


FAILED = {"error": {"type": "ValueError", "message": "no"}, "scores": {}, "answers": {}}


def commit(root: Path, cell: Cell, status: str = "ok", **changes: Any) -> Path:
    """Store a record of the cell, of real work, or of work that failed."""
    more = {} if status == "ok" else {"status": status, **FAILED}
    return put(cell, root, **{**more, **changes})


def pretend_to_run(monkeypatch: pytest.MonkeyPatch, *, interrupted: bool = False) -> list[list[str]]:
    """Let runs do nothing; returns the labels of the cells that each would have run."""
    ran: list[list[str]] = []

    def run_cells(cells: dict[Cell, Work], store: Store, **settings: object) -> Summary:
        ran.append([cell.label for cell in cells])
        return Summary(len(cells), signal=signal.SIGINT if interrupted else None)

    monkeypatch.setattr("harness.execution.run_cells", run_cells)
    return ran


RUN = ["run", "--preset", "tiny.toml", "--methods", "mdn", "--tasks", "sinewave", "--out", "here"]


@pytest.mark.usefixtures("never_run")
def test_cost_is_estimated_from_earlier_records(capsys: pytest.CaptureFixture[str], elsewhere: Path) -> None:
    commit(elsewhere / "here", cell_of(), seconds={"training": 590.0, "data": 10.0})
    assert main([*RUN, "--seeds", "0-2", "--dry-run", "--jobs", "1"]) == 0
    text = capsys.readouterr().out
    assert "1 up to date; train 2, ask 2, score 2" in text
    assert text.count("about 10 min as measured before") == 2
    assert "Estimated: 20 min of work" in text


@pytest.mark.usefixtures("never_run")
def test_a_dry_run_tells_the_array_that_a_cluster_would_be_given(
    capsys: pytest.CaptureFixture[str], elsewhere: Path
) -> None:
    commit(elsewhere / "here", cell_of(), seconds={"training": 590.0, "data": 10.0})
    assert main([*RUN, "--seeds", "0-12", "--dry-run", "--engine", "slurm", "--jobs", "1"]) == 0
    text = capsys.readouterr().out
    assert "score 12, 1 at a time in each array entry." in text
    assert "On the cluster: 2 array entries of at most 4.2 h each." in text  # six times 10 min, with a margin of 4


@pytest.mark.usefixtures("never_run")
def test_what_has_a_record_is_skipped_and_tables_are_written(
    capsys: pytest.CaptureFixture[str], elsewhere: Path
) -> None:
    commit(elsewhere / "here", cell_of())
    assert main(RUN) == 0
    assert "1 cell (1 method × 1 task × 1 scenario × 1 seed), preset tiny: 1 up to date" in capsys.readouterr().out
    folder = elsewhere / "here" / "tables"
    assert {path.name for path in folder.iterdir()} == {"all.md", "all.tex", "all.csv", "all.json"}
    json.loads((folder / "all.json").read_text())


def test_failed_cells_are_run_again_only_when_asked(
    capsys: pytest.CaptureFixture[str], elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = pretend_to_run(monkeypatch)
    commit(elsewhere / "here", cell_of(seed=0))
    commit(elsewhere / "here", cell_of(seed=1), status="failed")
    assert main([*RUN, "--seeds", "0-1"]) == 1
    assert "sinewave/mdn/1: failed" in capsys.readouterr().err
    assert main([*RUN, "--seeds", "0-1", "--retry"]) == 1
    assert main([*RUN, "--seeds", "0-1", "--force"]) == 1
    assert ran == [["sinewave/mdn/1"], ["sinewave/mdn/0", "sinewave/mdn/1"]]


def test_a_damaged_record_is_run_again(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = pretend_to_run(monkeypatch)
    commit(elsewhere / "here", cell_of())
    path = next((elsewhere / "here").rglob("record.json"))
    path.write_bytes(path.read_bytes()[:100])
    assert main(RUN) == 3
    assert ran == [["sinewave/mdn/0"]]
    assert main(["verify", "--out", "here"]) == 1


def test_nothing_ran_is_three(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pretend_to_run(monkeypatch)
    assert main(RUN) == 3
    assert "Nothing ran." in capsys.readouterr().err


def test_cells_that_were_not_reached_are_named(elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    pretend_to_run(monkeypatch)
    commit(elsewhere / "here", cell_of())
    assert main([*RUN, "--seeds", "0-1", "--fail-fast"]) == 1
    assert "sinewave/mdn/1: not run\n" in capsys.readouterr().err


def test_a_run_of_failures_still_has_a_table(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commit(elsewhere / "here", cell_of(), status="failed")
    assert main(RUN) == 1
    captured = capsys.readouterr()
    assert "1 of 1 cell is not ok" in captured.err
    assert "failed" in captured.out


def test_ctrl_c_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_to_run(monkeypatch, interrupted=True)
    assert main(RUN) == 130


def test_ctrl_c_while_planning_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("harness.verbs.planned", interrupt)
    assert main(RUN) == 130


def test_show_finds_a_record_by_key_path_and_name(capsys: pytest.CaptureFixture[str], elsewhere: Path) -> None:
    cell = cell_of()
    commit(elsewhere / "here", cell)
    folder = Store("here").path(cell)
    texts = []
    for what in (cell.key, cell.key[:6], str(folder), str(folder / "record.json"), "sinewave/mdn"):
        assert main(["show", what, "--out", "here"]) == 0
        texts.append(capsys.readouterr().out)
    assert len(set(texts)) == 1
    assert "multi-target" in texts[0]
    commit(elsewhere / "here", cell_of(seed=1))
    assert main(["show", "sinewave/mdn", "--out", "here"]) == 0
    assert "2 records: show one by its key." in capsys.readouterr().out
    assert main(["show", "sinewave/mnd", "--out", "here"]) == 2
    assert "Did you mean sinewave/mdn" in capsys.readouterr().err


def test_lists(capsys: pytest.CaptureFixture[str], elsewhere: Path) -> None:
    assert main(["list"]) == 0
    text = capsys.readouterr().out
    assert all(
        word in text
        for word in (
            "boundary_loss = on (on|off): keep",
            "convention = ren",
            "smoke",
            "groups: ",
            "noise",
            "r_T",
            "bootstrap",
        )
    )
    commit(elsewhere / "results" / "mine", cell_of())
    assert main(["list", "results"]) == 0
    assert "results/mine  1 ok" in capsys.readouterr().out


@pytest.mark.parametrize("flag", ["methods", "tasks"])
def test_a_table_of_nothing_is_refused(capsys: pytest.CaptureFixture[str], elsewhere: Path, flag: str) -> None:
    commit(elsewhere / "here", cell_of())
    assert main(["table", "summary", "--out", "here", f"--{flag}="]) == 2
    assert f"The selection '' names no {flag[:-1]}. Write names, or leave it out" in capsys.readouterr().err


def test_tables_of_a_folder(capsys: pytest.CaptureFixture[str], elsewhere: Path) -> None:
    for method in ("mdn", "prior"):
        commit(elsewhere / "here", cell_of(method))
    assert main(["table", "multi-target", "--out", "here", "--format", "json", "--methods", "m*"]) == 0
    text = capsys.readouterr().out
    assert '"mdn"' in text
    assert '"prior"' not in text
    for more, shown in (([], True), (["--published"], True), (["--no-published"], False)):
        assert main(["table", "multi-target", "--out", "here", *more]) == 0
        assert ("published" in capsys.readouterr().out) is shown
    assert main(["table", "multi-targt", "--out", "here"]) == 2
    assert "Did you mean multi-target" in capsys.readouterr().err


def test_a_strangers_function_runs_from_entry_point_to_table(
    capsys: pytest.CaptureFixture[str], elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, elsewhere, METHOD, methods={"plain": "function"})
    assert main(["run", "--preset", "smoke", "--methods", "plain", "--tasks", "sinewave", "--out", "here"]) == 0
    assert "| plain" in capsys.readouterr().out


def test_reading_verbs_do_without_torch(elsewhere: Path) -> None:
    commit(elsewhere / "here", cell_of())
    verbs = [["table", "all"], ["verify"], ["show", "sinewave/mdn"], ["list", "results"]]
    code = (
        "import sys; from harness.cli import main\n"
        f"codes = [main([*verb, '--out', 'here']) for verb in {verbs}]\n"
        "assert codes == [0, 0, 0, 0], codes\n"
        "heavy = {'torch', 'scipy', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_command_line_alone_does_without_numpy() -> None:
    code = "import sys; from harness.cli import build_parser; build_parser(); assert 'numpy' not in sys.modules"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_flag_has_a_help_text() -> None:
    _, each = build_parser()
    for name, parser in each.items():
        for action in parser._actions:
            assert action.help, f"{name} {action.dest}"


def test_every_setting_of_a_run_is_a_flag() -> None:
    flags = set(build_parser()[1]["run"]._option_string_actions)
    assert {flag(item.name) for item in fields(Settings)} <= flags


@pytest.mark.parametrize("what", ["scenarios", "protocols", "methods", "tasks", "presets"])
def test_each_list_alone(capsys: pytest.CaptureFixture[str], what: str) -> None:
    assert main(["list", what]) == 0
    assert len(capsys.readouterr().out.splitlines()) >= 3
