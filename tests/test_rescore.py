"""Scores anew from stored answers, times anew from stored models: what cannot be used is named and left as it is."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.by_target import PREFIX
from harness.cli import main
from harness.records import content_key, file_sha256, plain, read, typed
from harness.rescore import rescore, retime
from harness.schema import Record
from harness.store import RECORD, Store, verify
from harness.work import due
from tests.stored import cell_of, edit, put


def lines_of(root: Path, work=rescore, **options) -> dict[str, str]:
    """What was said of each method."""
    return {line.split("/")[1]: line.partition(": ")[2] for line in work(root, **options)}


def without_stamps(record: Record) -> dict:
    """A record without what says when, and how long, something was measured."""
    body = plain(record)
    scores = {name: {**score, "stamp": 0} for name, score in body["scores"].items() if name != "inference-time"}
    return {**body, "checksum": "", "stamps": [], "seconds": {}, "sources": {}, "scores": scores}


def spoil(folder: Path, change: Callable[[bytes], bytes]) -> None:
    """Change all answers, in a record that names their checksums all the same."""
    files = dict(read(folder / RECORD).files)
    for name in files:
        if name.endswith(".npz") and not name.startswith(PREFIX):
            content = change((folder / name).read_bytes())
            (folder / name).unlink()
            (folder / name).write_bytes(content)
            files[name] = file_sha256(folder / name)
    edit(folder)


def misshapen(raw: bytes) -> bytes:
    stored = dict(np.load(io.BytesIO(raw)))
    stream = io.BytesIO()
    np.savez_compressed(stream, **{**stored, "x": stored["x"][..., :-1]})
    return stream.getvalue()


def pickled(raw: bytes) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, x=np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return stream.getvalue()


SPOILT = {
    "pickled": pickled,
    "a pickle": lambda raw: pickle.dumps([1, 2]),
    "truncated": lambda raw: raw[:-30],
    "text": lambda raw: b"hello",
    "empty": lambda raw: b"",
    "mis-shaped": misshapen,
}


@pytest.mark.parametrize("change", SPOILT.values(), ids=list(SPOILT))
def test_a_cell_that_cannot_be_scored_is_named_and_the_rest_is_done(tmp_path: Path, change) -> None:
    spoilt = put(cell_of(), tmp_path)
    put(cell_of("lookup"), tmp_path)
    spoil(spoilt, change)
    assert verify(tmp_path) == []
    before = (spoilt / RECORD).read_bytes()
    found = lines_of(tmp_path)
    assert found["prior"].startswith("left as it is: ") and ".npz" in found["prior"]
    assert "anew" in found["lookup"]
    assert (spoilt / RECORD).read_bytes() == before and verify(tmp_path) == []


def test_a_record_without_scores_or_without_answers(tmp_path: Path) -> None:
    put(cell_of(), tmp_path, scores={})
    put(cell_of("lookup"), tmp_path, answers={})
    found = lines_of(tmp_path)
    assert found["lookup"].startswith("left as it is: its answers are not stored here")
    assert verify(tmp_path) == [] and "prior" in found


def test_an_answer_that_is_not_stored_is_named(tmp_path: Path) -> None:
    folder = put(cell_of(), tmp_path)
    sizes = plain(read(folder / RECORD))["sizes"]
    edit(folder, sizes={**sizes, "proposals": sizes["proposals"] + 1})
    found = lines_of(tmp_path)["prior"]
    assert found.startswith("left as it is: targets-")
    assert found.endswith(".npz, an answer of the model, is not stored here; run the cell again")


def test_rescoring_what_has_not_changed_changes_no_number(tmp_path: Path) -> None:
    cells = [cell_of(), cell_of("lookup")]
    for cell in cells:
        put(cell, tmp_path)
    before = [Store(tmp_path).read(cell) for cell in cells]
    assert all("anew" in line for line in lines_of(tmp_path).values())
    after = [Store(tmp_path).read(cell) for cell in cells]
    assert [without_stamps(record) for record in after] == [without_stamps(record) for record in before]
    assert not any(due(cell, record) for cell, record in zip(cells, after, strict=True))


def test_each_part_names_who_made_it(tmp_path: Path) -> None:
    cell = cell_of()
    folder = put(cell, tmp_path)
    list(rescore(tmp_path, {"r_T": {}}))
    record = read(folder / RECORD)
    assert len(record.stamps) == 2 and record.scores["r_T"].stamp == 1
    assert {score.stamp for name, score in record.scores.items() if name != "r_T"} == {0} == {record.model.stamp}
    list(rescore(tmp_path, {"r_T": {}}))
    again = read(folder / RECORD)
    assert len(again.stamps) == 2 and again.stamps[0] == record.stamps[0]


def test_options_of_a_protocol_score_it_alone(tmp_path: Path) -> None:
    folder = put(cell_of(), tmp_path)
    before = read(folder / RECORD)
    assert main(["rescore", "--out", str(tmp_path), "--protocols", "r_T[bootstrap=50]"]) == 0
    after = read(folder / RECORD)
    changed = {name for name, score in after.scores.items() if plain(score) != plain(before.scores[name])}
    assert changed == {"r_T"} and after.scores["r_T"].options["bootstrap"] == 50
    assert after.scores["r_T"].options["trials"] == before.scores["r_T"].options["trials"]
    low, value = (plain(after.scores["r_T"].values)["curves"]["mse"][name] for name in ("low", "value"))
    assert value == plain(before.scores["r_T"].values)["curves"]["mse"]["value"] and low <= value


def test_time_measures_the_model_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = put(cell_of("lookup"), tmp_path)
    before = read(folder / RECORD)
    for busy, exclusive in ((0.0, True), (80.0, False)):
        monkeypatch.setattr("psutil.cpu_percent", lambda interval, busy=busy: busy)
        assert ("80% busy" in lines_of(tmp_path, retime)["lookup"]) is not exclusive
        after = read(folder / RECORD)
        assert without_stamps(after) == without_stamps(before)
        assert after.scores["inference-time"].values["exclusive"] is exclusive
        assert after.scores["inference-time"].stamp == 1 and len(after.stamps) == 2


def test_seconds_are_those_of_when_all_was_scored(tmp_path: Path) -> None:
    folder, steps = put(cell_of(), tmp_path), ("data", "resimulation", "scoring", "total")
    edit(folder, seconds={**read(folder / RECORD).seconds, **dict.fromkeys(steps, 1000.0)})

    def taken() -> set[float]:
        return {read(folder / RECORD).seconds[step] for step in steps}

    lines_of(tmp_path, retime)
    assert taken() == {1000.0}
    lines_of(tmp_path, options={"r_T": {}})
    assert taken() == {1000.0}
    lines_of(tmp_path)
    assert max(taken()) < 1000


def test_a_model_that_is_not_stored_cannot_be_timed(tmp_path: Path) -> None:
    put(cell_of(), tmp_path / "all")
    Store(tmp_path / "all").export(tmp_path / "small", largest=0)
    assert "is not stored here" in lines_of(tmp_path / "small", retime)["prior"]
    assert "its answers are not stored here" in lines_of(tmp_path / "small")["prior"]


def test_a_stamp_of_any_number_of_threads_works(tmp_path: Path) -> None:
    folder = put(cell_of(), tmp_path)
    (stamp,) = plain(read(folder / RECORD))["stamps"]
    edit(folder, stamps=[{**stamp, "threads": 10**6}])
    assert "anew" in lines_of(tmp_path)["prior"]


def test_a_record_of_a_gpu_is_not_timed_without_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    folder = put(cell_of(), tmp_path)
    declared = {**plain(read(folder / RECORD))["declared"], "device": "cuda"}
    key = content_key(typed({**plain(read(folder / RECORD)), "declared": declared}).declared)
    edit(folder, declared=declared, key=key)
    folder.rename(folder.with_name(key[:16]))
    assert "torch finds no CUDA device here" in lines_of(tmp_path, retime)["prior"]
    assert "anew" in lines_of(tmp_path)["prior"]
    assert verify(tmp_path) == []


@pytest.mark.parametrize("status", ["failed", "cannot"])
def test_a_cell_without_numbers_is_left(tmp_path: Path, status: str) -> None:
    put(cell_of(), tmp_path, status=status, error={"type": "E", "message": "no"}, scores={}, answers={})
    assert lines_of(tmp_path)["prior"] == f"left as it is: its status is {status}"
