"""Records: what goes in comes out, and no damage stays unseen."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import durable
from harness.errors import UsageError
from harness.records import Damaged, content_key, parse, plain, serialise
from harness.store import RECORD, Store, problems, verify
from tests.runners import make_cell

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
BODIES = st.dictionaries(
    st.text(),
    st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20),
    max_size=6,
)


def put(store: Store, method: str = "mdn", seed: int = 0, **body: object) -> Path:
    """Commit one cell with two sibling files."""
    cell = make_cell(method, seed)
    with store.temporary(cell) as folder:
        (folder / "designs.npz").write_bytes(bytes(range(256)))
        (folder / "log.txt").write_text("fine\n")
        return store.commit(cell, folder, {"scores": {"mean": 0.1}, **body})


def same(left: object, right: object) -> bool:
    """Equality in which non-finite floats equal None, as they are stored."""
    return repr(plain(left)) == repr(right)


@given(BODIES)
def test_any_body_returns_as_it_went_in(body):
    record = parse(serialise({"schema": 1, **{f"_{key}": value for key, value in body.items()}}))
    assert same(body, {key[1:]: value for key, value in record.items() if key.startswith("_")})


@given(BODIES, st.data())
def test_truncation_at_any_byte_is_found(body, data):
    raw = serialise({**body, "schema": 1})
    with pytest.raises(Damaged):
        parse(raw[: data.draw(st.integers(0, len(raw) - 1))])


@given(BODIES, st.data())
def test_any_other_byte_is_found(body, data):
    raw = bytearray(serialise({**body, "schema": 1}))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Damaged):
        parse(bytes(raw))


def test_every_truncation_of_a_stored_record_is_found(tmp_path):
    path = put(Store(tmp_path)) / RECORD
    raw = path.read_bytes()
    for length in range(len(raw)):
        with pytest.raises(Damaged):
            parse(raw[:length])
    assert parse(raw)["status"] == "ok"


def test_an_edited_record_does_not_count(tmp_path):
    store = Store(tmp_path)
    path = put(store) / RECORD
    path.write_text(path.read_text().replace('"mean": 0.1', '"mean": 0.0'))
    assert json.loads(path.read_text())["scores"]["mean"] == 0.0
    assert not store.has(make_cell()) and store.read(make_cell()) is None
    assert "checksum" in str(store.verify()[0]) and list(store.records()) == []


def test_an_edit_that_keeps_the_content_is_found(tmp_path):
    path = put(Store(tmp_path)) / RECORD
    path.write_text(json.dumps(json.loads(path.read_text()), indent=2))
    assert [problem.path for problem in verify(tmp_path)] == [path]


def test_non_finite_numbers_are_null_and_array_scalars_numbers():
    values = [math.nan, math.inf, -math.inf, np.float32(0.5), np.float64("nan"), np.arange(2), (1, 2), np.bool_(True)]
    assert plain(values) == [None, None, None, 0.5, None, [0, 1], [1, 2], True]
    with pytest.raises(TypeError, match="Allowed: numbers, text, lists, dicts"):
        plain({"path": Path("here")})


def test_a_record_is_found_again(tmp_path):
    store = Store(tmp_path)
    folder = put(store)
    cell = make_cell()
    assert folder == store.path(cell) and store.has(cell) and store.has(cell, thorough=True)
    assert not store.has(make_cell(seed=1))
    record = store.read(cell)
    assert record["key"] == cell.key == content_key(record["declared"])
    assert sorted(record["files"]) == ["designs.npz", "log.txt"]
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
    assert store.has(make_cell()) and not store.has(make_cell(), thorough=True)


@pytest.mark.parametrize("name", [RECORD, "designs.npz"])
def test_a_missing_file_is_named(tmp_path, name):
    path = put(Store(tmp_path)) / name
    path.unlink()
    (problem,) = verify(tmp_path)
    assert problem.path == path
    assert not Store(tmp_path).has(make_cell(), thorough=True)


def test_a_record_in_the_wrong_place_or_with_a_foreign_key_is_named(tmp_path):
    folder = put(Store(tmp_path))
    folder.rename(folder.with_name("0" * 16))
    (problem,) = verify(tmp_path)
    assert "wrong place" in problem.what
    shutil.rmtree(tmp_path / "sinewave")
    path = put(Store(tmp_path)) / RECORD
    record = parse(path.read_bytes())
    path.write_bytes(serialise({**record, "declared": {**record["declared"], "seed": 7}}))
    (problem,) = verify(tmp_path)
    assert "does not match its declared inputs" in problem.what


def test_a_record_of_another_schema_is_named(tmp_path):
    path = put(Store(tmp_path)) / RECORD
    path.write_bytes(serialise({**parse(path.read_bytes()), "schema": 99}))
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
    put(store, attempt=1)
    folder = put(store, attempt=2)
    assert store.read(make_cell())["attempt"] == 2
    assert len(list(folder.parent.iterdir())) == 1


def test_runs_that_commit_the_same_cell_at_once_leave_one_intact_record(tmp_path):
    store = Store(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        folders = set(pool.map(lambda attempt: put(store, attempt=attempt), range(40)))
    (folder,) = folders
    assert store.verify() == [] and store.has(make_cell())
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_crash_between_the_two_renames_loses_nothing(tmp_path, monkeypatch):
    store = Store(tmp_path)
    put(store, attempt=1)
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
            put(store, attempt=2)
    assert not store.has(make_cell())
    store.prepare()
    assert store.read(make_cell())["attempt"] == 1
    assert store.verify() == [] and len(list(store.path(make_cell()).parent.iterdir())) == 1


def test_leftovers_are_ignored_and_removed_unless_their_owner_lives(tmp_path):
    store = Store(tmp_path)
    dead = store.path(make_cell()).with_name(".0123456789abcdef-aaaaaaaa.tmp")
    dead.mkdir(parents=True)
    (dead / RECORD).write_text("{")
    assert store.verify() == [] and list(store.records()) == []
    with store.temporary(make_cell()) as living:
        store.prepare()
        assert living.is_dir() and not dead.exists()
    assert not living.exists()


def test_a_full_disk_is_one_clear_error_and_leaves_nothing_half_written(tmp_path, monkeypatch):
    store = Store(tmp_path)
    put(store, attempt=1)

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(durable.os, "fsync", full)
    with pytest.raises(UsageError, match=r"cannot be written to .* No space left on device.*same command continues"):
        put(store, attempt=2)
    assert store.read(make_cell())["attempt"] == 1
    assert store.verify() == [] and len(list(store.path(make_cell()).parent.iterdir())) == 1


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
    with store.temporary(make_cell()) as folder:
        (folder / "model").write_bytes(b"")
        (folder / "model").chmod(0o600)
        final = store.commit(make_cell(), folder, {})
    assert (final / "model").stat().st_mode == (final / RECORD).stat().st_mode


def test_names_of_plug_ins_cannot_leave_the_root(tmp_path):
    store = Store(tmp_path)
    folder = put(store, "../../.evil/name")
    assert folder.is_relative_to(tmp_path) and len(folder.relative_to(tmp_path).parts) == 3
    assert store.verify() == [] and len(list(store.records())) == 1


def test_revise_changes_parts_of_a_record_and_keeps_its_files(tmp_path):
    store = Store(tmp_path)
    folder = put(store)
    before = store.read(make_cell())
    store.revise(folder, {"scores": {"mean": 0.2}})
    after = store.read(make_cell())
    assert after["scores"] == {"mean": 0.2} and store.verify() == []
    assert {**after, "scores": 0, "checksum": 0} == {**before, "scores": 0, "checksum": 0}


def test_export_leaves_large_files_out_and_says_so(tmp_path):
    store, target = Store(tmp_path / "all"), Store(tmp_path / "small")
    folder = put(store)
    put(store, seed=1)
    (store.path(make_cell(seed=1)) / "log.txt").write_text("edited")
    store.export(target.root, largest=100)
    assert target.verify() == [] and len(list(target.records())) == 1
    record = target.read(make_cell())
    assert list(record["files"]) == ["log.txt"] and list(record["omitted"]) == ["designs.npz"]
    assert record["scores"] == store.read(make_cell())["scores"] and (folder / "designs.npz").exists()


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
