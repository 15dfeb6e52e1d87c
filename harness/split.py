"""How pairs are split: some of them are held back, to validate what the others train."""

from __future__ import annotations

VALIDATION = 0.2


def held_back(pairs: int) -> int:
    """How many of so many pairs validate.

    Args:
        pairs: how many there are.

    >>> held_back(1000)
    200
    """
    return round(VALIDATION * pairs)
