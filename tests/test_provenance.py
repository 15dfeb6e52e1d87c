"""Provenance says what made a number, and nothing about who or where."""

from __future__ import annotations

import getpass
import json
import platform
import socket
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import torch

from harness import provenance
from harness.records import plain


def stamped() -> dict:
    return provenance.stamp(provenance.environment(), device="cpu", threads=2, started=provenance.now())


def test_versions_and_hardware_are_those_of_this_process():
    record = stamped()
    versions = record["versions"]
    assert versions["torch"] == torch.__version__ and versions["python"] == platform.python_version()
    assert versions["FrEIA"] and versions["nflows"] and versions["harness"]
    assert record["cores"]["logical"] >= record["cores"]["usable"] >= 1
    assert record["memory_bytes"] > 2**28 and record["cpu"] and record["device_name"] == record["cpu"]
    assert record["threads"] == 2 and record["device"] == "cpu" and len(record["load"]) == 3


def test_times_are_utc_and_in_order():
    record = stamped()
    started, ended = (datetime.fromisoformat(record[name]) for name in ("started", "ended"))
    assert started <= ended <= provenance.now() and started.tzinfo == UTC


def test_it_is_json_without_names_or_paths():
    record = stamped()
    text = json.dumps(record)
    assert json.loads(text) == plain(record)
    assert str(Path.home()) not in text and '"/' not in text
    assert not {socket.gethostname(), getpass.getuser()} & set(text.split('"'))


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_git_tells_commit_and_changes_of_tracked_files(tmp_path):
    assert provenance.git_state(tmp_path) is None
    git(tmp_path, "init", "-q")
    assert provenance.git_state(tmp_path) is None
    (tmp_path / "file").write_text("1")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-qm", "first")
    commit = git(tmp_path, "rev-parse", "HEAD")
    (tmp_path / "results").write_text("untracked")
    assert provenance.git_state(tmp_path) == {"commit": commit, "dirty": False}
    (tmp_path / "file").write_text("2")
    assert provenance.git_state(tmp_path) == {"commit": commit, "dirty": True}


def test_an_installation_inside_a_foreign_checkout_has_no_commit(tmp_path):
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "first")
    (tmp_path / "site-packages").mkdir()
    assert provenance.git_state(tmp_path / "site-packages") is None


def test_an_unknown_distribution_has_no_version():
    assert provenance.version("no-such-distribution") is None
