"""What a table shows: failures, spread, and only what may be compared."""

from __future__ import annotations

import json
import re

import msgspec
import pytest

from harness.errors import UsageError
from harness.protocols.diagnosis import Found
from harness.reporting import render, tables
from tests import results
from tests.results import erring, failed, renamed, variant, write

SPECIAL = ("surrogate-gap", "operators", "diagnosis", "scenario", "advice", "overall", "invalid", "published")
SPECIAL += ("claims", "ablation", "ranking", "abstention", "hidden", "savings", "metered", "acquisition", "corruption")
"""Tables of numbers that only some records have: a cell that failed is not in them."""
replace = msgspec.structs.replace


@pytest.fixture(scope="module")
def records(ran):
    return results.load(ran)


@pytest.fixture(scope="module")
def mdn(records):
    return records["sinewave", "mdn", "base"]


def line(text: str, method: str) -> str:
    """The first row of a method in a markdown table."""
    return next(line for line in text.splitlines() if re.match(rf"\| {re.escape(method)}†? ", line))


def read(name: str, root, **options) -> list[dict]:
    """The tables of this name, as data."""
    return json.loads(render(name, root, format="json", **options))


@pytest.mark.parametrize("status", ["failed", "timeout", "out_of_memory", "killed", "diverged", "cannot"])
def test_a_cell_without_numbers_is_shown_with_its_status_and_message(tmp_path, mdn, status):
    root = write(tmp_path, mdn, failed(renamed(mdn, "cinn"), status))
    for name in {*tables()} - {*SPECIAL}:
        text = render(name, root)
        assert status.replace("_", " ") in line(text, "cinn")
        assert "cinn on sinewave, seed 0: " in text and "the cell ran longer than 30 m" in text


def test_a_reason_that_several_methods_share_stands_once(tmp_path, mdn):
    def refused(method):
        error = {"type": "CannotRun", "message": f"{method} does not handle gaps", "traceback": ""}
        return variant(failed(renamed(mdn, method), "cannot"), error=error)

    root = write(tmp_path, mdn, refused("cinn"), refused("npe"), failed(renamed(mdn, "inn"), "cannot"))
    assert [note for note in read("multi-target", root)[0]["notes"] if ": cannot (" in note] == [
        "cinn, npe on sinewave, seed 0: cannot (does not handle gaps)",
        "inn on sinewave, seed 0: cannot (the cell ran longer than 30 m)",
    ]


@pytest.mark.parametrize("kept", [("data",), ("data", "model"), ("data", "model", "answers")])
def test_a_failed_cell_may_have_the_parts_that_were_known(tmp_path, mdn, kept):
    root = write(tmp_path, mdn, failed(renamed(mdn, "cinn"), kept=kept))
    for name in {*tables()} - {*SPECIAL}:
        assert "timeout" in line(render(name, root), "cinn")
    assert len(read("multi-target", root)) == 1


def test_a_folder_with_failed_cells_only_still_has_tables(tmp_path, mdn):
    assert "timeout" in render("all", write(tmp_path, failed(mdn)))


def test_a_cell_that_was_not_run_says_so(tmp_path, records):
    root = write(tmp_path, records["sinewave", "na", "base"], records["robotic_arm", "mdn", "base"])
    assert "not run" in line(render("summary", root), "na")


def test_a_method_that_cannot_take_part_is_a_row_that_says_why(ran):
    text = render("multi-target", ran, scenarios="all")
    native = text[text.index("robotic_arm, gaps[fill=native] (") :]
    assert "cannot" in line(native, "mdn")
    assert "cannot (mdn does not handle gaps, which gaps[fill=native] needs)" in native


def test_what_holds_for_any_task_is_shown_without_scenarios_where_there_is_that(ran):
    def shown(name, **chosen):
        return {(table["task"], table["scenario"]) for table in json.loads(render(name, ran, format="json", **chosen))}

    assert {scenario for _, scenario in shown("multi-target")} == {"base"}
    every = shown("multi-target", scenarios="all")
    gaps = {(task, scenario) for task, scenario in every if scenario.startswith("gaps")}
    assert gaps and gaps == shown("multi-target", scenarios="gaps") == shown("multi-target", scenarios=["ga*"])
    native = shown("multi-target", scenarios="gaps[fill=native]")
    assert native and native == shown("multi-target", scenarios="gaps[share=0.3,fill=native]"), "0.3 is the usual share"
    assert shown("multi-target", scenarios="base,gaps") == gaps | shown("multi-target", scenarios="base")
    assert {scenario.partition("[")[0] for _, scenario in shown("scenario")} >= {"gaps"}, "its own table has them"
    posterior = {scenario.partition("[")[0] for _, scenario in shown("posterior")}
    assert posterior == {"base", "noise", "gaps"}, "the posterior is another one there"
    assert "corrupted[share=0.2]" in {scenario for _, scenario in shown("posterior", scenarios="all")}
    with pytest.raises(UsageError, match=r"Unknown scenario 'nose'\. Did you mean noise"):
        render("multi-target", ran, scenarios="nose")


def test_it_is_said_how_many_of_the_targets_a_scenario_asks_for(ran):
    """`shift` takes the tenth that is furthest out: 2 of 20."""
    (said,) = re.findall(r"Data of robotic_arm, shift: .*", render("multi-target", ran, scenarios="shift"))
    assert said.endswith("; it asks for 2 of 20 targets")
    assert "it asks for" not in render("multi-target", ran, scenarios="base,noise,gaps")


def test_a_task_that_was_run_in_a_scenario_alone_is_shown_in_it(tmp_path):
    results.run(tmp_path, results.cells("lookup", "sinewave", "noise", asked="multi-target"))
    (table,) = json.loads(render("multi-target", tmp_path, format="json"))
    assert table["scenario"] == "noise"


def test_methods_stand_in_a_fixed_order(tmp_path, mdn):
    """Those of papers first, then others, the baselines last; by name."""
    places = {
        "zeta": (),
        "prior": ("baselines",),
        "na-lm": ("variants",),
        "alpha": (),
        "na": ("paper",),
        "mdn": ("paper",),
    }
    root = write(tmp_path, *(renamed(mdn, name, groups) for name, groups in places.items()))
    (table,) = read("multi-target", root)
    assert [row["method"] for row in table["rows"]] == ["mdn", "na", "alpha", "na-lm", "zeta", "prior"]


def test_one_seed_names_repeats_and_several_name_seeds(tmp_path, mdn):
    one = write(tmp_path / "one", mdn)
    assert "± over 3 repeats of one trained model" in render("multi-target", one)
    several = write(
        tmp_path / "s", *(erring(variant(mdn, seed=seed), error) for seed, error in enumerate((0.1, 0.2, 0.3)))
    )
    text = render("multi-target", several)
    assert "± over 3 seeds" in text and "seeds 0–2" in text
    assert "0.200 ± 0.10 " in line(text, "mdn")
    ((row,),) = (table["rows"] for table in read("multi-target", several))
    assert row["deviation"] == pytest.approx(0.1) and row["deviation_over"] == "seeds"


def test_seeds_that_failed_are_marked_and_cannot_be_best(tmp_path, mdn):
    good = [erring(variant(renamed(mdn, name), seed=seed), 0.3) for name in ("cinn", "inn") for seed in (0, 1)]
    root = write(tmp_path, erring(mdn, 0.001), failed(variant(mdn, seed=1)), *good)
    text = render("multi-target", root, published=False)
    assert "*" not in line(text, "mdn") and "mdn†" in text and "≈" in line(text, "inn")
    assert "† some seeds have no numbers" in text and "mdn on sinewave, seed 1: timeout" in text


def test_repeats_without_fresh_proposals_are_named(ran):
    text = render("multi-target", ran, tasks="sinewave")
    assert "Repeats are random halves of one candidate pool: na" in text
    assert "Repeats are the same ranked proposals in every repeat: lookup" in text
    assert "Repeats are fresh" not in text


def test_error_and_novelty_stand_together(ran):
    for row in read("multi-target", ran, tasks="sinewave")[0]["rows"]:
        assert {"mean", "median", "novelty", "copies", "valid"} <= row.keys()
        assert (row["copies"] == 1.0) == (row["method"] in ("lookup", "prior"))


@pytest.mark.parametrize("part", ["split", "targets"])
def test_records_with_other_data_never_share_a_table(tmp_path, mdn, part):
    other = renamed(mdn, "inn")
    other = variant(other, data=replace(other.data, **{part: "f" * 64}))
    found = read("multi-target", write(tmp_path, mdn, other))
    assert [len(table["rows"]) for table in found] == [1, 1]
    assert len({table["task"] for table in found}) == 2 and all("split" in table["task"] for table in found)


@pytest.mark.parametrize(
    ("part", "name", "value"), [("schedule", "epochs", 300), ("data", "targets", 99), (None, "budget", 99_999)]
)
def test_records_with_other_settings_never_share_a_table(tmp_path, mdn, part, name, value):
    other = renamed(mdn, "inn").declared
    changed = value if part is None else replace_dataclass(getattr(other, part), **{name: value})
    other = replace(other, **{part or name: changed})
    root = write(tmp_path, mdn, variant(renamed(mdn, "inn"), declared=other))
    assert [len(table["rows"]) for table in read("multi-target", root, published=False)] == [1, 1]
    headings = [text for text in render("multi-target", root).splitlines() if text.startswith("### Many")]
    assert len({*headings}) == 2
    assert part is None or any(f"{name} {value}" in heading for heading in headings)


def replace_dataclass(value, **changes):
    return msgspec.convert({**msgspec.to_builtins(value), **changes}, type(value))


def test_records_with_other_sizes_or_options_of_a_protocol_never_share_its_table(tmp_path, mdn):
    other = renamed(mdn, "inn")
    sized = variant(other, sizes=replace_dataclass(other.sizes, repeats=99))
    assert len(read("multi-target", write(tmp_path / "sizes", mdn, sized))) == 2
    score = other.scores["r_T"]
    changed = variant(other, scores={**other.scores, "r_T": replace(score, options={**score.options, "bootstrap": 7})})
    root = write(tmp_path / "options", mdn, changed)
    assert len(read("r_T", root)) == 2 and len(read("multi-target", root)) == 1
    headings = [text for text in render("r_T", root).splitlines() if text.startswith("### ")]
    assert [text.partition("parameters, ")[2] for text in headings] == ["bootstrap 7)", "bootstrap 50)"]


def test_rows_that_differ_in_more_than_the_seed_are_told_apart(tmp_path, mdn):
    gpu = variant(mdn, declared=replace(mdn.declared, device="cuda", seed=1))
    (table,) = read("multi-target", write(tmp_path, mdn, gpu))
    assert sorted(row["method"] for row in table["rows"]) == ["mdn (cpu)", "mdn (cuda)"]


def test_variants_by_option_are_rows_of_their_own(tmp_path, mdn):
    label = replace(mdn.label, method="mdn[components=2]")
    method = replace(mdn.declared.method, options={**mdn.declared.method.options, "components": 2})
    other = variant(mdn, label=label, declared=replace(mdn.declared, method=method))
    text = render("r_T", write(tmp_path, mdn, other))
    assert line(text, "mdn[components=2]") and line(text, "mdn")


def test_two_records_of_one_cell_are_refused(mdn):
    from harness.reporting.groups import group

    with pytest.raises(UsageError, match="Two records of the same cell: mdn on sinewave, seed 0"):
        group([mdn, mdn])


def test_rows_by_different_code_are_named(tmp_path, mdn):
    other = renamed(mdn, "inn")
    trained = variant(other, sources={**other.sources, "training": "abcdef" + "0" * 58})
    root = write(tmp_path / "trained", mdn, trained)
    assert "The code that trains changed between these rows: " in render("multi-target", root)
    assert "inn by abcdef" in render("multi-target", root)
    assert "changed between these rows" not in render("multi-target", root, methods=["mdn"])
    score = replace(other.scores["r_T"], source="fedcba" + "0" * 58)
    root = write(tmp_path / "scored", mdn, variant(other, scores={**other.scores, "r_T": score}))
    assert "The score of r_T changed between these rows: " in render("r_T", root)
    assert "changed between these rows" not in render("multi-target", root)


def test_a_table_of_nothing_but_scores_of_another_version_says_what_to_do(tmp_path, mdn, caplog):
    score = replace(mdn.scores["r_T"], values={"curve": [1.0]})
    root = write(tmp_path, variant(mdn, scores={**mdn.scores, "r_T": score}))
    with pytest.raises(UsageError, match=r"No record below .* has what the table 'r_T' shows"):
        render("r_T", root)
    assert "rescore` makes them anew" in caplog.text


@pytest.mark.parametrize("metric", ["sse", "mse", "nmse"])
def test_a_table_names_its_metric_and_shows_it(ran, records, metric):
    text = render("multi-target", ran, metric=metric)
    assert f"| {metric}, mean ± dev." in re.sub(" +", " ", text)
    for table in read("multi-target", ran, metric=metric):
        for row in table["rows"]:
            if row["status"] == "ok" and table["task"] in results.TASKS:
                expected = records[table["task"], row["method"], "base"].scores["multi-target"].values["errors"][metric]
                assert (row["mean"], row["median"], row["q90"]) == tuple(
                    expected[name] for name in ("mean", "median", "q90")
                )


def test_the_cost_table_tells_exempt_methods_from_sized_ones(ran, records):
    text = render("cost", ran, tasks="sinewave")
    ratio = records["sinewave", "na", "base"].model.parameters.ratio
    assert f"{100 * ratio:.1f} %" in line(text, "na") and "exempt" not in line(text, "na")
    assert "exempt" in line(text, "lookup") and "720 stored" in line(text, "lookup")
    assert "~" in line(text, "na") and "`python -m harness time` measures again" in text


def test_the_gap_is_the_ratio_of_the_medians_and_only_of_methods_with_a_belief(ran):
    (table,) = read("surrogate-gap", ran, tasks="sinewave")
    assert {row["method"] for row in table["rows"]} == {"na", "lookup"}
    text = render("surrogate-gap", ran, tasks="sinewave")
    (row,) = (row for row in table["rows"] if row["method"] == "na")
    assert float(row["resimulated_median"]) / row["believed_median"] == pytest.approx(
        float(re.findall(r"([\d.e-]+) ×", next(part for part in text.splitlines() if " na " in part))[0]), rel=0.05
    )


@pytest.mark.parametrize(
    ("phases", "own", "exploited"),
    [
        ({"surrogate": (0.25, True), "inverse": (1e-9, False)}, 0.25, 0.5),
        ({"forward": (2.0, True), "bidirectional": (0.25, True)}, 0.25, 0.5),
        ({"surrogate": (3.0, True)}, 3.0, 0.0),
        ({"density": (0.25, False)}, None, None),
    ],
)
def test_exploited_is_what_neither_belief_nor_validation_error_explains(tmp_path, records, phases, own, exploited):
    na = records["sinewave", "na", "base"]
    logs = [
        replace(na.model.phases[0], name=name, best=best, forward=forward) for name, (best, forward) in phases.items()
    ]
    made = variant(na, model=replace(na.model, phases=logs))
    made = results.scored(made, "surrogate-gap", believed_mean=0.25, resimulated_mean=1.0)
    ((row,),) = (table["rows"] for table in read("surrogate-gap", write(tmp_path, made)))
    assert (row["surrogate"], row["exploited"]) == (own, exploited)


def test_recall_and_the_tasks_own_numbers_are_shown_where_there_are_any(tmp_path, mdn):
    plain = write(tmp_path / "plain", mdn)
    assert "recall" not in render("novelty", plain)
    with pytest.raises(UsageError, match="what the table 'diagnosis' shows"):
        render("diagnosis", plain)
    made = results.scored(mdn, "recall", images=24, T=[1, 8], found=[0.03, 0.5])
    made = results.scored(made, "diagnosis", found={"clipped_share": Found(12, 0.5, 0.25)})
    root = write(tmp_path / "special", made)
    text = render("novelty", root)
    assert "recall, T=8" in text and "50.0 %" in line(text, "mdn") and "each design has 24 images" in text
    assert "clipped share" in render("diagnosis", root) and "0.25" in line(render("diagnosis", root), "mdn")


def test_a_selection_narrows_rows_and_tasks(ran):
    text = render("multi-target", ran, methods="n*,baselines", tasks=["sinewave"])
    assert line(text, "na") and line(text, "prior") and "| mdn" not in text and "robotic_arm" not in text
    assert render("multi-target", ran, tasks="analytic") == render("multi-target", ran)
