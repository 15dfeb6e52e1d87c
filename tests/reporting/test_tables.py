"""What a table shows: the best, failures, spread, and only what may be compared."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from harness.errors import UsageError
from harness.reporting import NAMES, TABLES, render
from tests.reporting.records import METHODS, TASKS, declared, digest, failed, record, write

SPECIAL = ("surrogate-gap", "operators", "diagnosis")  # made of numbers that only some records have


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """Every method on every task."""
    return write(tmp_path_factory.mktemp("full"), *(record(task, method) for task in TASKS for method in METHODS))


def line(text: str, method: str) -> str:
    """The first row of a method in a markdown table."""
    return next(line for line in text.splitlines() if re.match(rf"\| {re.escape(method)}†? ", line))


def with_error(method: str, mean: float | None, seed: int = 0, **changes):
    made = record("sinewave", method, seed, **changes)
    made["scores"]["multi_target"]["sse"]["mean"] = mean
    return made


def test_the_best_is_bold_and_the_best_without_the_baselines_is_italic(tmp_path):
    root = write(tmp_path, with_error("na", 0.02), with_error("mdn", 0.3), with_error("lookup", 0.01))
    text = render("multi-target", root, published=False)
    assert "**0.0100 " in line(text, "lookup")
    assert "*0.0200 " in line(text, "na") and "**0.0200" not in text
    assert "*0.300" not in line(text, "mdn")
    assert "bold: best of the column" in text


def test_rows_that_read_the_same_are_best_together(tmp_path):
    root = write(tmp_path, with_error("na", 0.02), with_error("mdn", 0.020001), with_error("inn", 0.5))
    for made in (text := render("multi-target", root, published=False), text):
        assert "**0.0200 " in line(made, "na")
    assert line(text, "mdn").count("**") in (0, 2, 4, 6)


def test_a_single_row_is_not_called_best(tmp_path):
    assert "**" not in render("multi-target", write(tmp_path, record()), published=False)


def test_what_lies_below_the_floor_of_the_forward_model_is_set_back_and_has_no_best(tmp_path):
    made = [with_error("na", 0.02), with_error("mdn", 0.3), with_error("tandem", 0.0), with_error("lookup", 0.01)]
    for item in made:
        item["data"]["floor"] = {"sse": 0.05, "mse": 0.05, "nmse": 0.01}
    root = write(tmp_path, *made)
    text = render("multi-target", root, published=False)
    shown = {item["label"]["method"]: line(text, item["label"]["method"]).split("|")[2].strip() for item in made}
    assert shown["na"].startswith("(0.0200 ") and shown["na"].endswith(")")
    assert shown["tandem"].startswith("(0 ") and shown["lookup"].startswith("(0.0100 ")
    assert shown["mdn"].startswith("0.300 ")
    assert "- (in parentheses): below 0.050, the error of the forward model of sinewave itself" in text
    latex = render("multi-target", root, published=False, format="latex")
    assert "(0.0200 $" in latex
    for name in ("summary", "r_T", "fixed-target", "novelty"):
        assert "the error of the forward model of sinewave itself" in render(name, root)
    assert "below" not in render("cost", root)


def test_above_the_floor_the_best_is_marked(tmp_path):
    made = [with_error("na", 0.02), with_error("mdn", 0.3)]
    for item in made:
        item["data"]["floor"] = {"sse": 0.001}
    text = render("multi-target", write(tmp_path, *made), published=False)
    assert "**0.0200 " in line(text, "na") and "(0.0" not in line(text, "na")


def test_recall_is_shown_where_designs_have_images(tmp_path, full):
    made = record("sinewave", "na")
    made["scores"]["recall"] = {"images": 24, "T": [1, 200], "found": [0.03, 0.5]}
    text = render("novelty", write(tmp_path, made))
    assert "| recall, T=200 |" in re.sub(" +", " ", text) and "50.0 %" in line(text, "na")
    assert "each design has 24 images" in text
    assert "recall" not in render("novelty", full)


def test_the_tasks_own_numbers_are_a_table(tmp_path, full):
    made = record("sinewave", "na")
    root = write(tmp_path, made)
    with pytest.raises(UsageError, match="diagnosis"):
        render("diagnosis", root)
    made["scores"]["diagnosis"] = {"clipped_share": {"designs": 1000, "mean": 0.5, "median": 0.25}}
    text = render("diagnosis", write(tmp_path / "other", made))
    assert "clipped share" in text and "0.25" in line(text, "na")
    assert "sinewave" not in render("diagnosis", full) and "ballistics" in render("diagnosis", full)


@pytest.mark.parametrize("status", ["failed", "timeout", "out_of_memory", "killed", "diverged"])
def test_a_failed_cell_is_shown_with_its_status_and_message(tmp_path, status):
    root = write(tmp_path, record("sinewave", "na"), failed("sinewave", "cinn", status=status))
    for name in TABLES:
        if name in SPECIAL:
            continue
        text = render(name, root)
        assert status.replace("_", " ") in line(text, "cinn")
        assert "the cell ran longer than 30 m" in text


@pytest.mark.parametrize("kept", [("data",), ("data", "parameters"), ("data", "parameters", "training")])
def test_a_failed_cell_may_have_the_parts_that_were_known(tmp_path, kept):
    whole, part = record("sinewave", "cinn"), failed("sinewave", "cinn")
    root = write(tmp_path, record("sinewave", "na"), {**part, **{name: whole[name] for name in kept}})
    for name in TABLES:
        assert name in SPECIAL or "timeout" in line(render(name, root), "cinn")
    assert len(json.loads(render("multi-target", root, format="json"))) == 1


def test_a_folder_with_failed_cells_only_still_has_tables(tmp_path):
    root = write(tmp_path, failed("sinewave", "cinn"))
    assert "timeout" in render("all", root)


def test_a_cell_that_was_not_run_says_so(tmp_path):
    root = write(tmp_path, record("sinewave", "na"), record("ballistics", "mdn"))
    assert "not run" in line(render("summary", root), "na")


def test_methods_stand_in_a_fixed_order(full, tmp_path):
    root = write(tmp_path, *(record("sinewave", method) for method in ("zeta", "prior", "na-lm", "alpha", "na", "mdn")))
    text = render("multi-target", root, published=False)
    shown = [row.split("|")[1].strip() for row in text.splitlines() if row.startswith("| ")][1:]
    assert shown == ["mdn", "na", "na-lm", "prior", "alpha", "zeta"]


def test_one_seed_names_repeats_and_several_name_seeds(tmp_path):
    one = write(tmp_path / "one", record("sinewave", "na"))
    assert "± over 50 repeats of one trained model" in render("multi-target", one)
    errors = (0.1, 0.2, 0.3)
    several = write(tmp_path / "several", *(with_error("na", error, seed) for seed, error in enumerate(errors)))
    text = render("multi-target", several)
    assert "± over 3 seeds" in text and "seeds 0–2" in text
    assert "0.200 ± 0.10 " in line(text, "na")
    (row,) = json.loads(render("multi-target", several, format="json"))[0]["rows"]
    assert row["deviation"] == pytest.approx(0.1) and row["deviation_over"] == "seeds"


def test_seeds_that_failed_are_marked_and_cannot_be_best(tmp_path):
    root = write(
        tmp_path,
        with_error("na", 0.001),
        failed("sinewave", "na", seed=1),
        with_error("mdn", 0.3),
        with_error("mdn", 0.3, seed=1),
        with_error("inn", 0.4),
        with_error("inn", 0.4, seed=1),
    )
    text = render("multi-target", root, published=False)
    assert "**" not in line(text, "na") and "na†" in text and "**0.300" in line(text, "mdn")
    assert "† some seeds have no numbers" in text


def test_an_error_that_is_not_finite_is_a_dash_and_cannot_be_best(tmp_path):
    root = write(tmp_path, with_error("na", None), with_error("mdn", 0.3), with_error("inn", 0.4))
    text = render("multi-target", root, published=False)
    assert "| – |" in re.sub(" +", " ", line(text, "na")) and "**0.300" in line(text, "mdn")


def test_repeats_without_fresh_proposals_are_named(full):
    text = render("multi-target", full)
    assert "Repeats are random halves of one candidate pool: na, na-lm, kernel" in text
    assert "Repeats are the same ranked proposals in every repeat: lookup" in text
    assert "Repeats are fresh" not in text


def test_error_and_novelty_stand_together(full):
    text = render("multi-target", full)
    header = next(row for row in text.splitlines() if row.startswith("| method"))
    assert "novelty" in header and "copies" in header
    assert "100 %" in line(text, "lookup")


@pytest.mark.parametrize("part", ["split", "targets"])
def test_records_with_other_data_never_share_a_table(tmp_path, part):
    other = record("sinewave", "mdn")
    other["data"][part] = digest("other")
    root = write(tmp_path, record("sinewave", "na"), other)
    tables = json.loads(render("multi-target", root, format="json"))
    assert [len(table["rows"]) for table in tables] == [1, 1]
    assert len({table["title"] + table["task"] for table in tables}) == 2
    assert all("split" in table["task"] for table in tables)
    headings = [row for row in render("summary", root).splitlines() if row.startswith("| method")]
    assert headings[0].count("r_1 ") == 2


@pytest.mark.parametrize("place", [("schedule", "epochs", 300), ("protocol", "repeats", 5), ("budget", 10_000)])
def test_records_with_other_settings_never_share_a_table(tmp_path, place):
    other = record("sinewave", "mdn")
    *path, key, value = place
    table = other["declared"]
    for step in path:
        table = table[step]
    table[key] = value
    root = write(tmp_path, record("sinewave", "na"), other)
    tables = json.loads(render("multi-target", root, format="json", published=False))
    assert [len(table["rows"]) for table in tables] == [1, 1]
    headings = [line for line in render("multi-target", root).splitlines() if line.startswith("### Many")]
    assert len({*headings}) == 2
    if key != "budget":
        assert any(f"{key} {value}" in heading for heading in headings)


def test_rows_that_differ_in_more_than_the_seed_are_told_apart(tmp_path):
    other, changed = record("sinewave", "na", seed=1), record("sinewave", "na", seed=2)
    other["declared"]["device"] = "cuda"
    changed["declared"]["method"]["source"] = digest("edited")
    root = write(tmp_path, record("sinewave", "na"), other, changed)
    (table,) = json.loads(render("multi-target", root, format="json"))
    first, second, third = sorted(row["method"] for row in table["rows"])
    assert first == "na (cpu)" and second.startswith("na (cpu, older code ") and "cuda" in third
    assert any(note.startswith("older code: ") for note in table["notes"])


def test_two_records_of_one_cell_are_refused(tmp_path):
    twin = record("sinewave", "na")
    root = write(tmp_path, record("sinewave", "na"))
    folder = root / "sinewave" / "na" / "copied-by-hand"
    folder.mkdir()
    (folder / "record.json").write_bytes(next(root.glob("*/*/*/record.json")).read_bytes())
    assert twin["status"] == "ok"
    with pytest.raises(UsageError, match="Two records of the same cell: na on sinewave, seed 0"):
        render("multi-target", root)


def test_variants_by_option_are_rows_of_their_own(tmp_path):
    variant = record("sinewave", "na", label={"task": "sinewave", "method": "na[boundary_loss=off]"})
    variant["declared"]["method"]["options"] = {"boundary_loss": False}
    root = write(tmp_path, record("sinewave", "na"), variant)
    text = render("r_T", root)
    assert line(text, "na[boundary_loss=off]") and line(text, "na")


def test_tasks_stand_in_their_order_and_headings_name_only_what_could_be_confused(tmp_path):
    made = [record(task, "na") for task in ("robotic_arm", "ballistics", "sinewave")]
    made[0]["declared"]["budget"] = 1_000_000
    made[1]["declared"]["schedule"] = {**made[1]["declared"]["schedule"], "epochs": 77}
    text = render("multi-target", write(tmp_path, *made))
    titles = [line for line in text.splitlines() if line.startswith("###")]
    assert [title.partition(": ")[2].split()[0] for title in titles] == ["sinewave", "robotic_arm", "ballistics"]
    assert not any("epochs" in title for title in titles)


@pytest.mark.parametrize("metric", ["sse", "mse", "nmse"])
def test_the_table_names_its_metric_and_shows_it(full, metric):
    text = render("multi-target", full, metric=metric)
    assert f"| {metric}, mean ± dev." in re.sub(" +", " ", text)
    tables = json.loads(render("multi-target", full, metric=metric, format="json"))
    expected = record("robotic_arm", "na")["scores"]["multi_target"][metric]["mean"]
    arm = next(table for table in tables if table["task"] == "robotic_arm")
    assert next(row for row in arm["rows"] if row["method"] == "na")["mean"] == pytest.approx(expected)


def test_the_cost_table_tells_exempt_methods_from_sized_ones(full):
    text = render("cost", full)
    assert "100.2 %" in line(text, "na") and "150 k" in line(text, "na")
    assert "exempt" in line(text, "lookup") and "20 k stored" in line(text, "lookup")
    assert "~" in line(text, "na") and "`python -m harness time` measures again" in text


def test_the_gap_is_the_ratio_of_the_medians(full):
    text = render("surrogate-gap", full)
    assert "100 ×" in text and " lookup " not in text


@pytest.mark.parametrize(
    ("phases", "own", "share"),
    [
        ({"surrogate": 0.25, "inverse": 1e-9}, 0.25, 0.5),
        ({"forward": 2.0, "bidirectional": 0.25}, 0.25, 0.5),
        ({"surrogate": 3.0}, 3.0, 0.0),
        ({"density": 0.25}, None, None),
    ],
)
def test_exploited_is_what_neither_belief_nor_validation_error_explains(tmp_path, phases, own, share):
    made = record("sinewave", "na")
    made["training"]["phases"] = [{"name": name, "best": best} for name, best in phases.items()]
    made["scores"]["surrogate_gap"]["believed"]["mean"] = 0.25
    made["scores"]["surrogate_gap"]["resimulated"]["mean"] = 1.0
    (table,) = json.loads(render("surrogate-gap", write(tmp_path, made), format="json"))
    (row,) = table["rows"]
    assert (row["surrogate"], row["exploited"]) == (own, share)


def test_a_selection_narrows_rows_and_tasks(full):
    text = render("multi-target", full, methods="na*,baselines", tasks=["sinewave"])
    assert render("multi-target", full, tasks="analytic") == render("multi-target", full)
    assert line(text, "na-lm") and line(text, "prior") and "| mdn" not in text and "robotic_arm" not in text


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


def test_an_empty_or_missing_folder_says_what_to_do(tmp_path):
    with pytest.raises(UsageError, match=r"no records below .*python -m harness run"):
        render("all", tmp_path)
    with pytest.raises(UsageError, match="no result folder"):
        render("all", tmp_path / "nowhere")


@pytest.mark.parametrize("name", NAMES)
def test_json_and_csv_read_back(full, name):
    tables = json.loads(render(name, full, format="json"))
    lines = list(csv.DictReader(io.StringIO(render(name, full, format="csv"))))
    assert len(lines) == sum(len(table["rows"]) for table in tables)
    assert all(line["table"] and line["method"] and None not in line for line in lines)


@pytest.mark.parametrize("name", NAMES)
def test_markdown_is_a_table_of_equal_rows(full, name):
    blocks = re.findall(r"(?:^\|.*\n)+", render(name, full), re.MULTILINE)
    assert blocks
    for block in blocks:
        assert len({row.count("|") for row in block.splitlines()}) == 1
        assert max(len(row) for row in block.splitlines()) <= 160


@pytest.mark.parametrize("name", NAMES)
def test_latex_is_balanced_and_escaped(full, name):
    text = render(name, full, format="latex")
    assert re.sub(r"\\[{}]", "", text).count("{") == re.sub(r"\\[{}]", "", text).count("}")
    assert text.count("$") % 2 == 0 and re.search(r"(?<!\\)[%#&](?![^\n]*\\\\)", text) is None
    assert sorted(re.findall(r"\\begin\{(\w+)", text)) == sorted(re.findall(r"\\end\{(\w+)", text))
    assert text.isascii() or not re.findall(r"[^\x00-\x7f]", text), re.findall(r"[^\x00-\x7f]", text)
    for block in re.findall(r"\\hline\n(.*?)\\hline\n\\end", text, re.DOTALL):
        rows = [row for row in block.splitlines() if row.endswith("\\\\")]
        assert len({len(re.findall(r"(?<!\\)&", row)) for row in rows}) == 1


def test_latex_marks_the_best(full):
    assert r"\textbf{" in render("multi-target", full, format="latex")


def test_all_contains_every_table_and_shared_notes_once(full):
    text = render("all", full)
    assert text.count("Preset quick") == 1 and "### Notes to all tables" in text
    assert {table["table"] for table in json.loads(render("all", full, format="json"))} == {*TABLES}


def test_the_declared_inputs_of_the_builder_are_those_of_a_cell():
    assert {"task", "method", "budget", "schedule", "protocol", "seed", "device"} <= {*declared("a", "b", 0)}


def test_rows_by_different_code_of_the_harness_are_named(tmp_path):
    other = record("sinewave", "mdn")
    other["declared"]["harness"]["source"] = digest("edited")
    root = write(tmp_path, record("sinewave", "na"), other)
    assert f"mdn by {digest('edited')[:6]}" in render("multi-target", root)
    assert "changed between these rows" not in render("multi-target", root, methods=["na"])
