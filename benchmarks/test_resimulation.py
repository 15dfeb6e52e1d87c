"""The true forward model of many designs, which no method may be faster or slower for."""

from __future__ import annotations

import pytest
import torch
from torch import Generator
from workload import TASKS

from harness import registry
from harness.resimulation import resimulate

DESIGNS = 100_000
SECONDS = 2.0  # of simulation, by the task's own cost, for which there are as many designs


@pytest.mark.benchmark(group="re-simulation of 100 000 designs, or of fewer where they are slow")
@pytest.mark.parametrize("name", TASKS)
def test_resimulation(benchmark, name: str) -> None:
    task = registry.get("tasks", name).load()()
    designs = min(DESIGNS, round(1000 * SECONDS / task.cost)) if task.cost else DESIGNS
    x = task.sample_prior(designs, Generator().manual_seed(0))
    benchmark.extra_info.update(device="cpu", threads=torch.get_num_threads(), designs=designs)
    reached = benchmark.pedantic(resimulate, args=(task, x), rounds=3, warmup_rounds=1)
    assert reached.shape == (designs, task.y_dim)
