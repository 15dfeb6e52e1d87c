"""Where the numbers of a report come from, and what is missing from it: provenance and failures, as rows of text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.reporting.numbers import numbered
from harness.schema import Record, Stamp


@dataclass(frozen=True)
class Failure:
    """A cell without numbers."""

    cell: str
    status: str
    message: str
    traceback: str


def failures(records: Sequence[Record]) -> list[Failure]:
    """The cells that have no numbers, with what they said."""
    return [
        Failure(
            cell=f"{record.label.task}, {record.label.method}"
            + (f", {record.label.scenario}" if record.declared.scenario else "")
            + f", seed {record.declared.seed}",
            status=record.status.replace("_", " "),
            message=record.error.message if record.error else "",
            traceback=record.error.traceback if record.error else "",
        )
        for record in records
        if record.status != "ok"
    ]


def provenance(records: Sequence[Record]) -> list[tuple[str, str]]:
    """What the records were made by and on, each fact with how many records have it where they differ."""
    facts: dict[str, Counter[str]] = {}
    for record in records:
        for name, text in _facts(record):
            facts.setdefault(name, Counter())[text] += 1
    rows = [("records", f"{len(records)}, of which {sum(record.status == 'ok' for record in records)} have numbers")]
    for name, counts in facts.items():
        whole = len(counts) == 1
        each = (text if whole else f"{text} ({numbered(number, 'record')})" for text, number in counts.most_common())
        rows.append((name, "; ".join(each)))
    return rows


def _facts(record: Record) -> Iterator[tuple[str, str]]:
    yield "training code", record.sources.get("training", "unknown")[:12]
    if record.stamp:
        yield "commit", _commit(record.stamp)
        yield "hardware", f"{record.stamp.cpu or 'unknown processor'}, {record.stamp.memory_bytes / 2**30:.0f} GiB"
        yield "device", record.stamp.device_name or record.stamp.device
        yield "threads of a cell", str(record.stamp.threads)
        yield "system", record.stamp.platform
        for name, version in sorted(record.stamp.versions.items()):
            if version is not None:
                yield name, version


def _commit(stamp: Stamp) -> str:
    git = stamp.git or {}
    commit = str(git.get("commit") or "unknown")[:12]
    return f"{commit}, with changes that are not committed" if git.get("dirty") else commit
