"""From records to comparable rows: what may share a table, and what may share a row.

Records share a table only with equal task, split, targets, budget, schedule and protocol. Records share a row only
where nothing but the seed differs.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import UsageError
from harness.reporting.numbers import count
from harness.reporting.rows import Record, Row, canonical, dig, order

PAPER_TASKS = ("sinewave", "robotic_arm", "ballistics", "crystal", "architecture", "metamaterial", "shell", "stack")
OLDER = "older code"
SETTINGS = ("budget", "schedule", "protocol")


@dataclass(frozen=True)
class Group:
    """Rows that may stand under one heading."""

    task: str
    settings: str
    """Canonical JSON of budget, schedule and protocol."""
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
        return next((record for record in self.records if record["status"] == "ok"), self.records[0])

    def floor(self, metric: str) -> float:
        """The error of the task's forward model itself, below which no comparison means anything; 0 without one."""
        return float(dig(self.first, "data", "floor", metric) or 0.0)


def group(records: Iterable[Record]) -> list[Group]:
    """Sort records into groups that may share a table, in the order of tasks and settings.

    Raises:
        UsageError: two records of one cell, which only a careless merge of folders can cause.
    """
    buckets: dict[tuple[str, str, str], list[Record]] = defaultdict(list)
    unscored: list[Record] = []
    for record in records:
        if record["status"] == "ok":
            buckets[_settings(record), _task(record), _data(record)].append(record)
        else:
            unscored.append(record)
    for record in unscored:
        buckets[_home(record, buckets)].append(record)
    headings = _headings(buckets)
    labels = _task_labels(buckets)
    groups = []
    for key, members in buckets.items():
        split, targets = next((hashes for hashes in map(_hashes, members) if hashes), (None, None))
        groups.append(Group(labels[key], key[0], headings[key[0]], split, targets, tuple(_rows(members))))
    return sorted(groups, key=lambda item: (item.first["preset"], _task_rank(item), item.task, item.heading))


def _task_rank(item: Group) -> int:
    name = item.first["declared"]["task"]["name"]
    return PAPER_TASKS.index(name) if name in PAPER_TASKS else len(PAPER_TASKS)


def _settings(record: Record) -> str:
    return canonical({key: record["declared"].get(key) for key in SETTINGS})


def _task(record: Record) -> str:
    task = record["declared"]["task"]
    return canonical([task["name"], task.get("version"), task.get("options")])


def _data(record: Record) -> str:
    return canonical([_hashes(record), dig(record, "scores", "version")])


def _hashes(record: Record) -> tuple[str, str] | None:
    """The hashes of the split and of the targets; None where the cell failed before they were known."""
    data = record.get("data")
    return (data["split"], data["targets"]) if data else None


def _home(record: Record, buckets: Mapping[tuple[str, str, str], Sequence[Record]]) -> tuple[str, str, str]:
    """The bucket of a record without scores: the one of the same declared task and, where known, the same data."""
    hashes = _hashes(record)
    for key, members in buckets.items():
        same = any(item["declared"]["task"] == record["declared"]["task"] for item in members)
        known = {_hashes(item) for item in members} - {None}
        if same and key[0] == _settings(record) and (hashes is None or not known or hashes in known):
            return key
    return _settings(record), _task(record), _data(record)


def _headings(buckets: Mapping[tuple[str, str, str], Sequence[Record]]) -> dict[str, str]:
    """Preset and budget of each settings, with what differs from others that would read the same for the same task."""
    presets: dict[str, set[str]] = defaultdict(set)
    tasks: dict[str, set[str]] = defaultdict(set)
    for key, members in buckets.items():
        presets[key[0]].update(record["preset"] for record in members)
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


def _task_labels(buckets: Mapping[tuple[str, str, str], Sequence[Record]]) -> dict[tuple[str, str, str], str]:
    labels = {key: members[0]["label"]["task"] for key, members in buckets.items()}
    named = {}
    for key, label in labels.items():
        twins = [other for other in buckets if other[0] == key[0] and labels[other] == label]
        named[key] = label if len(twins) == 1 else f"{label} ({_data_name(buckets[key][0])})"
    return named


def _data_name(record: Record) -> str:
    data = record.get("data")
    if not data:
        return "split unknown"
    version = dig(record, "scores", "version")
    return f"split {data['split'][:8]}, targets {data['targets'][:8]}, scores {version}"


def _rows(members: Sequence[Record]) -> list[Row]:
    """One row for each method, told apart by what differs where labels are equal; in a fixed order."""
    identities: dict[str, list[Record]] = defaultdict(list)
    for record in members:
        identities[canonical(_identity(record))].append(record)
    rows = []
    for records in identities.values():
        _refuse_twins(records)
        label = records[0]["label"]["method"]
        twins = [items for items in identities.values() if items[0]["label"]["method"] == label]
        differing = ", ".join(_differences(records, twins))
        label += f" ({differing})" if differing else ""
        rows.append(Row(label, tuple(sorted(records, key=lambda record: record["declared"]["seed"]))))
    return sorted(rows, key=order)


def _differences(records: Sequence[Record], twins: Sequence[Sequence[Record]]) -> Iterator[str]:
    """What tells the records of a row from those of rows with the same label; the newest code needs no name."""
    leaves = dict(_differing(_identity(records[0]), [_identity(items[0]) for items in twins]))
    code = {path for path in leaves if path.rpartition(".")[2] in ("source", "version")}
    for path in sorted(leaves.keys() - code):
        yield str(leaves[path]) if path == "device" else f"{path} {leaves[path]}"
    newest = max(twins, key=_started)
    if any(leaves[path] != _leaves(_identity(newest[0])).get(path) for path in code):
        digest = hashlib.sha256(canonical([leaves[path] for path in sorted(code)]).encode()).hexdigest()
        yield f"{OLDER} {digest[:6]}"


def _started(records: Sequence[Record]) -> str:
    return max(str(dig(record, "provenance", "started")) for record in records)


def _identity(record: Record) -> dict[str, Any]:
    """Everything that a cell declares but its seed and the settings that its table has in common."""
    return {key: value for key, value in record["declared"].items() if key not in (*SETTINGS, "seed")}


def _refuse_twins(records: Sequence[Record]) -> None:
    seeds = [record["declared"]["seed"] for record in records]
    for seed in seeds:
        if seeds.count(seed) > 1:
            label = records[0]["label"]
            raise UsageError(
                f"Two records of the same cell: {label['method']} on {label['task']}, seed {seed}, key "
                f"{str(records[0].get('key'))[:16]}. A cell counts once: remove one, or show a single run's folder."
            )
