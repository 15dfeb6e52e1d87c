"""What tells several variants of a scenario apart, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

from harness.records import canonical


def told_apart(every: Sequence[Mapping[str, Any]], own: Mapping[str, Any], names: Set[str]) -> str:
    """The options of a variant in which it differs from others; a record of an earlier version may lack some.

    Args:
        every: the options of all variants.
        own: those of one.
        names: of the options that count.

    >>> told_apart([{"how": "permuted", "trim": 0.1}, {"how": "permuted", "trim": 0.0}], {"trim": 0.1}, {"how", "trim"})
    'trim=0.1'
    """
    told = {
        name: own[name] for name in sorted(names & own.keys()) if len({canonical(each.get(name)) for each in every}) > 1
    }
    return ", ".join(f"{name}={f'{value:g}' if isinstance(value, float) else value}" for name, value in told.items())
