"""Result folders: what goes in comes out, no damage stays unseen, and a kill at any moment loses nothing."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import durable
from harness.cell import stamped
from harness.cli import main
from harness.errors import UsageError
from harness.plan import Cell
from harness.records import Damaged, content_key, plain, read, serialise
from harness.schema import Record
from harness.store import RECORD, Store, carry, problems, scratch, verify
from tests import results
from tests.stored import cell_of, cells
from tests.stored import put as put_real

CELLS = {cell.seed: cell for cell in cells("prior", seeds=(0, 1, 2))}


def named(method: str = "mdn", seed: int = 0) -> Cell:
    """A cell of a method that need not exist."""
    cell = CELLS[seed]
    return replace(cell, method=replace(cell.method, name=method, label=method))


def write(store: Store, cell: Cell, **body: Any) -> Record:
    """Commit a failed cell with two files."""
    error = {"type": "ValueError", "message": "no", "traceback": ""}
    with scratch(store.path(cell)) as folder:
        (folder / "designs.npz").write_bytes(bytes(range(256)))
        (folder / "log.txt").write_text("fine\n")
        return store.commit(cell, folder, {"status": "failed", "error": error, **body})


def put(store: Store, method: str = "mdn", seed: int = 0, **body: Any) -> Path:
    """The same; returns the final folder."""
    write(store, named(method, seed), **body)
    return store.path(named(method, seed))


def attempt(store: Store) -> float:
    """Which of several commits the record is of."""
    record = store.read(named())
    assert record is not None
    return record.seconds["attempt"]


def put_attempt(store: Store, number: int) -> Path:
    return put(store, seconds={"attempt": number})


def test_a_record_is_found_again(tmp_path):
    store = Store(tmp_path)
    folder = put(store)
    cell = named()
    assert folder == store.path(cell) and store.has(cell) and store.has(cell, thorough=True)
    assert not store.has(named(seed=1))
    record = store.read(cell)
    assert record is not None and record.key == cell.key == content_key(record.declared)
    assert sorted(record.files) == ["designs.npz", "log.txt"]
    assert store.verify() == []
    assert sorted(path.name for path in folder.parent.iterdir()) == [folder.name]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 255), mask=st.integers(1, 255))
def test_a_changed_byte_in_a_sibling_file_is_found(tmp_path, position, mask):
    store = Store(tmp_path)
    path = put(store) / "designs.npz"
    raw = bytearray(path.read_bytes())
    raw[position] ^= mask
    path.write_bytes(bytes(raw))
    assert [problem.path for problem in store.verify()] == [path]
    assert store.has(named()) and not store.has(named(), thorough=True)


@pytest.mark.parametrize("name", [RECORD, "designs.npz"])
def test_a_missing_file_is_named(tmp_path, name):
    path = put(Store(tmp_path)) / name
    path.unlink()
    (problem,) = verify(tmp_path)
    assert problem.path == path
    assert not Store(tmp_path).has(named(), thorough=True)


def test_a_record_in_the_wrong_place_or_with_a_foreign_key_is_named(tmp_path):
    folder = put(Store(tmp_path))
    folder.rename(folder.with_name("0" * 16))
    (problem,) = verify(tmp_path)
    assert "wrong place" in problem.what
    shutil.rmtree(tmp_path / "sinewave")
    path = put(Store(tmp_path)) / RECORD
    record = read(path)
    path.write_bytes(
        serialise(msgspec.structs.replace(record, declared=msgspec.structs.replace(record.declared, seed=7)))
    )
    (problem,) = verify(tmp_path)
    assert "does not match its declared inputs" in problem.what


def test_a_record_of_another_schema_is_named(tmp_path):
    path = put(Store(tmp_path)) / RECORD
    path.write_bytes(serialise(msgspec.structs.replace(read(path), schema=99)))
    (problem,) = verify(tmp_path)
    assert "schema 99" in problem.what


def test_a_folder_that_does_not_exist_cannot_be_verified(tmp_path):
    with pytest.raises(UsageError, match="no result folder"):
        verify(tmp_path / "nowhere")
    assert list(Store(tmp_path / "nowhere").records()) == []


def test_result_folders_merge_by_copying(tmp_path):
    left, right = Store(tmp_path / "left"), Store(tmp_path / "right")
    put(left, seed=0)
    put(left, seed=1)
    put(right, seed=1)
    put(right, "inn", seed=2)
    shutil.copytree(right.root, left.root, dirs_exist_ok=True)
    assert left.verify() == [] and len(list(left.records())) == 3


def test_a_later_record_replaces_an_earlier_one(tmp_path):
    store = Store(tmp_path)
    put_attempt(store, 1)
    folder = put_attempt(store, 2)
    assert attempt(store) == 2
    assert len(list(folder.parent.iterdir())) == 1


def test_runs_that_commit_the_same_cell_at_once_leave_one_intact_record(tmp_path):
    store = Store(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        folders = set(pool.map(lambda attempt: put_attempt(store, attempt), range(40)))
    (folder,) = folders
    assert store.verify() == [] and store.has(named())
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_crash_between_the_two_renames_loses_nothing(tmp_path, monkeypatch):
    store = Store(tmp_path)
    put_attempt(store, 1)
    rename = Path.rename

    def crash(self, target):
        if self.suffix == ".tmp":
            raise SystemExit
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", crash)
        # What a killed process does not do either.
        patch.setattr(shutil, "rmtree", lambda *args, **kwargs: None)
        with pytest.raises(SystemExit):
            put_attempt(store, 2)
    assert not store.has(named())
    store.prepare()
    assert attempt(store) == 1
    assert store.verify() == [] and len(list(store.path(named()).parent.iterdir())) == 1


def test_leftovers_are_ignored_and_removed_unless_their_owner_lives(tmp_path):
    store = Store(tmp_path)
    dead = store.path(named()).with_name(".0123456789abcdef-aaaaaaaa.tmp")
    dead.mkdir(parents=True)
    (dead / RECORD).write_text("{")
    assert store.verify() == [] and list(store.records()) == []
    with scratch(store.path(named())) as living:
        store.prepare()
        assert living.is_dir() and not dead.exists()
    assert not living.exists()


@pytest.fixture(scope="module")
def some(tmp_path_factory):
    root = tmp_path_factory.mktemp("some")
    results.run(root, results.cells("prior", "sinewave", "base", asked="r_T"))
    return root


RUN = ("run", "--methods", "prior", "--tasks", "sinewave", "--preset", "smoke", "--quiet")
WRITING = ((*RUN, "--out"), ("export", "--out", "ROOT"), ("figures", "r_T", "--out", "ROOT", "--folder"))
READING = ((*RUN, "--dry-run", "--out"), ("show",), ("list", "results", "--out"), ("propose", "--target", "1"))


@pytest.mark.parametrize(
    ("verb", "place"),
    [*((verb, "/proc/results") for verb in WRITING), *((verb, f"/tmp/{300 * 'x'}") for verb in WRITING + READING)],
)
def test_a_place_that_cannot_be_is_one_line(some, verb, place, capsys):
    assert main([*(str(some) if word == "ROOT" else word for word in verb), place]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-1].startswith("error: ") and place[:50] in said[-1]


def test_a_full_disk_is_one_clear_error_and_leaves_nothing_half_written(tmp_path, monkeypatch):
    store = Store(tmp_path)
    put_attempt(store, 1)

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(durable.os, "fsync", full)
    with pytest.raises(UsageError, match=r"cannot be written to .* No space left on device.*same command continues"):
        put_attempt(store, 2)
    assert attempt(store) == 1
    assert store.verify() == [] and len(list(store.path(named()).parent.iterdir())) == 1


def test_a_place_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(UsageError, match="cannot be written"):
        Store(tmp_path / "taken").prepare()
    with pytest.raises(UsageError, match="cannot be written"):
        Store(tmp_path / "taken" / "below").prepare()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_missing_permission_is_one_clear_error(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match="Permission denied"):
        Store(tmp_path / "results").prepare()


def test_all_files_are_as_readable_as_the_record(tmp_path):
    store = Store(tmp_path)
    with scratch(store.path(named())) as folder:
        (folder / "model").write_bytes(b"")
        (folder / "model").chmod(0o600)
        store.commit(named(), folder, {"status": "ok", "error": None})
    final = store.path(named())
    assert (final / "model").stat().st_mode == (final / RECORD).stat().st_mode


def test_names_of_plug_ins_cannot_leave_the_root(tmp_path):
    store = Store(tmp_path)
    folder = put(store, "../../.evil/name")
    assert folder.is_relative_to(tmp_path) and len(folder.relative_to(tmp_path).parts) == 3
    assert store.verify() == [] and len(list(store.records())) == 1


def test_carried_files_are_linked_where_they_can_be_and_copied_elsewhere(tmp_path, monkeypatch):
    folder = put(Store(tmp_path))
    (tmp_path / "linked").mkdir()
    carry(folder, tmp_path / "linked", ["log.txt"])
    assert (tmp_path / "linked" / "log.txt").samefile(folder / "log.txt")

    def refuse(source, target):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "copied").mkdir()
    carry(folder, tmp_path / "copied", ["log.txt"])
    assert (tmp_path / "copied" / "log.txt").read_text() == "fine\n"
    assert not (tmp_path / "copied" / "log.txt").samefile(folder / "log.txt")


def test_a_value_that_no_record_has_is_refused_and_the_record_before_stays(tmp_path):
    store = Store(tmp_path)
    put_attempt(store, 1)
    with pytest.raises(Damaged, match="banana"):
        put(store, status="banana")
    assert attempt(store) == 1 and verify(tmp_path) == []


def test_stamps_say_who_made_each_part_and_unused_ones_go():
    def part(stamp):
        return {"stamp": stamp, "digest": str(stamp)}

    first = stamped({"data": part(0), "model": part(0), "answers": {"a": part(0)}, "scores": {"s": part(0)}}, "one")
    assert first["stamps"] == ["one"]
    scored = stamped({**first, "scores": {"s": part(1), "t": part(1)}}, "two")
    assert scored["stamps"] == ["one", "two"] and scored["scores"]["t"]["stamp"] == 1
    again = stamped({**scored, "scores": {"s": part(2), "t": part(2)}}, "three")
    assert again["stamps"] == ["one", "three"]  # nothing is of the second any more
    assert {again["data"]["stamp"], again["answers"]["a"]["stamp"]} == {0}
    assert {score["stamp"] for score in again["scores"].values()} == {1}
    assert stamped({}, "only")["stamps"] == ["only"]


def test_export_leaves_large_files_out_and_says_so(tmp_path):
    store, target = Store(tmp_path / "all"), Store(tmp_path / "small")
    folder = put(store)
    (put(store, seed=1) / "log.txt").write_text("edited")
    store.export(target.root, largest=100)
    assert target.verify() == [] and len(list(target.records())) == 1
    before, record = store.read(named()), target.read(named())
    assert list(record.files) == ["log.txt"] and list(record.omitted) == ["designs.npz"]
    assert (folder / "designs.npz").exists() and record.omitted["designs.npz"] == before.files["designs.npz"]
    Store(target.root).export(tmp_path / "smaller", largest=0)
    assert set(Store(tmp_path / "smaller").read(named()).omitted) == {"designs.npz", "log.txt"}


def test_an_export_of_a_real_cell_is_intact_and_has_its_scores(tmp_path):
    cell = cell_of()
    put_real(cell, tmp_path / "all")
    Store(tmp_path / "all").export(tmp_path / "small", largest=0)
    assert verify(tmp_path / "small") == []
    assert plain(Store(tmp_path / "small").read(cell).scores) == plain(Store(tmp_path / "all").read(cell).scores)


def test_reading_and_verifying_import_nothing_heavy(tmp_path):
    put(Store(tmp_path))
    code = (
        "import sys; from harness.store import Store, verify; "
        f"assert len(list(Store({str(tmp_path)!r}).records())) == 1 and verify({str(tmp_path)!r}) == []; "
        "print(sorted({'torch', 'numpy', 'scipy', 'pandas', 'pebble'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_problems_of_one_folder_are_all_named(tmp_path):
    folder = put(Store(tmp_path))
    (folder / "designs.npz").unlink()
    (folder / "log.txt").write_text("")
    assert [problem.path.name for problem in problems(folder)] == ["designs.npz", "log.txt"]


def test_what_was_printed_is_copied_and_arrays_are_linked(tmp_path: Path) -> None:
    """What is printed later is written at the end of a text, which must not reach the record that it came from."""
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir(), other.mkdir()
    for name in ("console.txt", "x.npz"):
        (one / name).write_bytes(b"first")
    carry(one, other, ["console.txt", "x.npz"])
    assert (other / "x.npz").samefile(one / "x.npz") and not (other / "console.txt").samefile(one / "console.txt")
    (other / "x.npz").unlink()
    carry(one, other, ["x.npz"], link=False)
    assert not (other / "x.npz").samefile(one / "x.npz")


@pytest.mark.parametrize("up", range(5))
def test_a_folder_at_another_level_names_the_result_folder(tmp_path, capsys, up):
    root = tmp_path / "runs" / "first"
    folder = put(Store(root))
    other = [folder, *folder.parents][up]
    if other == root:
        return
    for verb in ("verify", "table summary"):
        assert main([*verb.split(), "--out", str(other)]) == 2
        said = capsys.readouterr()
        assert f"There are no records below {str(other)!r}." in said.err and f"Did you mean {str(root)!r}?" in said.err
        assert len(said.err.splitlines()) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_in_place_of_a_record_is_damage_and_is_not_waited_for(tmp_path):
    store, cell = Store(tmp_path), named()
    write(store, cell)
    path = store.path(cell) / RECORD
    path.unlink()
    os.mkfifo(path)
    assert [str(problem) for problem in store.verify()] == [f"{path}: is no file"]
    assert list(store.records()) == []


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    store, cell = Store(tmp_path), named()
    write(store, cell)
    closed = store.path(cell).parent
    scandir = os.scandir

    def refuse(path):
        if Path(path) == closed:
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    for reading in (store.verify, lambda: list(store.records())):
        with pytest.raises(UsageError, match=f"{closed}' cannot be read: Permission denied. Mend its permissions."):
            reading()
