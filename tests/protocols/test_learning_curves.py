"""The figure of the error against the number of pairs, from records of the scenario `pairs`."""

from __future__ import annotations

import pytest

from harness.errors import UsageError
from harness.reporting import drawn
from harness.store import Store
from tests import results


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    scenarios = "base,noise,pairs[n=30],pairs[n=100]"
    results.run(folder, results.cells("mdn,lookup", "robotic_arm", scenarios, asked="multi-target"))
    return folder


def test_a_line_leads_through_the_errors_with_more_and_more_pairs(root):
    (figure,) = drawn(["error-and-pairs"], root)
    (panel,) = figure.panels
    assert panel.title == "robotic_arm" and {series.label for series in panel.series} == {"mdn", "lookup"}
    for series in panel.series:
        assert series.x == (30, 100, 300), "300 without a scenario, and noise has no place here"
        for n, error in zip(series.x, series.y, strict=True):
            assert error == pytest.approx(of(root, series.label, int(n)))
    (lookup,) = (series for series in panel.series if series.label == "lookup")
    assert lookup.y[0] > lookup.y[1] > lookup.y[2]


def of(root, method, n):
    label = method, {300: "base"}.get(n, f"pairs[n={n}]")
    (record,) = (one for one in Store(root).records() if (one.label.method, one.label.scenario) == label)
    return record.scores["multi-target"].values["errors"]["nmse"]["mean"]


def test_without_such_runs_there_is_no_figure(ran):
    with pytest.raises(UsageError, match="No record"):
        drawn(["error-and-pairs"], ran, tasks="sinewave")
