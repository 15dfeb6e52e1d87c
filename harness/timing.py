"""Phases on synchronised clocks."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


def clock() -> float:
    """Seconds of a monotonic clock, read after every device has finished its queued work."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


class Stopwatch:
    """Adds up the seconds of named, possibly repeated phases."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        started = clock()
        try:
            yield
        finally:
            self.seconds[name] += clock() - started
