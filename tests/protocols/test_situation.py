"""Advice for a user's situation is read from the records that are nearest to it, and says what there are none of."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from harness import comparing, config
from harness.advising import again
from harness.cli import build_parser, joined, main
from harness.protocols.advice import advice
from harness.protocols.calls import of_calls
from harness.protocols.choosing import choices
from harness.protocols.evidence import Evidence, Known, Missing, Place
from harness.protocols.metered import Metered
from harness.protocols.situation import TOGETHER, Situation, advised
from harness.protocols.studies import of_gaps, of_noise, of_pairs, of_study
from harness.protocols.together import explained, recommended
from harness.reporting import grouped, render
from harness.reporting.bases import learned_alike
from harness.searching import ENOUGH
from harness.selection import select
from tests import results

SIZES = {60: "pairs[n=60]", 100: "unpaired[lone=none,n=100]", 150: "pairs[n=150]"}
ASKED = "multi-target,r_T,inference-time"


@pytest.fixture(scope="module")
def root(ran, tmp_path_factory):
    """The shared folder, with few pairs, more gaps and more methods that calls may be made for."""
    folder = tmp_path_factory.mktemp("situation") / "tiny"
    shutil.copytree(ran, folder)
    results.run(folder, results.cells("mdn,lookup,prior", "robotic_arm", ",".join(SIZES.values()), asked=ASKED))
    gaps = "gaps,gaps[fill=native],gaps[fill=native,share=0.6,hide=random]"
    results.run(folder, results.cells("lookup,prior", "robotic_arm", gaps, asked=ASKED))
    results.run(folder, results.cells("mdn,prior", "robotic_arm", "metered[calls=12,targets=12]", asked="metered"))
    return folder


@pytest.fixture(scope="module")
def groups(root):
    return grouped(root, "robotic_arm")


@pytest.fixture(scope="module")
def known(groups):
    (alike,) = learned_alike(groups)
    return Known(tuple(alike))


@pytest.fixture(scope="module")
def whole(known):
    """How many pairs the task has without a scenario."""
    return known.base.first.data.n_train + known.base.first.data.n_valid


def plain(groups, scenario, **budgets):
    """The rows of `advise` without a situation, of one scenario."""
    task = "robotic_arm" if scenario is None else f"robotic_arm, {select('scenarios', scenario)[0].label}"
    (table,) = advice([group for group in groups if group.task == task], "nmse", **budgets)
    return [{key: value for key, value in row.items() if key not in ("task", "within")} for row in table.rows]


def rows(groups, **situation):
    tables, missing = advised(groups, "nmse", Situation(**situation), again, "results/tiny")
    return [row for table in tables for row in table.rows], missing


def bare(row):
    return {key: value for key, value in row.items() if key not in ("task", "asked", "records")}


def test_with_all_pairs_or_more_the_advice_is_that_without_a_scenario(groups, whole):
    for pairs in (whole, 10 * whole):
        (row,), missing = rows(groups, pairs=pairs)
        assert [bare(row)] == plain(groups, None, seconds=(), simulations=(1,)) and missing == []
        assert row["records"] == f"base ({whole} pairs)" and row["asked"] == f"{pairs} pairs"


@pytest.mark.parametrize("pairs", [60, 99, 100, 149, 150, 151])
def test_of_the_numbers_of_pairs_the_nearest_below_is_read(groups, pairs):
    scenario = SIZES[max(size for size in SIZES if size <= pairs)]
    (row,), _ = rows(groups, pairs=pairs)
    assert row["records"] == scenario
    assert [bare(row)] == plain(groups, scenario, seconds=(), simulations=(1,))


def test_budgets_hold_within_the_records_of_the_condition(groups):
    found, _ = rows(groups, pairs=100, seconds=(1e9,), simulations=(1, 8))
    own = plain(groups, SIZES[100], seconds=(1e9,), simulations=(1, 8))
    assert [bare(row) for row in found[:-1]] == own and found[-1]["asked"] == TOGETHER
    assert [row["asked"] for row in found[:-1]] == [
        *("100 pairs, 1 simulation", "100 pairs, 8 simulations", "100 pairs, 1e9 s a design")
    ]
    assert rows(groups, pairs=100, seconds=(1e-12,))[1][0] == (
        "robotic_arm: no method has numbers in unpaired[lone=none,n=100] within 1e-12 s a design"
    )


def test_gaps_are_those_of_the_nearest_share_and_no_method_is_asked_natively_that_cannot(known):
    near, far = ([each.records for each in of_gaps(known, share)] for share in (0.1, 0.9))
    assert near == ["gaps[hide=window,share=0.3]"] and far == ["gaps[hide=random,share=0.6]"]
    ((study,), (only,)) = (of_gaps(known, share) for share in (0.3, 0.6))
    (row,), (native,) = (tuple(of_study(each, "nmse", (), ())) for each in (study, only))
    labels = {place.label for place in row.places}
    assert {"mdn (nearest)", "lookup (nearest)", "lookup (native)", "prior (native)"} <= labels
    assert "mdn (native)" not in labels and {place.method for place in native.places} == {"lookup", "prior"}
    assert all(place.method != "mdn" for place in native.places) and row.raw["method"] == row.places[0].label


def test_whatever_the_fill_the_same_is_hidden_of_the_same_targets(known):
    """Draws of the prior do not depend on what is asked: their errors differ only where what is scored differs."""
    (study,) = of_gaps(known, 0.3)
    found = [choice for how, group in study.groups for choice in choices(group, "nmse", 1, how=how)]
    errors = [choice.drawn.of_targets for choice in found if choice.row.label == "prior"]
    assert len(errors) == 2
    np.testing.assert_array_equal(*errors)


def studies(known):
    return [of_pairs(known, 100), *of_gaps(known, 0.3), of_noise(known, 0.2)]


def evidence(known):
    """All conditions that there are records for."""
    found = [row for study in studies(known) for row in of_study(study, "nmse", (), ())]
    return [*found, *of_calls(known, 12)]


def test_what_leads_is_what_the_comparison_on_the_same_targets_leaves_open(known):
    for study in studies(known):
        (row,) = of_study(study, "nmse", (), ())
        found = {choice.label: choice for choice in study.choices("nmse", 1, None)}
        best = row.places[0]
        assert best.error == min(choice.error for choice in found.values()) and len(found) == len(row.places)
        for place in row.places:
            doubt = comparing.apart(found[best.label].drawn, found[place.label].drawn) == 0
            below = place.error <= found[place.label].floor
            assert place.leads == (place is best or doubt or below), place
    (calls,) = of_calls(known, 12)
    best = calls.places[0]
    errors = {place.label: errors_by_target(calls.groups[0], place.label) for place in calls.places}
    worse = 0
    for place in calls.places:
        found = comparing.compare(errors[best.label], errors[place.label], least=ENOUGH)
        sure = found.separated and found.log_ratio < 0
        worse += sure
        assert place.leads == (place is best or not sure or place.error <= ENOUGH), place
    assert worse, "some search is worse for sure"
    assert calls.raw["sure"] == (not next(place for place in calls.places if place.label == calls.raw["next"]).leads)


def errors_by_target(group, label):
    """The least nmse of each target with twelve calls, as it stands beside the records."""
    search = label.partition(" (")[2].rstrip(")") or "none"
    rows = {row.label: row for row in group.rows}
    method = label.partition(" (")[0]
    name = f"{search}_12" if method in rows else f"prior_{search}_12"
    return rows.get(method, group.rows[0]).of_targets("metered", name)


def test_noise_is_judged_against_the_y_behind_it(root, groups, known):
    (table,) = (
        one for one in json.loads(render("scenario", root, format="json")) if one["scenario"].startswith("noise")
    )
    wanted = {row["method"]: row["true y.mean"] for row in table["rows"] if row["true y.mean"] is not None}
    (row,) = of_study(of_noise(known, 0.2), "nmse", (), (1, 8))
    assert {place.label: place.error for place in row.places} == pytest.approx(wanted)
    (shown,), _ = rows(groups, noise=0.2, simulations=(1, 8))
    assert shown["asked"] == "noise of 0.2 on y" and shown["records"] == "noise[sd=0.05]"
    assert shown["error"] == pytest.approx(min(wanted.values()))


def test_the_recommendation_leads_in_every_row_and_there_is_none_where_nothing_does(known):
    every = evidence(known)
    for several in (every, every[:2], every[1:], [every[0], every[-1]]):
        best, following = recommended(several)
        common = set.intersection(*({place.method for place in row.places if place.leads} for row in several))
        assert (best in common) if common else best is None
        assert following is None or all(following in row.by_method for row in several)
        text = explained(several)
        assert all(row.asked in text for row in several) and (best is None) == text.startswith("no method")


def made(asked, *places):
    found = tuple(
        Place(label.partition(" ")[0], label, error, "prior" in label, leads, leads) for label, error, leads in places
    )
    return Evidence(asked, "base", {}, found, 1e-9, ())


def test_of_several_the_one_with_the_better_places_is_named():
    few = made("few", ("a", 1.0, True), ("b", 1.1, True), ("c", 1.2, True))
    other = made("gaps", ("b (native)", 1.0, True), ("c", 1.1, True), ("a", 1.2, True))
    assert recommended([few, other]) == ("b", "a")
    assert explained([few, other]) == "b: not told apart from a with few; as b (native) the best with gaps"


def test_the_trade_off_is_said_with_the_ratios_of_the_errors():
    few = made("few", ("a", 1.0, True), ("b", 2.0, False), ("c", 9.0, False))
    other = made("gaps", ("c", 1e-12, True), ("b", 3e-9, False), ("a", 5e-9, False))
    assert recommended([few, other]) == (None, None)
    assert explained([few, other]) == (
        "no method is the best, or not told apart from the best, in all of these. a: the best with few; 5.0 times the "
        "error of c with gaps. c: 9.0 times the error of a with few; the best with gaps. The least far off in all of "
        "them: b, with at most 3.0 times the least error"
    )


@pytest.mark.parametrize("calls", [1, 2, 9, 12, 5000])
def test_calls_are_the_medians_of_the_table_metered(root, known, calls):
    found, *beyond = of_calls(known, calls)
    count = int(found.records.rpartition(", ")[2].split()[0])
    scenario = found.groups[0].first.label.scenario
    (table,) = (one for one in json.loads(render("metered", root, format="json")) if one["scenario"] == scenario)
    counts = [int(key.removeprefix("median_")) for key in table["rows"][-1] if key.startswith("median_")]
    assert count == max(each for each in counts if each <= calls)
    medians = [row[f"median_{count}"] for row in table["rows"]]
    assert found.raw["error"] == pytest.approx(min(medians)) and len(found.places) == len(medians)
    needed = [row["needed"] for row in table["rows"] if row["needed"] is not None and row["needed"] <= calls]
    tried = min(calls, counts[-1])
    assert [item.scenarios for item in beyond] == [f"metered[calls={calls}]"] * (calls > tried)
    assert found.notes[0].startswith(f"within {tried} call{'s' * (tried > 1)} no search reaches ") == (not needed), (
        "more were not tried"
    )


def test_what_is_missing_is_said_with_the_command_that_makes_it(root, known, tmp_path, monkeypatch):
    every = grouped(root)
    _, missing = rows(every, pairs=50, noise=0.1, gaps=0.5, calls=5)
    text = "\n".join(missing)
    assert "robotic_arm: no records with 50 pairs or fewer (the fewest are 60), so that the advice leaves" in text
    assert "sinewave: y is one number" in text and "sinewave: no records with noise on y." in text
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text('preset = "smoke"\n')
    commands = re.findall(r"`python -m harness (run .*?)`", text)
    assert len(commands) == 6 == text.count("`python") and text.count("` runs the others") == 2
    for command in commands:
        assert main([*shlex.split(command), "--dry-run"]) == 0


def test_what_the_command_runs_is_what_was_missing(root, tmp_path):
    own = tmp_path / "tiny"
    shutil.copytree(root, own)
    _, missing = rows(grouped(own, "robotic_arm"), pairs=50)
    (command,) = re.findall(r"`python -m harness (run .*?)`", missing[0])
    given = vars(build_parser()[0].parse_args(joined(shlex.split(command))))
    (scenarios,), (tasks,) = given["scenarios"], given["tasks"]
    results.run(own, results.cells("lookup,prior", tasks, scenarios, asked=ASKED))
    (row,), (missing,) = rows(grouped(own, "robotic_arm"), pairs=50)
    assert row["records"] == "pairs[n=50]" and "2 of 4 methods were run in pairs[n=50]. " in missing
    (command,) = re.findall(r"`python -m harness (run .*?)`", missing)
    (others,) = vars(build_parser()[0].parse_args(joined(shlex.split(command))))["methods"]
    assert set(others.split(",")) == {"mdn", "na"}
    results.run(own, results.cells(others, tasks, scenarios, asked=ASKED))
    assert rows(grouped(own, "robotic_arm"), pairs=50)[1] == []


def test_pairs_are_read_from_all_scenarios_in_which_the_same_pairs_are_learned_from(root, tmp_path):
    """Both draw the same 100 of the usual pairs, so that their methods are compared on the same data."""
    own = tmp_path / "tiny"
    shutil.copytree(root, own)
    results.run(own, results.cells("lookup,na", "robotic_arm", "fidelity[budget=100,use=top]", asked=ASKED))
    (alike,) = learned_alike(grouped(own, "robotic_arm"))
    study = of_pairs(Known(tuple(alike)), 100)
    assert study.records == "unpaired[lone=none,n=100], fidelity[budget=100,use=top]"
    assert len({(group.split, group.targets) for _, group in study.groups}) == 1
    (row,) = of_study(study, "nmse", (), ())
    assert sorted(place.method for place in row.places) == ["lookup", "mdn", "na", "prior"], "each once"
    assert study.absent(Known(tuple(alike))) is None


@pytest.mark.parametrize("situation", [{"gaps": 0.3}, {"noise": 0.1}, {"pairs": 100}])
def test_records_that_lack_scores_are_not_called_missing(tmp_path, situation):
    wanted = "gaps[share=0.3],noise,pairs[n=100]"
    results.run(tmp_path, results.cells("prior", "robotic_arm", wanted, asked="fixed-target"))
    found, (said,) = rows(grouped(tmp_path), **situation)
    assert found == [] and " were not scored by " in said
    (command,) = re.findall(r"`python -m harness (.*?)`", said)
    given = vars(build_parser()[0].parse_args(joined(shlex.split(command))))
    assert given["protocols"]


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """Five targets, which searches come to the end of."""
    folder = tmp_path_factory.mktemp("searched")
    wanted = "metered[calls=200,targets=5]"
    results.run(folder, results.cells("lookup,prior", "robotic_arm", wanted, asked="multi-target,metered"))
    (alike,) = learned_alike(grouped(folder))
    return Known(tuple(alike))


def test_searches_that_have_ended_are_alike_and_the_one_with_the_fewest_calls_stands_first(searched):
    (found,) = of_calls(searched, 200)
    ended = [place for place in found.places if place.error <= ENOUGH]
    assert len(ended) > 1 and found.places[: len(ended)] == tuple(ended), "the test is of searches that have ended"
    (table,) = Metered().tables()["metered"].build([*found.groups], None, False)
    needed = {f"{raw['method']} ({raw['search']})": raw["needed"] for raw in table.rows}
    order = [(needed[place.label], place.error) for place in ended]
    assert order == sorted(order) and found.raw["method"] == ended[0].label
    assert any("smaller errors are alike" in note for note in found.notes)


def test_of_few_targets_it_is_not_known_whether_learning_pays(searched):
    (found,) = of_calls(searched, 200)
    assert found.notes[0].startswith("5 targets cannot tell whether learning pays: to reach an nmse of 1e-4 for half")
    (table,) = Metered().tables()["metered"].build([*found.groups], None, False)
    place = [column.title for column in table.columns].index("learning pays from")
    cells = {
        (raw["method"], raw["search"]): row[place].text for raw, row in zip(table.rows, table.cells(), strict=True)
    }
    assert cells["lookup", "lm"] == "not known" and cells["prior", "lm"] == "–", "the prior learns nothing"
    assert any(note.startswith("not known: 5 targets cannot tell") for note in table.notes)


def test_errors_below_that_of_a_proxy_are_not_told_apart(searched):
    (group,) = searched.groups
    records = {record.key: msgspec.structs.replace(record, data=floored(record.data)) for record in group.records}
    own = [replace(row, records=tuple(records[record.key] for record in row.records)) for row in group.rows]
    (found,) = of_calls(Known((replace(group, rows=tuple(own)),)), 200)
    below = [place for place in found.places if place.error <= 1e-3]
    assert len(below) > 2 and all(place.leads for place in below) and found.least == found.raw["floor"] == 1e-3
    assert found.raw["sure"] is None, "it is below the floor"
    (table,) = Metered().tables()["metered"].build([*found.groups], None, False)
    assert any("the error of the forward model of robotic_arm" in note for note in table.notes)
    marks = {cell.mark for row in table.cells() for cell in row}
    assert "below floor" in marks


def floored(known_data):
    return msgspec.structs.replace(known_data, floor={"nmse": 1e-3})


@pytest.mark.parametrize("given", [{}, {"epochs": "3", "targets": "20"}, {"budget": "9000", "validation": True}])
def test_the_flags_of_a_run_are_those_that_give_its_preset(root, tmp_path, given):
    wanted = config.load({"preset": "smoke", **given})[1]
    record = results.load(root)["sinewave", "mdn", "base"]
    results.write(tmp_path, results.variant(record, preset=wanted.name))
    flags, remark = again(grouped(tmp_path))
    found = vars(build_parser()[0].parse_args(["run", *shlex.split(flags)]))
    methods = found.pop("methods")
    assert config.load({key: value for key, value in found.items() if key not in ("verb", "config")})[1] == wanted
    assert methods == ["mdn"] and remark == ""


def test_the_verb_says_it_and_names_what_is_wrong(root, capsys):
    flags = ["--tasks", "robotic_arm", "--pairs", "100", "--calls", "12", "--gaps", "0.3", "--noise", "0.1"]
    assert main(["advise", "--out", str(root), *flags]) == 0
    said = capsys.readouterr().out
    assert "### Which method to use" in said and "robotic_arm, all of these: " in said
    for asked in ("100 pairs", "30 % of y not known", "noise of 0.1 on y", "12 calls a target", TOGETHER):
        assert re.search(rf"^\| robotic_arm +\| +{asked} \|", said, re.MULTILINE)
    for wrong, message in (
        (["--pairs", "3"], "--pairs = '3' is not allowed. Allowed: a whole number, 4 or more, such as 300."),
        (["--pairs", "many"], "--pairs = 'many' is not allowed. Allowed: a whole number, 4 or more"),
        (
            ["--gaps", "30"],
            "--gaps = '30' is not allowed. Allowed: a number, more than 0 and less than 1, such as 0.3.",
        ),
        (["--noise", "0"], "--noise = '0' is not allowed. Allowed: a number, more than 0"),
        (["--calls", "0"], "--calls = '0' is not allowed. Allowed: a whole number, 1 or more"),
        (["--calls", "9", "--metric", "mse"], "--metric = 'mse' is not allowed with --calls. Allowed: nmse."),
        (["--noise", "1", "--metric", "sse"], "--metric = 'sse' is not allowed with --noise. Allowed: nmse."),
        (["--pairs", "9", "--tasks", "sinewave"], "sinewave: no records with 9 pairs or fewer (the fewest are "),
    ):
        assert main(["advise", "--out", str(root), *wrong]) == 2
        assert message in capsys.readouterr().err


def test_without_any_record_of_a_condition_there_is_no_table(groups):
    base = [group for group in groups if group.first.declared.scenario is None]
    found, missing = rows(base, noise=0.1, calls=100)
    assert found == [] and [line.partition("`")[0] for line in missing] == [
        "robotic_arm: no records with noise on y. ",
        "robotic_arm: no records of calls to the simulator. ",
    ]
    assert isinstance(of_noise(Known(tuple(base)), 0.1), Missing)
