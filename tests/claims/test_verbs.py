"""`claims` and `ablation` on the command line: what they print, what they would run, and what is wrong usage."""

from __future__ import annotations

import csv
import json
import re

import pytest

from harness import frame, presets
from harness.claims import ablated, ablation, claim
from harness.claims.judging import VERDICTS, judge
from harness.claims.rows import by_task
from harness.cli import main
from harness.config import Settings
from harness.performing import together
from harness.reporting import drawn, grouped, render
from harness.reporting import figures as kinds
from harness.reporting.report import page
from harness.store import Store
from tests import results, stored
from tests.claims import made
from tests.claims.made import REFERENCE, TASK, errors, groups

OWN = """
claim = "One has the smaller errors"
source = "nobody"
tasks = "sinewave"

[[check]]
kind = "lower"
statistic = "r_T/mse/r_200"
method = "one"
than = "other"
"""


@pytest.fixture
def two(tmp_path):
    for label, ratio in (("one", 0.1), ("one[steps=50]", 1.0), ("other", 1.0)):
        made.write(tmp_path / "results", label, *(errors(len(label) + seed, ratio) for seed in range(3)))
    return tmp_path / "results"


@pytest.fixture
def own(tmp_path):
    (tmp_path / "mine.toml").write_text(OWN, encoding="utf-8")
    return str(tmp_path / "mine.toml")


def test_a_claim_of_ones_own_has_its_line_and_its_evidence(two, own, capsys):
    assert main(["claims", "mine", "--from", own, "--out", str(two), "--format", "json"]) == 0
    line, evidence = json.loads(capsys.readouterr().out)
    (row,) = line["rows"]
    assert (row["name"], row["verdict"], row["missing"]) == ("mine", "holds", [])
    assert row["evidence"].startswith("r_200: one / other < 1? yes: sinewave 0.1")
    (pair,) = evidence["rows"]
    assert pair["says"] == "yes" and pair["ratio_low"] < pair["ratio"] < pair["ratio_high"] < 1
    assert evidence["title"] == "mine" and "source: nobody" in evidence["notes"]


def test_claims_are_a_table_of_the_report_with_a_verdict_each(capsys):
    assert main(["claims", "--out", str(REFERENCE), "--format", "csv"]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert {row["name"] for row in rows} == set(claim.delivered())
    assert {row["verdict"] for row in rows} <= {*VERDICTS}
    (_, tasks), *others = by_task(grouped(REFERENCE))
    assert not others
    for row in rows:
        assert row["verdict"] == judge(claim.delivered()[row["name"]], tasks).verdict
    shown = json.loads(render("claims", REFERENCE, format="json"))[0]["rows"]
    assert {row["name"] for row in shown} <= {row["name"] for row in rows}


def test_without_published_values_there_are_no_claims():
    assert "What papers say" not in render("all", REFERENCE, published=False, tasks=["sinewave"])


def test_a_run_would_make_just_what_is_missing():
    (_, tasks), *_ = by_task(grouped(REFERENCE))
    settings, preset, store = Settings(), presets.load("quick"), Store(REFERENCE)
    for name in ("ren-boundary-helps-na", "ipage-few-steps", "ren-na-lowest-r200"):
        one = claim.delivered()[name]
        cells = together(one.needs(), settings, preset).cells
        absent = [f"{cell.method.label} on {cell.task.label}" for cell in cells if store.read(cell) is None]
        assert len(absent) == len(judge(one, tasks).missing)
        if name.startswith("ren"):
            assert {*absent} == {*judge(one, tasks).missing}


def test_a_dry_run_prints_the_plan_and_no_claims(tmp_path, capsys):
    assert main(["claims", "ren-boundary-helps-na", "--run", "--dry-run", "--out", str(tmp_path / "none")]) == 0
    printed = capsys.readouterr().out
    cells = re.findall(r"^  (\S+)/0 +[0-9a-f]{16}  train", printed, re.MULTILINE)
    needs = claim.delivered()["ren-boundary-helps-na"].needs()
    assert sorted(cells) == sorted(f"{task}/{label}" for task, labels in needs.items() for label in labels)
    assert "8 cells (4 methods × 2 tasks × 1 scenario × 1 seed)" in printed and "holds" not in printed
    assert not (tmp_path / "none").exists()


def test_a_cell_is_called_by_the_options_that_make_it():
    plan = together({"sinewave": ["inn[coupling=spline]", "inn[coupling=affine]"]}, Settings(), presets.load("quick"))
    assert [cell.method.label for cell in plan.cells] == ["inn", "inn[coupling=affine]"]
    assert all(cell.method.options["coupling"] in ("affine", "spline") for cell in plan.cells)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["claims", "ren-na-lowest"], "Unknown claim 'ren-na-lowest'. Did you mean ren-na-"),
        (["claims", "--tasks", "sinwave"], "Unknown task 'sinwave'. Did you mean sinewave"),
        (["claims", "--seeds", "0-2"], "--seeds belongs to --run, which was not given."),
        (["claims", "--format", "yaml"], "Unknown format 'yaml'"),
        (["claims", "--from", "nowhere.toml"], "'nowhere.toml' cannot be read: No such file or directory."),
        (["ablation", "na-bound"], "Unknown ablation 'na-bound'. Did you mean na-boundary"),
        (["ablation", "--run"], "--run needs the name of an ablation. Allowed: couplings, "),
        (["claims", "ipage-maximin", "--tasks", "ballistics"], "No claim that was named is about ballistics."),
    ],
)
def test_wrong_usage_says_what_is_allowed(words, told, capsys):
    assert main([*words, "--out", str(REFERENCE)]) == 2
    assert told in capsys.readouterr().err


def test_ablations_are_listed_and_say_what_they_lack(two, capsys):
    assert main(["ablation"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(ablation.delivered())
    assert main(["ablation", "inn-loss", "--out", str(two)]) == 0
    told = "Missing: 6 of 6 cells (inn[loss=likelihood] on sinewave, inn[loss=mmd] on sinewave, "
    assert told in capsys.readouterr().out


def made_ablation(**fields):
    usual = {"question": "Is it so?", "source": "me", "statistics": "r_T/mse/r_200", "tasks": TASK}
    return ablation.made("own", {**usual, "settings": ["one", "one[steps=50]", "one[steps=5]"], **fields}, "own.toml")


def test_an_ablation_has_a_row_a_setting_with_its_ratio(two):
    (table,) = ablated.tables_of(list(groups(two).values()), made_ablation())
    _, second, third = table.rows
    assert [row["method"] for row in table.rows] == ["one", "one[steps=50]", "one[steps=5]"]
    assert second["r_T/mse/r_200_ratio"] == pytest.approx(10, rel=0.1) and third["status"] is None
    marks = [[cell.mark for cell in cells][1] for cells in table.cells()]
    assert marks == ["best", "", ""]


def test_nothing_is_bold_that_its_interval_does_not_separate(tmp_path):
    for label in ("one", "one[steps=50]"):
        made.write(tmp_path, label, *(errors(len(label) + seed) for seed in range(3)))
    (table,) = ablated.tables_of(list(groups(tmp_path).values()), made_ablation())
    assert [[cell.mark for cell in cells][1] for cells in table.cells()][:2] == ["tied", "tied"]


def test_the_figure_has_the_settings_alone(two):
    every = list(groups(two).values())
    _, kind = kinds()["options"]
    (figure,) = ablated.figures_of(every, made_ablation(), kind.build)
    assert figure.name == "ablation-own" and figure.shown == ("one", "one[steps=50]")


def test_settings_of_ablations_stand_in_their_own_table_alone(tmp_path):
    off, own = "na[boundary_loss=off]", "na[steps=7]"
    for label in ("na", off, own):
        made.write(tmp_path, label, errors(0))
    for name in ("multi-target", "r_T"):
        text = render(name, tmp_path)
        assert off not in text and own in text and "| na " in text
    assert off in render("ablation", tmp_path) and own not in render("ablation", tmp_path)
    (figure,) = drawn(["options"], tmp_path)
    assert {off, own} <= set(figure.shown)


def test_a_setting_without_its_method_is_shown_as_any_row(tmp_path):
    made.write(tmp_path, "na[boundary_loss=off]", errors(0))
    assert "na[boundary_loss=off]" in render("multi-target", tmp_path)


def test_a_report_switches_methods_and_not_the_settings_of_ablations(tmp_path):
    for label in ("na", "na[boundary_loss=off]", "na[steps=7]"):
        made.write(tmp_path, label, errors(0))
    text = page(tmp_path)
    switched = re.findall(r"data-method=.*?<span>(.*?)</span></label>", text)
    assert switched == ["na", "na[steps=7]"]
    assert "na[boundary_loss=off]" in text, "in the table of the ablation"


def test_a_statistic_that_nobody_has_is_named_with_those_that_are_there(two, tmp_path, capsys):
    (tmp_path / "mine.toml").write_text(OWN.replace("r_T/mse/r_200", "r_T/mse/r_201"), encoding="utf-8")
    assert main(["claims", "mine", "--from", str(tmp_path / "mine.toml"), "--out", str(two), "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)[0]["rows"]
    assert row["verdict"] == "not tested" and "r_T/mse/r_201 of one, which has r_T/mse/r_20" in row["missing"][0]


def test_all_statistics_of_a_folder_are_listed_as_claims_name_them(two, capsys):
    assert main(["list", "statistics", "--out", str(two)]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"^    r_T/mse/r_1, .*r_20\b", printed, re.MULTILINE) and "r_T/nmse/" in printed


def test_an_ablation_of_two_methods_has_its_table_when_it_is_named_and_one_of_settings_needs_two_of_them(two):
    several = ablation.Ablation(
        "pair", "Which of the two?", "nobody", ("r_T/mse/r_200",), (TASK,), ("one", "other"), "one"
    )
    (table,) = ablated.tables_of(grouped(two), several)
    assert [row["method"] for row in table.rows] == ["one", "other"]
    settings = ablation.Ablation(
        "steps", "How many?", "nobody", ("r_T/mse/r_200",), (TASK,), ("one", "one[steps=70]", "other"), "one"
    )
    assert ablated.tables_of(grouped(two), settings) == []


def test_an_ablation_of_two_methods_has_the_curves_of_both_and_less_is_better_for_distances(tmp_path, capsys):
    text = 'question = "Which?"\nsource = "nobody"\ntasks = "sinewave"\nsettings = ["mdn", "tandem"]\n'
    (tmp_path / "pair.toml").write_text(text + 'statistics = ["posterior/mmd"]', encoding="utf-8")
    words = ["ablation", "pair", "--from", str(tmp_path / "pair.toml"), "--out", str(REFERENCE)]
    assert main([*words, "--folder", str(tmp_path)]) == 0
    assert {path.suffix for path in tmp_path.glob("ablation-pair.*")} == {".pdf", ".svg", ".png"}
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith(("| mdn", "| tandem"))]
    assert ["**" in row for row in rows] == [True, False]


def test_where_one_method_is_enough_the_best_one_is_the_evidence():
    (_, tasks), *_ = by_task(grouped(REFERENCE))
    found = judge(claim.delivered()["ours-deep-beyond-analytic"], tasks).findings
    enough = [finding for finding in found if finding.check.enough == "any"]
    assert {finding.says for finding in enough} == {"yes", "no"}
    for finding in enough:
        methods = {pair.method for pair in finding.pairs}
        assert len(finding.pairs) == len(finding.check.method) * len(finding.check.than), "all that was compared"
        worst = {name: max(pair.shown[0] for pair in finding.pairs if pair.method == name) for name in methods}
        assert finding.nearest.method == min(worst, key=worst.get)
        assert finding.nearest.shown[0] == min(worst.values())


def test_what_is_missing_in_a_scenario_is_planned_there():
    needs = {"sinewave": ("mdn @ noise", "mdn", "prior @ noise", "prior @ shift"), "ballistics": ("mdn @ noise",)}
    plan = together(needs, Settings(), presets.load("smoke"))
    assert {cell.label for cell in plan.cells} == {
        "sinewave/mdn/noise/0",
        "sinewave/mdn/0",
        "sinewave/prior/noise/0",
        "sinewave/prior/shift/0",
        "ballistics/mdn/noise/0",
    }
    assert plan.axes == (2, 2, 3)


def test_claims_about_scenarios_are_found_in_their_records(tmp_path, capsys):
    planned = stored.cells("lookup,prior", "sinewave", scenarios="base,noise[sd=0.5]", protocols="multi-target")
    results.run(tmp_path / "ran", planned)
    text = OWN.replace("r_T/mse/r_200", "multi-target/nmse/mean").replace('"one"', '"lookup @ noise[sd=0.5]"')
    text = text.replace('"other"', '"lookup"')
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    words = ["claims", "mine", "--from", str(tmp_path / "mine.toml"), "--out", str(tmp_path / "ran")]
    assert main([*words, "--format", "json"]) == 0
    _, evidence = json.loads(capsys.readouterr().out)
    values = frame(tmp_path / "ran")
    means = values[(values.statistic == "mean") & (values.metric == "nmse") & (values.method == "lookup")]
    by_scenario = dict(zip(means.scenario, means.value, strict=True))
    (pair,) = evidence["rows"]
    assert pair["mean"] == pytest.approx(by_scenario["noise[sd=0.5]"] / by_scenario["base"])
    (tmp_path / "mine.toml").write_text(text.replace("@ noise", "@ noize"), encoding="utf-8")
    assert main(words) == 2 and "Unknown scenario 'noize'. Did you mean noise?" in capsys.readouterr().err


def test_of_a_folder_of_scenarios_alone_it_says_that_there_is_nothing_to_judge(tmp_path, capsys):
    results.run(tmp_path / "noisy", results.cells("lookup", "sinewave", "noise", asked="r_T"))
    assert main(["claims", "--out", str(tmp_path / "noisy")]) == 2
    printed = capsys.readouterr()
    assert "Claims speak of tasks without a scenario" in printed.err and not printed.out
