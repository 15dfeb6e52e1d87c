"""Where the names of points fit: beside them, inside the panel, over no other point or name."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Point: TypeAlias = tuple[float, float]
Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right and bottom."""

GAP = 1.8
"""Between a marker and its name, in markers' radii."""
RINGS, DIRECTIONS = (1.2, 1.8, 2.5, 3.5, 5.0, 6.5), 32
"""Where a name is tried that does not fit beside its point: distances in heights of a name, and directions."""
NEAR = 5.0
"""Heights of a name within which a point is a neighbour."""
FAR = 12.0
"""Heights of a name that a line to it is long which is as bad as no name."""
STEPS = 16
"""Parts of a line from a point to its name between which it is seen whether it goes over anything."""


@dataclass(frozen=True)
class Spot:
    """The middle of a name."""

    x: float
    y: float
    leader: Point | None = None
    """Where a line from the point ends, of a name that does not stand beside it."""


def placed(
    points: Sequence[Point], widths: Sequence[float], height: float, radius: float, panel: Box
) -> list[Spot | None]:
    """Where each name stands; None for one that fits nowhere near its point.

    Args:
        points: all points of a panel, in its units.
        widths: of the names.
        height: of all names.
        radius: of the markers.
        panel: the place that there is.
    """
    places = range(len(points))
    orders = (
        places,
        sorted(places, key=lambda place: -_neighbours(points, place, NEAR * height)),
        sorted(places, key=lambda place: points[place]),
        sorted(places, key=lambda place: points[place], reverse=True),
        sorted(places, key=lambda place: points[place][1]),
        sorted(places, key=lambda place: -points[place][1]),
    )
    tried = [_placed(order, points, widths, height, radius, panel) for order in orders]
    return max(tried, key=lambda found: sum(_worth(*pair, FAR * height) for pair in zip(points, found, strict=True)))


def _worth(point: Point, spot: Spot | None, far: float) -> float:
    """What a name is worth, 1 beside its point and less at the end of a line."""
    if spot is None:
        return 0.0
    return 1 - math.dist(point, spot.leader) / far if spot.leader else 1.0


def _placed(
    order: Sequence[int], points: Sequence[Point], widths: Sequence[float], height: float, radius: float, panel: Box
) -> list[Spot | None]:
    """As `placed`, one name after the other, each at the first place that is free."""
    taken = [(x - radius, y - radius, x + radius, y + radius) for x, y in points]
    lines: list[tuple[Point, Point]] = []
    found: list[Spot | None] = [None] * len(points)
    for place in order:
        point, width = points[place], widths[place]
        for spot in _spots(*point, width, height, GAP * radius):
            box = _box(spot, width, height)
            if (
                _within(box, panel)
                and not any(_meet(box, other) for other in taken)
                and not any(_over(*line, box) for line in lines)
                and not (spot.leader and any(_over(point, spot.leader, other) for other in taken))
                and not (spot.leader and any(_cross((point, spot.leader), line) for line in lines))
            ):
                found[place] = spot
                taken.append(_box(spot, width + height, height))  # names in one line need a space between them
                lines += [(point, spot.leader)] if spot.leader else []
                break
    return found


def _neighbours(points: Sequence[Point], place: int, near: float) -> int:
    """The points near another: names are the harder to place, the more there are."""
    return sum(math.dist(point, points[place]) < near for point in points)


def _spots(x: float, y: float, width: float, height: float, gap: float) -> Iterator[Spot]:
    """Right, left, above and below, then the corners, then around the point with a line to it."""
    aside, over = gap + width / 2, gap + height / 2
    yield from (Spot(x + aside, y), Spot(x - aside, y), Spot(x, y - over), Spot(x, y + over))
    yield from (Spot(x + across * aside, y + up * over / 2) for across in (1, -1) for up in (-1, 1))
    for ring in RINGS:
        for place in range(DIRECTIONS):
            across, up = math.cos(2 * math.pi * place / DIRECTIONS), math.sin(2 * math.pi * place / DIRECTIONS)
            end = x + across * ring * height, y + up * ring * height
            yield Spot(end[0] + across * width / 2, end[1] + up * height / 2, end)


def _box(spot: Spot, width: float, height: float) -> Box:
    return spot.x - width / 2, spot.y - height / 2, spot.x + width / 2, spot.y + height / 2


def _over(start: Point, end: Point, box: Box) -> bool:
    """Whether a line goes over a box that does not have its start."""
    across, up = end[0] - start[0], end[1] - start[1]
    if box[0] <= start[0] <= box[2] and box[1] <= start[1] <= box[3]:
        return False
    steps = [(start[0] + share / STEPS * across, start[1] + share / STEPS * up) for share in range(1, STEPS)]
    return any(box[0] < x < box[2] and box[1] < y < box[3] for x, y in steps)


def _cross(one: tuple[Point, Point], other: tuple[Point, Point]) -> bool:
    """Whether two lines cross: the ends of each lie on both sides of the other."""
    return all(_side(*line, ends[0]) != _side(*line, ends[1]) for line, ends in ((one, other), (other, one)))


def _side(start: Point, end: Point, point: Point) -> bool:
    return (end[0] - start[0]) * (point[1] - start[1]) > (end[1] - start[1]) * (point[0] - start[0])


def _within(box: Box, panel: Box) -> bool:
    return box[0] >= panel[0] and box[1] >= panel[1] and box[2] <= panel[2] and box[3] <= panel[3]


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
