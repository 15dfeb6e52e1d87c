"""Phases on synchronised clocks."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


def clock(device: str = "cpu") -> float:
    """Seconds of a monotonic clock, read after the device has finished its queued work."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize(device)
    return time.perf_counter()


class Stopwatch:
    """Adds up the seconds of named, possibly repeated phases."""

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        started = clock(self.device)
        try:
            yield
        finally:
            self.seconds[name] += clock(self.device) - started
