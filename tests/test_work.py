"""What is left to do for a cell, as it was recorded and as it would be now."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.cli import main
from harness.plan import Cell, harness_sources
from harness.records import plain, read
from harness.schema import Record
from harness.store import RECORD
from harness.work import MODEL, Work, answer_name, due, everything, in_words
from tests.stored import cell_of, cells, edit, put, run, tiny


def recorded(cell: Cell, root: Path, **changes: object) -> Record:
    return read(put(cell, root, **changes) / RECORD)


def asked(cell: Cell) -> int:
    return len({question for questions in cell.questions.values() for question in questions.values()})


def test_without_a_record_all_is_due() -> None:
    cell = cell_of()
    work = due(cell, None)
    assert work == everything(cell, "no record")
    assert work.train and len(work.ask) == asked(cell) and work.score == tuple(spec.name for spec in cell.protocols)


def test_with_its_own_record_nothing_is(tmp_path: Path) -> None:
    for name in ("prior", "lookup"):
        cell = cell_of(name)
        assert not due(cell, recorded(cell, tmp_path))


def test_other_data_or_another_method_train_again_and_say_why(tmp_path: Path) -> None:
    cell = cell_of()
    record = recorded(cell, tmp_path)
    for what in ("task", "method", "training", "data"):
        older = {**record.sources, what: "0" * 64}
        work = due(cell, read(_with(cell, tmp_path, sources=older, digests={**record.digests, "model": "0"})))
        assert work.train and work.reasons == (f"the source of {what} has changed",)
        assert work.score == tuple(cell.questions) and len(work.ask) == asked(cell)


def _with(cell: Cell, root: Path, **changes: object) -> Path:
    return put(cell, root, **changes) / RECORD


@pytest.mark.parametrize("status", ["failed", "diverged", "out_of_memory", "timeout", "killed"])
def test_a_failed_cell_has_nothing_due_until_something_changes(tmp_path: Path, status: str) -> None:
    cell = cell_of()
    error = {"type": "ValueError", "message": "no", "traceback": ""}
    record = recorded(cell, tmp_path, status=status, error=error, scores={}, answers={})
    assert not due(cell, record)
    assert due(cell, read(_with(cell, tmp_path, status=status, error=error, digests={"data": "0", "model": "0"}))).train


def test_a_new_protocol_asks_and_scores_only(tmp_path: Path) -> None:
    few, all_ = cell_of(protocols="fixed-target"), cell_of()
    work = due(all_, recorded(few, tmp_path))
    assert few.key == all_.key and not work.train
    assert set(work.score) == set(all_.questions) - {"fixed-target"}
    assert len(work.ask) == asked(all_) - asked(few) > 0
    assert set(work.reasons) == {f"{name} is new" for name in work.score}
    folder = run(all_, tmp_path, work, read(put(few, tmp_path) / RECORD))
    record = read(folder / RECORD)
    assert not due(all_, record) and not due(few, record)


def test_a_question_that_was_answered_is_not_asked_again(tmp_path: Path) -> None:
    one, both = cell_of(protocols="multi-target"), cell_of(protocols="multi-target,r_T")
    assert one.questions["multi-target"] == both.questions["multi-target"]
    shared = set(both.questions["r_T"].values()) & set(both.questions["multi-target"].values())
    work = due(both, recorded(one, tmp_path))
    assert shared and set(work.ask) == set(both.questions["r_T"].values()) - shared
    assert work.score == ("r_T",)


def test_other_options_of_a_protocol_are_scores_only(tmp_path: Path) -> None:
    cell, other = cell_of(), cell_of(preset=tiny(protocols={"r_T": {"bootstrap": 30}}))
    assert other.key == cell.key
    assert due(other, recorded(cell, tmp_path)) == Work(False, (), ("r_T",), ("r_T has other options",))


def test_other_sizes_ask_anew_and_keep_the_model(tmp_path: Path) -> None:
    work = due(cell_of(preset=tiny(sizes={"fixed_proposals": 6})), recorded(cell_of(), tmp_path))
    assert not work.train and [question.n for question in work.ask] == [6]


def test_a_question_for_a_model_that_is_not_stored_trains_with_its_reason(tmp_path: Path) -> None:
    few, all_ = cell_of(protocols="fixed-target"), cell_of()
    folder = put(few, tmp_path)
    record = read(folder / RECORD)
    files = {name: digest for name, digest in record.files.items() if name != MODEL}
    exported = _replaced(record, files=files, omitted={MODEL: record.files[MODEL]})
    assert not due(few, exported)
    work = due(all_, exported)
    assert work.train and len(work.ask) == asked(all_)
    assert work.reasons[0].endswith("and the model is not stored here")


def test_scores_alone_need_no_model(tmp_path: Path) -> None:
    cell = cell_of(protocols="fixed-target")
    record = recorded(cell, tmp_path)
    files = {name: digest for name, digest in record.files.items() if name != MODEL}
    scores = {"fixed-target": replace_digest(record)}
    work = due(cell, _replaced(record, files=files, scores=scores))
    assert work == Work(False, (), ("fixed-target",), ("fixed-target has other answers",))


def replace_digest(record: Record) -> dict[str, object]:
    return {**plain(record.scores["fixed-target"]), "digest": "0" * 64}


def _replaced(record: Record, **changes: object) -> Record:
    from harness.records import typed

    return typed({**plain(record), **changes})


def test_an_answer_whose_file_is_gone_is_asked_for_when_it_is_needed(tmp_path: Path) -> None:
    few, both = cell_of(protocols="multi-target"), cell_of(protocols="multi-target,novelty")
    record = recorded(few, tmp_path)
    (question,) = few.questions["multi-target"].values()
    name = answer_name(question, few.answer_digest(question))
    assert f"{name}.npz" in record.files
    files = {file: digest for file, digest in record.files.items() if file != f"{name}.npz"}
    assert not due(few, _replaced(record, files=files))
    if question in both.questions["novelty"].values():
        assert question in due(both, _replaced(record, files=files)).ask


def test_works_in_words() -> None:
    cell = cell_of()
    assert in_words([Work(), everything(cell, ""), Work(score=("r_T",))]) == "train 1, ask 1, score 2"


def test_a_dry_run_says_what_it_would_do_and_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny.toml").write_text(
        "budget = 10000\n[schedule]\nepochs = 1\nvalidate_every = 1\n[data]\nn_train = 100\ntargets = 6\n"
        "[sizes]\nproposals = 4\nrepeats = 2\nfixed_proposals = 5\n[protocols.r_T]\ntrials = [1, 4]\nbootstrap = 20\n",
        encoding="utf-8",
    )
    known, few, stale, _ = cells("prior,lookup", seeds=(0, 1))
    put(known, tmp_path / "here")
    put(replace(few, protocols=few.protocols[:1]), tmp_path / "here")
    folder = put(stale, tmp_path / "here")
    edit(folder, digests={"data": "0", "model": "0"}, sources={**stale.sources, "method": "0"})
    command = ["run", "--preset", "tiny.toml", "--methods", "prior,lookup", "--tasks", "sinewave", "--seeds", "0-1"]
    assert main([*command, "--out", "here", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(
        "4 cells (2 methods × 1 task × 1 scenario × 2 seeds), preset tiny: 1 up to date; train 2, ask "
    )
    assert "Train 2, ask 3, score 3." in out and "Nothing was run." in out
    assert "1 × no record" in out and "1 × the source of method has changed" in out and "1 × r_T is new" in out


def test_another_resimulation_scores_what_it_scored_and_measures_nothing(tmp_path: Path, monkeypatch) -> None:
    record = recorded(cell_of(), tmp_path)
    known = dict(harness_sources())
    monkeypatch.setattr("harness.plan.harness_sources", lambda: {**known, "re-simulation": "0" * 64})
    work = due(cell := cell_of(), record)
    assert not work.train and not work.ask
    assert work.reasons == ("the source of re-simulation has changed",)
    assert set(work.score) == {name for name, questions in cell.questions.items() if questions}
