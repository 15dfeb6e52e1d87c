"""The error against the share of wrong pairs: known shares at which it doubles, and real records."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from harness.protocols.corruption import doubled_at
from harness.reporting import drawn, render
from harness.store import Store
from tests import results


def test_the_share_is_read_off_between_those_that_were_run():
    """An error of exp(10 s) doubles at ln 2 / 10, whatever the shares."""
    shares = [0.0, 0.05, 0.1, 0.3]
    errors = np.exp(10 * np.array(shares))[:, None]
    assert doubled_at(shares, errors) == pytest.approx(np.log(2) / 10)
    assert np.isinf(doubled_at(shares, np.full((4, 1), 3.0))).all()


def test_the_first_share_counts_where_it_doubles_more_than_once():
    assert doubled_at([0.0, 0.1, 0.2, 0.3], np.array([[1.0], [4.0], [1.0], [4.0]])) == pytest.approx(0.05)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corruption")
    scenarios = "base,corrupted[share=0.05],corrupted[share=0.4],corrupted[share=0.4,trim=0.2]"
    results.run(folder, results.cells("lookup,prior", "robotic_arm", scenarios, asked="multi-target"))
    return folder


def test_looking_the_answer_up_fails_in_proportion_and_the_prior_does_not_mind(root):
    tables = {table["study"]: table for table in json.loads(render("corruption", root, format="json"))}
    assert set(tables) == {"trim=0", "trim=0.2"}
    trimmed = {
        study for study, table in tables.items() if "none wrong: of all pairs, none of them trimmed" in table["notes"]
    }
    assert trimmed == {"trim=0.2"}
    text = render("corruption", root)
    assert all(f"### Wrong pairs, {study}: robotic_arm (" in text for study in tables)
    plain = tables["trim=0"]
    rows = {row["method"]: row for row in plain["rows"]}
    lookup = rows["lookup"]
    means = {record.label.scenario: mean(record) for record in Store(root).records() if record.label.method == "lookup"}
    assert lookup["error_0"] == pytest.approx(means["base"])
    assert lookup["error_0.4_ratio"] == pytest.approx(means["corrupted[share=0.4]"] / means["base"])
    assert 0 < lookup["doubles"] < 0.4 and lookup["doubles_low"] <= lookup["doubles"] <= lookup["doubles_high"]
    assert rows["prior"]["error_0.4_ratio"] == pytest.approx(1, rel=0.2) and rows["prior"]["doubles"] is None


def test_a_method_is_compared_with_itself_without_a_wrong_pair_wherever_that_was_run(tmp_path):
    """In the scenario without a wrong pair, too; where it was not run, nothing is said of doubling. Others are left
    out."""
    results.run(tmp_path, results.cells("lookup,prior", "robotic_arm", "base", asked="multi-target"))
    wrong = results.cells("lookup,kernel[centres=64]", "robotic_arm", "corrupted[share=0.2]", asked="multi-target")
    results.run(tmp_path, wrong)
    (table,) = json.loads(render("corruption", tmp_path, format="json"))
    rows = {row["method"]: row for row in table["rows"]}
    assert set(rows) == {"lookup", "kernel[centres=64]"}
    assert (rows["lookup"]["doubles"], rows["lookup"]["least"]) == (None, 0.2), "nothing is known of fewer"
    assert re.search(r"lookup .* < 0.2 ", render("corruption", tmp_path))
    alone = rows["kernel[centres=64]"]
    assert alone["error_0.2"] and alone.get("error_0") is None and alone["doubles"] is None and not alone["most"]
    none = results.cells("kernel[centres=64]", "robotic_arm", "corrupted[share=0]", asked="multi-target")
    results.run(tmp_path, none)
    (table,) = json.loads(render("corruption", tmp_path, format="json"))
    (row,) = (row for row in table["rows"] if row["method"] == "kernel[centres=64]")
    assert row["error_0.2_ratio"] == pytest.approx(row["error_0.2"] / row["error_0"]) and row["least"] == 0.2


def test_the_figure_begins_at_one(root):
    (figure,) = drawn(["corruption"], root)
    for panel in figure.panels:
        for line in panel.series:
            assert line.x[0] == 0 and line.y[0] == 1


def mean(record):
    return record.scores["multi-target"].values["errors"]["nmse"]["mean"]
