"""What a digest of a forward model sees."""

from __future__ import annotations

import torch

from harness.behaviour import behaviour
from harness.contracts import forward
from harness.plan import specification
from harness.registry import build_scenario, build_task
from harness.selection import select


def ballistics(options: str = ""):
    return build_task(specification(*select("tasks", f"ballistics{options}")))


def test_it_is_the_same_each_time_and_another_for_another_forward_model() -> None:
    (x, y), again, other = behaviour(ballistics()), behaviour(ballistics()), behaviour(ballistics("[simulator=grid]"))
    assert x.shape == (16, 4) and y.shape == (16, 1) and torch.equal(x, again[0]) and torch.equal(y, again[1])
    assert torch.equal(x, other[0]) and not torch.equal(y, other[1])


def test_a_task_with_conditions_is_asked_under_some_of_them() -> None:
    task = build_scenario(specification(*select("scenarios", "conditions"))).task(ballistics())
    x, y = behaviour(task)
    assert y.shape == (16, 3) and len(y[:, 1].unique()) > 1
    torch.testing.assert_close(y, forward(task, x, y[:, 1:]))
