"""Where the names of points fit: beside them, inside the panel, over no other point or name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right and bottom."""

GAP = 1.5
"""Between a marker and its name, in markers' radii."""


def placed(
    points: Sequence[tuple[float, float]], widths: Sequence[float], height: float, radius: float, panel: Box
) -> list[tuple[float, float] | None]:
    """The middle of each name; None for one that fits nowhere beside its point.

    Args:
        points: all points of a panel, in its units.
        widths: of the names.
        height: of all names.
        radius: of the markers.
        panel: the place that there is.
    """
    taken = [(x - radius, y - radius, x + radius, y + radius) for x, y in points]
    found: list[tuple[float, float] | None] = []
    for (x, y), width in zip(points, widths, strict=True):
        spots = ((spot, _box(*spot, width, height)) for spot in _spots(x, y, width, height, GAP * radius))
        free = (spot for spot, box in spots if _within(box, panel) and not any(_meet(box, other) for other in taken))
        spot = next(free, None)
        found.append(spot)
        taken += [_box(*spot, width, height)] if spot else []
    return found


def _spots(x: float, y: float, width: float, height: float, gap: float) -> Iterator[tuple[float, float]]:
    """Right, left, above and below, then the corners."""
    aside, over = gap + width / 2, gap + height / 2
    yield from ((x + aside, y), (x - aside, y), (x, y - over), (x, y + over))
    yield from ((x + across * aside, y + up * over / 2) for across in (1, -1) for up in (-1, 1))


def _box(x: float, y: float, width: float, height: float) -> Box:
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _within(box: Box, panel: Box) -> bool:
    return box[0] >= panel[0] and box[1] >= panel[1] and box[2] <= panel[2] and box[3] <= panel[3]


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
