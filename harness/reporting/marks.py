"""Markers, lines and colours of methods in the SVG text of a page; colours are CSS variables `--c0` to `--c6`."""

from __future__ import annotations

from harness.reporting.looks import COLOURS, Look

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
    shapes = "".join(f'<path id="{mark_id(name)}" class="mark" d="{path}"/>' for name, path in SHAPES.items())
    return f'<svg class="markers" aria-hidden="true"><defs>{shapes}</defs></svg>'


def mark_id(marker: str) -> str:
    """The name by which a marker is referred to."""
    return f"k{list(SHAPES).index(marker)}"


def sample(look: Look) -> str:
    """A short line with the marker of a method, for a legend."""
    line = f'<path class="line" d="M1 6H27"{dash(look)}/>'
    mark = f'<use href="#{mark_id(look.marker)}" x="14" y="6"/>'
    return f'<svg class="sample {kind(look)}" viewBox="0 0 28 12" aria-hidden="true">{line}{mark}</svg>'


def kind(look: Look) -> str:
    """The classes that give an element its colour."""
    return f"c{COLOURS.index(look.colour)}{' hollow' * look.hollow}"


def dash(look: Look) -> str:
    """The attribute of a line that has gaps."""
    return f' stroke-dasharray="{" ".join(f"{length:g}" for length in look.dash)}"' if look.dash else ""
