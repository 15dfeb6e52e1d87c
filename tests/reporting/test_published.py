"""The papers' numbers: complete, under our names, and never without what differs."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

import methods.published
from harness.reporting import published, render
from harness.reporting.published import find
from methods.published import load
from tests import results

FOLDER = Path(methods.published.__file__).parent
TASKS = ("sinewave", "robotic_arm", "ballistics")
IPAGE = ("mdn", "inn", "cinn", "cvae", "na", "ipage")
REN = ("mdn", "inn", "cinn", "cvae", "tandem", "na")
COST = ("seconds", "parameters", "checkpoint", "training")
CELLS = [
    *((measure, method) for measure in ("multi-target", "fixed-target") for method in IPAGE),
    *((measure, method) for measure in ("r_1", "r_200", *COST) for method in REN),
]


@pytest.mark.parametrize(("measure", "method"), CELLS)
@pytest.mark.parametrize("task", TASKS)
def test_every_printed_value_of_our_tasks_is_found(measure, method, task):
    value = find(measure, task, method)
    assert value is not None and value.value > 0 and value.difference
    assert (value.std is not None) == (measure in ("multi-target", "fixed-target"))


@pytest.mark.parametrize(
    ("measure", "task", "method", "value", "source", "differs"),
    [
        ("multi-target", "ballistics", "cinn", 0.421, "iPage Table 2", "50 repeats"),
        ("fixed-target", "sinewave", "ipage", 0.004, "iPage Table 3", "Latin hypercube"),
        ("r_200", "sinewave", "na", 1.33e-7, "Ren Table 3", "best 200 of 2048 candidates"),
        ("r_1", "ballistics", "inn", 2.09e-2, "Ren Table 7", "latent noise drawn"),
        ("r_1", "ballistics", "mdn", 9.88e-2, "Ren Table 7", "1500-point time grid"),
        ("r_200", "robotic_arm", "na[boundary_loss=off]", 5.7e-6, "Ren Table 5", "200 targets"),
        ("parameters", "sinewave", "cinn", 5.3e6, "Ren Table 8", "released model has 1.0 M"),
        ("seconds", "robotic_arm", "na", 1.12, "Ren Table 2", "1080 Ti"),
        ("r_200", "shell", "na", 1.58e-3, "Ren 2022", "notebook"),
        ("r_200", "stack", "cinn", 3.78e-7, "Ren 2022", "best three methods only"),
    ],
)
def test_values_and_their_differences(measure, task, method, value, source, differs):
    found = find(measure, task, method)
    assert found is not None
    assert found.value == pytest.approx(value) and found.source == source and differs in found.difference


@pytest.mark.parametrize("method", IPAGE)
@pytest.mark.parametrize(("task", "differs"), [("crystal", "tight-binding"), ("architecture", "not the same problem")])
def test_values_of_operators_that_are_not_published_say_so(task, differs, method):
    for measure in ("multi-target", "fixed-target"):
        assert differs in find(measure, task, method).difference


@pytest.mark.parametrize("method", REN)
def test_the_metamaterial_names_what_its_forward_model_was_trained_on(method):
    for measure in ("r_1", "r_200"):
        assert "CST" in find(measure, "metamaterial", method).difference


def test_what_no_paper_prints_is_not_found():
    assert find("multi-target", "sinewave", "na-lm") is None
    assert find("r_200", "robotic_arm[convention=kruse]", "na") is None


def test_no_measure_is_mapped_twice():
    keys = [(item.measure, item.task, item.method) for item in load() if item.beside]
    assert len(keys) == len({*keys})


@pytest.mark.parametrize(
    "path",
    sorted(path for path in FOLDER.glob("*.csv") if path.stem not in ("notes", "tried")),
    ids=lambda path: path.stem,
)
def test_every_file_is_tidy(path):
    with path.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert rows and list(rows[0]) == ["source", "table", "task", "method", "metric", "value", "std", "unit", "notes"]
    assert all(None not in row and row["value"] for row in rows)


def test_a_published_value_stands_beside_ours_with_what_differs(ran):
    text = render("multi-target", ran, tasks="sinewave")
    assert "0.17 ± 2.3e-4" in next(line for line in text.splitlines() if line.startswith("| mdn"))
    assert "iPage Table 2, which differs:" in text


@pytest.mark.parametrize("name", ["r_T", "summary"])
def test_a_published_curve_stands_in_brackets_at_the_trials_that_were_published(ran, name):
    text, value = render(name, ran, tasks="sinewave"), find("r_1", "sinewave", "na")
    assert value is not None and f"[{value.value:.3g}]" in next(row for row in text.splitlines() if "| na" in row)
    assert "Ren Table 7, which differs:" in text and "na: the best 200 of 2048 candidates" in text


def test_published_values_can_be_left_out(ran):
    for name in ("multi-target", "fixed-target", "r_T", "cost", "summary"):
        text = render(name, ran, published=False)
        assert "ublished" not in text and "Ren Table" not in text and "iPage Table" not in text


def test_a_published_value_is_never_shown_under_another_metric(ran):
    """With one y the sum and the mean agree; with two they do not, and nmse is never what a paper prints."""
    for metric, tasks in (("sse", {"sinewave", "robotic_arm"}), ("mse", {"sinewave"}), ("nmse", set())):
        found = json.loads(render("multi-target", ran, metric=metric, format="json"))
        assert {table["task"] for table in found if any("published" in row for row in table["rows"])} == tasks
    assert "see --metric sse" in render("multi-target", ran, metric="nmse")


def test_a_value_of_the_task_as_it_is_never_stands_beside_that_of_a_scenario(ran):
    for table in json.loads(render("all", ran, format="json")):
        scenario = table["task"] is not None and table["task"] not in results.TASKS
        values = [row[key] for row in table["rows"] for key in row if key.startswith("published")]
        assert not scenario or not any(value is not None for value in values)


def test_values_that_cannot_be_read_stop_no_table(tmp_path, monkeypatch, ran, caplog):
    info = tmp_path / "stranger-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[harness.published]\nodd = nowhere:load\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    published.every.cache_clear(), published._index.cache_clear()
    text = render("summary", ran)
    published.every.cache_clear(), published._index.cache_clear()
    assert "[in brackets]" in text and "'odd' are left out, for they cannot be read: ModuleNotFound" in caplog.text
