"""Cells run apart from each other: each ends with a record, whatever it does to its process."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UsageError
from harness.execution import Outcome, Summary, run_cells
from harness.execution.console import bound
from harness.execution.failures import relative, status_of
from harness.execution.progress import Rest, duration, line
from harness.plan import Cell
from harness.store import RECORD, Store
from harness.training import Report
from tests.runners import DATA, all_of, by_name, compute, make_cell, score, size, warns

TESTS = Path(__file__).parent
SCRIPT = """
import sys
from harness.execution import run_cells
from harness.store import RECORD, Store
from tests.runners import all_of, make_cell, slow

if __name__ == "__main__":
    cells = [make_cell(seed=seed) for seed in range(6)]
    store = Store(sys.argv[1])
    todo = [cell for cell in cells if not store.has(cell)]
    summary = run_cells(all_of(*todo), store, jobs=2, runner=slow)
    sys.exit(128 + summary.signal if summary.signal else 0)
"""


def outcomes(records):
    """What must not depend on how the cells were run."""
    return {record.key: (record.status, record.scores, record.files) for record in records}


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie, which a container may never reap, does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_for(condition, seconds=120.0):
    end = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
    return result


def start_script(root: Path, signs: Path) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(TESTS.parent), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", SCRIPT, str(root)],
        env={**os.environ, "PYTHONPATH": path, "SIGNS": str(signs)},
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in the background makes them, and so their children, deaf to Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def pids(signs: Path) -> list[int]:
    return [int(path.name.rpartition("-")[2]) for path in signs.iterdir() if "-" in path.name]


@pytest.mark.parametrize(
    ("name", "status", "kind", "message"),
    [
        ("raises", "failed", "ValueError", r"no such file: (tests/)?runners\.py"),
        ("diverges", "diverged", "harness.training.Diverged", "the loss is nan"),
        ("allocates", "out_of_memory", "RuntimeError", "allocate"),
        ("exhausts", "out_of_memory", "MemoryError", "MemoryError"),
        ("killed", "killed", "Killed", r"signal 9 \(SIGKILL\)"),
        ("crashes", "killed", "Killed", r"signal 11 \(SIGSEGV\)"),
        ("exits", "killed", "Killed", "code 7"),
        ("leaves", "failed", "SystemExit", r"sys\.exit\(\) was called"),
        ("sleeps", "timeout", "Timeout", r"Not finished after 1\.5 s"),
        ("fills-its-own", "failed", "OSError", "No space left on device"),
        ("garbles", "failed", "ValueError", "^100%$"),
    ],
)
def test_every_misbehaviour_becomes_a_record_and_the_others_go_on(tmp_path, name, status, kind, message):
    store, bad, good = Store(tmp_path), make_cell(name), make_cell()
    summary = run_cells(all_of(bad, good), store, timeout=1.5, quiet=True, runner=by_name)
    assert {outcome.cell.key: outcome.status for outcome in summary.outcomes} == {bad.key: status, good.key: "ok"}
    record = store.read(bad)
    assert record.status == status and record.error.type == kind
    assert re.search(message, record.error.message)
    assert "log.txt" in record.files and record.stamp.started and not record.scores
    assert (record.label.task, record.label.method) == ("sinewave", name) and record.preset == "smoke"
    assert record.groups.task == ["analytic"] and record.groups.method == []
    assert record.data.n_train == 1 and record.model.parameters.trainable == 3
    assert str(TESTS.parent) not in (store.path(bad) / RECORD).read_text()
    assert store.has(good) and store.verify() == []


def test_a_crash_and_a_timeout_tell_where_they_were(tmp_path):
    store = Store(tmp_path)
    cells = [make_cell(name) for name in ("crashes", "sleeps", "killed")]
    run_cells(all_of(*cells), store, jobs=3, timeout=1.5, quiet=True, runner=by_name)
    traces = [store.read(cell).error.traceback for cell in cells]
    assert "in _crash" in traces[0] and "in _sleep" in traces[1] and traces[2] == "last words\n"


def test_a_cell_that_ignores_sigterm_is_killed_at_its_timeout(tmp_path):
    store = Store(tmp_path)
    began = time.monotonic()
    run_cells(all_of(make_cell("stubborn")), store, timeout=0.5, quiet=True, runner=by_name)
    assert store.read(make_cell("stubborn")).status == "timeout" and time.monotonic() - began < 15


def test_processes_that_a_cell_has_started_end_with_it(tmp_path):
    run_cells(all_of(make_cell()), Store(tmp_path), quiet=True, runner=breed)
    record = Store(tmp_path).read(make_cell())
    assert record.status == "killed"
    child = int(record.seconds["child"])
    wait_for(lambda: not alive(child))


def breed(cell, folder, report):
    yield {"seconds": {"child": subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"]).pid}}
    os._exit(1)


def test_any_number_of_jobs_gives_the_same_records(tmp_path):
    cells = [make_cell(seed=seed) for seed in range(4)]
    serial, parallel = Store(tmp_path / "serial"), Store(tmp_path / "parallel")
    run_cells(all_of(*cells), serial, jobs=1, quiet=True, runner=compute)
    summary = run_cells(all_of(*cells), parallel, jobs=3, quiet=True, runner=compute)
    assert summary.counts == {"ok": 4}
    assert outcomes(serial.records()) == outcomes(parallel.records())
    assert {record.scores["made-up"].values["threads"] for record in serial.records()} == {1}


def test_workers_are_forked_from_a_server_with_torch_loaded(tmp_path):
    run_cells(all_of(make_cell()), Store(tmp_path), quiet=True, runner=kind_of_process)
    record = Store(tmp_path).read(make_cell())
    assert record.status == "ok", record.error
    assert record.scores["made-up"].values == {"process": "ForkServerProcess", "torch": True}


def kind_of_process(cell, folder, report):
    import multiprocessing

    process = type(multiprocessing.current_process()).__name__
    yield {"data": DATA, "model": size(3)}
    yield {"scores": {"made-up": score(process=process, torch="torch" in sys.modules)}}


def test_a_damaged_file_of_the_cache_is_one_line_of_the_run_too(tmp_path, capfd):
    cell = make_cell()
    run_cells(all_of(cell), Store(tmp_path), quiet=True, runner=warns)
    line = "The cache file tables/x.safetensors is damaged and is made again."
    assert capfd.readouterr().err.splitlines() == [f"{cell.label}: {line}"]
    text = (Store(tmp_path).path(cell) / "console.txt").read_text()
    assert line in text and "a number is large" in text


def test_warnings_and_prints_of_a_cell_are_kept_beside_its_record(tmp_path, capfd):
    run_cells(all_of(make_cell()), Store(tmp_path), quiet=True, runner=chatty)
    folder = Store(tmp_path).path(make_cell())
    text = (folder / "console.txt").read_text()
    assert "hello" in text and "from C" in text and str(folder.parents[2]) not in text
    assert capfd.readouterr() == ("", "") and Store(tmp_path).verify() == []


def chatty(cell, folder, report):
    print("hello", folder)
    os.write(2, b"from C\n")
    yield {"data": DATA, "model": size(3)}


def flooding(cell, folder, report):
    print("the beginning")
    for _ in range(300):
        print("x" * 9999)
    print("the end")
    yield {"data": DATA, "model": size(3)}


def test_of_a_flood_of_prints_the_beginning_and_the_end_are_kept(tmp_path):
    run_cells(all_of(make_cell()), Store(tmp_path), quiet=True, runner=flooding)
    text = (Store(tmp_path).path(make_cell()) / "console.txt").read_text()
    assert text.startswith("the beginning\n") and text.endswith("the end\n")
    assert "bytes are left out ..." in text and len(text) < 1.1 * 2**20
    assert Store(tmp_path).verify() == []


def overflowing(cell: Cell, folder: Path, report: Report) -> Iterator[dict[str, Any]]:
    threading.Thread(target=_overflow, daemon=True).start()
    print("the beginning", flush=True)
    time.sleep(1000)
    yield {}


def _overflow() -> None:
    while True:
        os.write(1, b"x" * 2**16)


def test_a_cell_that_prints_without_end_ends_in_time_and_fills_no_disk(tmp_path):
    store, began, largest = Store(tmp_path), time.monotonic(), 0
    watching = threading.Event()

    def watch() -> None:
        nonlocal largest
        while not watching.wait(0.1):
            taken = [path.stat().st_blocks * 512 for path in tmp_path.rglob("console.txt")]
            largest = max(largest, *taken, 0)

    watcher = threading.Thread(target=watch)
    watcher.start()
    run_cells(all_of(make_cell()), store, timeout=3, quiet=True, runner=overflowing)
    watching.set()
    watcher.join()
    assert time.monotonic() - began < 20
    record = store.read(make_cell())
    assert record.status == "timeout"
    text = (store.path(make_cell()) / "console.txt").read_text()
    assert "bytes are left out ..." in text and len(text) < 1.1 * 2**20
    assert 0 < largest < 2**30  # in three seconds it has printed several times that


def test_the_middle_of_a_file_that_grows_is_a_hole(tmp_path):
    path = tmp_path / "console.txt"
    bound(path)
    assert not path.exists()
    content = b"first" + bytes(range(256)) * 2**16 + b"last"
    path.write_bytes(content)
    bound(path)
    found = path.read_bytes()
    assert len(found) == len(content) and path.stat().st_blocks * 512 < 2**21
    assert found[: 2**19] == content[: 2**19] and found[-(2**19) :] == content[-(2**19) :]
    bound(path)
    assert path.read_bytes() == found


def test_fail_fast_stops_at_the_first_failure(tmp_path):
    cells = [make_cell("raises"), make_cell("sleeps"), make_cell()]
    summary = run_cells(all_of(*cells), Store(tmp_path), jobs=2, fail_fast=True, quiet=True, runner=by_name)
    assert summary.stopped
    assert [outcome.cell.key for outcome in summary.outcomes] == [cells[0].key]
    assert len(list(Store(tmp_path).records())) == 1
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_full_disk_ends_the_run_with_one_clear_error(tmp_path):
    cells = [make_cell("fills"), make_cell()]
    with pytest.raises(UsageError, match="No space left on device"):
        run_cells(all_of(*cells), Store(tmp_path), quiet=True, runner=by_name)
    assert list(Store(tmp_path).records()) == [] and not list(tmp_path.rglob("*.tmp"))


@pytest.mark.parametrize("arguments", [{"jobs": 0}, {"timeout": 0.0}, {"timeout": -1.0}])
def test_senseless_arguments_are_refused_before_anything_runs(tmp_path, arguments):
    with pytest.raises(UsageError, match="positive"):
        run_cells(all_of(make_cell()), Store(tmp_path), runner=compute, **arguments)


def test_where_there_is_nothing_to_do_nothing_happens(tmp_path):
    assert run_cells({}, Store(tmp_path / "none")) == Summary(0) and not (tmp_path / "none").exists()


def test_kill_9_loses_only_running_cells_leaves_no_orphans_and_the_same_command_continues(tmp_path):
    root, signs = tmp_path / "killed", tmp_path / "signs"
    signs.mkdir()
    first = start_script(root, signs)
    wait_for(lambda: len(pids(signs)) > 2)
    first.kill()
    first.communicate()
    wait_for(lambda: not any(alive(pid) for pid in pids(signs)))
    finished = {record.key for record in Store(root).records()}
    assert Store(root).verify() == [] and 1 <= len(finished) < 6

    for path in signs.iterdir():
        path.unlink()
    second = start_script(root, signs)
    _, errors = second.communicate(timeout=60)
    assert second.returncode == 0 and len(pids(signs)) == 6 - len(finished)
    assert "Warning" not in errors and "leaked" not in errors and "Traceback" not in errors

    run_cells(
        all_of(*(make_cell(seed=seed) for seed in range(6))), Store(tmp_path / "whole"), quiet=True, runner=compute
    )
    assert outcomes(Store(root).records()) == outcomes(Store(tmp_path / "whole").records())
    assert len(list(Store(root).records())) == 6 and Store(root).verify() == []
    assert not list(root.rglob("*.tmp")) and not list(root.rglob("*.old"))


ORPHAN = """
import os, sys, threading, time
from harness.execution import orphans

if os.fork() == 0:
    orphans._end_when_orphaned()
    threading.Thread(target=time.sleep, args=(60,)).start()  # which Python waits for at the end
    print(os.getpid(), flush=True)
else:
    time.sleep(0.5)
    os._exit(0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only the Linux kernel tells a process that its parent has ended")
def test_a_server_that_is_ending_when_its_parent_does_prints_nothing():
    run = subprocess.run([sys.executable, "-c", ORPHAN], capture_output=True, text=True, timeout=30)
    assert run.stderr == ""
    wait_for(lambda: not alive(int(run.stdout)))


def test_ctrl_c_ends_cleanly_and_keeps_finished_cells(tmp_path):
    root, signs = tmp_path / "out", tmp_path / "signs"
    signs.mkdir()
    run = start_script(root, signs)
    wait_for(lambda: len(list(Store(root).records())) >= 2)
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=120)
    assert run.returncode == 130
    assert "The same command continues" in errors and "Traceback" not in errors and "leaked" not in errors
    assert not any(alive(pid) for pid in pids(signs))
    assert 2 <= len(list(Store(root).records())) < 6 and Store(root).verify() == []
    assert not list(root.rglob("*.tmp"))


def test_without_a_terminal_each_cell_is_one_line(tmp_path, capsys):
    run_cells(all_of(make_cell(), make_cell("raises", 1)), Store(tmp_path), runner=by_name)
    lines = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"\[1/2\] sinewave mdn ok \d\.\d s", lines[0])
    assert re.fullmatch(r"\[2/2\] sinewave raises seed 1 failed \d\.\d s: no such file: .*", lines[1])
    assert len(lines) == 2


def test_quiet_says_nothing(tmp_path, capfd):
    run_cells(all_of(make_cell("raises")), Store(tmp_path), quiet=True, runner=by_name)
    assert capfd.readouterr() == ("", "")


def test_the_time_that_is_left_is_that_of_the_cells_that_are_left() -> None:
    """A short first cell says nothing of a long second one, unless it took longer than was thought."""
    clock = [0.0]
    rest = Rest({"short": 10.0, "long": 100.0, "other": 50.0}, jobs=2, now=lambda: clock[0])
    assert rest.seconds() == 100, "no sooner than the longest, however many jobs"
    rest.start("short")
    rest.start("long")
    clock[0] = 10.0
    assert rest.seconds() == 90
    rest.finish("short", 10.0)
    assert rest.seconds() == 90
    rest.start("other")
    clock[0] = 20.0
    assert rest.seconds() == 80
    rest.finish("long", 20.0)  # a fifth of what was thought: 30 seconds instead of 110
    assert rest.seconds() == pytest.approx(50 * 30 / 110 - 10)
    rest.finish("other", 10.0)
    assert rest.seconds() == 0


def test_cells_without_an_estimate_count_alike() -> None:
    rest = Rest(dict.fromkeys("abcd", 1.0), jobs=1, now=lambda: 0.0)
    rest.finish("a", 30.0)
    assert rest.seconds() == 90


def test_on_a_terminal_there_are_bars_below_a_line_for_each_finished_cell(tmp_path, monkeypatch):
    monkeypatch.setenv("SIGNS", str(tmp_path))
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("4H", 24, 120, 0, 0))
    shown: list[bytes] = []
    reader = threading.Thread(target=drain, args=(leader, shown))
    reader.start()
    with os.fdopen(follower, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        run_cells(all_of(make_cell(), make_cell("raises")), Store(tmp_path / "out"), jobs=2, runner=phases)
        monkeypatch.undo()
    reader.join(10)
    os.close(leader)
    text = b"".join(shown).decode()
    assert "cells: 100%" in text and "2/2" in text
    assert "sinewave mdn surrogate" in text and "loss 0.25" in text
    assert re.search(r"\[\d/2\] sinewave raises failed", text) and re.search(r"\[\d/2\] sinewave mdn ok", text)


def drain(descriptor: int, shown: list[bytes]) -> None:
    while True:
        try:
            chunk = os.read(descriptor, 4096)
        except OSError:
            return
        if not chunk:
            return
        shown.append(chunk)


def phases(cell, folder, report):
    report("surrogate", 1, 2, 0.25)
    time.sleep(0.3)
    report("inverse", 2, 2, None)
    yield from by_name(cell, folder, report)


def test_plain_runtime_errors_are_not_taken_for_exhausted_memory():
    assert status_of(RuntimeError("mat1 and mat2 shapes cannot be multiplied")) == "failed"
    assert status_of(RuntimeError("CUDA error: out of memory")) == "out_of_memory"
    assert status_of(ValueError("not enough memory cells")) == "failed"
    assert status_of(OSError(12, "Cannot allocate memory")) == "out_of_memory"


def test_paths_are_cut_off():
    assert relative(f"{Path.home()}/x and {TESTS.parent}/harness/store.py", [TESTS.parent]).endswith("harness/store.py")
    assert "/" + "private" not in relative("/private/results/a.npz", [Path("/private/results")])


def test_lines_and_durations_read_well():
    outcome = Outcome(make_cell(), "ok", 41.2)
    assert line(outcome, 3, 36) == "[ 3/36] sinewave mdn ok 41 s"
    assert [duration(value) for value in (0.42, 41, 720, 12_600)] == ["0.4 s", "41 s", "12 min", "3.5 h"]
