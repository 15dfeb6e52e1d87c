"""The reference results that the repository holds: intact, complete, and the ones that README and docs show."""

import json
import re
from collections import defaultdict
from itertools import product
from pathlib import Path

import pytest

from docs import shown
from harness import by_target
from harness.reporting import drawn, render
from harness.reporting.captions import NAME, captions
from harness.reporting.drawing import pages
from harness.reporting.figure import stems
from harness.store import Store, verify

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "results" / "reference"
NUMBER = re.compile(r"(?<![\w.])-?\d+\.\d+(?:e-?\d+)?")
SCENARIOS = {
    "gaps",
    "shift",
    "conditions",
    "noise",
    "metered",
    "transfer",
    "fidelity",
    "active",
    "unpaired",
    "corrupted",
}
"""Of which the reference has records."""
SUFFIXES = {"markdown": "md", "latex": "tex", "csv": "csv", "json": "json"}


def test_the_reference_records_are_intact_and_cover_every_method_and_task() -> None:
    assert verify(REFERENCE) == []
    records = [record for record in Store(REFERENCE).records() if record.declared.scenario is None]
    assert {record.status for record in records} == {"ok"}
    seeds = defaultdict(set)
    for record in records:
        seeds[record.label.task, record.label.method].add(record.declared.seed)
    usual = {cell: found for cell, found in seeds.items() if "[" not in cell[1]}
    assert len(records) == sum(map(len, seeds.values()))
    methods, tasks = {method for _, method in usual}, {task for task, _ in usual}
    assert (len(methods), len(tasks)) == (18, 9) and "robotic_arm[convention=kruse]" in tasks
    assert {*product(tasks, methods)} == {*usual}
    several = {task for (task, _), found in usual.items() if found == {0, 1, 2}}
    assert several == {"ballistics", "crystal", "robotic_arm", "sinewave"}
    assert all(found == {0} for (task, _), found in usual.items() if task not in several)


def test_every_scenario_of_the_reference_has_a_row_for_every_method_that_takes_part() -> None:
    records = [record for record in Store(REFERENCE).records() if record.declared.scenario is not None]
    found = defaultdict(dict)
    for record in records:
        found[record.label.task, record.label.scenario][record.label.method] = record.status
    assert {scenario.partition("[")[0] for _, scenario in found} >= SCENARIOS
    for (task, scenario), methods in found.items():
        assert {*methods.values()} <= {"ok", "cannot"} and "ok" in methods.values(), (task, scenario)
        whole = scenario.partition("[")[0] in {"gaps", "shift", "conditions", "noise", "metered"}
        assert not whole or len(methods) == 18, (task, scenario)
    assert len(records) == sum(map(len, found.values()))


def test_errors_with_and_without_wrong_pairs_are_of_the_same_targets() -> None:
    (table, *_) = json.loads(render("corruption", REFERENCE, tasks="robotic_arm", format="json"))
    none_wrong = {row["method"]: row["error_0"] for row in table["rows"]}
    for record in Store(REFERENCE).records():
        if (record.label.task, record.label.scenario, record.declared.seed) == ("robotic_arm", "base", 0):
            errors = by_target.read(Store(REFERENCE).folder(record), "multi-target", "nmse")["nmse"]
            assert record.label.method not in none_wrong or none_wrong[record.label.method] == pytest.approx(
                errors[:300].mean(), rel=1e-5
            )


def test_misses_are_foretold_without_scenarios_and_where_targets_may_be_out_of_reach() -> None:
    made = json.loads(render("abstention", REFERENCE, format="json"))
    tasks = {row["task"] for table in made for row in table["rows"]}
    assert {task.partition(", ")[2] for task in tasks} == {"", "shift"}


@pytest.mark.parametrize("form", SUFFIXES)
def test_the_rendered_tables_are_those_of_the_records(form: str) -> None:
    stored = (REFERENCE / "tables" / f"all.{SUFFIXES[form]}").read_text()
    made = render("all", REFERENCE, format=form).rstrip("\n") + "\n"
    # The ends of intervals come from products of matrices, whose last bits differ between processors.
    for one, other in zip(stored.splitlines(), made.splitlines(), strict=True):
        if one != other:
            assert NUMBER.sub("#", one) == NUMBER.sub("#", other)
            pairs = zip(NUMBER.findall(one), NUMBER.findall(other), strict=True)
            assert all(float(a) == pytest.approx(float(b), rel=1e-9) for a, b in pairs), one


@pytest.mark.parametrize(("page", "name"), shown.REGIONS)
def test_a_page_shows_what_the_reference_records_say(page: str, name: str) -> None:
    text = shown.updated(page, name, shown.REGIONS[page, name]())
    assert text == (ROOT / page).read_text(encoding="utf-8") and text.count("\n| ") > 5


@pytest.mark.parametrize("name", ["error-and-time.png", "posterior.png"])
def test_the_figures_of_the_readme_are_there(name: str) -> None:
    path = shown.FIGURES / name
    assert path.read_bytes().startswith(b"\x89PNG")
    assert f"({path.relative_to(ROOT)})" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_figures_are_those_of_the_records() -> None:
    parts = [page for figure in drawn(["all"], REFERENCE) for page in pages(figure)]
    named = dict(zip(stems(parts), parts, strict=True))
    assert (REFERENCE / "figures" / NAME).read_text(encoding="utf-8") == captions(named)
    assert {path.stem for path in (REFERENCE / "figures").glob("*.pdf")} == set(named)
