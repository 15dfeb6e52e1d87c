"""The data frame holds every number of the records, and the example of the docs reads it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import msgspec
import pytest

from harness.errors import UsageError
from harness.reporting import protocols, render
from harness.reporting.frame import COLUMNS, OF_TARGETS, frame
from tests import results

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
IDENTITY = [name for name in COLUMNS if name != "value"]


def test_a_row_is_one_number_of_one_record(ran):
    table, records = frame(ran), results.load(ran)
    assert tuple(table.columns) == COLUMNS and not table.duplicated(IDENTITY).any()
    assert set(table["key"]) == {record.key for record in records.values()}
    scored = {
        name
        for record in records.values()
        for name, score in record.scores.items()
        if score.values and any(protocols()[name].numbers(msgspec.convert(score.values, protocols()[name].score_type)))
    }
    assert set(table["protocol"].dropna()) == {*scored, "cost", "model"} and len(scored) > 5


def test_it_holds_the_numbers_of_every_protocol_as_the_protocol_gives_them(ran):
    table = frame(ran).set_index(["key", "protocol"]).sort_index()
    for record in results.load(ran).values():
        for name, protocol in protocols().items():
            if name not in record.scores or record.scores[name].values is None:
                continue
            scores = msgspec.convert(record.scores[name].values, protocol.score_type)
            wanted = [(statistic, value) for _, statistic, value, *_ in protocol.numbers(scores)]
            found = table.loc[[(record.key, name)]] if wanted else table[:0]
            assert list(found["statistic"]) == [statistic for statistic, _ in wanted]
            assert [None if value != value else value for value in found["value"]] == [value for _, value in wanted]


def test_the_curve_of_best_of_t_has_its_t_in_a_column(ran):
    curve = frame(ran).query("protocol == 'r_T' and metric == 'nmse'")
    curve = curve[~curve["statistic"].str.contains("low|high")]
    assert len(curve) > 1
    assert (curve["statistic"] == "r_" + curve["T"].astype(str)).all()
    for _, one in curve.groupby("key"):
        assert one["T"].is_monotonic_increasing and one["T"].iloc[0] == 1
    assert frame(ran).query("protocol == 'multi-target'")["T"].isna().all()


def test_the_errors_of_the_targets_have_the_mean_of_the_score(ran):
    each = frame(ran, by_target=True)
    assert tuple(each.columns) == OF_TARGETS
    errors = each.query("protocol == 'multi-target'").groupby(["key", "metric"])
    whole = frame(ran).query("protocol == 'multi-target' and statistic == 'mean'").set_index(["key", "metric"])
    records = results.load(ran).values()
    assert len(errors) == len(whole) == 3 * sum("multi-target" in record.scores for record in records)
    for name, values in errors["value"]:
        assert values.mean() == pytest.approx(whole["value"][name], rel=1e-5)
    assert (
        each.groupby(["key", "protocol", "metric"])["target"].agg(list).map(lambda n: n == list(range(len(n))))
    ).all()


def test_the_best_of_t_of_the_targets_has_the_mean_of_the_curve(ran):
    each = frame(ran, by_target=True).query("protocol == 'r_T'").groupby(["key", "metric"])["value"].mean()
    whole = frame(ran).query("protocol == 'r_T'").set_index(["key", "metric", "statistic"])["value"]
    assert len(each) > 10
    for (key, name), mean in each.items():
        assert mean == pytest.approx(whole[(key, *name.split())], rel=1e-5)


def test_what_a_method_believed_of_each_target_has_the_median_of_the_gap(ran):
    each = frame(ran, by_target=True).query("protocol == 'surrogate-gap'").groupby(["label", "metric"])
    whole = frame(ran).query("protocol == 'surrogate-gap'")
    for label, found in whole.groupby("label"):
        medians = found.query("task == 'sinewave' and scenario == 'base' and seed == 0").set_index("statistic")["value"]
        for metric, name in (("believed", "believed_median"), ("nmse", "resimulated_median")):
            own = each.get_group((label, metric)).query("task == 'sinewave' and scenario == 'base' and seed == 0")
            assert own["value"].median() == pytest.approx(medians[name], rel=1e-5)
    assert not whole.empty


@pytest.mark.parametrize("metric", ["sse", "mse", "nmse"])
def test_it_agrees_with_the_tables(ran, metric):
    chosen = frame(ran).query("protocol == 'multi-target' and metric == @metric and statistic == 'median'")
    means = chosen.query("scenario == 'base'").groupby(["task", "label"])["value"].mean()
    for table in json.loads(render("multi-target", ran, metric=metric, format="json")):
        for row in table["rows"] if table["task"] in results.TASKS else ():
            assert means[table["task"], row["method"]] == pytest.approx(row["median"], rel=1e-12)


def test_a_record_without_scores_is_a_row_without_a_value(ran):
    lost = frame(ran).query("status == 'cannot'")
    assert len(lost) == 1 and lost["value"].isna().all() and lost["protocol"].isna().all()
    assert set(lost["scenario"]) == {"gaps[fill=native]"}


def test_a_failed_record_keeps_its_known_costs(ran, tmp_path):
    record = results.load(ran)["sinewave", "mdn", "base"]
    table = frame(results.write(tmp_path, results.failed(record, kept=("data", "model"))))
    assert set(table["protocol"]) == {"cost"} and set(table["status"]) == {"timeout"}
    trainable = table.query("statistic == 'trainable'")["value"].item()
    assert trainable == record.model.parameters.trainable


@pytest.mark.parametrize(
    ("protocol", "lost", "verb"), [("inference-time", "operations", "time"), ("r_T", "estimator", "rescore")]
)
def test_scores_that_a_protocol_does_not_read_are_left_out_and_the_rest_is_shown(
    ran, tmp_path, caplog, protocol, lost, verb
):
    record = results.load(ran)["robotic_arm", "mdn", "base"]
    score = record.scores[protocol]
    fewer = {name: value for name, value in score.values.items() if name != lost}
    old = msgspec.structs.replace(score, values=fewer)
    root = results.write(tmp_path, results.variant(record, scores={**record.scores, protocol: old}))
    found = set(frame(root)["protocol"])
    assert protocol not in found and "multi-target" in found
    assert re.search(rf"scores of {protocol} .*`{lost}`.*harness {verb}` makes them anew", caplog.text)
    assert "### Many targets" in render("all", root)


def test_an_empty_folder_says_what_to_do(tmp_path):
    with pytest.raises(UsageError, match="no records below"):
        frame(tmp_path)


def test_the_example_of_the_readme_prints_methods_by_tasks(ran, tmp_path, monkeypatch, capsys):
    (code,) = re.findall(r"```python\n(from harness\.reporting import render.*?)```", PAGE.read_text(), re.DOTALL)
    shutil.copytree(ran, tmp_path / "results" / "quick")
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    out = capsys.readouterr().out
    assert all(name in out for name in (*results.TASKS, *results.METHODS))
