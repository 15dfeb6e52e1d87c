"""How cells are dealt out to the entries of an array, and how long an entry may then take."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from typing import TypeVar

from harness.cluster import MOST

T = TypeVar("T")

WORTH = 3600.0
"""Seconds of work that are worth an entry of their own: queues are slow where there are many short ones."""
MARGIN = 4.0
"""How much longer than estimated an entry may take: nodes differ, and the estimate is often a rule of thumb."""
START = 600.0  # seconds to start Python, import torch and prepare the data of the first cell


def pack(
    items: Sequence[T], costs: Sequence[float], at_once: int, entries: int | None, limit: float | None
) -> list[list[T]]:
    """The items in as many parts as there are entries, of about equal cost; in each part, in the order given.

    Without a number of `entries`, each gets about an hour of work for `at_once` items at a time, or what fits into the
    time limit. There are never more than `MOST`, and none is empty.
    """
    worth = WORTH if limit is None else max(min(WORTH, (limit - START) / MARGIN), 1.0)
    wanted = entries or math.ceil(sum(costs) / (at_once * worth))
    count = max(1, min(wanted, MOST, len(items)))
    loads = [(0.0, 0, number) for number in range(count)]
    parts: list[list[int]] = [[] for _ in loads]
    for place in sorted(range(len(items)), key=lambda place: -costs[place]):
        load, held, number = heapq.heappop(loads)
        parts[number].append(place)
        heapq.heappush(loads, (load + costs[place], held + 1, number))
    return [[items[place] for place in sorted(part)] for part in parts if part]


def span(costs: Sequence[float], at_once: int) -> float:
    """Seconds until all are done, `at_once` at a time in the order given."""
    ends = [0.0] * at_once
    for cost in costs:
        heapq.heapreplace(ends, ends[0] + cost)
    return max(ends)


def time_limit(costs: Sequence[Sequence[float]], at_once: int, timeout: float | None) -> float:
    """Seconds that are enough for each part, with a margin; a cell takes no longer than its own `timeout`."""
    most = math.inf if timeout is None else timeout
    return START + max(span([min(MARGIN * cost, most) for cost in part], at_once) for part in costs)
