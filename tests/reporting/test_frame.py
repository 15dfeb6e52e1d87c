"""The data frame holds every number of the records, and the README's example reads it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.reporting import render
from harness.reporting.frame import COLUMNS, frame
from tests.reporting.records import METHODS, TASKS, failed, record, write

README = Path(__file__).parents[2] / "README.md"
IDENTITY = ["task", "method", "label", "preset", "budget", "seed", "status", "protocol", "metric", "statistic", "key"]


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    root = tmp_path_factory.mktemp("frame") / "results" / "quick"
    return write(root, *(record(task, method, seed) for task in TASKS for method in METHODS for seed in (0, 1)))


def test_a_row_is_one_number_of_one_record(full):
    table = frame(full)
    assert tuple(table.columns) == COLUMNS and not table.duplicated(IDENTITY).any()
    assert len(table.groupby(["task", "method", "seed"])) == len(TASKS) * len(METHODS) * 2
    assert set(table["protocol"]) == {"multi_target", "fixed_target", "r_T", "surrogate_gap", "novelty", "cost"}


@pytest.mark.parametrize("metric", ["sse", "mse", "nmse"])
def test_it_agrees_with_the_tables(full, metric):
    chosen = frame(full).query("protocol == 'multi_target' and metric == @metric and statistic == 'median'")
    means = chosen.groupby(["task", "label"])["value"].mean()
    for table in json.loads(render("multi-target", full, metric=metric, format="json")):
        for row in table["rows"]:
            assert means[table["task"], row["method"]] == pytest.approx(row["median"], rel=1e-12)


def test_the_curve_has_a_statistic_for_each_number_of_trials(full):
    curve = record("ballistics", "na")["scores"]["r_T"]
    table = frame(full).query("task == 'ballistics' and label == 'na' and seed == 0 and metric == 'mse'")
    values = table[table["protocol"] == "r_T"].set_index("statistic")["value"]
    assert [values[f"r_{count}"] for count in curve["T"]] == curve["mse"]["value"]
    assert [values[f"r_{count}_low"] for count in curve["T"]] == curve["mse"]["low"]


def test_a_failed_record_is_a_row_without_a_value(tmp_path):
    unknown = record("sinewave", "na")
    unknown["scores"]["multi_target"]["mse"]["mean"] = None
    table = frame(write(tmp_path, unknown, failed("sinewave", "cinn")))
    lost = table[table["label"] == "cinn"]
    assert len(lost) == 1 and lost["value"].isna().all() and set(lost["status"]) == {"timeout"}
    assert table.query("label == 'na' and metric == 'mse' and statistic == 'mean'")["value"].isna().sum() == 1


def test_an_empty_folder_says_what_to_do(tmp_path):
    with pytest.raises(UsageError, match="no records below"):
        frame(tmp_path)


def test_the_example_of_the_readme_prints_methods_by_tasks(full, monkeypatch, capsys):
    (code,) = re.findall(r"```python\n(from harness\.reporting\.frame.*?)```", README.read_text(), re.DOTALL)
    monkeypatch.chdir(full.parents[1])
    exec(code, {})
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split() == ["task", *sorted(TASKS)]
    assert {line.split()[0] for line in lines} == {"label", *METHODS}
