"""What lone rows, families and cheap models save: known curves, and real records."""

from __future__ import annotations

import json

import numpy as np
import pytest

from harness import comparing
from harness.errors import UsageError
from harness.protocols.savings import Curve, _studies
from harness.reporting import drawn, grouped, render
from harness.store import Store
from tests import results


def constant(errors: list[float]) -> tuple[comparing.Drawn, ...]:
    return tuple(comparing.drawn(np.full((1, 50), error)) for error in errors)


def test_the_equivalent_is_read_off_between_the_sizes_of_the_reference() -> None:
    """Known answer: an error of 1 / n, so that an error e is that of 1 / e pairs."""
    curve = Curve((10.0, 100.0, 1000.0), constant([0.1, 0.01, 0.001]))
    found = curve.size_of(np.array([0.1, 0.05, 0.01, 0.002, 0.001]))
    np.testing.assert_allclose(found, [10, 20, 100, 500, 1000])
    beyond = curve.size_of(np.array([0.2, 0.0005]))
    assert beyond[0] == 0 and beyond[1] == np.inf


def test_where_the_reference_rises_its_least_error_so_far_counts() -> None:
    curve = Curve((10.0, 100.0, 1000.0), constant([0.1, 0.3, 0.001]))
    assert 100 < curve.size_of(np.array([0.05]))[0] < 1000


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("savings")
    scenarios = ",".join(f"transfer[n={n},source=none]" for n in (20, 100, 300)) + ",transfer[n=0],transfer[n=20],base"
    results.run(folder, results.cells("lookup,kernel", "robotic_arm", scenarios, asked="multi-target"))
    return folder


def test_each_row_says_what_the_reference_would_need(root) -> None:
    (table,) = json.loads(render("savings", root, format="json"))
    rows = {(row["method"], row["size"]): row for row in table["rows"]}
    assert set(rows) == {(method, size) for method in ("lookup", "kernel") for size in (0, 20)}
    for (method, size), row in rows.items():
        assert row["error"] == pytest.approx(mean(root, method, f"transfer[n={size}]"))
        if size:
            assert row["reference"] == pytest.approx(mean(root, method, "transfer[n=20,source=none]"))
            assert row["factor"] is None or row["factor"] == pytest.approx(row["equivalent"] / size)
        errors = [mean(root, method, f"transfer[n={n},source=none]") for n in (20, 100, 300)]
        if row["equivalent"] is not None:
            assert 19.9 < row["equivalent"] < 300.1 and 0.999 * min(errors) < row["error"] < 1.001 * max(errors)
            assert row["low"] <= row["equivalent"] <= row["high"]
        else:
            assert row["beyond"] == (">" if row["error"] < min(errors) else "<")


def test_the_figure_has_the_reference_first_and_all_panels_the_same_axes(root) -> None:
    (figure,) = drawn(["savings"], root)
    assert figure.title == "What it saves: robotic_arm, transfer" and figure.panels[0].title == "reference"
    assert len({(panel.x, panel.y) for panel in figure.panels}) == 1


def test_what_asks_for_other_targets_is_another_study(tmp_path) -> None:
    """A new task in the hole is not compared with pairs of one beyond."""
    places = [f"transfer[n={n},source=none,place={place}]" for place in ("hole", "beyond") for n in (20, 100)]
    tuned = ["transfer[n=20,place=hole]", "transfer[n=20,place=beyond]"]
    results.run(tmp_path, results.cells("kernel", "robotic_arm", ",".join(places + tuned), asked="multi-target"))
    found = json.loads(render("savings", tmp_path, format="json"))
    assert len(found) == 2 and all(len(table["rows"]) == 1 for table in found)
    known = {one.label.scenario: one.scores["multi-target"].values["errors"] for one in Store(tmp_path).records()}
    bare = {"hole": "transfer[n=20,place=hole,source=none]", "beyond": "transfer[n=20,source=none]"}  # the usual place
    errors = {place: known[label]["nmse"]["mean"] for place, label in bare.items()}
    assert sorted(table["rows"][0]["reference"] for table in found) == pytest.approx(sorted(errors.values()))
    text = render("savings", tmp_path)
    assert "robotic_arm, transfer[place=hole]" in text and "robotic_arm, transfer[place=beyond]" in text


def mean(root, method, scenario) -> float:
    (record,) = (
        one for one in Store(root).records() if (one.label.method, _options(one)) == (method, _wanted(scenario))
    )
    return record.scores["multi-target"].values["errors"]["nmse"]["mean"]


def _options(record):
    scenario = record.declared.scenario
    return (scenario.options["n"], scenario.options["source"]) if scenario else None


def _wanted(scenario):
    n = int(float(scenario.partition("n=")[2].partition(",")[0].rstrip("]")))
    return n, "none" if "none" in scenario else "family"


def test_an_error_says_what_is_needed_and_what_has_no_numbers(tmp_path) -> None:
    scenarios = "fidelity[budget=5000],fidelity[budget=50,use=top]"
    results.run(tmp_path, results.cells("lookup", "robotic_arm", scenarios, asked="multi-target"))
    for show in (lambda: render("savings", tmp_path), lambda: drawn(["savings"], tmp_path)):
        with pytest.raises(UsageError) as found:
            show()
        text = str(found.value)
        assert "It needs one of the scenarios unpaired, transfer and fidelity with its reference" in text
        assert "Without numbers: lookup on robotic_arm, fidelity[budget=5000], seed 0: cannot (45000 pairs" in text
        assert "the task itself needs that" not in text


def test_without_such_runs_there_is_no_table(ran) -> None:
    with pytest.raises(UsageError, match="No record"):
        render("savings", ran, tasks="sinewave")


def test_of_more_pairs_than_there_are_those_count_that_were_learned_from(tmp_path) -> None:
    scenarios = "fidelity[budget=50,use=top],fidelity[budget=100000,use=top],fidelity[budget=50,use=low]"
    results.run(tmp_path, results.cells("lookup", "robotic_arm", scenarios, asked="multi-target"))
    (table,) = json.loads(render("savings", tmp_path, format="json"))
    (row,) = table["rows"]
    assert row["equivalent"] is None or row["equivalent"] <= 400
    (variants,) = _studies(grouped(tmp_path), "nmse")
    assert sorted(variants.reference) == [50, 300], "the task has 300"


def test_what_is_compared_has_the_pairs_that_it_learned_from_too(tmp_path) -> None:
    scenarios = "unpaired[lone=none,n=20|300],unpaired[lone=y,n=5000,rows=30],transfer[n=20|100,source=none]"
    cells = results.cells("tandem", "robotic_arm", f"{scenarios},transfer[n=5000]", asked="multi-target")
    results.run(tmp_path, cells)
    found = json.loads(render("savings", tmp_path, format="json"))
    assert len(found) == 2
    for table in found:
        (row,) = table["rows"]
        assert row["size"] == 300, "the task has 300, of which 5000 were asked for"
        assert row["factor"] is None or row["factor"] == pytest.approx(row["equivalent"] / 300)


def test_references_of_one_size_are_references_whatever_changes_nothing_there(tmp_path) -> None:
    """Without lone rows it does not matter how many of these there would be: the second is no variant."""
    alone = [f"unpaired[lone=none,n={n}]" for n in (20, 60)] + ["unpaired[lone=none,n=20,rows=50]"]
    results.run(
        tmp_path,
        results.cells("joint", "robotic_arm", ",".join([*alone, "unpaired[n=20,rows=50]"]), asked="multi-target"),
    )
    (table,) = json.loads(render("savings", tmp_path, format="json"))
    (row,) = table["rows"]
    assert row["size"] == 20 and "lone" in row["what"]


def test_a_variant_of_one_size_stands_method_by_method_beside_the_reference_of_that_size(tmp_path) -> None:
    scenarios = ",".join([*(f"transfer[n={n},source=none]" for n in (20, 100)), "transfer[n=20]"])
    results.run(tmp_path, results.cells("lookup,kernel", "robotic_arm", scenarios, asked="multi-target"))
    (figure,) = drawn(["savings"], tmp_path)
    reference, tuned = figure.panels
    assert sorted(tuned.y.names) == ["kernel", "lookup"]
    assert (tuned.x.low, tuned.x.high) == (reference.y.low, reference.y.high) and "20 pairs" in tuned.x.title
    (guide,) = tuned.guides
    alone = {series.label: dict(zip(series.x, series.y, strict=True)) for series in reference.series}
    for place, label in enumerate(tuned.y.names):
        (series,) = (series for series in tuned.series if series.label == label)
        assert series.y == (place,) and series.x == pytest.approx((mean(tmp_path, label, "transfer[n=20]"),))
        assert (pytest.approx(alone[label][20]), place) in guide.points
