"""The row of a table that a method's label in a claim or an ablation means, without loading the method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.reporting.groups import Group
from harness.reporting.rows import Row
from harness.selection import AT, means


def find(group: Group, label: str) -> Row | None:
    """The row that a label means and that has scores; None where there is none.

    It is the row of this label; or one that was asked for with fewer options, if its record has the values of the
    others: where `[steps=20]` is the value of the preset, the row of the plain name is the same cell.
    """
    return next((row for row in group.rows if row.done and is_meant(row, label)), None)


def is_meant(row: Row, label: str) -> bool:
    """Whether a label means a row, as `find` reads it."""
    return means(_plain(label), _plain(row.label), row.first.declared.method)


def _plain(label: str) -> str:
    """A label without what tells rows of one label apart, which stands in parentheses."""
    return label.partition(" (")[0]


def within(groups: Mapping[str, Group], task: str, scenario: str) -> Group | None:
    """The group of a task, in the scenario that a label means, or without one where it is empty; None if there is none.

    Args:
        groups: as `by_task` gives them.
        task: its name.
        scenario: its label, or empty.
    """
    exact = groups.get(f"{task}{AT}{scenario}" if scenario else task)
    if exact or not scenario:
        return exact
    for name, group in groups.items():
        label = name.removeprefix(f"{task}{AT}")
        if label != name and means(scenario, label, group.first.declared.scenario):
            return group
    return None


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
