"""`table compare A B` says what the errors of the targets say."""

from __future__ import annotations

import json

import pytest

from harness.cli import main
from harness.comparing import compare
from harness.errors import UsageError
from harness.reporting import render
from harness.reporting.frame import frame
from tests import results


def test_a_row_is_the_comparison_of_the_errors_in_the_frame(ran):
    each = frame(ran, by_target=True).query("protocol == 'multi-target' and metric == 'mse' and scenario == 'base'")
    for table in json.loads(render("compare", ran, methods="na,mdn", metric="mse", tasks=results.TASKS, format="json")):
        for row in table["rows"]:
            own = each[each["task"] == row["task"]]
            if own.empty:
                continue
            a, b = (
                own[own["label"] == label].pivot(index="seed", columns="target", values="value").to_numpy()
                for label in ("na", "mdn")
            )
            found = compare(a, b)
            assert 10**found.log_ratio == pytest.approx(row["ratio"]) and found.beats == pytest.approx(row["beats"])
            assert (10**found.low, 10**found.high) == pytest.approx((row["low"], row["high"]))
            assert row["better"] == (("na" if found.high < 0 else "mdn") if found.separated else None)
            assert row["targets_needed"] is None or not found.separated


def test_the_other_way_round_it_says_the_opposite(ran):
    one, back = (json.loads(render("compare", ran, methods=pair, format="json")) for pair in ("na,prior", "prior,na"))
    assert one[0]["rows"][-1]["task"] == "all of these"
    for row, other in zip(one[0]["rows"], back[0]["rows"], strict=True):
        assert row["ratio"] == pytest.approx(1 / other["ratio"]) and row["beats"] == pytest.approx(1 - other["beats"])
        assert row["better"] == other["better"]


def test_it_speaks_of_targets_only_where_there_are_few_seeds(ran):
    assert "speak of other targets only, not of other trainings" in render("compare", ran, methods=["na", "prior"])


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ("na", "compare takes two methods, not na. Write: table compare METHOD METHOD"),
        ("na,na", "compare takes two methods, not na, na"),
        (None, "compare takes two methods, not none"),
        ("na,mnd", "Unknown method 'mnd'. Did you mean mdn"),
    ],
)
def test_what_cannot_be_compared_is_named(ran, methods, message):
    with pytest.raises(UsageError, match=message):
        render("compare", ran, methods=methods)


def test_on_the_command_line(ran, capsys):
    assert main(["table", "compare", "na", "prior", "--out", str(ran), "--tasks", "sinewave"]) == 0
    assert "na / prior" in capsys.readouterr().out
    for wrong in (["r_T", "na"], ["compare", "na", "prior", "--methods", "na"]):
        assert main(["table", *wrong, "--out", str(ran)]) == 2
        assert "compare takes" in capsys.readouterr().err
