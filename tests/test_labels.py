"""Labels of tasks: short, never the same for two of them, and what is said where a task's file is gone."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.labels import labels
from harness.reporting import render
from harness.rescore import rescore
from harness.selection import Selection, select
from tests import results

SIMULATOR = """
def bowl(x):
    return (x ** 2).sum(1)
"""


@pytest.fixture
def files(tmp_path, monkeypatch):
    """The same names of files in two folders, with other pairs in them, and a simulator; also the current folder."""
    for place, folder in enumerate(("first", "second")):
        (tmp_path / folder).mkdir()
        x = pd.DataFrame({f"x{i}": [(7 * row + i + place) * (i + 3) % 61 / 61 for row in range(120)] for i in (1, 2)})
        x.assign(y=(x**2).sum(axis=1)).to_csv(tmp_path / folder / "pairs.csv", index=False)
    (tmp_path / "a_bowl.py").write_text(SIMULATOR)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("INVERSE_HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path


def labels_of(tasks: str) -> list[str]:
    """The labels of the tasks that a run would have."""
    return list(dict.fromkeys(cell.task.label for cell in results.cells("lookup", tasks)))


def pairs(folder: str, more: str = "") -> str:
    """A selection of a file of pairs."""
    return f"dataset[path={folder}/pairs.csv,simulator=a_bowl:bowl{more}]"


def test_a_file_of_pairs_is_called_by_its_name_or_as_the_user_says(files):
    assert labels_of(f"sinewave,{pairs('first')}") == ["sinewave", "dataset[pairs]"]
    assert labels_of(pairs("first", ",name=bowls")) == ["dataset[bowls]"]


def test_files_of_one_name_are_told_apart_by_what_differs(files):
    both = [pairs("first"), pairs("second")]
    assert labels_of(",".join(both)) == ["dataset[pairs,path=first/pairs.csv]", "dataset[pairs,path=second/pairs.csv]"]
    assert labels_of(f"{both[0]},{pairs('first', ',prior=box')}") == ["dataset[pairs]", "dataset[pairs,prior=box]"]
    assert labels_of(f"{both[0]},{pairs('second', ',name=other')}") == ["dataset[pairs]", "dataset[other]"]


OPTIONS = st.dictionaries(st.sampled_from("abc"), st.integers(0, 2), max_size=3)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(OPTIONS, st.sampled_from(["", "p", "q"])), min_size=1, max_size=6))
def test_no_two_tasks_have_the_same_label(given):
    plugin = select("tasks", "sinewave")[0].plugin
    distinct = {json.dumps(options, sort_keys=True): (Selection(plugin, options), title) for options, title in given}
    found = labels(*zip(*distinct.values(), strict=True))
    assert len(set(found)) == len(distinct)


def test_records_of_one_label_are_told_apart_in_tables(files):
    for folder in ("first", "second"):  # two runs into one folder: neither knows of the other's file
        results.run(files / "out", results.cells("lookup", pairs(folder)))
    found = {table["task"] for table in json.loads(render("multi-target", files / "out", format="json"))}
    assert found == {f"dataset[pairs] (path {folder}/pairs.csv)" for folder in ("first", "second")}


def test_what_is_gone_is_named_with_where_it_was_looked_for_and_what_to_do(files):
    wanted = results.cells("lookup", pairs("first"))
    results.run(files / "out", wanted)
    shutil.move(files / "first" / "pairs.csv", files / "moved.csv")
    (line,) = rescore(files / "out")
    assert "Unknown data file 'first/pairs.csv'" in line and f"looked for in '{files / 'first'}'" in line
    assert "made with [path=first/pairs.csv,simulator=a_bowl:bowl]: put back what that names" in line
    moved = results.cells("lookup", "dataset[path=moved.csv,simulator=a_bowl:bowl]")
    assert [cell.key for cell in moved] == [cell.key for cell in wanted]
    assert not any(results.run(files / "out", moved).values())  # found by its contents, and up to date
    shutil.move(files / "moved.csv", files / "first" / "pairs.csv")
    (line,) = rescore(files / "out")
    assert line.endswith("anew")
