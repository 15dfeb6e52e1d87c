"""Figures as data: panels of series on axes. Painters turn them into files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from harness.reporting.groups import Group

Numbers: TypeAlias = tuple[float, ...]


@dataclass(frozen=True)
class Axis:
    """An axis with its title; `low` and `high` are None where the data decide."""

    title: str
    log: bool = False
    low: float | None = None
    high: float | None = None
    names: tuple[str, ...] = ()
    """Of the places 0, 1, 2, … in order, where they stand for things and not for numbers; the first is on top."""


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
    """A thin line to compare with: y = x, one value of x or of y, or a curve through points."""

    kind: Literal["diagonal", "x", "y", "curve"]
    value: float = 0.0
    label: str = ""
    points: tuple[tuple[float, float], ...] = ()
    """Of a curve."""
    front: bool = False
    """Whether it is drawn over the series, dashed and dark."""


@dataclass(frozen=True)
class Panel:
    """One pair of axes."""

    title: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]
    guides: tuple[Guide, ...] = ()
    square: bool = False
    """Whether both axes have the same length, as in a map."""

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
    """Panels beside each other in a file; 0 where their number decides."""
    labels: tuple[str, ...] = field(default=())
    """All methods of the result folder in their order, so that one looks the same in all figures."""

    @property
    def shown(self) -> tuple[str, ...]:
        """The labels of the series that it has, in the order of `labels`."""
        own = {series.label for panel in self.panels for series in panel.series}
        return tuple(label for label in self.labels if label in own)


@dataclass(frozen=True)
class Look:
    """How a series is drawn: told apart by colour, and again by its marker and its dash."""

    colour: str
    marker: str
    dash: tuple[float, ...] = ()
    """Lengths of lines and gaps in points; empty for a line without gaps."""


COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#4D4D4D")
"""Those of Okabe and Ito (2008), which colour-blind readers tell apart; without the yellow, too pale on paper."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*", "d")
"""Names of matplotlib."""
DASHES: tuple[tuple[float, ...], ...] = ((), (4.0, 1.5), (1.0, 1.2), (6.0, 1.5, 1.0, 1.5))


def looks(labels: Sequence[str]) -> dict[str, Look]:
    """A look for each label. Those of one colour differ in dash and marker."""
    return {
        label: Look(
            COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)], DASHES[place // len(COLOURS) % len(DASHES)]
        )
        for place, label in enumerate(labels)
    }


def headings(groups: Sequence[Group]) -> list[str]:
    """A title for the panel of each group: its task, and the settings where a task has several groups."""
    tasks = [group.task for group in groups]
    return [group.task if tasks.count(group.task) == 1 else f"{group.task} ({group.heading})" for group in groups]


def labelled(figures: Sequence[Figure], labels: Sequence[str]) -> list[Figure]:
    """The figures with the labels of all methods."""
    return [replace(figure, labels=tuple(labels)) for figure in figures]
