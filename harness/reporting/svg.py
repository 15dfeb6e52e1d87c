"""The painter for pages: figures as SVG text, whose colours, markers and visibility a style sheet and a script decide.

A series is a group with the class `series` and its method's number, which the page's switches hide by. Colours are CSS
variables `--c0` to `--c6`. Whoever cannot see the marks reads the table beside the figure.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from harness.reporting.figure import Axis, Figure, Guide, Panel, Series, marked
from harness.reporting.looks import Look, looks
from harness.reporting.marks import dash, mark_id
from harness.reporting.marks import kind as kind_of
from harness.reporting.numbers import number as number_of
from harness.reporting.placing import placed
from harness.reporting.scales import Scale, read, scales, spaced

WIDTH, HEIGHT, SIDE = 300, 216, 200
"""Of a panel, and the width of a square one, in the units of the picture: pixels where there is little room."""
LEFT, RIGHT, TOP, BOTTOM = 56, 9, 24, 40
POINTS, CLOUD = 64, 20
"""Points of a series, and of one among several clouds, beyond which every so many are left out; the page says so."""
SMALL = 60
"""Points of a line from which on only some have markers, without texts of their own."""
FEW = 20
"""Points of a cloud from which on they have no texts of their own."""
LONG = 200
"""Characters of a drawing from which on it is written once for all panels that have it."""
STEP = 5.0
"""Between the points of a curve that is drawn to compare with."""

DIGIT, BESIDE = 6.4, 24
"""The width of a digit of a tick, and the room for the label of the axis beside it."""
LETTER, LINE, RADIUS = 6.2, 13.0, 3.6
"""Of a name beside a point: the width of a letter, the height, and the radius of the marker."""
NAME, UNDER, TITLE = 11, 22, 38
"""Characters of a name beside an axis, and under one, and of a title in full size."""
ROW, SLANT = 16.0, 0.6
"""The height of a field, and of a name under an axis, as a share of its length."""


@dataclass(frozen=True)
class Place:
    """Where the axes of a panel are, and what they show."""

    across: Scale
    up: Scale
    width: int
    height: int
    left: int = LEFT
    bottom: int = BOTTOM

    @property
    def right(self) -> int:
        """The end of the horizontal axis."""
        return self.width - RIGHT

    @property
    def foot(self) -> int:
        """The height of the horizontal axis."""
        return self.height - self.bottom

    def x(self, value: float) -> float:
        """Where a value stands on the horizontal axis; NaN where the axis cannot show it."""
        return round(self.left + self.across(value) * (self.right - self.left), 1)

    def y(self, value: float) -> float:
        """Where a value stands on the vertical axis; NaN where the axis cannot show it."""
        return self.at(self.up(value))

    def at(self, share: float) -> float:
        """Where a share of the vertical axis is."""
        return round(self.foot - share * (self.foot - TOP), 1)


def _place(panel: Panel) -> Place:
    left = max(LEFT, *(round(LETTER * min(len(name), NAME)) + 10 for name in panel.y.names), 0)
    if panel.square:
        return Place(*scales(panel), SIDE, SIDE - LEFT - RIGHT + TOP + BOTTOM)
    if panel.fields:
        bottom = round(SLANT * LETTER * min(UNDER, max(map(len, panel.x.names)))) + 12
        return Place(*scales(panel), WIDTH, round(ROW * len(panel.y.names)) + TOP + bottom, left, bottom)
    across, up = scales(panel)
    if not panel.y.names:
        widest = max((len(read(tick, up.log)) for tick in up.ticks), default=0)
        left = max(left, round(DIGIT * widest) + BESIDE)
    return Place(across, up, WIDTH, max(HEIGHT, round(LINE * len(panel.y.names)) + TOP + BOTTOM + 8), left)


def panels(figure: Figure) -> list[str]:
    """Each panel of a figure as an `svg` element."""
    look = looks(figure.labels)
    numbers = {label: number for number, label in enumerate(figure.labels)}
    drawn = [_place(panel) for panel in figure.panels]
    behind = [
        "".join(_guide(guide, place) for guide in panel.guides if not guide.front)
        for panel, place in zip(figure.panels, drawn, strict=True)
    ]
    name = f"{figure.name}-{figure.apart}-".replace(" ", "-")
    return [
        "<span></span>" if panel.empty else "".join(_panel(panel, place, _once(name, behind, number), look, numbers))
        for number, (panel, place) in enumerate(zip(figure.panels, drawn, strict=True))
    ]


def _once(name: str, drawings: Sequence[str], number: int) -> str:
    """One of several drawings; where an earlier one is the same, a reference to it."""
    first = drawings.index(drawings[number])
    if len(drawings[number]) < LONG:
        return drawings[number]
    key = escape(f"{name}{first}")
    return f'<g id="{key}">{drawings[number]}</g>' if first == number else f'<use href="#{key}"/>'


def thinned(panel: Panel, series: Series) -> Sequence[int]:
    """The points of a series that are drawn."""
    count, most = len(series.x), POINTS if series.joined or len(panel.series) == 1 else CLOUD
    return range(count) if count <= most else range(0, count, math.ceil(count / most))


def _panel(panel: Panel, place: Place, behind: str, look: dict[str, Look], numbers: dict[str, int]) -> Iterator[str]:
    across = panel.x.title or ", ".join(panel.x.names)
    title = escape(f"{panel.title}: {panel.y.title or 'methods'} against {across}")
    size, kind = f"0 0 {place.width} {place.height}", "panel square" if panel.square else "panel"
    yield f'<svg class="{kind}" viewBox="{size}" role="img" tabindex="0" aria-label="{title}">'
    middle = place.width / 2 if panel.square else (place.left + place.right) / 2
    small = f' style="font-size:{12 * TITLE / len(panel.title):.1f}px"' if len(panel.title) > TITLE else ""
    yield f'<text class="title" x="{middle:g}" y="14"{small}>{escape(panel.title)}</text>'
    yield from _axes(panel, place)
    yield from _fields(panel, place, numbers)
    yield behind
    for number, series in enumerate(panel.series):
        yield f'<g class="series m{numbers[series.label]} {kind_of(look[series.label])}">'
        yield from _series(panel, series, look[series.label], place, number / len(panel.series))
        yield "</g>"
    yield from _labels(panel, look, numbers, place)
    yield from (_guide(guide, place) for guide in panel.guides if guide.front)
    yield "</svg>"


def _axes(panel: Panel, place: Place) -> Iterator[str]:
    left, right, foot = place.left, place.right, place.foot
    under = [] if panel.x.names else [(place.x(tick), read(tick, place.across.log)) for tick in place.across.ticks]
    roomy = spaced([x for x, _ in under], [DIGIT * (len(text) + 1) for _, text in under])
    below = [under[number] for number in roomy]
    beside = _names(panel.y) or [(tick, read(tick, place.up.log)) for tick in place.up.ticks]
    rows = [(place.y(tick), text) for tick, text in beside]
    aside = rows if panel.y.names else [rows[number] for number in spaced([y for y, _ in rows], [LINE] * len(rows))]
    lines = [f"M{x:g} {TOP}V{foot}" for x, _ in below]
    lines += [f"M{left} {y:g}H{right}" for y, _ in aside if not panel.fields]
    yield f'<path class="grid" d="{"".join(lines)}"/><g class="tick">'
    yield from (f'<text x="{x:g}" y="{foot + 17}">{text}</text>' for x, text in below)
    yield '</g><g class="tick side">'
    yield from (f'<text x="{left - 4}" y="{y + 4:g}">{escape(text)}</text>' for y, text in aside)
    yield "</g>"
    yield f'<path class="axis" d="M{left} {TOP}V{foot}H{right}"/>'
    if panel.x.names:
        yield '<g class="tick side slanted">'
        for number, name in _names(panel.x, UNDER):
            yield f'<text transform="translate({place.x(number) + 4:g} {foot + 10})rotate(-35)">{escape(name)}</text>'
        yield "</g>"
    else:
        yield f'<text class="label" x="{(left + right) / 2:g}" y="{place.height - 7}">{escape(panel.x.title)}</text>'
    if panel.y.title:
        middle = (TOP + foot) / 2
        yield f'<text class="label" transform="translate(11 {middle:g})rotate(-90)">{escape(panel.y.title)}</text>'


def _fields(panel: Panel, place: Place, numbers: dict[str, int]) -> Iterator[str]:
    """The fields of each method, which its switch hides."""
    wide, high = abs(place.x(1) - place.x(0)), abs(place.y(1) - place.y(0))
    for label in dict.fromkeys(field.label for field in panel.fields):
        yield f'<g class="series field m{numbers[label]}">'
        for field in (field for field in panel.fields if field.label == label):
            x, y, kind = place.x(field.x), place.y(field.y), "worse" if field.shade > 0 else "better"
            yield (
                f'<rect class="{kind}" x="{x - wide / 2:.1f}" y="{y - high / 2:.1f}" width="{wide:.1f}" '
                f'height="{high:.1f}" fill-opacity="{abs(field.shade):.2f}"/>'
                f'<text x="{x:g}" y="{y + 4:g}">{escape(field.text)}</text>'
            )
        yield "</g>"


def _labels(panel: Panel, look: dict[str, Look], numbers: dict[str, int], place: Place) -> Iterator[str]:
    """The names of single points, where they fit."""
    shown = [one for one in panel.named if not math.isnan(place.x(one.x[0]) + place.y(one.y[0]))]
    points = [(place.x(one.x[0]), place.y(one.y[0])) for one in shown]
    box = (place.left, TOP, place.right, place.foot)
    spots = placed(points, [LETTER * len(one.label) for one in shown], LINE, RADIUS, box)
    for one, point, spot in zip(shown, points, spots, strict=True):
        if spot:
            yield f'<g class="series m{numbers[one.label]} {kind_of(look[one.label])}">'
            if spot.leader:
                yield f'<path class="leader" d="M{point[0]:g} {point[1]:g}L{spot.leader[0]:.1f} {spot.leader[1]:.1f}"/>'
            yield f'<text class="name" x="{spot.x:.1f}" y="{spot.y + LINE / 4:.1f}">{escape(one.label)}</text></g>'


def _names(axis: Axis, most: int = NAME) -> list[tuple[float, str]]:
    short = (name if len(name) <= most else f"{name[: most - 1]}…" for name in axis.names)
    return [(float(number), name) for number, name in enumerate(short)]


def _guide(guide: Guide, place: Place) -> str:
    kind = f"guide {'front' if guide.front else guide.kind}"
    if guide.kind == "x":
        path = f"M{place.x(guide.value)} {TOP}V{place.foot}"
    elif guide.kind == "y":
        path = f"M{place.left} {place.y(guide.value)}H{place.right}"
    elif guide.kind == "points":
        path = "".join(f"M{x:.0f} {y:.0f}h0" for x, y in _seen(guide, place))
    elif guide.kind == "curve":
        path = _line(_spaced([(place.x(x), place.y(y)) for x, y in guide.points]))
    else:
        low, high = max(place.across.low, place.up.low), min(place.across.high, place.up.high)
        path = f"M{place.x(low)} {place.y(low)}L{place.x(high)} {place.y(high)}" if low < high else ""
    return f'<path class="{kind}" d="{path}"/>' if path else ""


def _seen(guide: Guide, place: Place) -> list[tuple[float, float]]:
    """Where the points of a guide stand, those that the axes show."""
    points = [(place.x(x), place.y(y)) for x, y in guide.points[:POINTS]]
    return [point for point in points if not math.isnan(sum(point))]


def _series(panel: Panel, series: Series, look: Look, place: Place, start: float) -> Iterator[str]:
    """A series; where it starts to have markers, 0 to 1, keeps those of lines that lie together apart."""
    known = zip(series.x, series.y, strict=True)
    every = [(number, x, y) for number, x, y in _located(known, place) if not math.isnan(x + y)]
    drawn = set(thinned(panel, series))
    points = [point for point in every if point[0] in drawn]
    if not points:
        return
    if series.low:
        yield f'<path class="band" d="{_band(series, points, place)}"/>'
    if series.joined:
        yield f'<path class="line" d="{_line(_bends([(x, y) for _, x, y in points]))}"{dash(look)}/>'
    if series.joined and len(series.x) > SMALL:
        chosen = set(marked(series, start))
        yield _marks(look, [point for point in every if point[0] in chosen])
    elif len(series.x) > FEW and not series.joined:
        if len(panel.series) == 1:
            yield f'<path class="dots" d="{"".join(f"M{x:g} {y:g}h0" for _, x, y in points)}"/>'
        else:
            yield _marks(look, points)
    else:
        values = (f"{number_of(series.x[each], 3)},{number_of(series.y[each], 3)}" for each, _, _ in points)
        yield _marks(look, points, " ".join(values))


def _marks(look: Look, points: Sequence[tuple[int, float, float]], values: str = "") -> str:
    """Where markers stand, and perhaps what they stand for; the script draws them, as so many elements would be a third
    of the page.
    """
    places = " ".join(f"{x:.0f} {y:.0f}" for _, x, y in points)
    told = f' data-at="{values}"' if values else ""
    return f'<g data-marks="{mark_id(look.marker)} {places}"{told}></g>'


def _located(points: Iterable[tuple[float, float]], place: Place) -> Iterator[tuple[int, float, float]]:
    return ((number, place.x(x), place.y(y)) for number, (x, y) in enumerate(points))


def _line(points: Sequence[tuple[float, float]]) -> str:
    """A path through points, each as the step from the one before, which is shorter to write."""
    if not points:
        return ""
    steps = (right[axis] - left[axis] for left, right in pairwise(points) for axis in (0, 1))
    text = " ".join(f"{step:.1f}" for step in steps)
    short = re.sub(r"(?<!\d)0(?=\.)", "", re.sub(r"-?\b0\.0\b", "0", text).replace(".0", "")).replace(" -", "-")
    return f"M{points[0][0]:g} {points[0][1]:g}" + f"l{short}" * bool(short)


def _bends(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points of a line without those between two others of the same height."""
    inner = zip(points, points[1:], points[2:], strict=False)
    return [*points[:1], *(at for before, at, after in inner if not before[1] == at[1] == after[1]), *points[1:][-1:]]


def _spaced(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points of a curve without those that are nearly at the one before."""
    found = list(points[:1])
    for point in points[1:-1]:
        if math.dist(point, found[-1]) > STEP:
            found.append(point)
    return found + list(points[1:][-1:])


def _band(series: Series, points: Sequence[tuple[int, float, float]], place: Place) -> str:
    """Around the interval; what lies below a logarithmic axis ends at its foot."""
    tops = [(x, place.at(_within(place.up(series.high[number])))) for number, x, _ in points]
    feet = [(x, place.at(_within(place.up(series.low[number])))) for number, x, _ in reversed(points)]
    return _line([*tops, *feet]) + "Z"


def _within(share: float) -> float:
    return 0.0 if math.isnan(share) else min(max(share, 0.0), 1.0)
