"""The run files of the reference: each names what there is, and is planned."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import config
from harness.plan import planned

RUNS = sorted((Path(__file__).parents[1] / "results" / "runs").glob("*.toml"))


def test_there_are_run_files() -> None:
    assert {path.stem for path in RUNS} >= {
        "views",
        "noise",
        "unpaired",
        "corrupted",
        "fidelity",
        "transfer",
        "metered",
        "active",
    }


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_every_scenario_of_a_run_file_has_methods_and_tasks_that_take_part(path: Path) -> None:
    settings, preset = config.load({}, str(path))
    cells = planned(settings, preset).cells
    able = {cell.scenario_label for cell in cells if not cell.refusal}
    assert able == {cell.scenario_label for cell in cells}, "a scenario in which nobody takes part"
    assert {cell.method.label for cell in cells} == {cell.method.label for cell in cells if not cell.refusal}
    assert preset.name == "quick" and settings.out == Path("results/quick")
