"""Advice is the best of the tables' numbers within a budget."""

from __future__ import annotations

import json
from itertools import pairwise

import msgspec
import pytest

from harness.cli import main
from harness.protocols.advice import advice
from harness.protocols.choosing import _told
from harness.reporting import grouped, render
from tests import results


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    return results.shared(tmp_path_factory)


def curves(ran, metric):
    """r_T and speed of each method on each task, from the tables."""
    best = {}
    for table in json.loads(render("r_T", ran, metric=metric, format="json")):
        for row in table["rows"]:
            best.setdefault(table["task"], {})[row["method"]] = row
    speed = {}
    for table in json.loads(render("cost", ran, format="json")):
        for row in table["rows"]:
            speed.setdefault(table["task"], {})[row["method"]] = row["per_distinct"]
    return best, speed


def test_a_budget_that_no_method_keeps_to_is_said(ran):
    (table,) = advice(grouped(ran, tasks="sinewave"), "nmse", seconds=(1e-12, 1e9), simulations=(1,))
    assert [row["within"] for row in table.rows] == ["1 simulation", "1e9 s a design"]
    assert table.notes[0] == "sinewave: no method has numbers within 1e-12 s a design"


@pytest.mark.parametrize("metric", ["nmse", "mse"])
def test_the_method_is_the_best_of_r_t_and_what_is_sure_has_intervals_apart(ran, metric):
    best, speed = curves(ran, metric)
    (table,) = advice(grouped(ran, tasks="sinewave,robotic_arm"), metric, seconds=(1e-4,), simulations=(1, 4, 8))
    seen = 0
    for row in table.rows:
        rows = best[row["task"]]
        count = int(row["within"].split()[0]) if "simulation" in row["within"] else 1
        able = {name: one for name, one in rows.items() if one.get(f"r_{count}") is not None and one["valid"] >= 0.5}
        if row["within"] == "1e-4 s a design":
            able = {name: one for name, one in able.items() if (speed[row["task"]][name] or 1) <= 1e-4}
        assert row["method"] == min(able, key=lambda name: able[name][f"r_{count}"])
        assert row["error"] == able[row["method"]][f"r_{count}"]
        assert row["next"] != row["method"]
        if row["baseline"] and row["next"] is not None:
            learning = {name for name, one in able.items() if not one["baseline"]}
            assert row["next"] in learning or not learning
        if row["next"] is None:
            assert len(able) == 1 and row["sure"] is None
            continue
        if count == 4:
            assert row["sure"] is None, "the targets' errors are kept of the best of 1, 10 and all"
        elif count == 8:
            assert row["sure"] in (True, False)
        elif row["sure"] is not None:
            pair = f"{row['method']},{row['next']}"
            found = [
                one
                for table in json.loads(render("compare", ran, methods=pair, metric=metric, format="json"))
                for one in table["rows"]
                if one["task"] == row["task"]
            ]
            assert not row["sure"] or found[0]["better"] == row["method"]
            seen += 1
    assert seen > 1


def test_a_method_that_is_too_slow_is_not_advised(ran):
    (table,) = advice(grouped(ran), "nmse", seconds=(1e-12, 1e9), simulations=())
    assert table.rows and {row["within"] for row in table.rows} == {"1e9 s a design"}


def test_the_verb_says_it_and_names_what_is_wrong(ran, capsys):
    assert main(["advise", "--out", str(ran), "--tasks", "sinewave", "--simulations", "1", "--seconds", "5"]) == 0
    said = capsys.readouterr().out
    assert "### Which method to use" in said and "1 simulation |" in said and "5 s a design" in said
    for wrong, message in (
        (["--seconds", "fast"], "--seconds = 'fast' is not allowed. Allowed: numbers above 0, such as 0.001,0.01"),
        (["--simulations", "0"], "--simulations = '0' is not allowed"),
        (["--metric", "rmse"], "Unknown metric 'rmse'"),
        (["--tasks", "sinwave"], "Unknown task 'sinwave'. Did you mean sinewave"),
    ):
        assert main(["advise", "--out", str(ran), *wrong]) == 2
        assert message in capsys.readouterr().err


def test_budgets_of_seconds_with_one_answer_are_one_row(ran):
    limits = (1e-4, 1.0, 1e6, 1e9)
    (alone,) = advice(grouped(ran), "nmse", seconds=limits, simulations=())
    spans = {}
    for row in alone.rows:
        first, _, last = row["within"].removesuffix(" s a design").partition(" to ")
        said = {name: value for name, value in row.items() if name != "within"}
        spans.setdefault(row["task"], []).append((float(first), float(last or first), row["method"], said))
    for found in spans.values():
        for before, after in pairwise(found):
            assert before[1] < after[0] and before[3] != after[3]
    for limit in limits:
        (single,) = advice(grouped(ran), "nmse", seconds=(limit,), simulations=()) or [None]
        for row in single.rows if single else ():
            assert any(low <= limit <= high and row["method"] == name for low, high, name, _ in spans[row["task"]])


def test_what_would_decide_is_what_the_comparison_says(ran):
    (table,) = advice(grouped(ran), "nmse", seconds=(), simulations=(1,))
    for row in table.rows:
        if row["needed"]:
            pair = f"{row['method']},{row['next']}"
            found = [
                one for each in json.loads(render("compare", ran, methods=pair, format="json")) for one in each["rows"]
            ]
            assert row["needed"] in {one["needed"] for one in found} and row["sure"] is False


def test_a_method_that_lacks_seeds_is_not_advised(ran, tmp_path):
    """As in the tables, where it takes no part in best."""
    found = results.load(ran)
    na = found["sinewave", "na", "base"]
    again = results.variant(na, declared=msgspec.structs.replace(na.declared, seed=1))
    root = results.write(tmp_path, na, results.failed(again, "diverged"), found["sinewave", "prior", "base"])
    (table,) = advice(grouped(root), "nmse", simulations=(1, 8))
    assert {row["method"] for row in table.rows} == {"prior"}


@pytest.mark.parametrize(("error", "said"), [(0.0, "below the floor"), (1e-3, "below the floor"), (2.0, "not known")])
def test_a_next_best_below_the_floor_is_called_so_down_to_zero(error, said):
    assert _told({"sure": None, "needed": "", "next_error": error, "floor": 1e-2}) == said
