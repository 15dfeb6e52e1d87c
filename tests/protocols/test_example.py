"""The protocol that the documentation prints, installed beside the harness: nothing of it knows of the protocol."""

from __future__ import annotations

import json
import re
import shutil

import pytest

from harness import data, presets
from harness.answers import read
from harness.cli import main
from harness.errors import UsageError
from harness.records import plain
from harness.registry import build_task
from harness.reporting import render, tables
from harness.reporting.frame import frame
from harness.resimulation import resimulate
from harness.selection import select
from harness.work import MODEL
from tests import examples, results

NAME = "largest-error"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield examples.install(monkeypatch, tmp_path_factory.mktemp("example"), "largest_error")


@pytest.fixture(scope="module")
def asked(ran, installed):
    """A folder of earlier results, brought up to date with the protocol installed; with what was done."""
    root = shutil.copytree(ran, installed.parent / "asked")
    return root, results.run(root, results.cells())


def test_it_asks_old_models_and_trains_nothing(ran, asked):
    root, works = asked
    assert len(works) == len(results.METHODS) * len(results.TASKS)
    for cell, work in works.items():
        assert not work.train and work.score == (NAME,) and work.reasons == (f"{NAME} is new",)
        assert [(question.of, question.n) for question in work.ask] == [("targets", 10)]
        place = f"{cell.task.name}/{cell.method.name}/{cell.key[:16]}/{MODEL}"
        assert (root / place).read_bytes() == (ran / place).read_bytes()


def test_no_other_number_of_any_record_changes(ran, asked):
    before, after = results.load(ran), results.load(asked[0])
    assert before.keys() == after.keys()
    for key, record in after.items():
        old, new = plain(before[key]), plain(record)
        if key[2] == "base":
            assert new["scores"].pop(NAME)["values"]["largest"]["mse"] > 0
        for part in ("key", "declared", "digests", "data", "model"):
            assert new[part] == old[part]
        assert {name: score["values"] for name, score in new["scores"].items()} == {
            name: score["values"] for name, score in old["scores"].items()
        }
        assert {name: new["files"][name] for name in old["files"]} == old["files"]


def test_once_asked_there_is_nothing_left_to_do(asked):
    assert not any(results.run(asked[0], results.cells()).values())


def test_another_number_of_proposals_is_another_question_to_the_same_models(ran, installed, tmp_path):
    root = shutil.copytree(ran, tmp_path / "asked")
    works = results.run(root, results.cells("lookup", "sinewave", asked=f"r_T,{NAME}[proposals=3]"))
    (work,) = works.values()
    assert not work.train and [(question.of, question.n) for question in work.ask] == [("targets", 3)]


def test_a_question_that_others_have_put_is_not_put_again(ran, installed, tmp_path):
    root, proposals = shutil.copytree(ran, tmp_path / "asked"), results.TINY["sizes"]["proposals"]
    works = results.run(root, results.cells("lookup", "sinewave", asked=f"{NAME}[proposals={proposals}]"))
    assert [(work.train, work.ask, work.score) for work in works.values()] == [(False, (), (NAME,))]


def test_its_numbers_are_those_of_the_stored_answer(asked):
    for (task, _, scenario), record in results.load(asked[0]).items():
        if task != "sinewave" or scenario != "base":
            continue
        ((answer, cell),) = (
            (stored, cell)
            for cell in results.cells()
            if cell.key == record.key
            for stored in record.answers.values()
            if (stored.of, stored.n) == ("targets", 10)
        )
        built = build_task(cell.task)
        x = read(asked[0] / task / cell.method.name / cell.key[:16] / answer.file).x
        wanted = data.draw(built, cell.data).targets.y
        errors = (resimulate(built, x) - wanted[:, None]).square().sum(-1)
        found = record.scores[NAME].values["largest"]["sse"]
        assert found == pytest.approx(float(errors.amax(1).mean()), rel=1e-12)


@pytest.mark.parametrize("format", ["markdown", "latex", "csv", "json"])
def test_its_table_and_its_rows_in_the_frame_are_there(asked, format):
    root = asked[0]
    assert NAME in tables()
    assert "largest" in render(NAME, root, format=format) and "argest" in render("all", root, format=format)
    rows = frame(root).query("protocol == @NAME")
    assert set(rows["metric"]) == {"sse", "mse", "nmse"} and set(rows["statistic"]) == {"largest"}
    for table in json.loads(render(NAME, root, metric="nmse", format="json", tasks="sinewave")):
        for row in table["rows"]:
            value = rows.query("metric == 'nmse' and task == 'sinewave' and label == @row['method']")["value"]
            assert row["largest"] == value.item()


def test_where_it_was_not_asked_it_has_no_table(ran, installed):
    with pytest.raises(UsageError, match=f"No record below .* has what the table '{NAME}' shows"):
        render(NAME, ran)


def test_its_options_are_settings_as_all_others(installed):
    preset = presets.from_table("own", {**results.TINY, "protocols": {NAME: {"proposals": 4}}})
    assert preset.protocols[NAME] == {"proposals": 4}
    for text, message in (("proposals=0", "1 or more"), ("proposal=3", "Did you mean proposals")):
        with pytest.raises(UsageError, match=message):
            select("protocols", f"{NAME}[{text}]")


def test_list_shows_it_with_its_options(installed, capsys):
    assert main(["list"]) == 0
    assert re.search(rf"{NAME}.*largest-error", capsys.readouterr().out)


def test_it_is_short_enough_to_print():
    text = (examples.FOLDER / "largest_error" / "largest_error.py").read_text()
    assert len(text.splitlines()) <= 60
