"""How long 1000 proposals take."""

from __future__ import annotations

import statistics
from typing import Any

from torch import Generator

from harness.contracts import Method
from harness.data import Dataset
from harness.seeds import derive
from harness.timing import Stopwatch, clock

PROPOSALS = 1000
ROUNDS = 6
PATIENCE = 3.0  # seconds after which no further round begins


def measure(method: Method, data: Dataset, seed: int, device: str, *, exclusive: bool) -> dict[str, Any]:
    """Seconds for 1000 proposals for y* in one batch, after one warm-up round; median over rounds.

    `noise_floor` is the difference between the medians of the even and of the odd rounds, the same work measured twice.
    `stages` splits the time where the method does.
    """
    y = data.y_scale.apply(data.fixed_target).to(device, method.dtype)
    generator = Generator().manual_seed(derive("inference", seed))
    rounds: list[tuple[float, dict[str, float]]] = []
    began = clock()
    for _ in range(ROUNDS + 1):
        watch = Stopwatch()
        method.stage = watch
        started = clock()
        method.propose(y, PROPOSALS, generator)
        rounds.append((clock() - started, dict(watch.seconds)))
        if clock() - began > PATIENCE and len(rounds) > 2:
            break
    measured = rounds[1:]
    seconds = [total for total, _ in measured]
    return {
        "proposals": PROPOSALS,
        "seconds": statistics.median(seconds),
        "stages": {name: statistics.median(stages[name] for _, stages in measured) for name in measured[0][1]},
        "noise_floor": abs(statistics.median(seconds[::2]) - statistics.median(seconds[1::2])),
        "rounds": len(measured),
        "exclusive": exclusive,
    }
