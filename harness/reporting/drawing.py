"""The painter for files: figures by matplotlib, sized for a column or a page, with fonts embedded."""

from __future__ import annotations

import math
from dataclasses import replace
from io import BytesIO
from itertools import zip_longest
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from harness.durable import write_whole
from harness.reporting.figure import Axis, Field, Figure, Guide, Panel, Series, marked
from harness.reporting.looks import Look, looks
from harness.reporting.placing import placed

FORMATS = ("pdf", "svg", "png")
WORSE, BETTER = "#d55e00", "#0072b2"  # of fields; two of the colours of `looks`
COLUMN, PAGE = 3.4, 7.0  # inches: the width of one column and of both
HIGHEST = 9.0  # inches: of a page
PANEL_HEIGHT, ALONE = 1.75, 2.4  # inches: among others, and in a column of its own
SAMPLE, LETTER = 0.4, 0.05
"""Inches of an entry of the legend: before its name, and for each letter of it."""
LEGEND_LINE = 0.16  # inches
FIELD = 0.125  # inches: the height of a field
ACROSS, SQUARES = 4, 5  # panels beside each other
NARROW = 30  # from the least to the greatest value: more ticks than one for each power of ten
PLACES = 6  # decimals of where a panel stands, in shares of the figure
VERY_NARROW = 5  # ticks as on a linear axis
CLOUD = 50  # points from which on they are drawn smaller
MANY = 300  # points from which on they are drawn small, faint and as pixels
STYLE: Any = {
    "font.size": 7,
    "axes.titlesize": 7,
    "axes.labelsize": 7,
    "xtick.labelsize": 6,
    "ytick.labelsize": 6,
    "legend.fontsize": 6.5,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.linewidth": 0.4,
    "grid.color": "#dddddd",
    "lines.linewidth": 1.0,
    "lines.markersize": 3.2,
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "inverse-harness",
    "savefig.dpi": 220,
}


def write(figure: Figure, path: Path) -> None:
    """Draw a figure into a file of the format that its suffix names; the same figure gives the same bytes.

    Args:
        figure: what is drawn.
        path: the file, `.pdf`, `.svg` or `.png`, which is replaced.
    """
    with matplotlib.rc_context(STYLE):
        canvas = _draw(figure)
        metadata = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(path.suffix.removeprefix("."), {})
        content = BytesIO()
        canvas.savefig(content, format=path.suffix.removeprefix("."), metadata=metadata)
    write_whole(path, content.getvalue())


def pages(figure: Figure) -> list[Figure]:
    """The figure, or several with some of its rows each where it is higher than a page.

    Args:
        figure: of one panel or more.
    """
    across, down = grid(figure)
    most = max(1, int((HIGHEST - LEGEND_LINE * _legend_lines(figure, across)) / _row_height(figure, across)))
    if down <= most:
        return [figure]
    size = across * math.ceil(down / math.ceil(down / most))
    parts = [figure.panels[first : first + size] for first in range(0, len(figure.panels), size)]
    return [
        replace(
            figure,
            panels=panels,
            across=across,
            title=f"{figure.title} ({number} of {len(parts)})",
            apart=f"{figure.apart} {number}".strip(),
        )
        for number, panels in enumerate(parts, 1)
    ]


def grid(figure: Figure) -> tuple[int, int]:
    """Columns and rows of the panels: few columns, and as few places empty as can be, or the columns that it wants.

    Args:
        figure: of one panel or more.
    """
    count = len(figure.panels)
    if figure.across:
        return figure.across, math.ceil(count / figure.across)
    most = SQUARES if figure.panels[0].square else ACROSS
    if count <= most:
        return count, 1
    across = min((most, most - 1), key=lambda columns: -count % columns)
    return across, math.ceil(count / across)


def _row_height(figure: Figure, across: int) -> float:
    if figure.panels[0].fields:
        longest = max(len(name) for panel in figure.panels for name in panel.x.names)
        return FIELD * max(len(panel.y.names) for panel in figure.panels) + 0.04 * longest + 0.3
    if across == 1:
        return ALONE
    return PAGE / across if figure.panels[0].square and across > 3 else PANEL_HEIGHT


def _legend_lines(figure: Figure, across: int) -> int:
    """The lines of the legend: fewer entries stand in one where names are long."""
    names = figure.shown if figure.legend else ()
    width, usual = (COLUMN, 4) if across == 1 else (PAGE, 7)
    fit = int(width / (SAMPLE + LETTER * max(map(len, names), default=0)))
    return math.ceil((len(names) + len(figure.lines)) / max(1, min(usual, fit)))


def _draw(figure: Figure) -> Canvas:
    across, down = grid(figure)
    look = looks(figure.labels)
    rows = _legend_lines(figure, across)
    height = _row_height(figure, across) * down + LEGEND_LINE * rows
    canvas = Canvas(figsize=(COLUMN if across == 1 else PAGE, height), layout="constrained")
    FigureCanvasAgg(canvas)
    parts = (height - LEGEND_LINE * rows, max(LEGEND_LINE * rows, 0.01))
    above, below = canvas.subfigures(2, 1, squeeze=False, height_ratios=parts)[:, 0]
    axes = above.subplots(down, across, squeeze=False)
    alike = [len({axis.title for axis in each}) == 1 for each in zip(*((p.x, p.y) for p in figure.panels), strict=True)]
    for own, panel in zip_longest(axes.flat, figure.panels):
        if panel is None or panel.empty:
            own.set_axis_off()
            continue
        _draw_panel(own, panel, look)
        own.set(xlabel="" if alike[0] else panel.x.title, ylabel="" if alike[1] else panel.y.title)
    if alike[0]:
        above.supxlabel(figure.panels[0].x.title, fontsize=STYLE["axes.labelsize"])
    if alike[1] and figure.panels[0].y.title:
        above.supylabel(figure.panels[0].y.title, fontsize=STYLE["axes.labelsize"])
    if rows:
        legend = _legend(figure, look)
        below.legend(handles=legend, loc="center", ncols=math.ceil(len(legend) / rows), frameon=False)
    canvas.draw_without_rendering()  # only now it is known where points lie
    canvas.set_layout_engine("none")
    # The layout's last bits differ from run to run, and the bytes of a file with them.
    for part in (above, below):
        part.bbox_relative.p0, part.bbox_relative.p1 = part.bbox_relative.get_points().round(PLACES)
    for own in axes.flat:
        own.set_position([round(value, PLACES) for value in own.get_position(original=True).bounds])
    for label in above.texts:  # of all panels together
        label.set_position([round(value, PLACES) for value in label.get_position()])
    for panel, own in zip(figure.panels, axes.flat, strict=False):
        _name(own, panel, look)
    return canvas


def _name(axes: Any, panel: Panel, look: dict[str, Look]) -> None:
    """The names of single points, where they fit."""
    shown = [series for series in panel.named if math.isfinite(series.x[0] + series.y[0])]
    points = [tuple(axes.transData.transform((series.x[0], series.y[0]))) for series in shown]
    dot = axes.figure.dpi / 72
    box = axes.bbox
    size = STYLE["legend.fontsize"] * dot
    widths = [0.58 * size * len(series.label) for series in shown]
    panel_box = (box.x0, box.y0, box.x1, box.y1)
    spots = placed(points, widths, size, 0.7 * STYLE["lines.markersize"] * dot, panel_box)
    inside = axes.transAxes.inverted()
    for series, point, spot in zip(shown, points, spots, strict=True):
        if spot:
            colour = look[series.label].colour
            how = {"fontsize": STYLE["legend.fontsize"], "ha": "center", "va": "center", "color": colour}
            axes.text(*inside.transform((spot.x, spot.y)), series.label, transform=axes.transAxes, **how)
            if spot.leader:
                ends = zip(inside.transform(point), inside.transform(spot.leader), strict=True)
                axes.plot(*ends, transform=axes.transAxes, color=colour, linewidth=0.4, marker="none")


def _legend(figure: Figure, look: dict[str, Look]) -> list[Line2D]:
    joined = {series.label for panel in figure.panels for series in panel.series if series.joined}
    methods = figure.shown if figure.legend else ()
    return [
        *(Line2D([], [], label=label, **_line(look[label], label in joined)) for label in methods),
        *(Line2D([], [], label=guide.label, **_guide_line(guide)) for guide in figure.lines),
    ]


def _line(look: Look, joined: bool) -> dict[str, Any]:
    dash = "none" if not joined else (0, look.dash) if look.dash else "solid"
    face = "white" if look.hollow else look.colour
    return {
        "color": look.colour,
        "marker": look.marker,
        "linestyle": dash,
        "markerfacecolor": face,
        "markeredgewidth": 0.6,
    }


def _draw_panel(axes: Any, panel: Panel, look: dict[str, Look]) -> None:
    axes.set_title(panel.title)
    for place, series in enumerate(panel.series):
        _draw_series(axes, series, panel, look[series.label], place / len(panel.series))
    _scale(axes.xaxis, axes.set_xscale, axes.set_xlim, panel.x)
    _scale(axes.yaxis, axes.set_yscale, axes.set_ylim, panel.y)
    if panel.fields:
        axes.set_xlim(-0.5, len(panel.x.names) - 0.5)
        axes.tick_params(axis="x", rotation=35)
        for name in axes.get_xticklabels():
            name.set(ha="right", rotation_mode="anchor")
        axes.grid(visible=False)
    for field in panel.fields:
        _draw_field(axes, field)
    for guide in panel.guides:
        _draw_guide(axes, guide)
    if panel.square:
        axes.set_box_aspect(1)


def _draw_field(axes: Any, field: Field) -> None:
    colour = WORSE if field.shade > 0 else BETTER
    axes.add_patch(Rectangle((field.x - 0.5, field.y - 0.5), 1, 1, color=colour, alpha=abs(field.shade), linewidth=0))
    axes.text(field.x, field.y, field.text, ha="center", va="center", fontsize=STYLE["ytick.labelsize"] - 0.5)


def _draw_guide(axes: Any, guide: Guide) -> None:
    how = {**_guide_line(guide), "zorder": 3 if guide.front else 1}
    match guide.kind:
        case "diagonal":
            ends = [max(axes.get_xlim()[0], axes.get_ylim()[0]), min(axes.get_xlim()[1], axes.get_ylim()[1])]
            axes.plot(ends, ends, scalex=False, scaley=False, **how)
        case "x":
            axes.axvline(guide.value, **how)
        case "y":
            axes.axhline(guide.value, **how)
        case "curve" | "points":
            axes.plot(*zip(*guide.points, strict=True), **how)


def _guide_line(guide: Guide) -> dict[str, Any]:
    if guide.front:
        return {"color": "#000000", "linewidth": 1.2, "linestyle": (0, (3, 2))}
    if guide.kind == "points":
        size = 1.6 if len(guide.points) > CLOUD else 3.2
        return {"color": "#999999", "linestyle": "none", "marker": "o", "markersize": size, "markeredgewidth": 0}
    dash = "solid" if guide.kind == "curve" else (0, (1, 1.5))
    return {"color": "#777777", "linewidth": 0.8, "linestyle": dash}


def _scale(axis: Any, set_scale: Any, set_limits: Any, wanted: Axis) -> None:
    if wanted.log:
        set_scale("log")
        seen = axis.get_view_interval()
        low, high = (given or own for given, own in zip((wanted.low, wanted.high), seen, strict=True))
        narrow = high / low < NARROW
        few = MaxNLocator(3) if high / low < VERY_NARROW else LogLocator(subs=(1, 2, 5))
        axis.set_major_locator(few if narrow else LogLocator(numticks=5))
        if narrow:
            axis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:g}"))
        axis.set_minor_locator(NullLocator())
    if wanted.names:
        axis.set_ticks(range(len(wanted.names)), wanted.names)
        set_limits(len(wanted.names) - 0.5, -0.5)
    elif wanted.low is not None or wanted.high is not None:
        set_limits(wanted.low, wanted.high)


def _draw_series(axes: Any, series: Series, panel: Panel, look: Look, place: float) -> None:
    """Draw a series; `place` among those of the panel, 0 to 1, keeps the markers of lines that lie together apart."""
    x, y = np.array(series.x, float), np.array(series.y, float)
    fine = np.isfinite(x) & np.isfinite(y) & ((x > 0) | (not panel.x.log)) & ((y > 0) | (not panel.y.log))
    how = _line(look, series.joined)
    if len(x) > MANY:
        how |= {"markersize": 1.2, "alpha": 0.35, "rasterized": True}
        how |= {"marker": "none"} if series.joined else {}
    elif series.joined:
        kept = np.cumsum(fine) - 1
        how["markevery"] = [int(kept[number]) for number in marked(series, place) if fine[number]]
    elif len(x) > CLOUD:
        how |= {"markersize": 2.2, "alpha": 0.75}
    axes.plot(x[fine], y[fine], **how)
    if series.low and fine.any():
        low, high = np.array(series.low, float), np.array(series.high, float)
        axes.fill_between(x[fine], low[fine], high[fine], color=look.colour, alpha=0.15, linewidth=0)
