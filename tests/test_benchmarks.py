"""What is in `benchmarks/` can be run, though nothing is timed here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.slow


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    values = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    return subprocess.run(command, cwd=ROOT, env=values, capture_output=True, text=True, timeout=300, check=False)


def test_every_benchmark_of_a_method_and_of_a_task_runs_once() -> None:
    chosen = "(test_training_step and mdn) or (test_proposals and prior) or (test_resimulation and sinewave)"
    done = run(sys.executable, "-m", "pytest", "-q", "benchmarks", "--benchmark-disable", "-k", chosen)
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


def test_throughput_measures_every_forward_model(tmp_path: Path) -> None:
    code = (
        "import sys, throughput; throughput.ENOUGH, throughput.LARGEST = 0.0, 2; "
        f"sys.argv = ['throughput', '--out', {str(tmp_path / 'out.json')!r}]; throughput.main()"
    )
    done = run(sys.executable, "-c", code, PYTHONPATH=f"{ROOT / 'benchmarks'}{os.pathsep}{ROOT}")
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out.json").read_text())
    assert {entry["task"] for entry in found} >= {"sinewave", "architecture", "shell"}
    assert all(entry["per_second"] > 0 for entry in found), found


def test_the_script_for_a_gpu_says_how_it_is_used() -> None:
    done = run("bash", "benchmarks/gpu.sh")
    assert done.returncode == 2 and "benchmarks/gpu.sh run FOLDER [SECONDS]" in done.stdout
