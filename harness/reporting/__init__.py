"""Comparison tables from records; nothing here trains, simulates or imports torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UsageError, unknown
from harness.metrics import METRICS
from harness.registry import discover
from harness.reporting.formats import FORMATS
from harness.reporting.groups import Group, by_options, group
from harness.reporting.lean import lean
from harness.reporting.table import Block, Table
from harness.schema import Record
from harness.selection import split

if TYPE_CHECKING:
    from harness.protocols.contract import Protocol, Shown

ALL, COMPARE = "all", "compare"


def protocols() -> dict[str, Protocol]:
    """The installed protocols that can be used, by name, with default options."""
    found = {name: plugin for name, plugin in discover("protocols").items() if plugin.error is None}
    return {name: plugin.load()() for name, plugin in found.items()}


def tables() -> dict[str, tuple[str, Shown]]:
    """All tables by name, in the order in which they are shown, each with the name of its protocol."""
    found = [
        (shown.place, name, owner)
        for owner, protocol in protocols().items()
        for name, shown in protocol.tables().items()
    ]
    return {name: (owner, protocols()[owner].tables()[name]) for _, name, owner in sorted(found)}


def render(
    name: str,
    root: str | Path,
    *,
    format: str = "markdown",
    metric: str | None = None,
    published: bool = True,
    methods: str | Sequence[str] | None = None,
    tasks: str | Sequence[str] | None = None,
) -> str:
    """A comparison table, or all of them, from the records below a folder.

    Args:
        name: of a table, or `all`; or `compare`, for which `methods` names two by their labels.
        root: the folder of a run.
        format: `markdown`, `latex`, `csv` or `json`.
        metric: `sse`, `mse` or `nmse`; None takes each table's own. Of `all`, the tables that can show it do.
        published: show the papers' values beside ours.
        methods: names, labels, groups or globs to show, as a list or separated by commas; None shows all.
        tasks: the same for tasks.

    Raises:
        UsageError: an unknown name, format, metric, method or task; a metric that the table cannot show; no records;
            two records of one cell.
    """
    if format not in FORMATS:
        raise unknown("format", format, FORMATS)
    if name == COMPARE:
        from harness.reporting.compare import comparison

        pair = split(methods) if isinstance(methods, str) else list(methods or ())
        return FORMATS[format](comparison(Path(root), _selected(_read(Path(root)), None, tasks), pair, metric))
    chosen = _chosen(name, metric)
    groups = group(_selected(_read(Path(root)), methods, tasks))
    blocks = [block for owner, shown in chosen for block in _blocks(owner, shown, groups, metric, published)]
    if not blocks:
        raise UsageError(
            f"No record below {str(root)!r} has what the table {name!r} shows. Allowed: {', '.join((*tables(), ALL))}."
        )
    return FORMATS[format]([block for block in blocks if isinstance(block, Table)])


def _blocks(owner: str, shown: Shown, groups: Sequence[Group], metric: str | None, published: bool) -> list[Block]:
    own = metric if metric in shown.metrics else next(iter(shown.metrics), None)
    return shown.build(by_options(groups, owner), own, published)


def _chosen(name: str, metric: str | None) -> list[tuple[str, Shown]]:
    """The tables that are meant, each with its protocol."""
    known = tables()
    if metric is not None and metric not in METRICS:
        raise unknown("metric", metric, METRICS)
    if name == ALL:
        return list(known.values())
    alike = {_folded(other): other for other in known}
    if _folded(name) not in alike:
        raise unknown("table", name, (*known, ALL, COMPARE))
    owner, shown = known[alike[_folded(name)]]
    if metric is not None and metric not in shown.metrics:
        allowed = ", ".join(shown.metrics) or "none, for it shows no error"
        raise UsageError(f"The table {name!r} cannot show the metric {metric!r}. Allowed: {allowed}.")
    return [(owner, shown)]


def _folded(name: str) -> str:
    return name.lower().replace("_", "-")


def _read(root: Path) -> list[Record]:
    from harness.store import Store

    if not root.is_dir():
        raise UsageError(f"There is no result folder {str(root)!r}. Give the folder of a run.")
    records = list(lean(Store(root).records()))
    if not records:
        raise UsageError(
            f"There are no records below {str(root)!r}. Give the folder of a run with --out, or start one with "
            "`python -m harness run`."
        )
    return records


def _selected(
    records: Sequence[Record], methods: str | Sequence[str] | None, tasks: str | Sequence[str] | None
) -> Sequence[Record]:
    for kind, wanted in (("method", methods), ("task", tasks)):
        if isinstance(wanted, str):
            text, wanted = wanted, split(wanted)
            if not wanted:
                raise UsageError(f"The selection {text!r} names no {kind}. Write names, or leave it out to show all.")
        if wanted is not None:
            records = _matching(records, kind, wanted)
    return records


def _matching(records: Sequence[Record], kind: str, wanted: Sequence[str]) -> list[Record]:
    chosen: dict[int, Record] = {}
    for pattern in wanted:
        found = [record for record in records if _matches(record, kind, pattern)]
        if not found:
            raise unknown(kind, pattern, {ALL, *(_names(record, kind)["label"] for record in records)})
        chosen.update((id(record), record) for record in found)
    return list(chosen.values())


def _matches(record: Record, kind: str, pattern: str) -> bool:
    names = _names(record, kind)
    groups = record.groups.method if kind == "method" else record.groups.task
    return pattern in (ALL, *names.values(), *groups) or fnmatchcase(names["name"], pattern)


def _names(record: Record, kind: str) -> Mapping[str, str]:
    if kind == "method":
        return {"name": record.declared.method.name, "label": record.label.method}
    return {"name": record.declared.task.name, "label": record.label.task}
