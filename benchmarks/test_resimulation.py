"""The true forward model of 100 000 designs, which no method may be faster or slower for."""

from __future__ import annotations

import pytest
import torch
from torch import Generator
from workload import TASKS

from harness import registry
from harness.evaluation.resimulation import resimulate

DESIGNS = 100_000


@pytest.mark.benchmark(group="re-simulation of 100 000 designs")
@pytest.mark.parametrize("name", TASKS)
def test_resimulation(benchmark, name: str) -> None:
    task = registry.get("tasks", name).load()()
    x = task.sample_prior(DESIGNS, Generator().manual_seed(0))
    benchmark.extra_info.update(device="cpu", threads=torch.get_num_threads(), designs=DESIGNS)
    reached = benchmark.pedantic(resimulate, args=(task, x), rounds=5, warmup_rounds=1)
    assert reached.shape == (DESIGNS, task.y_dim)
