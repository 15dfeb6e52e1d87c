"""Which groups are of one task, and which group without a scenario one with a scenario is compared with."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.records import canonical
from harness.reporting.groups import Group


def with_scenarios(groups: Sequence[Group]) -> Iterator[tuple[Group, list[Group]]]:
    """Each task without a scenario, with its scenarios in which the same is learned; how much is asked may differ.

    Args:
        groups: as `group` gives them.
    """
    for together in learned_alike(groups):
        own = [item for item in together if item.first.declared.scenario is None]
        scenarios: dict[int, list[Group]] = defaultdict(list)
        for item in together if own else ():
            if item.first.declared.scenario is not None:
                scenarios[_nearest(item, own)].append(item)
        yield from ((_of_seeds(own[place], others), others) for place, others in scenarios.items())


def _of_seeds(base: Group, others: Sequence[Group]) -> Group:
    """The group with those trainings alone whose seeds the others have, so that a ratio is not one of trainings."""
    seeds = {record.declared.seed for item in others for record in item.records}
    rows = []
    for row in base.rows:
        kept = tuple(record for record in row.records if record.declared.seed in seeds)
        rows.append(replace(row, records=kept) if kept and len(kept) < len(row.records) else row)
    return replace(base, rows=tuple(rows))


def learned_alike(groups: Sequence[Group]) -> list[list[Group]]:
    """The groups of each task, with and without scenarios, in which the same is learned; how much is asked may differ.

    Args:
        groups: as `group` gives them.
    """
    alike: dict[tuple[str, str], list[Group]] = defaultdict(list)
    for item in groups:
        alike[canonical(item.first.declared.task), _learning(item)].append(item)
    return list(alike.values())


def _learning(item: Group) -> str:
    """The settings of a group without how many targets and how many designs for y* are asked for.

    The error of one proposal is a mean over repeats: with other numbers of them, its geometric means mean other things.
    """
    values = json.loads(item.settings)
    del values["data"]["targets"], values["sizes"]["fixed_proposals"]
    return canonical(values)


def _nearest(item: Group, bases: Sequence[Group]) -> int:
    """Which of the groups without a scenario one is compared with: where as much is asked, or else the most."""
    alike = [(base.settings == item.settings, base.first.declared.data.targets) for base in bases]
    return alike.index(max(alike))
