"""What the notes of a table say of its numbers as a whole: untrained methods, floors that leave nothing, errors."""

from __future__ import annotations

import json
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import presets
from harness.metrics import METRICS
from harness.plan import Wanted, plan
from harness.reporting import render
from harness.reporting.notes import MESSAGE, MOOT, shortened
from harness.selection import select
from tests import results
from tests.results import erring, failed, renamed, variant, write

replace = msgspec.structs.replace


@pytest.fixture(scope="module")
def mdn(ran):
    return results.load(ran)["sinewave", "mdn", "base"]


def notes(name, root, **options):
    """The notes of a table of one group."""
    (table,) = json.loads(render(name, root, format="json", **options))
    return table["notes"]


def about(word, found):
    return [note for note in found if note.startswith(word)]


@pytest.mark.parametrize("metric", METRICS)
def test_a_method_worse_than_the_mean_of_y_is_untrained_after_a_moment(tmp_path, mdn, metric):
    mean = {"nmse": 1.0, "mse": mdn.data.y_variance[0], "sse": mdn.data.y_variance[0]}[metric]
    worse, better = erring(mdn, 1.01 * mean), erring(renamed(mdn, "inn"), 0.99 * mean)
    baseline = erring(renamed(mdn, "prior", ["baselines"]), 2 * mean)
    size = replace(baseline.model.parameters, budget=None, ratio=None, width=None)
    baseline = variant(baseline, model=replace(baseline.model, parameters=size))
    (note,) = about("untrained", notes("multi-target", write(tmp_path, worse, better, baseline), metric=metric))
    assert (
        note.startswith("untrained on sinewave: after 2 steps, worse than")
        and f"({metric} " in note
        and "): mdn. " in note
    )


def test_after_many_steps_no_method_is_untrained(tmp_path, mdn):
    """However few the rows are that a scenario leaves: the steps count, and not the passes over them."""
    phases = [replace(phase, steps=phase.steps * 300) for phase in mdn.model.phases]
    root = write(tmp_path, erring(variant(mdn, model=replace(mdn.model, phases=phases)), 100.0))
    assert about("untrained", notes("multi-target", root)) == []


@pytest.mark.parametrize("name", ["summary", "r_T"])
def test_the_curves_say_it_by_their_first_proposal(tmp_path, mdn, name):
    scores = mdn.scores["r_T"].values
    curves = {metric: {**found, "value": [100.0, *found["value"][1:]]} for metric, found in scores["curves"].items()}
    root = write(tmp_path, results.scored(mdn, "r_T", curves=curves))
    assert len(about("untrained", notes(name, root))) == 1


@pytest.mark.parametrize("share", [0.99, 1.01])
@pytest.mark.parametrize("name", ["summary", "r_T", "multi-target", "fixed-target"])
def test_a_floor_that_leaves_little_to_compare_is_named(tmp_path, mdn, name, share):
    data = replace(mdn.data, floor={"nmse": share * MOOT, "mse": share * MOOT, "sse": share * MOOT})
    found = about("moot", notes(name, write(tmp_path, variant(mdn, data=data))))
    assert len(found) == (share > 1) and all("nmse 0.30, where 1 is that of" in note for note in found)


@given(st.text(), st.integers(2, 400))
def test_of_a_long_message_beginning_and_end_stay(text, size):
    short = shortened(text, size)
    if len(text) <= size:
        assert short == text
    else:
        head, _, tail = short.partition(" … ")
        assert len(short) <= size + 3 and text.startswith(head) and text.endswith(tail) and tail


def test_what_to_do_about_an_error_is_in_the_note(tmp_path, mdn):
    remedy = " Leave out the columns that have many of them, or write missing=drop."
    message = "x" * 40 + " is far too long" * 40 + remedy
    cell = failed(renamed(mdn, "cinn"), "failed")
    cell = variant(cell, error=replace(cell.error, message=message))
    (note,) = about("cinn on", notes("multi-target", write(tmp_path, mdn, cell)))
    assert note.endswith(f"{remedy})") and len(note) < MESSAGE + 60


def test_lone_rows_are_no_pairs(tmp_path):
    results.run(tmp_path, results.cells("tandem", "robotic_arm", "unpaired[n=40,rows=30]", asked="multi-target"))
    (table,) = json.loads(render("multi-target", tmp_path, format="json"))
    (said,) = (note for note in table["notes"] if note.startswith("Data of robotic_arm"))
    assert ": 40 pairs and 60 rows of x or y alone, split" in said


def test_one_of_a_thing_is_no_plural(tmp_path):
    ones = {"proposals": 1, "repeats": 1, "fixed_proposals": 1}
    small = {"schedule": {"epochs": 1}, "data": {"targets": 1, "n_train": 100}, "sizes": ones}
    preset = presets.from_table("one", {**results.TINY, **small, "protocols": {"r_T": {"trials": (1,)}}})
    named = (("methods", "lookup,na"), ("tasks", "robotic_arm"), ("scenarios", "base,gaps"), ("protocols", "all"))
    results.run(tmp_path, plan(Wanted(*(select(kind, text) for kind, text in named), seeds=(0,)), preset))
    text = render("all", tmp_path)
    assert "1 test target × 1 proposal, 1 for the fixed target, 1 repeat" in text and "1 epoch of" in text
    things = "calls|cells|cores|designs|draws|epochs|pairs|proposals|records|repeats|rows|seeds|steps|targets"
    assert re.findall(rf"(?<![\w.,–])1 (?:{things})\b", text) == []
