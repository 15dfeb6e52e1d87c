"""What is kept in the cache folder is what would be worked out, and is worked out again when anything changes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness import config, kept
from harness.plan import planned
from tests.plugins import install

TASK = """
from harness.contracts import Task


class Own(Task):
    pass
"""
COUNTED = [0]


def work() -> int:
    COUNTED[0] += 1
    return COUNTED[0]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    COUNTED[0] = 0
    monkeypatch.setenv("INVERSE_HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_what_is_known_is_not_worked_out_again(cache: Path) -> None:
    assert [kept.kept("numbers", "a", work) for _ in range(3)] == [1, 1, 1]
    assert kept.kept("numbers", "b", work) == 2
    assert kept.kept("numbers", "a", work) == 1
    assert len(list((cache / "numbers").iterdir())) == 2


def test_what_may_not_be_kept_is_worked_out_each_time(cache: Path) -> None:
    assert [kept.kept("numbers", "a", work, good=lambda: False) for _ in range(2)] == [1, 2]
    assert not cache.exists()


def test_a_damaged_file_is_made_again(cache: Path) -> None:
    kept.kept("numbers", "a", work)
    (file,) = (cache / "numbers").iterdir()
    file.write_bytes(b"\x80nothing")
    assert kept.kept("numbers", "a", work) == kept.kept("numbers", "a", work) == 2


def test_a_folder_that_cannot_be_written_costs_time_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("INVERSE_HARNESS_CACHE", str(tmp_path / "file"))
    assert [kept.kept("numbers", "a", work) for _ in range(2)] == [1, 2]


def test_the_latest_are_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST", 3)
    for number in range(5):
        kept.kept("numbers", number, work)
        for place, path in enumerate(sorted((cache / "numbers").iterdir(), key=lambda file: file.stat().st_mtime_ns)):
            os.utime(path, (place, place))
    assert len(list((cache / "numbers").iterdir())) == 3
    assert kept.kept("numbers", 4, work) == 5


def test_a_file_of_a_plug_in_that_changes_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = list(kept.state())
    install(monkeypatch, tmp_path, TASK, tasks={"own": "Own"})
    after = list(kept.state())
    assert len(after) > len(before) and any("'own'" in text for text in after)
    (module,) = (path for path in tmp_path.rglob("*.py") if "class Own" in path.read_text())
    os.utime(module, (1, 1))
    assert list(kept.state()) != after


SETTINGS = config.settings_from({"preset": "smoke", "methods": "mdn,na[candidates=50]", "tasks": "sinewave,shell"})


def test_a_plan_that_is_kept_is_the_plan(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    preset = config.preset_from(SETTINGS, {}, "")
    first = planned(SETTINGS, preset)
    assert list((cache / "plans").iterdir())
    monkeypatch.setattr("harness.plan.plan", lambda *_: pytest.fail("it was planned again"))
    again = planned(SETTINGS, preset)
    assert again == first and again.axes == (2, 2, 1) and len(again.cells) == 4
    for one, other in zip(first.cells, again.cells, strict=True):
        assert (one.key, one.digests, one.sources, one.label) == (other.key, other.digests, other.sources, other.label)
        assert one.questions == other.questions and one.threads == other.threads


def test_a_plan_of_the_users_files_is_made_each_time(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("a,b\n" + "".join(f"{n},{n * n}\n" for n in range(300)))
    task = f"dataset[path={tmp_path / 'pairs.csv'},x=a,y=b]"
    settings = config.settings_from({"preset": "smoke", "methods": "mdn", "tasks": task})
    preset = config.preset_from(settings, {}, "")
    assert list(planned(settings, preset).remarks())
    assert not (cache / "plans").exists()


@pytest.mark.slow
def test_what_is_kept_is_given_without_torch(cache: Path) -> None:
    code = "import sys; from harness.cli import main; main(['list', 'methods']); assert 'torch' not in sys.modules"
    found = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ))
        for _ in range(2)
    ]
    assert found[0].returncode == 1 and "AssertionError" in found[0].stderr
    assert found[1].returncode == 0 and found[1].stdout == found[0].stdout and "ipage" in found[1].stdout


@pytest.mark.slow
def test_a_run_that_has_nothing_to_do_needs_no_torch(cache: Path, tmp_path: Path) -> None:
    run = ["run", "--preset", "smoke", "--methods", "prior,lookup", "--tasks", "sinewave", "--quiet"]
    code = f"import sys; from harness.cli import main; print(main({run})); print('torch' in sys.modules)"
    found = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path).stdout.splitlines()
        for _ in range(2)
    ]
    assert [lines[-2:] for lines in found] == [["0", "True"], ["0", "False"]]
    assert "train 2" in found[0][0] and "2 up to date" in found[1][0]


def test_what_another_could_have_written_is_not_read(cache: Path) -> None:
    """A pickle runs what is in it."""
    kept.kept("numbers", "a", work)
    (file,) = (cache / "numbers").iterdir()
    assert file.stat().st_mode & 0o077 == 0
    file.chmod(0o620)
    assert kept.kept("numbers", "a", work) == 2


def test_a_link_to_nowhere_is_no_error(tmp_path: Path) -> None:
    """As an editor leaves beside a file that is being edited."""
    (tmp_path / ".#own.py").symlink_to("nobody@nowhere:1")
    assert [text for text in kept._files(tmp_path) if ".#own.py" in text]
    assert kept._stated(tmp_path / "gone").endswith("gone gone")
