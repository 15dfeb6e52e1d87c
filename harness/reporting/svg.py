"""The painter for pages: figures as SVG text, whose colours, markers and visibility a style sheet and a script decide.

A series is a group with the class `series` and its method's number, which the page's switches hide by. Colours are CSS
variables `--c0` to `--c6`. Whoever cannot see the marks reads the table beside the figure.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from harness.reporting.figure import COLOURS, Axis, Figure, Guide, Look, Panel, Series, looks
from harness.reporting.numbers import number
from harness.reporting.placing import placed
from harness.reporting.scales import Scale, read, scales, spaced

WIDTH, HEIGHT = 300, 210
"""Of a panel, in the units of the picture."""
LEFT, RIGHT, TOP, BOTTOM = 50, 8, 24, 38
POINTS = 100
"""Points of a series beyond which every so many are left out; the page says so."""
SMALL, FEW = 60, 20
"""Points of a line, and of a cloud, from which on they have no markers and texts of their own."""
STEP = 5.0
"""Between the points of a curve that is drawn to compare with."""

DIGIT = 5.0
"""The width of a digit of a tick."""
LETTER, LINE, RADIUS = 4.6, 8.0, 3.6
"""Of a name beside a point: the width of a letter, the height, and the radius of the marker."""
NAME = 10
"""Characters of a name beside an axis."""

SHAPES = {
    "o": "M0-3.2A3.2 3.2 0 1 1 0 3.2A3.2 3.2 0 1 1 0-3.2Z",
    "s": "M-2.8-2.8H2.8V2.8H-2.8Z",
    "^": "M0-3.6L3.4 2.6H-3.4Z",
    "D": "M0-3.8L3.8 0L0 3.8L-3.8 0Z",
    "v": "M0 3.6L3.4-2.6H-3.4Z",
    "P": "M-1.2-3.6H1.2V-1.2H3.6V1.2H1.2V3.6H-1.2V1.2H-3.6V-1.2H-1.2Z",
    "X": "M-3.4-1.9L-1.9-3.4L0-1.5L1.9-3.4L3.4-1.9L1.5 0L3.4 1.9L1.9 3.4L0 1.5L-1.9 3.4L-3.4 1.9L-1.5 0Z",
    "<": "M-3.6 0L2.6 3.4V-3.4Z",
    ">": "M3.6 0L-2.6 3.4V-3.4Z",
    "p": "M0-3.6L3.4-1.1L2.1 2.9H-2.1L-3.4-1.1Z",
    "h": "M0-3.6L3.1-1.8V1.8L0 3.6L-3.1 1.8V-1.8Z",
    "*": "M0-4.2L1-1.3L4-1.3L1.6.5L2.5 3.4L0 1.7L-2.5 3.4L-1.6.5L-4-1.3L-1-1.3Z",
    "d": "M0-4.2L2.3 0L0 4.2L-2.3 0Z",
}
"""Markers around 0, by matplotlib's names."""


def markers() -> str:
    """The markers, for the panels of a page to refer to."""
    shapes = "".join(f'<path id="{_id(name)}" class="mark" d="{path}"/>' for name, path in SHAPES.items())
    return f'<svg class="markers" aria-hidden="true"><defs>{shapes}</defs></svg>'


def _id(marker: str) -> str:
    return f"k{list(SHAPES).index(marker)}"


def panels(figure: Figure) -> list[str]:
    """Each panel of a figure as an `svg` element."""
    look = looks(figure.labels)
    places = {label: place for place, label in enumerate(figure.labels)}
    return ["".join(_panel(panel, look, places)) for panel in figure.panels]


def sample(label: str, labels: Sequence[str]) -> str:
    """A short line with the marker of a method, for a legend."""
    look = looks(labels)[label]
    line = f'<path class="line" d="M1 6H27"{_dash(look)}/>'
    mark = f'<use href="#{_id(look.marker)}" x="14" y="6"/>'
    return f'<svg class="sample {_colour(look)}" viewBox="0 0 28 12" aria-hidden="true">{line}{mark}</svg>'


def thinned(series: Series) -> Sequence[int]:
    """The points of a series that are drawn."""
    count = len(series.x)
    return range(count) if count <= POINTS else range(0, count, math.ceil(count / POINTS))


def _panel(panel: Panel, look: dict[str, Look], places: dict[str, int]) -> Iterator[str]:
    across, up = scales(panel)
    title = escape(f"{panel.title}: {panel.y.title} against {panel.x.title}")
    yield f'<svg class="panel" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" tabindex="0" aria-label="{title}">'
    yield f'<text class="title" x="{(LEFT + WIDTH - RIGHT) / 2:g}" y="14">{escape(panel.title)}</text>'
    yield from _axes(panel, across, up)
    yield from (_guide(guide, across, up) for guide in panel.guides if not guide.front)
    for series in panel.series:
        yield f'<g class="series m{places[series.label]} {_colour(look[series.label])}">'
        yield from _series(series, look[series.label], across, up)
        yield "</g>"
    yield from _labels(panel, look, places, across, up)
    yield from (_guide(guide, across, up) for guide in panel.guides if guide.front)
    yield "</svg>"


def _axes(panel: Panel, across: Scale, up: Scale) -> Iterator[str]:
    lowest, last = HEIGHT - BOTTOM, WIDTH - RIGHT
    under = [(_x(across(tick)), read(tick, across.log)) for tick in across.ticks]
    roomy = spaced([x for x, _ in under], [DIGIT * (len(text) + 1) for _, text in under])
    below = [under[place] for place in roomy]
    beside = _names(panel.y) or [(tick, read(tick, up.log)) for tick in up.ticks]
    aside = [(_y(up(tick)), text) for tick, text in beside]
    lines = [f"M{x:g} {TOP}V{lowest}" for x, _ in below] + [f"M{LEFT} {y:g}H{last}" for y, _ in aside]
    yield f'<path class="grid" d="{"".join(lines)}"/><g class="tick">'
    yield from (f'<text x="{x:g}" y="{lowest + 14}">{text}</text>' for x, text in below)
    yield '</g><g class="tick side">'
    yield from (f'<text x="{LEFT - 4}" y="{y + 3:g}">{escape(text)}</text>' for y, text in aside)
    yield "</g>"
    yield f'<path class="axis" d="M{LEFT} {TOP}V{lowest}H{last}"/>'
    yield f'<text class="label" x="{(LEFT + last) / 2:g}" y="{HEIGHT - 6}">{escape(panel.x.title)}</text>'
    middle = (TOP + lowest) / 2
    yield f'<text class="label" transform="translate(10 {middle:g})rotate(-90)">{escape(panel.y.title)}</text>'


def _labels(panel: Panel, look: dict[str, Look], places: dict[str, int], across: Scale, up: Scale) -> Iterator[str]:
    """The names of single points, where they fit."""
    shown = [one for one in panel.named if not math.isnan(across(one.x[0]) + up(one.y[0]))]
    points = [(_x(across(one.x[0])), _y(up(one.y[0]))) for one in shown]
    box = (LEFT, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM)
    spots = placed(points, [LETTER * len(one.label) for one in shown], LINE, RADIUS, box)
    for one, spot in zip(shown, spots, strict=True):
        if spot:
            kind = f"name series m{places[one.label]} {_colour(look[one.label])}"
            yield f'<text class="{kind}" x="{spot[0]:.1f}" y="{spot[1] + LINE / 3:.1f}">{escape(one.label)}</text>'


def _names(axis: Axis) -> list[tuple[float, str]]:
    short = (name if len(name) <= NAME else f"{name[: NAME - 1]}…" for name in axis.names)
    return [(float(place), name) for place, name in enumerate(short)]


def _guide(guide: Guide, across: Scale, up: Scale) -> str:
    kind = f"guide {'front' if guide.front else guide.kind}"
    if guide.kind == "x":
        path = f"M{_x(across(guide.value))} {TOP}V{HEIGHT - BOTTOM}"
    elif guide.kind == "y":
        path = f"M{LEFT} {_y(up(guide.value))}H{WIDTH - RIGHT}"
    elif guide.kind == "curve":
        path = _line(_spaced([(_x(across(x)), _y(up(y))) for x, y in guide.points]))
    else:
        low, high = max(across.low, up.low), min(across.high, up.high)
        path = f"M{_x(across(low))} {_y(up(low))}L{_x(across(high))} {_y(up(high))}" if low < high else ""
    return f'<path class="{kind}" d="{path}"/>' if path else ""


def _series(series: Series, look: Look, across: Scale, up: Scale) -> Iterator[str]:
    chosen = [place for place in thinned(series) if not math.isnan(across(series.x[place]) + up(series.y[place]))]
    points = [(_x(across(series.x[place])), _y(up(series.y[place]))) for place in chosen]
    yield f"<title>{escape(series.label)}</title>"
    if not points:
        return
    if series.low:
        yield f'<path class="band" d="{_band(series, chosen, across, up)}"/>'
    if series.joined:
        yield f'<path class="line" d="{_line(_bends(points))}"{_dash(look)}/>'
    if len(series.x) > (SMALL if series.joined else FEW):
        if not series.joined:
            yield f'<path class="dots" d="{"".join(f"M{x} {y}h0" for x, y in points)}"/>'
        return
    for place, (x, y) in zip(chosen, points, strict=True):
        text = escape(f"{series.label}: {number(series.x[place], 3)}, {number(series.y[place], 3)}")
        yield f'<use href="#{_id(look.marker)}" x="{x:g}" y="{y:g}"><title>{text}</title></use>'


def _line(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points)


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


def _band(series: Series, chosen: Sequence[int], across: Scale, up: Scale) -> str:
    """Around the interval; what lies below a logarithmic axis ends at its foot."""
    tops = [(_x(across(series.x[place])), _y(_within(up(series.high[place])))) for place in chosen]
    feet = [(_x(across(series.x[place])), _y(_within(up(series.low[place])))) for place in reversed(chosen)]
    return "M" + "L".join(f"{x} {y}" for x, y in (*tops, *feet)) + "Z"


def _within(share: float) -> float:
    return 0.0 if math.isnan(share) else min(max(share, 0.0), 1.0)


def _x(share: float) -> float:
    return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def _y(share: float) -> float:
    return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)


def _colour(look: Look) -> str:
    return f"c{COLOURS.index(look.colour)}"


def _dash(look: Look) -> str:
    return f' stroke-dasharray="{" ".join(f"{length:g}" for length in look.dash)}"' if look.dash else ""
