"""A cluster's queue: cells in array entries leave the records that they leave here, whatever ends on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import config, submitting
from harness.cluster import MOST, Resources
from harness.errors import UsageError
from harness.execution import entry, run_cells
from harness.execution.engine import Job
from harness.execution.entry import Slice
from harness.execution.ledger import FOLDER, Ledger, Line, line, mark
from harness.execution.packing import MARGIN, START, pack, span, time_limit
from harness.execution.queue import Refused, Slurm
from harness.execution.submitted import TRIES, Entry, Item, verdict
from harness.store import Store
from tests.queues import LocalQueue, engine
from tests.runners import all_of, by_name, compute, make_cell
from tests.test_execution import TESTS, outcomes, wait_for

SCRIPT = """
import sys
from pathlib import Path
from harness.execution import run_cells
from harness.store import Store
from tests.queues import engine
from tests.runners import all_of, make_cell
from tests.test_cluster import gated

if __name__ == "__main__":
    root = Path(sys.argv[1])
    cells = [make_cell(seed=seed) for seed in range(6)]
    todo = [cell for cell in cells if not Store(root).has(cell)]
    summary = run_cells(all_of(*todo), Store(root), engine=engine(root, quiet=False, entries=2), runner=gated)
    sys.exit(128 + summary.signal if summary.signal else 0)
"""


def gated(cell, folder, report):
    """The first two cells end at once, the others where there is a sign; each leaves one that holds the process id."""
    signs = Path(os.environ["SIGNS"])
    (signs / f"{cell.seed}-{os.getpid()}").touch()
    while cell.seed > 1 and not (signs / "go").exists():
        time.sleep(0.05)
    yield from compute(cell, folder, report)


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """Array entries find the tests, and run in a place of their own."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TESTS.parent), os.environ.get("PYTHONPATH", "")]))


def start(root: Path, signs: Path, said: Path) -> subprocess.Popen[str]:
    """Start a run that writes to a file: what it hands in holds its streams open for longer than it lives."""
    with said.open("w", encoding="utf-8") as stream:
        return subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(root)],
            env={**os.environ, "SIGNS": str(signs)},
            stderr=stream,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )


def expected(folder: Path, *cells) -> dict:
    """What the local engine leaves."""
    run_cells(all_of(*cells), Store(folder), jobs=2, quiet=True, runner=by_name)
    return outcomes(Store(folder).records())


def test_array_entries_leave_the_records_of_a_local_run_and_nothing_else(tmp_path):
    cells = [*(make_cell(seed=seed) for seed in range(3)), make_cell("raises"), make_cell("killed")]
    root = tmp_path / "cluster"
    queue = LocalQueue(root)
    summary = run_cells(
        all_of(*cells), Store(root), engine=engine(root, queue, at_once=2, entries=2), quiet=True, runner=by_name
    )
    assert summary.counts == {"ok": 3, "failed": 1, "killed": 1} and sorted(queue.handed_in[0]) == [2, 3]
    assert outcomes(Store(root).records()) == expected(tmp_path / "local", *cells)
    assert Store(root).verify() == [] and not (root / FOLDER).exists()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_entries_survive_their_run_and_the_same_command_watches_them_again(tmp_path, end):
    root, signs, said, more = (tmp_path / name for name in ("out", "signs", "said", "more"))
    signs.mkdir()
    first = start(root, signs, said)
    wait_for(lambda: len(list(Store(root).records())) == 2)
    first.send_signal(end)
    assert first.wait(timeout=60) == (-end if end == signal.SIGKILL else 128 + end)
    if end != signal.SIGKILL:
        assert "stay in the queue (to end them: scancel " in said.read_text()
    second = start(root, signs, more)
    wait_for(lambda: "4 cells of an earlier run are in the queue, in 2 array entries" in more.read_text())
    (signs / "go").touch()
    assert second.wait(timeout=120) == 0 and "Traceback" not in said.read_text() + more.read_text()
    assert sorted(path.name.partition("-")[0] for path in signs.glob("*-*")) == list("012345"), "each cell ran once"
    assert len(list(Store(root).records())) == 6 and not (root / FOLDER).exists()


def test_what_was_done_after_the_run_had_ended_is_swept(tmp_path):
    store, cell, known = Store(tmp_path), make_cell(), Ledger(tmp_path)
    (job,) = (Job(cell, tmp_path, work) for work in all_of(cell).values())
    known.prepare()
    known.keep({"17_0": [line(store, job, None)], "17_1": [line(store, job, (1, 1))]})
    known.sweep()
    assert known.known().keys() == {"17_0"} and known.left(known.known()["17_0"])
    run_cells(all_of(cell), store, quiet=True, runner=compute)
    known.sweep()
    assert not known.folder.exists()


def fatal(cell, folder, report):
    """End the whole entry that the cell is in: always, or the first time only."""
    sign = Path(os.environ["SIGNS"], f"{cell.method.name}-{os.getpid()}")
    first = not list(sign.parent.glob(f"{cell.method.name}-*"))
    sign.touch()
    if cell.method.name == "always" or (cell.method.name == "once" and first):
        os.kill(psutil.Process(os.getppid()).ppid(), signal.SIGKILL)
        time.sleep(1000)
    yield from compute(cell, folder, report)


def test_what_an_ended_entry_leaves_undone_is_tried_again_and_only_what_ends_it_is_given_up(tmp_path, monkeypatch):
    root, signs = tmp_path / "out", tmp_path / "signs"
    signs.mkdir()
    monkeypatch.setenv("SIGNS", str(signs))
    names = ["before", "once", "always", "after"]
    queue = LocalQueue(root)
    summary = run_cells(
        all_of(*map(make_cell, names)), Store(root), engine=engine(root, queue, entries=1), quiet=True, runner=fatal
    )
    assert {outcome.cell.method.name: outcome.status for outcome in summary.outcomes} == {
        **dict.fromkeys(names, "ok"),
        "always": "killed",
    }
    assert queue.handed_in == [[4], [1, 1, 1], [1]] and len(list(signs.glob("always-*"))) == TRIES - 1
    assert len(list(signs.glob("before-*"))) == 1
    record = Store(root).read(make_cell("always"))
    assert f"in {TRIES} entries" in record.error.message and "--retry" in record.error.message
    assert Store(root).verify() == [] and not (root / FOLDER).exists() and not list(root.rglob("*.tmp"))


def test_a_cancelled_entry_is_a_record_and_is_not_handed_in_again(tmp_path):
    queue = LocalQueue(tmp_path)
    cells = [make_cell("sleeps")]
    watched = engine(tmp_path, queue)
    listen = watched.listen

    def cancelling(hear, seconds):
        listen(hear, seconds)
        queue.cancel([name for name in watched.entries if name not in queue.cancelled])

    watched.listen = cancelling
    summary = run_cells(all_of(*cells), Store(tmp_path), engine=watched, quiet=True, runner=by_name)
    assert summary.counts == {"killed": 1} and queue.handed_in == [[1]]
    assert "CANCELLED" in Store(tmp_path).read(cells[0]).error.message


def test_fail_fast_ends_what_is_in_the_queue(tmp_path):
    queue = LocalQueue(tmp_path)
    cells = [make_cell("raises"), make_cell("sleeps")]
    made = engine(tmp_path, queue, entries=2)
    summary = run_cells(all_of(*cells), Store(tmp_path), engine=made, fail_fast=True, quiet=True, runner=by_name)
    assert summary.stopped and queue.cancelled and "RUNNING" not in queue.states().values()
    assert not (tmp_path / FOLDER).exists() and [record.status for record in Store(tmp_path).records()] == ["failed"]


def test_a_full_queue_is_asked_again_in_halves_until_all_is_handed_in(tmp_path, capsys):
    full = "Batch job submission failed: Job violates accounting/QOS policy (job submit limit, ...)"
    queue = LocalQueue(tmp_path, refuse=[full, "", full])
    cells = [make_cell(seed=seed) for seed in range(2)]
    made = engine(tmp_path, queue, quiet=False, entries=2)
    assert run_cells(all_of(*cells), Store(tmp_path), engine=made, quiet=True, runner=compute).counts == {"ok": 2}
    assert queue.handed_in == [[1], [1]] and capsys.readouterr().err.count("takes no more for now") == 1


AWAY = "Batch job submission failed: Unable to contact slurm controller (connect failure)"


def test_a_controller_that_is_away_for_a_moment_is_asked_again(tmp_path, capsys):
    made = engine(tmp_path, LocalQueue(tmp_path, refuse=[AWAY, AWAY]), quiet=False)
    made.pace = replace(made.pace, away=60.0)
    counts = run_cells(all_of(make_cell()), Store(tmp_path), engine=made, quiet=True, runner=compute).counts
    assert counts == {"ok": 1} and capsys.readouterr().err.count("controller does not answer, and is asked again") == 1


def test_a_controller_that_stays_away_is_one_clear_error_where_nothing_is_in_the_queue(tmp_path):
    made = engine(tmp_path, LocalQueue(tmp_path, refuse=[AWAY] * 1000))
    made.pace = replace(made.pace, away=0.5)
    with pytest.raises(UsageError, match=r"has not answered for .* Nothing was handed in\. See with `sinfo`"):
        run_cells(all_of(make_cell()), Store(tmp_path), engine=made, quiet=True, runner=compute)
    assert not (tmp_path / FOLDER).exists()


def test_a_refusal_for_good_is_one_clear_error(tmp_path):
    queue = LocalQueue(tmp_path, refuse=["Batch job submission failed: Invalid partition name specified"])
    with pytest.raises(UsageError, match=r"Invalid partition name specified\. Change .* --slurm"):
        run_cells(all_of(make_cell()), Store(tmp_path), engine=engine(tmp_path, queue), quiet=True, runner=compute)
    assert not (tmp_path / FOLDER).exists() and queue.handed_in == []


@pytest.mark.parametrize(
    ("message", "later", "smaller"),
    [
        ("Batch job submission failed: Invalid job array specification", False, True),
        ("Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)", True, True),
        ("Slurm temporarily unable to accept job, sleeping and retrying", True, False),
        ("Unable to contact slurm controller (connect failure)", True, False),
        ("Requested node configuration is not available", False, False),
        ("Requested time limit is invalid (missing or exceeds some limit)", False, False),
    ],
)
def test_refusals_are_told_apart(message, later, smaller):
    assert (Refused(message).later, Refused(message).smaller) == (later, smaller)


def test_what_waits_in_the_queue_with_other_work_is_cancelled(tmp_path):
    cell, queue, known = make_cell("sleeps"), LocalQueue(tmp_path), Ledger(tmp_path)
    (work,) = all_of(cell).values()
    job = Job(cell, tmp_path, work)
    known.prepare()
    known.keep({"17_0": [Line(cell.key, "a", "0" * 64, None)], "17_1": [Line("another run's", "b", "0" * 64, None)]})
    queue.states = lambda: {"17_0": "PENDING", "17_1": "PENDING"}
    made = engine(tmp_path, queue)
    made.submit(job)
    made._adopt()
    assert queue.cancelled == {"17_0": "CANCELLED"} and known.known().keys() == {"17_1"} and len(made.waiting) == 1
    known.keep({"18_0": [line(Store(tmp_path), job, None)]})
    queue.states = lambda: {"18_0": "PENDING"}
    made._adopt()
    assert list(made.entries) == ["18_0"] and made.waiting == [] and "18_0" not in queue.cancelled


def test_where_the_queue_does_not_answer_nothing_is_handed_in_twice(tmp_path):
    queue, known = LocalQueue(tmp_path), Ledger(tmp_path)
    known.prepare()
    known.keep({"17": [Line("a key", "a", "0" * 64, None)]})
    queue.states = lambda: None
    with pytest.raises(UsageError, match="does not answer"):
        run_cells(all_of(make_cell()), Store(tmp_path), engine=engine(tmp_path, queue), quiet=True, runner=compute)
    assert queue.handed_in == [] and known.known().keys() == {"17"}


def test_a_requeued_entry_does_what_is_left(tmp_path):
    cells = [make_cell(seed=seed) for seed in range(2)]
    jobs = [Job(cell, tmp_path, work, runner=compute) for cell, work in all_of(*cells).items()]
    store = Store(tmp_path)
    run_cells(all_of(cells[0]), store, quiet=True, runner=compute)
    before = mark(store, cells[0])
    handler = signal.getsignal(signal.SIGUSR2)
    entry.run(Slice(jobs, [None, None], 1))
    signal.signal(signal.SIGUSR2, handler)
    assert mark(store, cells[0]) == before and mark(store, cells[1]) is not None


def test_a_node_with_another_gpu_than_planned_says_so_in_the_record(tmp_path):
    cell = make_cell()
    planned = type(cell)(**{**vars_of(cell), "device": "cuda", "model": "cuda NVIDIA None Such"})
    (work,) = all_of(planned).values()
    handler = signal.getsignal(signal.SIGUSR2)
    entry.run(Slice([Job(planned, tmp_path, work, runner=compute)], [None], 1))
    signal.signal(signal.SIGUSR2, handler)
    record = Store(tmp_path).read(planned)
    assert record.status == "failed" and "gres" in record.error.message and "None Such" in record.declared.device
    assert Store(tmp_path).verify() == []


def vars_of(cell):
    return {name: getattr(cell, name) for name in type(cell).__dataclass_fields__}


@pytest.mark.parametrize(
    ("state", "alone", "tries", "status"),
    [
        ("NODE_FAIL", False, 1, None),
        ("NODE_FAIL", True, 2, None),
        ("NODE_FAIL", True, TRIES, "killed"),
        ("", True, 1, None),
        ("PREEMPTED", True, 1, None),
        ("TIMEOUT", False, 1, None),
        ("TIMEOUT", True, 1, "timeout"),
        ("OUT_OF_MEMORY", False, 2, None),
        ("OUT_OF_MEMORY", True, 1, "out_of_memory"),
        ("CANCELLED", False, 1, "killed"),
    ],
)
def test_a_cell_is_given_up_where_another_entry_would_not_help(tmp_path, state, alone, tries, status):
    item = Item(Job(make_cell(), tmp_path, None), None, None, tries)
    log = tmp_path / "log"
    log.write_text(f"slurmstepd-some-host: error: *** JOB 1 ON some-host CANCELLED ***\nlast words in {tmp_path}/x\n")
    found = verdict(Entry([item], alone, state=state), item, log, [tmp_path])
    assert (found and found[0]) == status
    if found:
        assert found[1]["traceback"] == "last words in x\n"
        assert state in found[1]["message"]


def test_an_entry_that_is_requeued_is_waited_for_again():
    waited = Entry([None], alone=True)
    waited.update("NODE_FAIL", 0.0)
    assert not waited.over(10, 5.0) and waited.over(10, 10.0)
    waited.update("PENDING", 11.0)
    assert not waited.over(10, 100.0)
    waited.update("", 200.0)
    assert waited.state == "" and waited.over(10, 210.0)


COSTS = st.lists(st.floats(0, 1e5), min_size=1, max_size=1500)


@given(COSTS, st.integers(1, 8), st.none() | st.integers(1, MOST), st.none() | st.floats(60, 1e5))
def test_packing_loses_nothing_and_keeps_within_what_an_array_may_have(costs, at_once, entries, limit):
    parts = pack(range(len(costs)), costs, at_once, entries, limit)
    assert sorted(place for part in parts for place in part) == list(range(len(costs)))
    assert all(part == sorted(part) and part for part in parts) and len(parts) <= min(entries or MOST, MOST)
    if entries is not None:
        assert len(parts) == min(entries, len(costs))


@given(COSTS, st.integers(1, 8))
def test_the_span_lies_between_the_perfect_one_and_twice_that(costs, at_once):
    """Graham's bound for list scheduling."""
    perfect = max(sum(costs) / at_once, max(costs))
    assert perfect * (1 - 1e-9) <= span(costs, at_once) <= (2 - 1 / at_once) * perfect * (1 + 1e-9)


def test_an_hour_of_work_is_an_entry_and_the_limit_has_a_margin():
    assert [len(part) for part in pack(range(8), [900.0] * 8, 1, None, None)] == [4, 4]
    assert len(pack(range(8), [900.0] * 8, 2, None, None)) == 1
    assert [len(part) for part in pack(range(8), [900.0] * 8, 1, None, START + MARGIN * 900)] == [1] * 8
    assert time_limit([[900.0, 900.0], [100.0]], 1, None) == START + MARGIN * 1800
    assert time_limit([[900.0, 900.0], [100.0]], 1, 60.0) == START + 120
    assert time_limit([[900.0, 900.0], [100.0]], 2, None) == START + MARGIN * 900


def test_resources_come_from_flag_and_run_file_and_the_flag_wins(tmp_path):
    file = tmp_path / "run.toml"
    file.write_text('[run]\nengine = "slurm"\n[slurm]\npartition = "gpu"\ntime = "1h"\ncpus = 3\n')
    settings, preset = config.load({"slurm": "time=90m, gpu=NVIDIA H100 80GB HBM3"}, str(file))
    assert settings.slurm == Resources(partition="gpu", time=5400.0, cpus=3, gpu="NVIDIA H100 80GB HBM3")
    assert preset.name == "quick" and config.load({}, str(file))[0].slurm.time == 3600.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mem=16", "mem = '16' is not allowed. Allowed: a number with K, M, G or T"),
        ("time=soon", r"--slurm\[time\] = 'soon' is not allowed"),
        ("entries=1000", "Allowed: 1 or more and 999 or less"),
        ("partitoin=x", "Did you mean partition"),
        ("gpu", "Write option=value"),
    ],
)
def test_resources_that_cannot_be_are_refused(text, message):
    with pytest.raises(UsageError, match=message):
        config.load({"engine": "slurm", "slurm": text})


def test_resources_without_the_engine_are_refused_and_in_a_run_file_wait_for_it(tmp_path):
    with pytest.raises(UsageError, match="--slurm belongs to --engine slurm"):
        config.load({"slurm": "mem=4G"})
    (tmp_path / "run.toml").write_text('[slurm]\nmem = "4G"\n')
    assert config.load({}, str(tmp_path / "run.toml"))[0].engine == "local"


def test_a_cluster_may_have_gpus_that_this_machine_has_not():
    settings, _ = config.load({"engine": "slurm", "device": "cuda", "slurm": "gpu=NVIDIA Some Model"})
    assert submitting.device_model(settings) == "cuda NVIDIA Some Model" and submitting.at_once(settings) == 1
    with pytest.raises(UsageError, match="Unknown value of --device"):
        config.load({"engine": "slurm", "device": "tpu"})


@pytest.mark.parametrize(
    ("flags", "jobs"), [({}, 4), ({"slurm": "cpus=6"}, 6), ({"slurm": "cpus=6", "jobs": "2"}, 2), ({"jobs": "3"}, 3)]
)
def test_an_entry_runs_as_many_cells_at_once_as_it_has_cores(flags, jobs):
    settings, _ = config.load({"engine": "slurm", **flags})
    assert submitting.at_once(settings) == jobs == submitting.shape(settings).at_once


def test_memory_grows_with_what_methods_took():
    assert submitting.memory_of(4, 0) == "12G" and submitting.memory_of(4, 2**30) == "16G"


def test_where_submitit_or_slurm_is_missing_the_error_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=r"needs SLURM's sbatch.*login node"):
        Slurm(tmp_path, Resources(), 1, "1G", None)
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(UsageError, match=r"pip install 'inverse-harness\[slurm\]'"):
        Slurm(tmp_path, Resources(), 1, "1G", None)
