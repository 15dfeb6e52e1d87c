"""What records say of a condition: a row of a table, and where every method stands there; or what is missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from harness.options import render
from harness.protocols.r_t import trials
from harness.reporting.groups import Group

BASE = "base"
Item = TypeVar("Item")


@dataclass(frozen=True)
class Known:
    """The records of one task in which the same is learned, with and without scenarios."""

    groups: tuple[Group, ...]

    @property
    def task(self) -> str:
        """As the user wrote it."""
        return self.groups[0].first.label.task

    @property
    def selection(self) -> str:
        """The task as it is written to select it."""
        first = self.groups[0].first
        name = first.declared.task.name
        given = {key: value for key, value in first.task_options.items() if value is not None}
        return name if self.task == name else name + render(given)

    @property
    def ordered(self) -> list[Group]:
        """That without a scenario first."""
        return sorted(self.groups, key=lambda group: group is not self.base)

    @property
    def base(self) -> Group | None:
        """Without a scenario; of several, where the most is asked."""
        return max(self.of(None), key=asked_for, default=None)

    def of(self, name: str | None) -> list[Group]:
        """The groups of a scenario, or those without one, of which there are errors.

        Args:
            name: of the scenario.
        """
        return [group for group in self.named(name) if trials(group)]

    def named(self, name: str | None) -> list[Group]:
        """The groups of a scenario, or those without one, that have scores of any kind.

        Args:
            name: of the scenario.
        """
        return [group for group in self.groups if group.done and name_of(group) == name]

    @property
    def methods(self) -> list[str]:
        """The methods of the task without a scenario; of all groups where there is none of these."""
        groups = [self.base] if self.base else self.groups
        return list(dict.fromkeys(label for group in groups for label in labels_of(group)))


@dataclass(frozen=True)
class Place:
    """Where a method stands in a row of evidence."""

    method: str
    label: str
    """The method, and what is done besides."""
    error: float
    baseline: bool
    leads: bool
    """Whether it is the best, or not told apart from it."""
    leads_learning: bool
    """The same if the baselines are left out."""


@dataclass(frozen=True)
class Evidence:
    """What the records say of one condition."""

    asked: str
    """The condition in words."""
    records: str
    """The scenario that it is read from."""
    raw: dict[str, Any]
    """The row of the table."""
    places: tuple[Place, ...]
    """The best first."""
    least: float
    """Errors below count as this one."""
    groups: tuple[Group, ...]
    median: bool = False
    """Whether the errors are medians over the targets, and not means."""
    notes: tuple[str, ...] = ()

    @cached_property
    def by_method(self) -> dict[str, Place]:
        """The best place of each method, the best method first."""
        found: dict[str, Place] = {}
        for place in self.places:
            found.setdefault(place.method, place)
        return found


@dataclass(frozen=True)
class Missing:
    """What cannot be said, and what would make the records for it."""

    text: str
    scenarios: str = ""
    """What to run; empty where no run would help."""
    methods: tuple[str, ...] = ()
    """Those to run; all where empty."""
    makes: str = "makes them"
    """What the run does."""
    read: bool = False
    """Whether there is an answer, of which this is what it leaves out."""
    unscored: str = ""
    """The protocol that has not scored what has been run."""
    times: bool = False
    """Whether the times of what has been run are missing."""


def asked_for(group: Group) -> int:
    """The number of targets.

    Args:
        group: any.
    """
    return group.first.declared.data.targets


def labels_of(group: Group) -> list[str]:
    """The methods, as they are written to select them.

    Args:
        group: any.
    """
    return [row.first.label.method for row in group.rows]


def leaders(found: Sequence[Item], apart: Callable[[Item, Item], bool | None]) -> list[Item]:
    """The best of several, and all that are not told apart from it; the best alone where nothing is known.

    Args:
        found: the best first.
        apart: whether the second is worse than the first for sure, None where that is not known.
    """
    return [one for place, one in enumerate(found) if place == 0 or apart(found[0], one) is False]


def name_of(group: Group) -> str | None:
    """The name of the scenario; None without one.

    Args:
        group: any.
    """
    scenario = group.first.declared.scenario
    return scenario.name if scenario else None


def options_of(group: Group) -> dict[str, Any]:
    """The options of the scenario; none without one.

    Args:
        group: any.
    """
    scenario = group.first.declared.scenario
    return scenario.options if scenario else {}


def written(group: Group, *names: str) -> str:
    """The scenario as it is written in a selection, with some of its options.

    Args:
        group: any.
        names: of the options.
    """
    given = options_of(group)
    return (name_of(group) or BASE) + render({name: given[name] for name in names if name in given})
