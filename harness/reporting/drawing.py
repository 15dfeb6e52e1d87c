"""The painter for files: figures by matplotlib, sized for a column or a page, with fonts embedded."""

from __future__ import annotations

import math
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from harness.durable import write_whole
from harness.reporting.figure import Axis, Figure, Guide, Look, Panel, Series, looks
from harness.reporting.placing import placed

FORMATS = ("pdf", "svg", "png")
COLUMN, PAGE = 3.4, 7.0  # inches: the width of one column and of both
PANEL_HEIGHT = 1.75
ACROSS = 4  # panels
NARROW = 30  # from the least to the greatest value: more ticks than one for each power of ten
VERY_NARROW = 5  # ticks as on a linear axis
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
    """Draw a figure into a file of the format that its suffix names; the same figure gives the same bytes."""
    with matplotlib.rc_context(STYLE):
        canvas = _draw(figure)
        metadata = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(path.suffix.removeprefix("."), {})
        content = BytesIO()
        canvas.savefig(content, format=path.suffix.removeprefix("."), metadata=metadata)
    write_whole(path, content.getvalue())


def _draw(figure: Figure) -> Canvas:
    across, down = grid(len(figure.panels), figure.across)
    width = COLUMN if across == 1 else PAGE
    look = looks(figure.labels)
    legend = _legend(figure, look) if figure.legend else []
    rows = math.ceil(len(legend) / (4 if across == 1 else 7))
    canvas = Canvas(figsize=(width, (2.4 if across == 1 else PANEL_HEIGHT * down) + 0.16 * rows), layout="constrained")
    FigureCanvasAgg(canvas)
    axes = canvas.subplots(down, across, squeeze=False)
    for place, panel in enumerate(figure.panels):
        row, column = divmod(place, across)
        lowest = place + across >= len(figure.panels)
        titles = (
            lowest or panel.x != figure.panels[place + across].x,
            column == 0 or panel.y != figure.panels[place - 1].y,
        )
        _draw_panel(axes[row][column], panel, look, titles)
    for place in range(len(figure.panels), down * across):
        axes[place // across][place % across].set_axis_off()
    if legend:
        canvas.legend(handles=legend, loc="outside lower center", ncols=math.ceil(len(legend) / rows), frameon=False)
    canvas.draw_without_rendering()  # only now it is known where points lie
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
    for series, spot in zip(shown, spots, strict=True):
        if spot:
            place = axes.transAxes.inverted().transform(spot)
            how = {"fontsize": STYLE["legend.fontsize"], "ha": "center", "va": "center"}
            axes.text(*place, series.label, transform=axes.transAxes, color=look[series.label].colour, **how)


def grid(panels: int, wanted: int = 0) -> tuple[int, int]:
    """Columns and rows for so many panels: at most four columns, and as few places empty as can be, or those wanted."""
    if wanted:
        return wanted, math.ceil(panels / wanted)
    if panels <= ACROSS:
        return panels, 1
    across = min((ACROSS, ACROSS - 1), key=lambda count: -panels % count)
    return across, math.ceil(panels / across)


def _legend(figure: Figure, look: dict[str, Look]) -> list[Line2D]:
    joined = {series.label for panel in figure.panels for series in panel.series if series.joined}
    return [Line2D([], [], label=label, **_line(look[label], label in joined)) for label in figure.shown]


def _line(look: Look, joined: bool) -> dict[str, Any]:
    dash = "none" if not joined else (0, look.dash) if look.dash else "solid"
    return {"color": look.colour, "marker": look.marker, "linestyle": dash, "markeredgewidth": 0}


def _draw_panel(axes: Any, panel: Panel, look: dict[str, Look], titles: tuple[bool, bool]) -> None:
    axes.set_title(panel.title)
    for series in panel.series:
        _draw_series(axes, series, panel, look[series.label])
    _scale(axes.xaxis, axes.set_xscale, axes.set_xlim, panel.x)
    _scale(axes.yaxis, axes.set_yscale, axes.set_ylim, panel.y)
    for guide in panel.guides:
        _draw_guide(axes, guide)
    if panel.square:
        axes.set_box_aspect(1)
    if titles[0]:
        axes.set_xlabel(panel.x.title)
    if titles[1]:
        axes.set_ylabel(panel.y.title)


def _draw_guide(axes: Any, guide: Guide) -> None:
    how: dict[str, Any] = {"color": "#888888", "linewidth": 0.7, "linestyle": (0, (2, 2)), "zorder": 1}
    match guide.kind:
        case "diagonal":
            ends = [max(axes.get_xlim()[0], axes.get_ylim()[0]), min(axes.get_xlim()[1], axes.get_ylim()[1])]
            axes.plot(ends, ends, scalex=False, scaley=False, **how)
        case "x":
            axes.axvline(guide.value, **how)
        case "y":
            axes.axhline(guide.value, **how)
        case "curve":
            how |= {"color": "#000000", "zorder": 3} if guide.front else {"linestyle": "solid"}
            axes.plot(*zip(*guide.points, strict=True), **how)


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


def _draw_series(axes: Any, series: Series, panel: Panel, look: Look) -> None:
    x, y = np.array(series.x, float), np.array(series.y, float)
    fine = np.isfinite(x) & np.isfinite(y) & ((x > 0) | (not panel.x.log)) & ((y > 0) | (not panel.y.log))
    how = _line(look, series.joined)
    if len(x) > MANY:
        how |= {"markersize": 1.2, "alpha": 0.35, "rasterized": True}
        how |= {"marker": "none"} if series.joined else {}
    elif series.joined and len(x) > 20:
        how["markevery"] = max(1, len(x) // 8)
    axes.plot(x[fine], y[fine], **how)
    if series.low and fine.any():
        low, high = np.array(series.low, float), np.array(series.high, float)
        axes.fill_between(x[fine], low[fine], high[fine], color=look.colour, alpha=0.15, linewidth=0)
