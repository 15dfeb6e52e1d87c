"""How methods look in figures: told apart by colour and again by marker, and the same in every result folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from harness.registry import discover

OWN = "inverse-harness"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#4D4D4D")
"""Those of Okabe and Ito (2008), which colour-blind readers tell apart; without the yellow, too pale on paper."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*", "d")
"""Names of matplotlib."""
DASHES: tuple[tuple[float, ...], ...] = ((), (4.0, 1.5), (1.0, 1.2), (6.0, 1.5, 1.0, 1.5))


@dataclass(frozen=True)
class Look:
    """How a series is drawn: told apart by colour, and again by its marker, its filling and its dash."""

    colour: str
    marker: str
    dash: tuple[float, ...] = ()
    """Lengths of lines and gaps in points; empty for a line without gaps."""
    hollow: bool = False
    """Whether the marker is an outline: every second time that a colour is used."""


def looks(labels: Sequence[str]) -> dict[str, Look]:
    """A look for each label: the methods of this distribution have theirs by name, all others come after them."""
    places = {label: place for place, label in enumerate(dict.fromkeys((*_own(), *labels)))}
    return {label: _look(places[label]) for label in labels}


@cache
def _own() -> tuple[str, ...]:
    return tuple(name for name, plugin in sorted(discover("methods").items()) if plugin.distribution == OWN)


def _look(place: int) -> Look:
    """Those of one colour differ in marker, filling and dash."""
    again, colour = divmod(place, len(COLOURS))
    return Look(COLOURS[colour], MARKERS[place % len(MARKERS)], DASHES[again % len(DASHES)], again % 2 == 1)
