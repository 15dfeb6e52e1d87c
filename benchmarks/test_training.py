"""One training step of each phase of each method: loss, gradient, optimiser, weight average."""

from __future__ import annotations

import pytest
from workload import METHODS, built, described

from harness.seeds import seeded
from harness.training import PhaseLog, _freeze_all_but, _Loop

PHASES = [(name, phase.name) for name in METHODS for phase in built(name, "cpu").phases()]


@pytest.mark.benchmark(group="training step")
@pytest.mark.parametrize(("name", "phase"), PHASES, ids=lambda value: value)
def test_training_step(benchmark, device: str, name: str, phase: str) -> None:
    workload = built(name, device)
    chosen = next(item for item in workload.phases() if item.name == phase)
    loop = _Loop(
        workload.method,
        chosen,
        workload.train,
        workload.valid,
        workload.given.schedule,
        workload.given.schedule.epochs,
        0,
        lambda *_: None,
        PhaseLog(phase, 1),
    )
    x, y = workload.train.x[: loop.batch], workload.train.y[: loop.batch]
    benchmark.extra_info.update(described(workload), batch=loop.batch)
    frozen = _freeze_all_but(workload.method, chosen.module)
    try:
        with seeded("benchmark"):
            benchmark.pedantic(loop._step, args=(x, y, 0.5), rounds=30, warmup_rounds=3)
    finally:
        for parameter in frozen:
            parameter.requires_grad_(True)
