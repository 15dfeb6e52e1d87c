"""`run --engine slurm` on a real SLURM of one node: the tables of a local run, whatever is killed on the way.

Not collected by `make test`: `make test-slurm` names this file.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from harness.execution.ledger import FOLDER
from harness.store import Store, record_files
from tests.slurm.node import PROGRAMS, Node, said, wait_until
from tests.test_run import Place, designs, scores, tables

SOME = "prior,lookup,mdn,na-lm,ipage,cvae"
SEARCH = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])
MISSING = [name for name in PROGRAMS if shutil.which(name, path=SEARCH) is None]


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    assert not MISSING, f"{', '.join(MISSING)} not installed: apt-get install slurm-wlm munge"
    cluster = Node(tmp_path_factory.mktemp("slurm"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="module")
def place(tmp_path_factory, node):
    root = str(Path(__file__).parents[2])
    os.environ["PYTHONPATH"] = os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])
    return Place(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def local(place):
    """The folder of a run without a cluster."""
    place.run("local", SOME, "--jobs", "2")
    return place.folder / "local"


def on_slurm(entries: int, **more: str) -> list[str]:
    asked = {"entries": str(entries), "mem": "4G", "time": "20m", **more}
    return ["--engine", "slurm", "--jobs", "1", "--slurm", ",".join(f"{key}={value}" for key, value in asked.items())]


def same(place: Place, local: Path, out: str) -> bool:
    """Whether a run has the tables of the local one, byte for byte, and its designs and scores; and left no more."""
    one, other = place.records(local.name), place.records(out)
    assert one.keys() == other.keys()
    assert all(designs(one[name]) == designs(other[name]) and scores(one[name]) == scores(other[name]) for name in one)
    assert tables(local) == tables(place.folder / out)
    assert place.harness("verify", "--out", out)[0].endswith("all intact.\n")
    return not (place.folder / out / FOLDER).exists() and not list((place.folder / out).rglob("*.tmp"))


def running() -> list[str]:
    """The array entries that run."""
    return said("squeue", "--me", "--array", "--noheader", "--states=RUNNING", "--format=%i").split()


def finished(place: Place, out: str) -> int:
    return len(record_files(place.folder / out))


def test_an_array_leaves_what_a_local_run_leaves(place, local):
    _, errors = place.run("whole", SOME, *on_slurm(3))
    assert "6 cells in 3 array entries of at most 20 min" in errors and same(place, local, "whole")


def test_an_array_of_more_entries_than_the_cluster_allows_is_handed_in_as_several(place, local):
    """Its MaxArraySize is 4."""
    _, errors = place.run("halves", SOME, *on_slurm(6))
    assert errors.count("3 cells in 3 array entries") == 2 and same(place, local, "halves")


def test_a_killed_run_a_requeue_and_the_same_command_leave_what_a_local_run_leaves(place, local):
    first = place.start(*place.command("killed", SOME, *on_slurm(2)))
    wait_until(lambda: finished(place, "killed") >= 1 and len(running()) == 2, "the first record")
    first.kill()
    first.communicate()
    assert first.returncode == -signal.SIGKILL and finished(place, "killed") < 6
    entries = running()
    assert entries, "all was done before anything could be requeued"
    for name in entries:
        subprocess.run(["scontrol", "requeue", name], check=True)
    before = {path: path.stat().st_mtime_ns for path in record_files(place.folder / "killed")}
    out, errors = place.run("killed", SOME, *on_slurm(2))
    assert "cells of an earlier run are in the queue" in errors and "Job " not in errors
    assert f"{len(before)} up to date" in out and same(place, local, "killed")
    assert all(path.stat().st_mtime_ns == moment for path, moment in before.items()), "done again after the requeue"


def test_a_node_that_fails_costs_only_what_ran_on_it(place, local, node):
    run = place.start(*place.command("failing", SOME, *on_slurm(2)))
    wait_until(lambda: finished(place, "failing") >= 1 and running(), "the first record")
    node.kill_node()
    wait_until(lambda: not running(), "the failure to be noticed")
    node.start_node()
    _, errors = run.communicate(timeout=600)
    assert run.returncode == 0, errors
    assert same(place, local, "failing")


def test_a_cancelled_entry_is_killed_and_retry_repairs_it(place, local):
    run = place.start(*place.command("cancelled", SOME, *on_slurm(1)))
    wait_until(lambda: finished(place, "cancelled") >= 1 and running(), "the first record")
    subprocess.run(["scancel", *running()], check=True)
    _, errors = run.communicate(timeout=300)
    lost = [record for record in place.records("cancelled").values() if record.status == "killed"]
    assert run.returncode == 1 and lost and all("CANCELLED" in record.error.message for record in lost), errors
    assert not any(os.uname().nodename in record.error.traceback for record in lost)
    place.run("cancelled", SOME, "--retry", *on_slurm(2))
    assert same(place, local, "cancelled")


def test_a_cell_that_needs_longer_than_its_entry_may_take_is_a_timeout(place):
    place.run("late", "misbehaving[how=sleep],prior", *on_slurm(2, time="1m"), code=1)
    found = {name: record.status for name, record in place.records("late").items()}
    assert found == {"prior": "ok", "misbehaving[how=sleep]": "timeout"}
    assert "time=" in place.records("late")["misbehaving[how=sleep]"].error.message
    assert Store(place.folder / "late").verify() == []


def test_ctrl_c_leaves_the_entries_and_says_how_to_end_them(place, local):
    run = place.start(*place.command("left", SOME, *on_slurm(1)))
    wait_until(lambda: finished(place, "left") >= 1 and running(), "the first record")
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=60)
    assert run.returncode == 128 + signal.SIGINT and "stay in the queue (to end them: scancel" in errors
    wait_until(lambda: finished(place, "left") == 6, "the entry to go on by itself", 300)
    out, _ = place.run("left", SOME, *on_slurm(1))
    assert "6 up to date" in out and same(place, local, "left")


def test_what_the_cluster_never_takes_is_one_clear_error(place):
    _, errors = place.run("refused", "prior", *on_slurm(1, partition="none-such"), code=2)
    assert "Invalid partition name specified. Change what is asked for with --slurm" in errors
    assert not (place.folder / "refused" / FOLDER).exists()
