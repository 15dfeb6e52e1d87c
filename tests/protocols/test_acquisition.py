"""What chosen simulations gain over random ones: known areas, and real records."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest
from scipy.stats import t, ttest_1samp

from harness import by_target
from harness.protocols.acquisition import RANDOM, Study, over_seeds, quantile
from harness.reporting import drawn, render
from harness.selection import select
from harness.store import Store
from tests import results

CHOSEN = "maximin", "prior"


def study(curves):
    errors = {(way, seed, calls): np.asarray(values, float) for (way, seed, calls), values in curves.items()}
    return Study(None, None, {}, errors)


def test_an_error_that_is_a_tenth_everywhere_is_one_power_of_ten():
    made = study(
        {
            (way, 0, calls): [scale / calls] * 5
            for way, scale in ((CHOSEN, 0.1), (RANDOM, 1.0))
            for calls in (20, 50, 200)
        }
    )
    assert made.area(CHOSEN, 0, "mean") == pytest.approx(-1) == made.area(CHOSEN, 0, "median")
    assert made.area(CHOSEN, 1, "mean") is None


def test_the_area_is_over_the_logarithm_of_the_simulations():
    """A gain that grows from nothing at 10 to a hundredth at 1000: one power of ten in the middle, and in the mean."""
    gains = {10: 1.0, 100: 0.1, 1000: 0.01}
    made = study({(way, 0, n): [gains[n] if way == CHOSEN else 1.0] for way in (CHOSEN, RANDOM) for n in gains})
    assert made.area(CHOSEN, 0, "mean") == pytest.approx(-1)
    made = study({(way, 0, n): [gains[n] if way == CHOSEN else 1.0] for way in (CHOSEN, RANDOM) for n in (10, 1000)})
    assert made.area(CHOSEN, 0, "mean") == pytest.approx(-1)


def test_mean_and_median_may_say_opposite_things():
    made = study({(CHOSEN, 0, 50): [0.1, 0.1, 100.0], (RANDOM, 0, 50): [1.0, 1.0, 1.0]})
    assert made.area(CHOSEN, 0, "median") == pytest.approx(-1) and made.area(CHOSEN, 0, "mean") > 1


def test_the_interval_is_students():
    values = [-0.3, 0.1, -0.2, -0.4, -0.1]
    expected = ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert over_seeds(values) == pytest.approx((np.mean(values), expected.low, expected.high), rel=1e-3)
    assert [quantile(n) for n in range(1, 40)] == pytest.approx([t.ppf(0.975, n) for n in range(1, 40)], rel=1e-3)
    assert over_seeds(values[:1]) == (-0.3, None, None)


def by_target_of(root, scenario):
    """The median nmse over the targets of a scenario."""
    (record,) = (record for record in Store(root).records() if record.label.scenario == scenario)
    return float(np.median(by_target.read(Store(root).folder(record), "multi-target", "nmse")["nmse"]))


def test_a_row_is_what_the_records_say(tmp_path):
    ways = [(acquire, seed, calls) for acquire in ("random", "maximin") for seed in (0, 1) for calls in (30, 60)]
    asked = ",".join(f"active[acquire={acquire},calls={calls},seed={seed}]" for acquire, seed, calls in ways)
    scenarios = [selection.label for selection in select("scenarios", asked)]
    results.run(tmp_path, results.cells("lookup", "robotic_arm", ",".join(scenarios), asked="multi-target"))
    (table,) = json.loads(render("acquisition", tmp_path, format="json"))
    (row,) = table["rows"]
    text = render("acquisition", tmp_path)
    assert text.startswith("### Chosen simulations: robotic_arm (")
    assert not re.search(r"\(-[\d.]+\)", text), "a gain is not below a floor"
    assert (row["acquire"], row["candidates"], row["seeds"]) == ("maximin", "prior", 2)
    assert row["simulations"] == [30, 60] and re.search(r"\| +30, 60 \|", text)
    errors = {
        way: by_target.read(Store(tmp_path).folder(record), "multi-target", "nmse")["nmse"].mean()
        for way, name in zip(ways, scenarios, strict=True)
        for record in Store(tmp_path).records()
        if record.label.scenario == name
    }
    areas = [
        np.mean([math.log10(errors["maximin", seed, n] / errors["random", seed, n]) for n in (30, 60)])
        for seed in (0, 1)
    ]
    (figure,) = drawn(["acquisition"], tmp_path)
    (panel,) = figure.panels
    (line,), (guide,) = panel.series, panel.guides
    medians = [by_target_of(tmp_path, name) for way, name in zip(ways, scenarios, strict=True) if way[0] == "maximin"]
    assert line.x == (30, 60) and panel.title == "robotic_arm, lookup: maximin" and len(guide.points) == 2
    assert line.y == pytest.approx([math.sqrt(a * b) for a, b in zip(medians[:2], medians[2:], strict=True)])
    assert all(low < y < high for low, y, high in zip(line.low, line.y, line.high, strict=True))
    assert row["mean"] == pytest.approx(np.mean(areas)) and row["mean_low"] < row["mean"] < row["mean_high"]
