"""What the harness itself costs: the share of a run that is neither training, proposing, timing nor re-simulating."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.timing import clock

WORK = ("training", "proposing", "inference", "resimulation")


def run(folder: Path, name: str, device: str) -> float:
    """A real run of one method in the quick preset; its wall time in seconds."""
    command = [sys.executable, "-m", "harness", "run", "--methods", name, "--tasks", "sinewave", "--preset", "quick"]
    started = clock()
    subprocess.run([*command, "--device", device, "--quiet", "--out", str(folder)], check=True, capture_output=True)
    return clock() - started


@pytest.mark.benchmark(group="overhead of the harness")
@pytest.mark.parametrize("name", ["tandem"])
def test_overhead(benchmark, device: str, tmp_path: Path, name: str) -> None:
    wall = benchmark.pedantic(run, args=(tmp_path / "run", name, device), rounds=1)
    (found,) = (tmp_path / "run").rglob("record.json")
    record = json.loads(found.read_text())
    timing = record["seconds"]
    work = sum(timing.get(part, 0.0) for part in WORK)
    benchmark.extra_info.update(
        device=device,
        threads=record["stamps"][0]["threads"],
        parameters=record["model"]["parameters"]["trainable"],
        overhead_of_cell=1 - work / timing["total"],
        overhead_of_run=1 - work / wall,
        seconds={part: round(value, 3) for part, value in timing.items()},
    )
    assert 0 <= work <= timing["total"] <= wall
