"""Real processes, really killed: nothing outlives what it works for, and what is lost is said."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import weakref
from pathlib import Path

import psutil
import pytest

from harness import presets
from harness.execution import run_cells
from harness.plan import Wanted, part_of, plan
from harness.selection import select
from harness.store import Store
from tests.plugins import install
from tests.runners import all_of, make_cell
from tests.test_execution import TESTS, alive, pids, wait_for

SCRIPT = """
import sys
from harness.execution import run_cells
from harness.store import Store
from tests.runners import all_of, endless, make_cell

if __name__ == "__main__":
    cells = [make_cell(seed=seed) for seed in range(3)]
    summary = run_cells(all_of(*cells), Store(sys.argv[1]), jobs=3, runner=endless)
    sys.exit(128 + summary.signal if summary.signal else 0)
"""

PLAIN = """
import sys
from harness.cli import main

print("once")
arguments = ["--methods", "prior", "--tasks", "sinewave", "--preset", "smoke", "--protocols", "multi-target"]
sys.exit(main(["run", *arguments, "--out", sys.argv[1], "--quiet"]))
"""

STRANGE = """
import os
import signal
from dataclasses import dataclass
from typing import Literal

from harness.contracts import Method, Proposals


class Strange(Method):
    trainable = False

    @dataclass(frozen=True)
    class Options:
        how: Literal["kill", "full", "garble"] = "kill"

    def fit(self, train, valid, run):
        self.x = train.x

    def propose(self, y, n, generator):
        print("last words", flush=True)
        if self.options.how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.options.how == "full":
            raise OSError(28, "No space left on device")
        raise ValueError("\\x1b[31mred\\x1b[0m \\ud800")
"""


RUNAWAY = """
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from harness.contracts import Method, Proposals


class Runaway(Method):
    trainable = False

    @dataclass(frozen=True)
    class Options:
        seconds: float = 0.0

    def fit(self, train, valid, run):
        '''A grandchild in a session of its own, whose parent has ended.'''
        pid = subprocess.run(["sh", "-c", "setsid sleep 600 >&- 2>&- & echo $!"], capture_output=True, text=True).stdout
        Path(os.environ["SIGNS"], f"sleeper-{pid.strip()}").touch()
        time.sleep(self.options.seconds)

    def propose(self, y, n, generator):
        return Proposals(y.new_zeros(len(y), n, 2))
"""


class Run:
    """A run of three cells in a process of its own, one finished and two that never will be."""

    def __init__(self, folder: Path) -> None:
        self.root, self.signs = folder / "out", folder / "signs"
        self.signs.mkdir()
        self.temporary = Path(tempfile.mkdtemp())  # a short path: that of a socket may have a hundred characters
        weakref.finalize(self, shutil.rmtree, self.temporary, ignore_errors=True)
        path = os.pathsep.join([str(TESTS.parent), os.environ.get("PYTHONPATH", "")])
        values = {"PYTHONPATH": path, "SIGNS": str(self.signs), "TMPDIR": str(self.temporary)}
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", SCRIPT, str(self.root)],
            env={**os.environ, **values},
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=heeding,
        )
        wait_for(lambda: len(pids(self.signs)) == 3 and len(list(Store(self.root).records())) == 1)
        tree = psutil.Process(self.process.pid).children(recursive=True)
        self.all = [process.pid for process in tree]
        # The first cell has its record, and its process may still be about to end.
        self.workers = [int(sign.name.partition("-")[2]) for sign in self.signs.iterdir() if sign.name[0] != "0"]
        self.server = psutil.Process(self.workers[0]).ppid()

    def gone(self) -> bool:
        return not any(alive(pid) for pid in self.all)

    def end(self) -> str:
        """Wait for the end; what was said on standard error."""
        return self.process.communicate(timeout=60)[1]


def heeding() -> None:
    """What a shell in the background, or nohup, has its children ignore."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def test_a_killed_run_takes_all_with_it_also_stopped_processes_and_its_socket(tmp_path):
    run = Run(tmp_path)
    assert len(run.all) > 2 * len(run.workers)  # the methods' processes, the server and its tracker
    for pid in (run.workers[0], run.server):
        os.kill(pid, signal.SIGSTOP)
    run.process.kill()
    assert "Traceback" not in run.end()
    wait_for(run.gone)
    wait_for(lambda: not list(run.temporary.glob("pymp-*")))


def test_where_the_server_is_killed_together_with_the_run_nothing_is_left_either(tmp_path):
    run = Run(tmp_path)
    os.kill(run.workers[0], signal.SIGSTOP)
    os.kill(run.server, signal.SIGKILL)
    run.process.kill()
    run.end()
    wait_for(run.gone)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_the_run_in_order_and_more_of_them_do_not_disturb_it(tmp_path, number):
    run = Run(tmp_path)
    os.kill(run.workers[0], signal.SIGSTOP)
    for _ in range(3):
        run.process.send_signal(number)
    said = run.end()
    assert run.process.returncode == 128 + number
    assert said.count("Interrupted: 1 of 3 cells is finished and kept") == 1 and "Traceback" not in said
    wait_for(run.gone)
    assert not list(run.root.rglob("*.tmp")) and not list(run.root.rglob("*.lock"))
    assert not list(run.temporary.glob("pymp-*")) and Store(run.root).verify() == []


def test_a_killed_server_costs_no_running_cell_and_no_traceback(tmp_path):
    run = Run(tmp_path)
    os.kill(run.server, signal.SIGKILL)
    os.kill(run.workers[0], signal.SIGKILL)
    store = Store(run.root)
    wait_for(lambda: len(list(store.records())) == 2)
    assert alive(run.workers[1]) and run.process.poll() is None
    run.process.terminate()
    assert "Traceback" not in run.end()
    wait_for(run.gone)


def test_a_methods_process_ends_with_its_worker(tmp_path):
    run = Run(tmp_path)
    (method,) = psutil.Process(run.workers[0]).children()
    os.kill(method.pid, signal.SIGSTOP)
    os.kill(run.workers[0], signal.SIGKILL)
    wait_for(lambda: not alive(method.pid))
    wait_for(lambda: len(list(Store(run.root).records())) == 2)
    run.process.terminate()
    run.end()


def cells(methods: str):
    chosen = [select(kind, names) for kind, names in (("methods", methods), ("tasks", "sinewave"))]
    return plan(Wanted(*chosen, select("scenarios", "base"), select("protocols", "multi-target"), (0,)), SMOKE)


SMOKE = presets.load("smoke")


def test_what_a_method_does_to_its_process_is_the_failure_of_its_cell_alone(tmp_path, monkeypatch):
    install(monkeypatch, tmp_path, STRANGE, methods={"strange": "Strange"})
    works = all_of(*cells("strange[how=kill],strange[how=full],strange[how=garble],prior"))
    run_cells(works, Store(tmp_path / "out"), quiet=True)
    found = {record.label.method: record for record in Store(tmp_path / "out").records()}
    killed, full, garbled = (found[f"strange[how={how}]"] for how in ("kill", "full", "garble"))
    assert killed.status == "killed" and "last words" in killed.error.traceback
    assert full.status == "failed" and full.error.type == "OSError"
    assert garbled.error.message == "red \ufffd" and "\x1b" not in garbled.error.traceback
    assert found["prior"].status == "ok", found["prior"].error


WANDERER = """
import os

import torch

from harness.contracts import Method, Proposals


class Wanderer(Method):
    trainable = False

    def fit(self, train, valid, run):
        os.chdir("/")
        self.x = train.x

    def propose(self, y, n, generator):
        return Proposals(self.x[:n].expand(len(y), -1, -1))

    def build(self, problem, width):
        self.register_buffer("x", torch.zeros(0))
"""


def test_a_method_may_change_its_folder_where_that_of_the_results_is_relative(tmp_path, monkeypatch):
    install(monkeypatch, tmp_path, WANDERER, methods={"wanderer": "Wanderer"})
    monkeypatch.chdir(tmp_path)
    run_cells(all_of(*cells("wanderer")), Store(Path("out")), quiet=True)
    (record,) = Store(tmp_path / "out").records()
    assert record.status == "ok", record.error


def runaway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float) -> subprocess.Popen[str]:
    """A run of a method that starts a process in a session of its own, and then takes its time."""
    install(monkeypatch, tmp_path, RUNAWAY, methods={"runaway": "Runaway"})
    script = (
        "from tests.runners import all_of; from tests.test_processes import cells\n"
        "from harness.execution import run_cells; from harness.store import Store\n"
        "if __name__ == '__main__':\n"
        f"    works = all_of(*cells('runaway[seconds={seconds}]'))\n"
        f"    done = run_cells(works, Store({str(tmp_path / 'out')!r}), quiet=True, timeout=8)\n"
        "    print([outcome.status for outcome in done.outcomes], flush=True)\n"
        "    input()"
    )
    path = os.pathsep.join([str(TESTS.parent), *sys.path])
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", script],
        env={**os.environ, "PYTHONPATH": path, "SIGNS": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(("seconds", "status"), [(0.0, "ok"), (600.0, "timeout")])
def test_what_a_method_starts_in_a_session_of_its_own_ends_with_its_cell(tmp_path, monkeypatch, seconds, status):
    with runaway(tmp_path, monkeypatch, seconds) as process:
        assert process.stdout is not None and status in process.stdout.readline()
        (sleeper,) = pids(tmp_path)
        wait_for(lambda: not alive(sleeper))
        process.communicate("\n", timeout=60)


def test_what_a_method_starts_in_a_session_of_its_own_ends_with_a_killed_run(tmp_path, monkeypatch):
    with runaway(tmp_path, monkeypatch, 600.0) as process:
        wait_for(lambda: len(pids(tmp_path)) == 1)
        (sleeper,) = pids(tmp_path)
        assert alive(sleeper)
        process.kill()
    wait_for(lambda: not alive(sleeper))


def test_a_script_that_runs_cells_needs_no_guard_of_its_main_module(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(PLAIN, encoding="utf-8")
    command = [sys.executable, script, tmp_path / "results"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0 and done.stdout.split().count("once") == 1, done.stdout + done.stderr


def test_a_cell_is_not_run_with_other_sources_than_it_was_planned_with(tmp_path, monkeypatch):
    module = install(monkeypatch, tmp_path, STRANGE, methods={"strange": "Strange"})
    works = all_of(*cells("strange[how=kill]"))
    assert all(cell.digests for cell in works)
    (tmp_path / module / f"{module}.py").write_text(STRANGE + "\n\nnew = 1\n")
    run_cells(works, Store(tmp_path / "out"), quiet=True)
    (record,) = Store(tmp_path / "out").records()
    assert record.status == "failed" and "The source of method is not the one" in record.error.message


def test_parts_of_a_plan_are_disjoint_and_complete():
    planned = [make_cell(seed=seed) for seed in range(40)]
    for count in (1, 2, 7):
        parts = [cell.key for i in range(count) for cell in part_of(planned, (i + 1, count))]
        assert sorted(parts) == sorted(cell.key for cell in planned)
    assert part_of(planned, None) == planned
