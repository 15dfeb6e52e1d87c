"""Axes by hand: the range of an axis, its ticks, and how they read. Pure functions for the painter of pages."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from harness.reporting.figure import Axis, Guide, Panel

TICKS = 5
"""Ticks of an axis, about."""
MARGIN = 0.04
"""Share of the range that is left free at each end."""
STEPS = (1.0, 2.0, 5.0, 10.0)
SAME = 1e-9
"""The difference of two values, as a share of the larger one, below which an axis takes them for one: rounding."""
NARROW = 1.5
"""Decades up to which a logarithmic axis has ticks at 1, 2 and 5."""


@dataclass(frozen=True)
class Scale:
    """From values to the share of the axis, 0 to 1."""

    low: float
    high: float
    log: bool

    def __call__(self, value: float) -> float:
        """Where a value stands; NaN for one that the axis cannot show."""
        if not math.isfinite(value) or (self.log and value <= 0):
            return math.nan
        at = math.log10(value) if self.log else value
        low, high = (math.log10(self.low), math.log10(self.high)) if self.log else (self.low, self.high)
        return (at - low) / (high - low)

    @property
    def ticks(self) -> list[float]:
        """Round values within the range, in order."""
        return list(_log_ticks(self.low, self.high) if self.log else _linear_ticks(self.low, self.high))


def scale_of(axis: Axis, values: Iterable[float], downwards: bool = False) -> Scale:
    """The scale that shows all values that an axis can show; of the axis' own limits where it has them.

    Names are in order from the left, or from the top, which is downwards.
    """
    if axis.names:
        first, last = -0.5, len(axis.names) - 0.5
        return Scale(last, first, False) if downwards else Scale(first, last, False)
    shown = [value for value in values if math.isfinite(value) and (value > 0 or not axis.log)]
    low = axis.low if axis.low is not None else min(shown, default=0.1 if axis.log else 0.0)
    high = axis.high if axis.high is not None else max(shown, default=1.0)
    if low >= high or high - low < SAME * max(abs(low), abs(high)):
        low, high = (low / 2, low * 2) if axis.log else (low - 0.5, low + 0.5)
    if axis.log:
        free = (high / low) ** MARGIN
        return Scale(low / free if axis.low is None else low, high * free if axis.high is None else high, True)
    width = (high - low) * MARGIN
    return Scale(low - width if axis.low is None else low, high + width if axis.high is None else high, False)


def scales(panel: Panel) -> tuple[Scale, Scale]:
    """The scales of the two axes of a panel."""
    across = [value for series in panel.series for value in series.x]
    up = [value for series in panel.series for value in (*series.y, *series.low, *series.high)]
    lines: tuple[Guide, ...] = panel.guides
    across += [guide.value for guide in lines if guide.kind == "x"]
    up += [guide.value for guide in lines if guide.kind == "y"]
    across += [x for guide in lines for x, _ in guide.points]
    up += [y for guide in lines for _, y in guide.points]
    return scale_of(panel.x, across), scale_of(panel.y, up, downwards=True)


def spaced(places: Sequence[float], widths: Sequence[float]) -> range:
    """The ticks at these places that have room for their texts: all, or every second, third, ... of them."""
    for every in range(1, len(places)):
        chosen = range(0, len(places), every)
        if all(
            abs(places[after] - places[before]) >= (widths[after] + widths[before]) / 2
            for before, after in pairwise(chosen)
        ):
            return chosen
    return range(min(len(places), 1))


def _linear_ticks(low: float, high: float) -> Iterable[float]:
    rough = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor for factor in STEPS if factor * power >= rough) * power
    return [number * step for number in range(math.ceil(low / step), math.floor(high / step + 1e-9) + 1)]


def _log_ticks(low: float, high: float) -> Iterable[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    if math.log10(high / low) < NARROW:
        found = [factor * 10.0**power for power in range(first, last + 1) for factor in STEPS[:-1]]
    else:
        every = max(1, math.ceil((last - first) / TICKS))
        found = [10.0**power for power in range(first, last + 1) if power % every == 0]
    within = [value for value in found if low <= value <= high]
    return within if len(within) > 1 else _linear_ticks(low, high)


def read(value: float, log: bool) -> str:
    """A tick as text: `0.2`, or of a logarithmic axis `1e-6`."""
    if log and (value < 1e-2 or value >= 1e4):
        mantissa, power = f"{value:.2e}".split("e")
        return f"{float(mantissa):g}e{int(power)}"
    return f"{value:.6g}"
