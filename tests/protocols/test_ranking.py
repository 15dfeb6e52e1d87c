"""The table of what changes the ranking, from records of the same methods with and without scenarios."""

from __future__ import annotations

import json
import math
import re
from statistics import fmean

import numpy as np
import pytest

from harness import by_target
from harness.comparing import LEAST
from harness.errors import UsageError
from harness.protocols.ranking import BASE
from harness.protocols.views import Views
from harness.reporting import drawn, grouped, render
from harness.reporting.drawing import FORMATS, write
from harness.reporting.numbers import number
from harness.reporting.rows import scores_of
from harness.reporting.svg import panels
from harness.store import Store
from tests import results, stored
from tests.stored import tiny

SCENARIOS = ("noise[sd=0.3]", "shift", "gaps[fill=native,share=0.5]", "conditions")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenarios")
    scenarios = ",".join(("base", *SCENARIOS))
    results.run(folder, results.cells("mdn,lookup,prior", "robotic_arm", scenarios, asked="multi-target,views"))
    return folder


@pytest.fixture(scope="module")
def table(root):
    (found,) = json.loads(render("ranking", root, format="json"))
    return found


def errors(root, method, scenario):
    (own,) = (
        record
        for record in Store(root).records()
        if (record.label.method, record.label.scenario) == (method, scenario) and record.status == "ok"
    )
    kept = ("views", "true y_usual") if scenario.startswith("noise") else ("multi-target", "nmse")
    return by_target.read(Store(root).folder(own), *kept)[kept[1]]


@pytest.mark.parametrize("scenario", [BASE, *SCENARIOS])
def test_places_are_in_the_order_of_the_mean_errors_and_ratios_are_to_the_base(root, table, scenario):
    rows = {row["method"]: row for row in table["rows"] if row[scenario] is not None}
    least = {group.first.label.scenario: group.negligible("nmse") for group in grouped(root)}
    for method, row in rows.items():
        mean = float(errors(root, method, scenario).mean())
        assert row[scenario] == pytest.approx(mean, rel=1e-6)
        levels = [least[BASE if name.startswith("noise") else name] for name in (scenario, BASE)]
        both = zip((scenario, BASE), levels, strict=True)
        logs = [np.log10(np.maximum(errors(root, method, name), level)).mean() for name, level in both]
        assert row[f"{scenario}.ratio"] == pytest.approx(10 ** (logs[0] - logs[1]), rel=0.01)
    ordered = sorted(rows, key=lambda method: rows[method][scenario])
    assert [rows[method][f"{scenario}.place"] for method in ordered] == list(range(1, len(rows) + 1))
    assert fmean(row[f"{BASE}.ratio"] for row in rows.values()) == 1


def test_of_many_variants_of_a_scenario_those_nearest_to_its_defaults_are_shown(tmp_path):
    scenarios = ["base", "noise", *(f"noise[sd=0.{digit}]" for digit in (1, 2, 3, 4)), "shift", "shift[tail=0.5]"]
    results.run(tmp_path, results.cells("lookup", "robotic_arm", ",".join(scenarios), asked="multi-target"))
    (found,) = json.loads(render("ranking", tmp_path, format="json"))
    shown = [key.removesuffix(".place") for key in found["rows"][0] if key.endswith(".place")]
    assert shown == ["base", "noise", "shift", "shift[tail=0.5]"]
    assert "noise: of 5 variants those with the fewest options; all: multi-target" in found["notes"]


def test_of_a_grid_of_variants_those_with_one_option_changed_are_shown(tmp_path):
    grid = "noise[sd=0.05|0.2|0.3],gaps[share=0.3|0.5|0.6,fill=nearest|native]"
    results.run(tmp_path, results.cells("prior", "robotic_arm", f"base,{grid}", asked="multi-target"))
    (found,) = json.loads(render("ranking", tmp_path, format="json"))
    shown = {name for name in found["rows"][0] if f"{name}.ratio" in found["rows"][0]} - {BASE}
    noise = {"noise", "noise[sd=0.2]", "noise[sd=0.3]"}
    assert shown == noise | {"gaps", "gaps[fill=native]", "gaps[share=0.5]", "gaps[share=0.6]"}


def test_a_scenario_is_compared_with_the_trainings_of_its_own_seeds(tmp_path):
    """Else the ratio of a model that is asked again would be one of trainings."""
    results.run(tmp_path, results.cells("mdn,lookup", "robotic_arm", asked="multi-target,views", seeds=(0, 1)))
    results.run(tmp_path, results.cells("mdn,lookup", "robotic_arm", "shift,conditions", asked="multi-target,views"))
    (found,) = json.loads(render("ranking", tmp_path, format="json"))
    own = {
        record.declared.seed: by_target.read(Store(tmp_path).folder(record), "multi-target", "nmse")["nmse"].mean()
        for record in Store(tmp_path).records()
        if record.label.method == "mdn" and record.label.scenario == BASE
    }
    assert len(own) == 2 and own[0] != own[1]
    (row,) = (row for row in found["rows"] if row["method"] == "mdn")
    assert row[BASE] == pytest.approx(own[0]) and "seed 0" in " ".join(found["notes"])


def test_the_figure_says_where_the_best_method_changes_and_in_how_many_it_does_not(root, table):
    (figure,) = drawn(["ranking"], root)
    turned = [
        note for note in table["notes"] if note.partition(": ")[0] in SCENARIOS and " with and without " not in note
    ]
    turned = [note for note in turned if " has the smallest error" in note]
    said = [note for note in figure.notes if note.startswith("robotic_arm, ")]
    assert said == [f"robotic_arm, {note}" for note in turned]
    kept = len(SCENARIOS) - len(turned)
    assert any(note.endswith(f"the same with and without it in {kept} of {len(SCENARIOS)}") for note in figure.notes)


def test_where_the_forward_model_may_be_called_the_errors_after_the_last_call_count(tmp_path):
    results.run(tmp_path, results.cells("lookup", "robotic_arm", "base,metered[calls=20,targets=4]"))
    (found,) = json.loads(render("ranking", tmp_path, format="json"))
    (row,) = found["rows"]
    (record,) = (record for record in Store(tmp_path).records() if record.declared.scenario)
    errors = by_target.read(Store(tmp_path).folder(record), "metered", "lm_20")["lm_20"]
    assert row["metered[calls=20,targets=4]"] == pytest.approx(errors.mean(), rel=1e-6)
    assert any("in a Levenberg-Marquardt search from the proposals" in note for note in found["notes"])


def test_errors_under_noise_count_as_they_are_and_not_as_the_noise_at_least(root, table):
    (prior,) = (row for row in table["rows"] if row["method"] == "prior")
    assert prior["noise[sd=0.3].ratio"] == pytest.approx(1, rel=0.3), "it never sees y"
    (other,) = json.loads(render("ranking", root, format="json", metric="sse"))
    assert any(note.startswith("noise[sd=0.3]: against the noisy y that was asked for") for note in other["notes"])


def test_it_is_said_that_errors_under_noise_are_those_against_the_true_y(table):
    assert "noise[sd=0.3]: against the true y, not the noisy one that was asked for" in table["notes"]


def test_a_sentence_names_the_best_of_each_scenario_and_what_became_of_the_best_without(table):
    said = {note.partition(": ")[0]: note.partition(": ")[2] for note in table["notes"]}
    for scenario in SCENARIOS:
        both = sorted((row for row in rows_of(table, BASE) if row[scenario] is not None), key=lambda row: row[BASE])
        best = min(both, key=lambda row: row[scenario])
        assert best["method"] in said[scenario] and both[0]["method"] in said[scenario]
        assert ("with and without it" in said[scenario]) == (best == both[0])
        assert (f"of the {len(both)} that take part" in said[scenario]) == (len(both) < len(rows_of(table, BASE)))
        if best != both[0]:
            assert f"number {both.index(best) + 1} without it" in said[scenario]


def test_who_was_run_in_the_scenario_alone_takes_part_too(tmp_path):
    results.run(tmp_path, results.cells("lookup,prior,kernel", "robotic_arm", asked="multi-target"))
    results.run(
        tmp_path, results.cells("lookup,kernel[centres=64],prior", "robotic_arm", "pairs[n=80]", asked="multi-target")
    )
    (found,) = json.loads(render("ranking", tmp_path, format="json"))
    (said,) = (note for note in found["notes"] if note.startswith("pairs[n=80]: "))
    assert (
        "kernel[centres=64] has the smallest error of the 3 that take part, not run on the task itself; lookup" in said
    )


def test_of_one_method_alone_it_is_not_said_that_it_is_the_best(tmp_path):
    results.run(tmp_path, results.cells("lookup,prior", "robotic_arm", asked="multi-target"))
    results.run(tmp_path, results.cells("lookup", "robotic_arm", "pairs[n=40]", asked="multi-target"))
    (found,) = json.loads(render("ranking", tmp_path, format="json"))
    assert not any("smallest error" in note for note in found["notes"])
    (figure,) = drawn(["ranking"], tmp_path)
    assert not any("with and without it" in note for note in figure.notes)


def rows_of(table, name):
    return [row for row in table["rows"] if row[name] is not None]


def test_the_figure_has_a_field_for_each_ratio_of_the_table(root, table, tmp_path):
    (figure,) = drawn(["ranking"], root)
    (panel,) = figure.panels
    assert panel.title == "robotic_arm" and panel.x.names == tuple(sorted(SCENARIOS))
    rows = {row["method"]: row for row in table["rows"]}
    expected = {
        (label, name): rows[label][f"{name}.ratio"]
        for label in panel.y.names
        for name in panel.x.names
        if rows[label][f"{name}.ratio"] is not None
    }
    found = {(field.label, panel.x.names[field.x]): field for field in panel.fields}
    assert found.keys() == expected.keys() and ("mdn", "gaps[fill=native,share=0.5]") not in found
    for key, field in found.items():
        assert field.text == number(expected[key], 2) and panel.y.names[field.y] == field.label
        assert field.shade == pytest.approx(max(-1, min(1, math.log10(expected[key]) / 2)))
    (drawing,) = panels(figure)
    assert drawing.count("<rect") == len(found) and all(name[:20] in drawing for name in panel.x.names)
    rows_of_methods = re.findall(r'class="series field m(\d+)"', drawing)
    assert [figure.labels[int(number)] for number in rows_of_methods] == list(panel.y.names), "a switch hides a row"
    for kind in FORMATS:
        write(figure, tmp_path / f"ranking.{kind}")
        assert (tmp_path / f"ranking.{kind}").stat().st_size > 1000


def test_a_model_for_all_conditions_is_compared_with_one_of_the_task_alone(root):
    (own,) = (found for found in json.loads(render("scenario", root, format="json")) if "conditions" in found["task"])
    for row in own["rows"]:
        (record,) = (
            record
            for record in Store(root).records()
            if (record.label.method, record.label.scenario) == (row["method"], "conditions")
        )
        there = scores_of(record, Views).views["fixed"].usual_expected_mse
        kept = by_target.read(Store(root).folder(record), "views", "mse fixed_usual")["mse fixed_usual"]
        expected = kept[np.isfinite(kept)]
        assert 10 ** np.log10(np.maximum(expected, LEAST)).mean() == pytest.approx(there, rel=1e-5)
        usual = 10 ** np.log10(np.maximum(mse(root, row["method"]), LEAST)).mean()
        assert row["fixed.ratio"] == pytest.approx(there / usual, rel=1e-6)


def mse(root, method):
    (own,) = (
        record
        for record in Store(root).records()
        if (record.label.method, record.label.scenario) == (method, BASE) and record.status == "ok"
    )
    return by_target.read(Store(root).folder(own), "multi-target", "mse")["mse"]


def test_what_cannot_take_part_says_so_and_has_no_place(table):
    (mdn,) = (row for row in table["rows"] if row["method"] == "mdn")
    assert mdn["gaps[fill=native,share=0.5].status"] == "cannot" and mdn["gaps[fill=native,share=0.5].place"] is None


def test_scenarios_alone_say_that_the_task_itself_is_needed(root):
    with pytest.raises(UsageError, match="needs that, too: --scenarios base,"):
        render("ranking", root, scenarios="shift")
    with pytest.raises(UsageError, match="needs that, too: --scenarios base,"):
        drawn(["ranking"], root, scenarios="shift")


def test_without_scenarios_there_is_no_such_table(ran):
    with pytest.raises(UsageError, match="No record"):
        render("ranking", ran, tasks="sinewave")


def test_with_fewer_targets_a_scenario_still_stands_beside_its_task(tmp_path):
    few = tiny(scenarios={"all": {"targets": 4, "fixed_proposals": 3}})
    planned = stored.cells("prior,lookup", "robotic_arm", few, scenarios="base,noise", protocols="multi-target")
    results.run(tmp_path, planned)
    (found,) = json.loads(render("ranking", tmp_path, format="json"))
    assert all(row["noise.ratio"] > 0 for row in found["rows"])
    assert any("base 6, noise 4" in line for line in found["notes"])


def test_with_fewer_repeats_it_does_not_for_the_error_of_one_proposal_is_a_mean_over_them(tmp_path):
    few = tiny(scenarios={"all": {"repeats": 1}})
    planned = stored.cells("prior,lookup", "robotic_arm", few, scenarios="base,noise", protocols="multi-target")
    results.run(tmp_path, planned)
    with pytest.raises(UsageError):
        render("ranking", tmp_path)


def test_of_two_runs_of_a_task_the_one_that_asked_as_much_is_compared_with(tmp_path):
    def cells(targets, scenarios):
        preset = tiny(data={"targets": targets})
        return stored.cells("prior,lookup", "robotic_arm", preset, scenarios=scenarios, protocols="multi-target")

    results.run(tmp_path, [*cells(8, "base"), *cells(6, "base,noise")])
    (found,) = json.loads(render("ranking", tmp_path, format="json"))
    assert any("base 6, noise 6" in line for line in found["notes"])
