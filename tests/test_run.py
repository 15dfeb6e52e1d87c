"""Real runs from the command line: determinism, kill -9, failures, damage, and what is computed again from records."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import get_args

import pytest

from harness.records import plain
from harness.reporting import render
from harness.reporting.frame import frame
from harness.schema import Record, Status
from harness.store import Store, record_files
from tests.plugins import MISBEHAVING, write

pytestmark = pytest.mark.slow

PRESET = """
budget = 10_000
[schedule]
epochs = 1
validate_every = 1
[data]
n_train = 200
targets = 10
[sizes]
proposals = 10
repeats = 2
fixed_proposals = 10
[protocols.r_T]
trials = [1, 10]
bootstrap = 50
[methods]
na = { steps = 3 }
na-lm = { steps = 2, restarts = 1 }
ipage = { steps = 2 }
ipage-lm = { steps = 2, restarts = 1 }
kernel = { steps = 2, restarts = 1 }
"""
SOME = "prior,mdn,na-lm,ipage"
HOW = {"raise": "failed", "diverge": "diverged", "memory": "out_of_memory", "sleep": "timeout", "kill": "killed"}
BROKEN = "broken-one"


class Place:
    """A folder to run commands in, with a preset and with a stranger's plug-ins on the path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "tiny.toml").write_text(PRESET)
        entries = {"misbehaving": "Misbehaving", "plain": "function", BROKEN: "Nothing"}
        self.plugins = write(folder, MISBEHAVING, methods=entries)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start `python -m harness`."""
        kept = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")}
        return subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "harness", *arguments],
            cwd=self.folder,
            env={**kept, "PYTHONPATH": os.pathsep.join([str(self.plugins), kept.get("PYTHONPATH", "")]), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def harness(self, *arguments: str, code: int = 0, **environment: str) -> tuple[str, str]:
        """Run a command that ends with this exit code; returns what it printed to both streams."""
        process = self.start(*arguments, **environment)
        out, errors = process.communicate(timeout=300)
        assert process.returncode == code, f"exit code {process.returncode}\n{out}\n{errors}"
        assert "Traceback" not in errors and "Warning" not in errors, errors
        return out, errors

    def run(self, out: str, methods: str, *more: str, code: int = 0, **environment: str) -> tuple[str, str]:
        """`run` on the sinewave."""
        return self.harness(*self.command(out, methods, *more), code=code, **environment)

    def command(self, out: str, methods: str, *more: str) -> list[str]:
        settings = ["--preset", "tiny.toml", "--tasks", "sinewave", "--out", out, "--methods", methods]
        return ["run", *settings, *more]

    def copy(self, source: str, target: str) -> Path:
        return Path(shutil.copytree(self.folder / source, self.folder / target))

    def records(self, out: str) -> dict[str, Record]:
        """All records by their methods' labels."""
        return {record.label.method: record for record in Store(self.folder / out).records()}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return Place(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def whole(place):
    """A folder in which all methods have run, one after the other."""
    _, errors = place.run("whole", "all", "--jobs", "1")
    assert f"Left out: method {BROKEN} is broken: AttributeError" in errors
    assert {record.status for record in place.records("whole").values()} == {"ok"}
    return place.folder / "whole"


def designs(record: Record) -> dict[str, str]:
    """The checksums of the answers."""
    return {name: digest for name, digest in record.files.items() if name.endswith(".npz")}


def folder_of(root: Path, method: str) -> Path:
    (folder,) = root.glob(f"sinewave/{method}/*")
    return folder


def scores(record: Record) -> dict:
    """What was found, without what was measured by a clock and who measured it."""
    found = {name: plain(score.values) for name, score in record.scores.items() if name != "inference-time"}
    assert found
    return found


def tables(root: Path) -> list[str]:
    """What must not depend on how the cells were run: every table but that of the costs."""
    names = ["multi-target", "fixed-target", "r_T", "novelty", "surrogate-gap"]
    return [render(name, root, methods=SOME, format=form) for name in names for form in ("markdown", "csv")]


def test_neither_jobs_nor_the_environment_change_designs_or_scores(place, whole):
    place.run("parallel", SOME, "--jobs", "2", PYTHONHASHSEED="123", OMP_NUM_THREADS="4", MKL_NUM_THREADS="3")
    one, other = place.records("whole"), place.records("parallel")
    assert list(other) and all(designs(one[name]) == designs(other[name]) for name in other)
    assert all(scores(one[name]) == scores(other[name]) for name in other)
    assert tables(whole) == tables(place.folder / "parallel")


def test_kill_9_in_the_middle_and_the_same_command_give_the_same_tables(place, whole):
    killed = place.start(*place.command("killed", SOME, "--jobs", "1"))
    end = time.monotonic() + 120
    while not (finished := record_files(place.folder / "killed")) and time.monotonic() < end:
        time.sleep(0.005)
    killed.kill()
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL and 1 <= len(finished) < 4
    out, _ = place.run("killed", SOME, "--jobs", "1")
    assert f"{len(finished)} up to date" in out or f"{len(finished) + 1} up to date" in out
    assert tables(place.folder / "killed") == tables(whole)
    assert place.harness("verify", "--out", "killed")[0] == "4 records, all intact.\n"


def test_what_no_record_can_hold_fails_its_cell_and_no_other(place):
    _, errors = place.run("odd", "misbehaving[how=odd],prior", "--jobs", "1", code=1)
    found = place.records("odd")
    assert {name: record.status for name, record in found.items()} == {"prior": "ok", "misbehaving[how=odd]": "failed"}
    assert "ranked" in found["misbehaving[how=odd]"].error.message and "Traceback" not in errors


def test_designs_that_are_no_numbers_are_invalid_and_nothing_else(place):
    """Every protocol scores them, and the report and all figures are drawn."""
    place.run("nowhere", "misbehaving[how=nowhere],prior,mdn", "--jobs", "1")
    record = place.records("nowhere")["misbehaving[how=nowhere]"]
    assert record.status == "ok" and 0 < record.scores["r_T"].values["valid"] < 1
    assert (place.folder / "nowhere" / "report.html").stat().st_size > 1e4
    assert "responses.svg" in place.harness("figures", "--out", "nowhere", "--format", "svg")[0]


def test_what_cannot_be_run_is_told_once_for_each_reason(place):
    out, errors = place.run("cannot", "prior,mdn,na,kernel,inn", "--jobs", "1", "--scenarios", "gaps[fill=native]")
    assert "5 cannot; train 0, ask 0, score 0." in out
    (line,) = [line for line in errors.splitlines() if line.startswith("cannot, ")]
    assert line.endswith(" and 2 more: y has 1 entry, of which 1 would be hidden")
    assert {record.status for record in place.records("cannot").values()} == {"cannot"}


def test_every_failure_is_a_record_that_tables_show_and_retry_repairs(place):
    methods = ",".join(["prior", *(f"misbehaving[how={how}]" for how in HOW)])
    labels = {f"misbehaving[how={how}]": status for how, status in HOW.items()}
    out, errors = place.run("failing", methods, "--jobs", "2", "--timeout", "8s", code=1)
    first = place.records("failing")
    assert {name: record.status for name, record in first.items()} == {"prior": "ok", **labels}
    assert set(labels.values()) | {"ok", "cannot"} == set(get_args(Status))
    for name, status in labels.items():
        assert f"sinewave/{name}/0: {status}" in errors
        assert any(line.startswith(f"| {name} ") and status.replace("_", " ") in line for line in out.splitlines())
        assert not first[name].scores and first[name].data is not None and first[name].model is not None
    shown, _ = place.harness("show", first["misbehaving[how=raise]"].key, "--out", "failing")
    assert "ValueError" in shown and "unreadable" in shown and str(place.folder) not in shown

    out, _ = place.run("failing", methods, "--retry", "--timeout", "1m", REPAIRED="yes")
    assert "1 up to date; train 5, ask 5, score 5" in out
    second = place.records("failing")
    assert {record.status for record in second.values()} == {"ok"} and second["prior"] == first["prior"]


def test_damaged_cells_are_named_and_run_again_and_no_others(place, whole):
    root = place.copy("whole", "damaged")
    record, edited = folder_of(root, "prior") / "record.json", next(folder_of(root, "mdn").glob("targets-*.npz"))
    record.write_bytes(record.read_bytes()[:-200])
    edited.write_bytes(edited.read_bytes()[:-1] + b"x")
    out, _ = place.harness("verify", "--out", "damaged", code=1)
    assert [line.partition(":")[0] for line in out.splitlines()[:-1]] == [
        str(path.relative_to(place.folder)) for path in (edited, record)
    ]
    out, _ = place.run("damaged", SOME)
    assert "2 up to date; train 2, ask 2, score 2" in out
    assert place.harness("verify", "--out", "damaged")[0].endswith("records, all intact.\n")
    before, after = place.records("whole"), place.records("damaged")
    assert {name for name in after if after[name] != before[name]} == {"prior", "mdn"}
    assert all(designs(after[name]) == designs(before[name]) for name in after)


def test_rescoring_changes_nothing_and_says_what_it_cannot_do(place, whole):
    root = place.copy("whole", "rescored")
    lost = next(folder_of(root, "mdn").glob("targets-*.npz"))
    lost.unlink()
    out, _ = place.harness("rescore", "--out", "rescored")
    lines = dict(line.split(": ", 1) for line in out.splitlines() if line.startswith("sinewave/"))
    assert lines.pop(str(lost.parent.relative_to(root))) == "left as it is: damaged: is missing"
    assert len(lines) == len(place.records("whole")) - 1 and all("anew" in line for line in lines.values())
    before, after = place.records("whole"), place.records("rescored")
    assert all(scores(after[name]) == scores(before[name]) for name in after)


def test_time_changes_the_inference_time_alone(place, whole):
    place.copy("whole", "timed")
    out, _ = place.harness("time", "--out", "timed")
    before, after = place.records("whole"), place.records("timed")
    assert before.keys() == after.keys()
    left = {line.split("/")[1] for line in out.splitlines() if "left as it is" in line}
    assert left == {"plain"}
    for name in after:
        assert scores(after[name]) == scores(before[name]) and after[name].files == before[name].files
    assert place.harness("verify", "--out", "timed")[0].endswith("all intact.\n")


def test_the_data_frame_holds_the_scores_of_real_records(place, whole):
    table = frame(whole).query("protocol == 'multi-target' and metric == 'nmse' and statistic == 'q90'")
    expected = {
        name: plain(item.scores["multi-target"].values)["errors"]["nmse"]["q90"]
        for name, item in place.records("whole").items()
    }
    assert table.set_index("label")["value"].to_dict() == expected


def test_a_second_run_skips_everything(place, whole):
    before = {path: path.read_bytes() for path in whole.glob("*/*/*/*")}
    out, _ = place.run("whole", "all")
    assert f"{len(place.records('whole'))} up to date; train 0, ask 0, score 0" in out
    assert before == {path: path.read_bytes() for path in whole.glob("*/*/*/*")}


@pytest.mark.parametrize(
    ("methods", "code", "message"), [("mnd", 2, "Did you mean mdn"), (f"{BROKEN}*", 3, "Nothing ran.")]
)
def test_wrong_usage_is_2_and_nothing_to_run_is_3(place, methods, code, message):
    _, errors = place.run("nothing", methods, code=code)
    assert message in errors and not (place.folder / "nothing").exists()
