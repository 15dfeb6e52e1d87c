"""What a forward model does: goes into the digests of what is worked out with it and kept."""

from __future__ import annotations

from torch import Generator, Tensor

from harness.contracts import Task, forward
from harness.threads import threads

PROBES = 16
"""Draws of the prior whose f(x) is looked at: whatever changes a forward model, or its prior, changes it."""


def behaviour(task: Task) -> tuple[Tensor, Tensor]:
    """Some draws of a task's prior `(16, x_dim)`, and what they reach `(16, y_dim)`, conditions included.

    Args:
        task: whose forward model is called for each of them.
    """
    with threads(1):
        probes, conditions = task.draw_inputs(PROBES, Generator().manual_seed(0))
        return probes, forward(task, probes, conditions)


def as_bytes(tensor: Tensor) -> bytes:
    """The numbers of a tensor, for a digest.

    Args:
        tensor: of any shape, on the CPU.
    """
    return tensor.contiguous().numpy().tobytes()
