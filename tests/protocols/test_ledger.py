"""The ledger has every published value, beside ours where there is one, and judges errors of the same problem alone."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

import methods.published
from harness import frame
from harness.cli import main
from harness.protocols import ledger
from harness.reporting import grouped, render
from harness.reporting.published import every
from methods.published import MEASURES
from tests import results
from tests.claims.made import REFERENCE

FOLDER = Path(methods.published.__file__).parent


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    return results.shared(tmp_path_factory)


@pytest.fixture
def found(ran):
    return ledger.entries(grouped(ran, tasks=results.TASKS))


def rows_of(paper):
    with (FOLDER / f"{paper}.csv").open(encoding="utf-8") as stream:
        return [row for row in csv.DictReader(stream) if row["metric"] in MEASURES]


@pytest.mark.parametrize("paper", methods.published.PAPERS)
def test_every_printed_number_is_an_entry(paper):
    printed = [row for row in rows_of(paper) if not row["value"].startswith("<")]
    assert len([value for value in every() if value.paper == paper]) == len(printed) > 5


def test_ours_are_the_numbers_of_the_tables(ran, found):
    tables = {
        (name, table["task"], row["method"]): row
        for name, metric in (("multi-target", "sse"), ("fixed-target", "sse"), ("r_T", "mse"), ("posterior", None))
        for table in json.loads(render(name, ran, metric=metric, tasks=results.TASKS, format="json"))
        for row in table["rows"]
    }
    seen = Counter()
    for entry in found:
        value = entry.value
        if entry.ours is None or value.measure in ledger.COSTS:
            continue
        curve = value.measure.startswith("r_")
        row = tables["r_T" if curve else value.measure, value.task, value.method]
        key = value.measure if curve else "mmd_biased" if value.measure in ledger.DISTANCES else "mean"
        assert entry.ours == row[key]
        seen[value.measure] += 1
    assert set(seen) >= {"multi-target", "fixed-target", "r_1", "posterior"}


@pytest.mark.parametrize(
    ("factor", "verdict"), [(0.5, "better"), (1.0, "better"), (1.5, "within 2x"), (2.0, "within 2x"), (2.01, "worse")]
)
def test_verdicts_are_by_the_ratio(found, factor, verdict):
    entry = next(one for one in found if one.ours and one.value.measure == "r_1")
    own = replace(entry, value=replace(entry.value, value=entry.ours / factor))
    assert own.verdict == verdict and own.ratio == pytest.approx(factor)
    assert replace(own, value=replace(own.value, comparable=False)).verdict == "not comparable"
    assert replace(own, value=replace(own.value, measure="seconds")).verdict == "not comparable"
    assert replace(own, row=None).verdict == "not run"


def test_what_has_no_number_of_ours_says_why(found):
    for entry in found:
        assert (entry.ours is None) == bool(entry.why[0]), entry
    assert {entry.why[0] for entry in found} >= {"", "not measured here", "tasks that were not run"}


def test_the_first_lines_count_what_the_table_shows(ran):
    (table,) = (each for each in ledger.ledger(grouped(ran, tasks=results.TASKS)) if each.facts["preset"] == "tiny")
    of_methods = [row for row in table.rows if not row["baseline"]]
    shown = [row for row in of_methods if row["measure"] in ledger.ERRORS and not row["second_hand"]]
    verdicts = Counter(row["verdict"] for row in shown)
    judged = sum(verdicts[name] for name in ("better", "within 2x", "worse"))
    assert table.notes[0].startswith(f"of {judged} published errors of the same problem ours is smaller in ")
    assert f"larger in {verdicts['worse']};" in table.notes[0]
    assert sum(note.startswith("worse: ") for note in table.notes) == sum(
        row["verdict"] == "worse" for row in of_methods
    )
    said = {note.partition(": ")[0]: note.partition(": ")[2] for note in table.notes}
    for row in table.rows:
        assert {said[str(place)] for place in row["notes"]} == set(row["differences"])


@pytest.mark.parametrize("name", ["notes", "tried"])
def test_every_note_is_about_a_value_and_has_its_evidence(name):
    with (FOLDER / f"{name}.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert rows and all(all(row.values()) for row in rows)
    used = {text for value in every() for _, text in value.differences} | {value.tried for value in every()}
    assert {row["differs" if name == "notes" else "tried"] for row in rows} <= used


def test_the_verb_shows_papers_and_tasks_and_names_what_is_wrong(ran, capsys):
    assert (
        main(["compare", "--out", str(ran), "--to", "ren2020,ipage2023", "--tasks", "sinewave", "--format", "csv"]) == 0
    )
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert {row["paper"] for row in rows} == {"ren2020", "ipage2023"} and {row["task"] for row in rows} == {"sinewave"}
    for wrong, message in (
        (["--to", "ren"], "Unknown paper 'ren'. Did you mean ren2022 or ren2020?"),
        (["--tasks", "sinwave"], "Unknown task 'sinwave'. Did you mean sinewave"),
        (["--format", "yaml"], "Unknown format 'yaml'"),
    ):
        assert main(["compare", "--out", str(ran), *wrong]) == 2
        assert message in capsys.readouterr().err


def test_tables_without_published_values_have_no_ledger(ran):
    assert "ledger" not in render("all", ran, published=False) and "Published" not in render(
        "all", ran, published=False
    )


def test_distances_to_a_posterior_stand_beside_that_of_an_exact_sampler():
    tables = ledger.ledger(grouped(REFERENCE), papers=["kruse2021", "ren2020"])
    (said,) = (note for table in tables for note in table.notes if note.startswith("posterior: "))
    exact = {task: float(value) for value, task in re.findall(r"(\S+) \(([a-z_]+(?:\[\S+\])?)\)", said)}
    values = frame(REFERENCE)
    for task, value in exact.items():
        own = values[(values.statistic == "itself_mmd_biased") & (values.task == task) & (values.scenario == "base")]
        assert value == pytest.approx(own.value.median(), rel=0.1)
    assert exact["robotic_arm[convention=kruse]"] > 5 * exact["robotic_arm"], "107 designs there, a thousand here"


def test_where_ours_is_larger_it_says_what_was_tried():
    worse = [entry for entry in ledger.entries(grouped(REFERENCE)) if entry.verdict == "worse"]
    assert worse and all(entry.value.tried for entry in worse)
