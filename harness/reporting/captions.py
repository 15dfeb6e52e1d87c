"""The captions of figures, for whoever puts their files into a paper."""

from __future__ import annotations

from collections.abc import Mapping

from harness.reporting.figure import Figure

NAME = "captions.md"


def captions(figures: Mapping[str, Figure]) -> str:
    """Title, notes and the meaning of thin lines of figures by the names of their files, in Markdown."""
    return "\n".join(_caption(stem, figure) for stem, figure in figures.items())


def _caption(stem: str, figure: Figure) -> str:
    said = "\n".join(f"- {note}" for note in figure.caption)
    return f"## {stem}\n\n{figure.title}\n\n{said}\n"
