"""What a cell asks is the model that it stores."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli import main
from harness.records import read
from harness.schema import Record
from harness.store import record_files
from harness.work import MODEL
from tests.plugins import install

SOURCE = """
from __future__ import annotations

import torch

from harness.contracts import Method, Proposals


class Kept(Method):
    trainable = False

    def build(self, problem, width):
        self.register_buffer("mean", torch.zeros(problem.x_dim))

    def fit(self, train, valid, run):
        self.mean = train.x.mean(0) + 1.0

    def propose(self, y, n, generator):
        return Proposals(self.mean.expand(len(y), n, -1).clone())


class Lost(Kept):
    def build(self, problem, width):
        self.mean = torch.zeros(problem.x_dim)


class Missing(Kept):
    def build(self, problem, width):
        pass


class Grown(Missing):
    def fit(self, train, valid, run):
        self.register_buffer("mean", train.x.mean(0))


class Unstored(Missing):
    restorable = False
"""
RUN = ["run", "--preset", "smoke", "--tasks", "sinewave", "--quiet", "--jobs", "1", "--out", "here"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    install(
        monkeypatch,
        tmp_path,
        SOURCE,
        methods={name: name.title() for name in ("kept", "lost", "missing", "grown", "unstored")},
    )
    return tmp_path


def record(place: Path, method: str) -> Record:
    (found,) = (item for path in record_files(place / "here") if (item := read(path)).label.method == method)
    return found


def test_a_method_that_stores_what_it_learned_answers(place: Path) -> None:
    assert main([*RUN, "--methods", "kept", "--protocols", "multi-target"]) == 0
    assert MODEL in record(place, "kept").files


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("lost", "With its stored state Lost proposes other designs than after training. Keep all that"),
        ("missing", "'Missing' object has no attribute 'mean'"),
        ("grown", "Create in `build` all that `fit` fills, or set restorable = False."),
    ],
)
def test_a_method_that_keeps_its_state_elsewhere_fails_before_it_answers(
    place: Path, method: str, message: str
) -> None:
    assert main([*RUN, "--methods", method, "--protocols", "multi-target"]) == 1
    found = record(place, method)
    assert found.status == "failed" and found.error is not None and message in found.error.message
    assert not found.answers


def test_a_method_without_a_state_to_store_is_trained_for_each_new_question(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*RUN, "--methods", "unstored", "--protocols", "multi-target"]) == 0
    first = record(place, "unstored")
    assert MODEL not in first.files and first.model is not None
    assert first.model.parameters.checkpoint_bytes is None
    capsys.readouterr()
    assert main([*RUN, "--methods", "unstored", "--protocols", "multi-target,fixed-target"]) == 0
    assert "train 1" in capsys.readouterr().out
    later = record(place, "unstored")
    assert later.status == "ok" and later.scores["multi-target"].values == first.scores["multi-target"].values


def test_what_is_asked_later_is_answered_as_if_it_were_asked_at_once(place: Path) -> None:
    assert main([*RUN, "--methods", "mdn", "--protocols", "multi-target"]) == 0
    assert main([*RUN, "--methods", "mdn", "--protocols", "multi-target,fixed-target"]) == 0
    later = record(place, "mdn")
    assert main([*RUN, "--methods", "mdn", "--protocols", "multi-target,fixed-target", "--force"]) == 0
    assert len(later.answers) == 2 and record(place, "mdn").files == later.files
