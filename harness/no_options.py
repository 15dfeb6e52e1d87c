"""What a plug-in without options has in place of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NoOptions:
    """The options of a plug-in that has none."""
