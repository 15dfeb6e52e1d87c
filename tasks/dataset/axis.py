"""Whether the columns of y are points of a curve, such as a spectrum."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

POINTS = 10  # columns from which on numbered ones are taken for a curve rather than for single targets
NUMBERED = re.compile(r"(.*?)([-+]?\d+(?:\.\d+)?)")


def axis_of(names: Sequence[str]) -> tuple[str, tuple[float, ...]] | None:
    """Label and values of the axis: of names such as T400, T410, ... that rise or fall. None where they do not."""
    matches = [NUMBERED.fullmatch(name) for name in names]
    if len(names) < POINTS or not all(matches):
        return None
    parts = [match.groups() for match in matches if match is not None]
    values = tuple(float(number) for _, number in parts)
    steps = [second - first for first, second in pairwise(values)]
    same = {prefix for prefix, _ in parts}
    if len(same) > 1 or not (min(steps) > 0 or max(steps) < 0):
        return None
    return same.pop().strip(" _=-") or "column", values
