"""The row of a table that a method's label in a claim or an ablation means, without loading the method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from harness.options import text_of
from harness.reporting.groups import Group
from harness.reporting.rows import Row
from harness.selection import AT, parse


def find(group: Group, label: str) -> Row | None:
    """The row that a label means and that has scores; None where there is none.

    It is the row of this label; or one that was asked for with fewer options, if its record has the values of the
    others: where `[steps=20]` is the value of the preset, the row of the plain name is the same cell.
    """
    return next((row for row in group.rows if row.done and is_meant(row, label)), None)


def is_meant(row: Row, label: str) -> bool:
    """Whether a label means a row, as `find` reads it."""
    name, given = _parts(label)
    own, options = _parts(row.label)
    declared = row.first.declared.method
    asked = declared.name == name == own and options.items() <= given.items()
    return asked and all(text_of(declared.options.get(key)) == text for key, text in given.items())


@lru_cache(maxsize=4096)
def _parts(label: str) -> tuple[str, Mapping[str, str]]:
    """Name and options of a label; what tells rows of one label apart stands in parentheses, and is left out."""
    return parse(label.partition(" (")[0])


def by_task(groups: Sequence[Group]) -> list[tuple[str, dict[str, Group]]]:
    """The groups of each preset by the name of their task, with ` @ SCENARIO` behind it for those of a scenario; of
    twins the first counts.
    """
    found: dict[str, dict[str, Group]] = {}
    for group in groups:
        label = group.first.label
        name = label.task if group.first.declared.scenario is None else f"{label.task}{AT}{label.scenario}"
        found.setdefault(group.first.preset, {}).setdefault(name, group)
    return [(preset, own) for preset, own in found.items() if any(AT not in name for name in own)]
