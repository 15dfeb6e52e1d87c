"""From records to comparable rows: what may share a table, and what may share a row.

Records share a table only with equal task, scenario, split, targets, budget, schedule and sizes, and a protocol's table
only with equal options of the protocol. Records share a row only where nothing but the seed differs.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from harness.comparing import EXACT
from harness.errors import UsageError
from harness.metrics import METRICS
from harness.options import text_of
from harness.records import canonical
from harness.reporting.numbers import count
from harness.reporting.rows import Row, order
from harness.schema import Declared, Record

if TYPE_CHECKING:
    from pathlib import Path

    from harness.protocols.contract import Protocol

Key = tuple[str, str, str]
"""Settings, task with scenario, and data."""


@dataclass(frozen=True)
class Group:
    """Rows that may stand under one heading."""

    task: str
    """The task, with the scenario where it is not the base."""
    settings: str
    """Canonical JSON of budget, schedule, data settings and sizes."""
    heading: str
    """The preset and budget, and whatever else tells these settings from the other ones."""
    split: str | None
    targets: str | None
    rows: tuple[Row, ...]

    @property
    def records(self) -> tuple[Record, ...]:
        """All records of the group."""
        return tuple(record for row in self.rows for record in row.records)

    @property
    def first(self) -> Record:
        """A record to read the settings from."""
        return next((row.done[0] for row in self.rows if row.done), self.rows[0].records[0])

    @property
    def y_dim(self) -> int:
        """The number of y dimensions; 0 where no record knows it."""
        return len(self.first.data.y_variance) if self.first.data else 0

    def scored(self, protocol: type[Protocol]) -> bool:
        """Whether any row has scores of a protocol.

        Args:
            protocol: its class.
        """
        return self.score(protocol) is not None

    def score(self, protocol: type[Protocol]) -> Any:
        """What a protocol found for the first row and seed that have it; None where none has.

        Args:
            protocol: its class.
        """
        return next((scores for row in self.rows if (scores := row.score(protocol)) is not None), None)

    @property
    def done(self) -> bool:
        """Whether any row has scores at all."""
        return any(row.done for row in self.rows)

    @property
    def steps(self) -> int:
        """Steps that a network was trained for, all phases together, the most of all methods; 0 where none was."""
        trained = (record.model.phases for record in self.records if record.model)
        return max((sum(phase.steps for phase in phases) for phases in trained), default=0)

    def of_the_mean(self, metric: str) -> float:
        """The error of always answering with the mean of y: a sum over y, or a mean, of what the metric weighs.

        Args:
            metric: `sse`, `mse` or `nmse`.
        """
        variance = self.first.data.y_variance if self.first.data else []
        each = [float(value > 0) if metric == "nmse" else value for value in variance]
        return sum(each) / (max(len(each), 1) if METRICS[metric].averaged else 1)

    def floor(self, metric: str) -> float:
        """The error of the task's forward model itself, below which no comparison means anything; 0 without one.

        Args:
            metric: `sse`, `mse` or `nmse`.
        """
        return self.first.data.floor.get(metric, 0.0) if self.first.data else 0.0

    def negligible(self, metric: str) -> float:
        """The error below which two answers are alike: of the forward model itself, or as good as exact.

        Args:
            metric: `sse`, `mse` or `nmse`.
        """
        return max(self.floor(metric), EXACT * self.of_the_mean(metric))


def group(records: Iterable[Record], root: Path | None = None) -> list[Group]:
    """Sort records of a result folder into groups that may share a table, in the order of tasks and settings.

    Args:
        records: of any tasks and settings.
        root: the folder that they are of; None where numbers of each target are not wanted.

    Raises:
        UsageError: two records of one cell, which only a careless merge of folders can cause.
    """
    buckets: dict[Key, list[Record]] = defaultdict(list)
    unscored: list[Record] = []
    for record in records:
        if record.status == "ok":
            buckets[_settings(record), _task(record), canonical(_hashes(record))].append(record)
        else:
            unscored.append(record)
    for record in unscored:
        buckets[_home(record, buckets)].append(record)
    headings = _headings(buckets)
    labels = _task_labels(buckets)
    groups = []
    for key, members in buckets.items():
        split, targets = next((hashes for hashes in map(_hashes, members) if hashes), (None, None))
        groups.append(Group(labels[key], key[0], headings[key[0]], split, targets, tuple(_rows(members, root))))
    return sorted(groups, key=_place)


def together_with(title: str, groups: Sequence[Group], rows: Iterable[Mapping[str, Any]]) -> tuple[str, list[Group]]:
    """The heading of a table with a column for the task, and those groups that have a row in it.

    Args:
        title: what stands before the tasks.
        groups: that share their settings.
        rows: raw values, `task` among them.
    """
    tasks = list(dict.fromkeys(str(raw["task"]) for raw in rows))
    kept = [group for group in groups if group.task in tasks]
    return f"{title}: {'; '.join(tasks)} ({kept[0].heading})", kept


def by_options(groups: Sequence[Group], protocol: str) -> list[Group]:
    """The groups as the tables of a protocol want them: rows that it scored with other options stand apart.

    Args:
        groups: as `group` gives them.
        protocol: its name.
    """
    apart = []
    for item in groups:
        options: dict[str, list[Row]] = defaultdict(list)
        for row in item.rows:
            options[canonical(_options(row, protocol))].append(row)
        unscored = options.pop("null", [])
        given = [json.loads(text) for text in options]
        for values, rows in zip(given or [{}], options.values() or [[]], strict=True):
            extra = "".join(f", {name} {value}" for name, value in _differing(values, given))
            members = tuple(sorted([*rows, *unscored], key=order))
            apart.append(replace(item, rows=members, heading=item.heading + extra))
            unscored = []
    return apart


def _options(row: Row, protocol: str) -> Mapping[str, Any] | None:
    score = row.first.scores.get(protocol)
    return None if score is None else score.options


def _place(item: Group) -> tuple[str, tuple[str, ...], str, str]:
    """By preset, then the tasks of the same groups together, by name."""
    return item.first.preset, tuple(sorted(item.first.groups.task)), item.task, item.heading


def settings_of(record: Record) -> dict[str, Any]:
    """The settings that a table's records have in common.

    Args:
        record: one of the table.
    """
    declared = record.declared
    return {
        "budget": declared.budget,
        "schedule": declared.schedule,
        "data": declared.data,
        "sizes": record.sizes,
    }


def _settings(record: Record) -> str:
    return canonical(settings_of(record))


def _task(record: Record) -> str:
    task, scenario = record.declared.task, record.declared.scenario
    return canonical([task.name, task.version, task.options, task.fingerprint, scenario])


def _hashes(record: Record) -> tuple[str, str] | None:
    """The hashes of the split and of the targets; None where the cell failed before they were known."""
    return (record.data.split, record.data.targets) if record.data else None


def _home(record: Record, buckets: Mapping[Key, Sequence[Record]]) -> Key:
    """The bucket of a record without scores: the one of the same declared task and, where known, the same data."""
    hashes = _hashes(record)
    for key, members in buckets.items():
        known = {_hashes(item) for item in members} - {None}
        same = key[:2] == (_settings(record), _task(record))
        if same and (hashes is None or not known or hashes in known):
            return key
    return _settings(record), _task(record), canonical(hashes)


def _headings(buckets: Mapping[Key, Sequence[Record]]) -> dict[str, str]:
    """Preset and budget of each settings, with what differs from others that would read the same for the same task."""
    presets: dict[str, set[str]] = defaultdict(set)
    tasks: dict[str, set[str]] = defaultdict(set)
    for key, members in buckets.items():
        presets[key[0]].update(record.preset for record in members)
        tasks[key[0]].add(key[1])
    plain = {
        settings: f"{', '.join(sorted(names))}, {count(json.loads(settings)['budget'])} parameters"
        for settings, names in presets.items()
    }
    headings = {}
    for settings, text in plain.items():
        alike = [other for other, heading in plain.items() if heading == text and tasks[other] & tasks[settings]]
        extra = _differing(json.loads(settings), [json.loads(other) for other in alike])
        headings[settings] = text + "".join(f", {name} {value}" for name, value in extra)
    return headings


def _differing(value: Any, others: Sequence[Any]) -> list[tuple[str, Any]]:
    """The leaves of nested tables, by name, at which `others` do not all agree."""
    leaves, tables = _leaves(value), [_leaves(other) for other in others]
    return [(path, leaf) for path, leaf in leaves.items() if len({canonical(table.get(path)) for table in tables}) > 1]


def _leaves(value: Any, path: str = "") -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {path: value}
    found: dict[str, Any] = {}
    for key, item in value.items():
        found.update(_leaves(item, f"{path}.{key}" if path else key))
    return found


def _task_labels(buckets: Mapping[Key, Sequence[Record]]) -> dict[Key, str]:
    labels = {key: _task_label(members[0]) for key, members in buckets.items()}
    named = {}
    for key, label in labels.items():
        twins = [other for other in buckets if other[0] == key[0] and labels[other] == label]
        named[key] = label if len(twins) == 1 else f"{label} ({_told_apart(key, twins, buckets)})"
    return named


def _told_apart(key: Key, twins: Sequence[Key], buckets: Mapping[Key, Sequence[Record]]) -> str:
    """What tells the data of one bucket from those of the same label: options of the task, or else their hashes."""
    options = [buckets[twin][0].task_options for twin in twins]
    texts = [", ".join(f"{name} {text_of(value)}" for name, value in _differing(one, options)) for one in options]
    text = texts[twins.index(key)]
    return text if text and texts.count(text) == 1 else _data_name(buckets[key][0])


def _task_label(record: Record) -> str:
    label = record.label
    return label.task if record.declared.scenario is None else f"{label.task}, {label.scenario}"


def _data_name(record: Record) -> str:
    if record.data is None:
        return "split unknown"
    return f"split {record.data.split[:8]}, targets {record.data.targets[:8]}"


def _rows(members: Sequence[Record], root: Path | None) -> list[Row]:
    """One row for each method, told apart by what differs where labels are equal; in a fixed order."""
    identities: dict[str, list[Record]] = defaultdict(list)
    for record in members:
        identities[canonical(_identity(record.declared))].append(record)
    rows = []
    for records in identities.values():
        _refuse_twins(records)
        label = records[0].label.method
        twins = [items[0] for items in identities.values() if items[0].label.method == label]
        differing = ", ".join(_differences(records[0], twins))
        label += f" ({differing})" if differing else ""
        rows.append(Row(label, tuple(sorted(records, key=lambda record: record.declared.seed)), root))
    return sorted(rows, key=order)


def _differences(record: Record, twins: Sequence[Record]) -> Iterator[str]:
    """What tells the records of a row from those of rows with the same label."""
    for path, leaf in sorted(_differing(_identity(record.declared), [_identity(twin.declared) for twin in twins])):
        yield str(leaf) if path == "device" else f"{path} {leaf}"


def _identity(declared: Declared) -> dict[str, Any]:
    """What a cell declares that its table's records do not have in common, but the seed."""
    values = json.loads(canonical([declared.method, declared.device]))
    return {"method": values[0], "device": values[1]}


def _refuse_twins(records: Sequence[Record]) -> None:
    seeds = [record.declared.seed for record in records]
    for record in records:
        if seeds.count(record.declared.seed) > 1:
            raise UsageError(
                f"Two records of the same cell: {record.label.method} on {record.label.task}, seed "
                f"{record.declared.seed}, key {record.key[:16]}. A cell counts once: remove one, or show the folder of "
                "a single run."
            )
