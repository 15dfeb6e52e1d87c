"""What can be asked of a trained method."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """N designs for each target, `repeats` times over. Equal questions of several protocols are put once."""

    of: str
    """`targets`, the many, or `fixed`, the single y*."""
    n: int
    repeats: int = 1
