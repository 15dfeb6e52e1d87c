"""Figures as data: panels of series on axes. Painters turn them into files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from harness.reporting.groups import Group

Numbers: TypeAlias = tuple[float, ...]
ROOM = 1.5
"""The factor by which a logarithmic axis of several panels goes on behind the first and the last value."""
SHORT, MARKED = 25, 5
"""Points of a line up to which all have markers, and about how many have them beyond."""


@dataclass(frozen=True)
class Axis:
    """An axis with its title; `low` and `high` are None where the data decide."""

    title: str
    log: bool = False
    low: float | None = None
    high: float | None = None
    names: tuple[str, ...] = ()
    """Of the places 0, 1, 2, … in order, where they stand for things and not for numbers; the first is on top."""


def log_axis(title: str, values: Iterable[float]) -> Axis:
    """A logarithmic axis for several panels, with room behind the least and the greatest of the values above 0.

    Args:
        title: of the axis.
        values: of all panels.
    """
    positive = [value for value in values if value > 0]
    return Axis(title, log=True, low=min(positive) / ROOM, high=max(positive) * ROOM) if positive else Axis(title, True)


@dataclass(frozen=True)
class Series:
    """Points `x`, `y` of one method, joined or not, with an interval of y where it is known.

    Values that cannot be drawn, such as those that are not above 0 on a logarithmic axis, are left out by painters.
    """

    label: str
    x: Numbers
    y: Numbers
    low: Numbers = ()
    high: Numbers = ()
    joined: bool = True


@dataclass(frozen=True)
class Guide:
    """What to compare with: a thin line, y = x, one value of x or of y, a curve through points; or points alone."""

    kind: Literal["diagonal", "x", "y", "curve", "points"]
    value: float = 0.0
    label: str = ""
    points: tuple[tuple[float, float], ...] = ()
    """Of a curve, or alone."""
    front: bool = False
    """Whether it is drawn over the series, dashed and dark."""

    @property
    def meaning(self) -> str:
        """How it is drawn and what it is; empty where it has no label."""
        how = "dashed" if self.front else {"curve": "grey", "points": "grey points"}.get(self.kind, "dotted")
        return f"{how}: {self.label}" if self.label else ""


@dataclass(frozen=True)
class Field:
    """A coloured field of a table of methods and other things, which axes with names have."""

    label: str
    """The method, whose row it is in."""
    x: int
    y: int
    shade: float
    """From -1, much better, over 0, the same, to 1, much worse."""
    text: str


@dataclass(frozen=True)
class Panel:
    """One pair of axes; without a series and a field, a place that stays empty."""

    title: str
    x: Axis
    y: Axis
    series: tuple[Series, ...] = ()
    guides: tuple[Guide, ...] = ()
    square: bool = False
    """Whether both axes have the same length, as in a map."""
    fields: tuple[Field, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not self.series and not self.fields

    @property
    def named(self) -> tuple[Series, ...]:
        """The series that have their names beside them where these fit: single points, but for axes with names."""
        return () if self.y.names else tuple(each for each in self.series if len(each.x) == 1 and not each.joined)


@dataclass(frozen=True)
class Figure:
    """Panels under one heading, with notes for a caption."""

    name: str
    title: str
    panels: tuple[Panel, ...]
    notes: tuple[str, ...] = ()
    legend: bool = True
    """Whether a file needs a legend; not where the titles of the panels name the methods."""
    across: int = 0
    """Panels of one row, such as those of a task or as many as there is room for; 0 where their number decides."""
    apart: str = ""
    """What tells it from the figures of the same name, such as its task."""
    beside: str = ""
    """The table with which a report shows it; a figure without one stands among those at the beginning."""
    labels: tuple[str, ...] = field(default=())
    """All methods of the result folder in their order, so that one looks the same in all figures."""

    @property
    def shown(self) -> tuple[str, ...]:
        """The labels of the series that it has, in the order of `labels`."""
        own = {series.label for panel in self.panels for series in panel.series}
        return tuple(label for label in self.labels if label in own)

    @property
    def lines(self) -> tuple[Guide, ...]:
        """The lines to compare with that have a meaning, each once."""
        every = (guide for panel in self.panels for guide in panel.guides if guide.label)
        return tuple({guide.meaning: guide for guide in every}.values())

    @property
    def caption(self) -> tuple[str, ...]:
        """The notes, and what each thin line means."""
        return (*self.notes, *(guide.meaning for guide in self.lines))


def marked(series: Series, start: float) -> list[int]:
    """The points of a line that have markers, by number: all of a short one, else a few where it is not level.

    Where a series starts to have them, 0 to 1, keeps the markers of lines that lie together apart.

    Args:
        series: the line.
        start: where it begins to have them, 0 to 1, so that the markers of lines that lie together are apart.
    """
    count = len(series.x)
    if count <= SHORT:
        return list(range(count))
    sloping = [place for place in range(count) if len({*series.y[max(place - 1, 0) : place + 2]}) > 1]
    sloping = sloping or list(range(count))
    step = max(1, len(sloping) // MARKED)
    return sloping[int(start * step) :: step]


def stems(figures: Sequence[Figure]) -> list[str]:
    """Names for the files of figures: the figure's own, with what tells it apart where several have one name.

    Args:
        figures: those of one folder.
    """
    named = Counter(figure.name for figure in figures)
    wanted = [figure.name if named[figure.name] == 1 else f"{figure.name}-{_slug(figure.apart)}" for figure in figures]
    found: list[str] = []
    for stem in wanted:
        folded = {other.lower() for other in found}
        again = (f"{stem}-{number}" for number in range(2, len(wanted) + 2))
        found.append(stem if stem.lower() not in folded else next(name for name in again if name.lower() not in folded))
    return found


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.]+", "-", text).strip("-.") or "1"


def unit_of(label: str, before: str = "") -> str:
    """A task's label of x or y as the title of an axis, without the unit of what has none: `y [1]` is `y`.

    Args:
        label: of the task, with a unit in brackets.
        before: words that the title begins with.

    >>> unit_of("y [1]", "mean"), unit_of("impact [m]")
    ('mean y', 'impact [m]')
    """
    return " ".join(filter(None, (before, label.removesuffix("[1]").strip())))


def headings(groups: Sequence[Group]) -> list[str]:
    """A title for the panel of each group: its task, and the settings where a task has several groups.

    Args:
        groups: those of one figure.
    """
    tasks = [group.task for group in groups]
    return [group.task if tasks.count(group.task) == 1 else f"{group.task} ({group.heading})" for group in groups]


def labelled(figures: Sequence[Figure], labels: Sequence[str]) -> list[Figure]:
    """The figures with the labels of all methods.

    Args:
        figures: all of a result folder, or some.
        labels: of its methods in their order.
    """
    return [replace(figure, labels=tuple(labels)) for figure in figures]
