"""How what a scenario asks is scored and shown: the level of noise, excess over the best that is known, figures."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from harness import cell, data
from harness.contracts import Task
from harness.metrics import METRICS, errors
from harness.records import plain
from harness.registry import build_task
from harness.reporting import drawn, render
from harness.resimulation import resimulate
from tests import results
from tests.scenarios.made import CHANGING, SETTINGS, Sums


def test_the_level_of_noise_is_the_error_that_the_true_design_has_against_the_noisy_y():
    dataset = data.draw(Sums(), replace(SETTINGS, n_train=1000, targets=5000), CHANGING["noise"])
    views = dataset.targets.views
    error = errors(METRICS["nmse"], views["true y"].y, views["noisy y"].y, dataset.y_variance).mean()
    assert float(error) == pytest.approx(views["noisy y"].level, rel=0.05)
    assert views["true y"].level == 0


def test_below_the_noise_of_what_is_scored_nothing_is_best_in_any_table(ran, tmp_path):
    dataset = data.draw(Sums(), SETTINGS, CHANGING["noise"])
    noise = {"nmse": 0.01, "mse": 0.01 * dataset.y_variance.mean(), "sse": 0.01 * dataset.y_variance.sum()}
    assert cell.floor(Sums(), dataset) == pytest.approx({name: float(value) for name, value in noise.items()})
    for scenario in ("gaps", "shift"):
        assert cell.floor(Sums(), data.draw(Sums(), SETTINGS, CHANGING[scenario])) == {}
    record, other = (results.load(ran)["robotic_arm", name, "noise"] for name in ("lookup", "mdn"))
    assert record.data.floor["nmse"] == pytest.approx(0.05**2)
    errors = plain(record.scores["multi-target"].values)["errors"]
    low = {name: {**values, "mean": record.data.floor[name] / 2} for name, values in errors.items()}
    root = results.write(tmp_path, results.scored(record, "multi-target", errors=low), other)
    text = render("multi-target", root)
    assert "noise in its targets" in text
    means = [row.split("|")[2] for row in re.findall(r"^\| (?:lookup|mdn) .*", text, re.MULTILINE)]
    assert len(means) == 2 and sum("(" in mean for mean in means) == 1 and not any("*" in mean for mean in means)


def test_means_below_the_level_are_set_back_in_the_table(ran, tmp_path):
    record = results.load(ran)["robotic_arm", "lookup", "noise"]
    views = record.scores["views"].values["views"]
    views = {**views, "noisy y": {**views["noisy y"], "mean": views["noisy y"]["level"] / 2}}
    other = results.load(ran)["robotic_arm", "mdn", "noise"]
    text = render("scenario", results.write(tmp_path, results.scored(record, "views", views=views), other))
    (row,) = (line for line in text.splitlines() if line.startswith("| lookup"))
    assert row.split("|")[2].strip() == "(0.0013)"
    assert "below the level of the scenario's noise" in text


def test_the_figure_of_a_scenario_shows_the_means_of_its_table(ran):
    tables = {each["scenario"]: each["rows"] for each in json.loads(render("scenario", ran, format="json"))}
    figures = {figure.apart: figure for figure in drawn(["scenario"], ran)}
    assert {*figures} == {*tables} and {"noise", "shift", "gaps"} <= {*figures}
    for scenario, figure in figures.items():
        for panel in figure.panels:
            task, _, view = panel.title.partition(": ")
            means = {row["method"]: row[f"{view.removesuffix(', excess')}.mean"] for row in tables[scenario]}
            assert task == "robotic_arm" and means.keys() >= {"lookup"}
            shown = {series.label: series.x[0] for series in panel.series}
            assert shown == {method: mean for method, mean in means.items() if mean is not None and mean > 0}
            assert all(panel.y.names[int(series.y[0])] == series.label for series in panel.series)


def excess(task: Task, dataset: data.Dataset, x: Tensor, view: str) -> Tensor:
    seen = dataset.targets.views[view]
    scored = seen.y.isfinite().any(1)
    error = errors(METRICS["nmse"], resimulate(task, x[:, None])[:, 0], seen.y, dataset.y_variance)
    return (error - errors(METRICS["nmse"], seen.best_known, seen.y, dataset.y_variance))[scored]


@pytest.mark.parametrize("name", ["sinewave", "robotic_arm"])
def test_the_excess_is_nothing_for_the_targets_own_designs_and_never_less_for_known_ones(name):
    (cell,) = results.cells("lookup", name)
    task, settings = build_task(cell.task), replace(cell.data, targets=200)
    stream = torch.Generator().manual_seed(0)
    behind = task.draw(200, stream)
    task.draw = lambda n, generator: behind
    dataset = data.draw(task, settings, CHANGING["shift"])
    y = dataset.targets.y
    own = torch.stack([behind.x[(behind.y - row).square().sum(1).argmin()] for row in y])
    tail = excess(task, dataset, own, "tail")
    assert len(tail) == 20 and torch.equal(tail, torch.zeros(20, dtype=torch.float64))
    for known in (dataset.train, behind):
        nearest = torch.stack(
            [known.x[errors(METRICS["nmse"], known.y, row, dataset.y_variance).argmin()] for row in y]
        )
        for view in ("tail", "beyond"):
            assert (excess(task, dataset, nearest, view) >= -1e-12).all()
    best = [excess(task, dataset, behind.x[row].expand(len(y), -1), "beyond") for row in range(200)]
    assert torch.stack(best).min() >= -1e-12


def test_half_of_the_shifted_targets_are_of_designs_and_half_are_further_out():
    base, dataset = data.draw(Sums(), SETTINGS), data.draw(Sums(), SETTINGS, CHANGING["shift"])
    tail, beyond = (dataset.targets.views[name].y for name in ("tail", "beyond"))
    assert len(tail) == 4 and (tail.isfinite().all(1) != beyond.isfinite().all(1)).all()
    for row in tail[tail.isfinite().all(1)]:
        assert (base.targets.y == row).all(1).any()
    scale, mean = base.train.y.std(0), base.train.y.mean(0)
    least = ((dataset.targets.y - mean) / scale).square().mean(1).min()
    inner = (((base.targets.y - mean) / scale).square().mean(1) <= least).sum()
    assert inner >= 16, "the targets furthest out"
    assert torch.equal(base.fixed.y, dataset.fixed.y)
