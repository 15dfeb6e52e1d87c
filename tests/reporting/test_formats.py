"""Every table of every protocol in all formats, from records of every kind."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil

import msgspec
import pytest

from harness.errors import UsageError
from harness.metrics import METRICS
from harness.protocols.diagnosis import Found
from harness.protocols.operators import Compared
from harness.reporting import ALL, protocols, render, tables
from harness.reporting.formats import FORMATS, markdown
from harness.reporting.table import Table
from harness.store import Store
from tests import results

NAMES = [*tables(), ALL]


@pytest.fixture(scope="module")
def full(ran, tmp_path_factory):
    """All that ran, with the scores that only some tasks have, and a cell that failed."""
    compared = {of: Compared(8, 1.0, 0.1, 0.2, 0.3) for of in ("targets", "fixed")}
    records = []
    for item in results.load(ran).values():
        if item.status == "ok":
            item = results.scored(item, "operators", operator="full", compared=compared)
            item = results.scored(item, "diagnosis", found={"height [m]": Found(8, 2.0, 1.5)})
            item = results.scored(item, "recall", images=24, T=[1, 8], found=[0.03, 0.5])
            item = results.scored(item, "invalid", valid=0.9)
        records.append(item)
    lost = results.failed(results.renamed(records[0], "tandem"))
    root = results.write(tmp_path_factory.mktemp("full"), *records, lost, *judged(results.load(ran)))
    for item in records:
        for file in Store(ran).folder(item).glob("by-target-*"):
            shutil.copy(file, Store(root).folder(item))
    return root


def judged(known):
    """What a claim compares with `na`, and another setting of that."""
    na = known["sinewave", "na", "base"]
    method = msgspec.structs.replace(na.declared.method, options={**na.declared.method.options, "boundary_loss": False})
    declared = msgspec.structs.replace(na.declared, method=method)
    label = msgspec.structs.replace(na.label, method="na[boundary_loss=off]")
    yield results.variant(na, declared=declared, label=label)
    yield results.renamed(known["sinewave", "mdn", "base"], "ipage")


def test_each_table_belongs_to_an_installed_protocol():
    assert {owner for owner, _ in tables().values()} <= {*protocols()}
    places = [shown.place for _, shown in tables().values()]
    assert places == sorted(places)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", NAMES)
def test_every_table_renders_in_every_format(full, name, format):
    assert len(render(name, full, format=format)) > 100


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", NAMES)
def test_every_table_renders_in_every_metric_that_it_can_show_and_refuses_others(full, name, metric):
    allowed = [*METRICS] if name == ALL else tables()[name][1].metrics
    if metric in allowed:
        found = json.loads(render(name, full, metric=metric, format="json"))
        assert found and all(table["metric"] in (metric, *([None] if name == ALL else [])) for table in shown(found))
        return
    with pytest.raises(UsageError, match=f"cannot show the metric '{metric}'. Allowed: ") as refused:
        render(name, full, metric=metric)
    assert all(other in str(refused.value) for other in allowed) and (allowed or "none" in str(refused.value))


def shown(found):
    """The tables that can show a metric of choice."""
    return [table for table in found if len(tables()[table["table"]][1].metrics) > 1]


def test_all_holds_every_table_and_each_shared_note_once(full):
    found = json.loads(render(ALL, full, format="json"))
    assert {table["table"] for table in found} == {*tables()}
    text = render(ALL, full)
    assert text.count("Preset tiny") == 1 and "### Notes to several tables" in text


def test_a_shared_note_names_its_tasks_where_another_table_does_not_have_it():
    def made(task, *notes, name="errors"):
        return Table(name, task or "all", {"task": task}, (), (), notes)

    own = ("of one alone", "of all", "of two", "of a and c, as it says", "of two kinds")
    tables = [made("a", *own), made("b", "of all", "of two", "of two kinds"), made("c", "of all", own[3])]
    text = markdown([*tables, made("a", "of two kinds", name="others")])
    assert [line.removeprefix("- ") for line in text.splitlines() if line.startswith("- ")] == [
        *("of one alone", "of all", "a; b: of two", "of a and c, as it says", "a; b: of two kinds")
    ]


@pytest.mark.parametrize("name", NAMES)
def test_json_and_csv_hold_the_same_rows(full, name):
    found = json.loads(render(name, full, format="json"))
    lines = list(csv.DictReader(io.StringIO(render(name, full, format="csv"))))
    rows = [(table["table"], row["method"]) for table in found for row in table["rows"]]
    assert [(line["table"], line["method"]) for line in lines] == rows
    assert all(None not in line for line in lines)


@pytest.mark.parametrize("name", NAMES)
def test_markdown_is_a_table_of_equal_rows(full, name):
    blocks = re.findall(r"(?:^\|.*\n)+", render(name, full), re.MULTILINE)
    assert blocks
    for block in blocks:
        assert len({row.count("|") for row in block.splitlines()}) == 1


@pytest.mark.parametrize("name", NAMES)
def test_latex_is_balanced_and_escaped(full, name):
    text = render(name, full, format="latex")
    assert re.sub(r"\\[{}]", "", text).count("{") == re.sub(r"\\[{}]", "", text).count("}")
    assert text.count("$") % 2 == 0 and re.search(r"(?<!\\)[%#&](?![^\n]*\\\\)", text) is None
    assert sorted(re.findall(r"\\begin\{(\w+)", text)) == sorted(re.findall(r"\\end\{(\w+)", text))
    assert not re.findall(r"[^\x00-\x7f]", text), re.findall(r"[^\x00-\x7f]", text)
    for block in re.findall(r"\\hline\n(.*?)\\hline\n\\end", text, re.DOTALL):
        rows = [row for row in block.splitlines() if row.endswith("\\\\")]
        assert len({len(re.findall(r"(?<!\\)&", row)) for row in rows}) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "multi-targt"}, "Did you mean multi-target"),
        ({"format": "html"}, "Allowed: csv, json, latex, markdown"),
        ({"metric": "rmse"}, "Allowed: mse, nmse, sse"),
        ({"methods": ["nna"]}, "Did you mean na"),
        ({"tasks": ["sinwave"]}, "Did you mean sinewave"),
    ],
)
def test_wrong_arguments_name_what_is_allowed(full, arguments, message):
    with pytest.raises(UsageError, match=message):
        render(**{"name": "multi-target", "root": full, **arguments})


def test_a_name_may_be_written_with_an_underscore_and_in_any_case(full):
    assert render("Multi_Target", full) == render("multi-target", full)
    assert render("R_t", full) == render("r_T", full)


def test_an_empty_or_missing_folder_says_what_to_do(tmp_path):
    with pytest.raises(UsageError, match=r"no records below .*python -m harness run"):
        render("all", tmp_path)
    with pytest.raises(UsageError, match="no result folder"):
        render("all", tmp_path / "nowhere")
