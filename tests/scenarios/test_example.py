"""The scenario that the documentation prints, installed beside the harness."""

from __future__ import annotations

import pytest
import torch

from harness import data
from harness.errors import UsageError
from harness.registry import build_scenario, build_task
from harness.reporting import render
from harness.selection import select
from tests import examples, results


@pytest.fixture
def installed(monkeypatch, tmp_path):
    return examples.install(monkeypatch, tmp_path, "few_pairs")


def views(scenario: str) -> tuple[data.Dataset, data.Dataset]:
    """The data of the sinewave, and the same in a scenario."""
    (cell,) = results.cells("lookup", "sinewave", scenario)
    task = build_task(cell.task)
    return data.draw(task, cell.data), data.draw(task, cell.data, build_scenario(cell.scenario))


def test_methods_learn_from_a_share_of_the_pairs_and_are_asked_the_same(installed):
    base, few = views("few-pairs[share=0.2]")
    assert (len(base.train.x), len(few.train.x), len(few.valid.x)) == (240, 48, 12)
    rows = torch.tensor([(base.train.x == x).all(1).nonzero().item() for x in few.train.x])
    assert torch.equal(base.train.y[rows], few.train.y) and len(rows.unique()) == 48
    assert torch.equal(base.targets.shown, few.targets.shown) and torch.equal(base.targets.y, few.targets.y)
    assert torch.equal(base.y_variance, few.y_variance), "errors are in the same units, whatever is learned from"


def test_all_of_the_pairs_are_the_base(installed):
    base, all_of_them = views("few-pairs[share=1]")
    assert base.hashes() == all_of_them.hashes()


@pytest.mark.parametrize(
    ("text", "message"), [("share=0", "share"), ("share=2", "share"), ("part=1", "Allowed: share")]
)
def test_its_options_have_bounds(installed, text, message):
    with pytest.raises(UsageError, match=message):
        select("scenarios", f"few-pairs[{text}]")


def test_it_runs_and_its_rows_stand_apart_from_those_of_the_base(installed, tmp_path):
    wanted = results.cells("lookup", "sinewave", "base,few-pairs,few-pairs[share=0.5]")
    results.run(tmp_path, wanted)
    assert len({cell.key for cell in wanted}) == 3
    text = render("r_T", tmp_path, scenarios="all")
    for name in ("sinewave (", "sinewave, few-pairs (", "sinewave, few-pairs[share=0.5] ("):
        assert f"proposals: {name}" in text
    assert not any(results.run(tmp_path, wanted).values())


def test_it_is_short_enough_to_print():
    text = (examples.FOLDER / "few_pairs" / "few_pairs.py").read_text()
    assert len(text.splitlines()) <= 45
