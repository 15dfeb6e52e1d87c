"""Comparison tables from records; nothing here trains, simulates or imports torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeAlias

from harness.errors import UsageError, unknown
from harness.reporting import cost, curves, diagnosis, errors, novelty, operators, summary
from harness.reporting.formats import FORMATS
from harness.reporting.groups import Group, group
from harness.reporting.notes import METRICS
from harness.reporting.rows import Record, groups_of
from harness.reporting.table import Table

Builder: TypeAlias = Callable[[Sequence[Group], str, bool], list[Table]]

TABLES: Mapping[str, tuple[Builder, str]] = {
    "summary": (summary.summary, "mse"),
    "multi-target": (errors.multi_target, "sse"),
    "fixed-target": (errors.fixed_target, "sse"),
    "r_T": (curves.r_t, "mse"),
    "cost": (cost.cost, "mse"),
    "surrogate-gap": (novelty.surrogate_gap, "nmse"),
    "novelty": (novelty.novelty, "sse"),
    "operators": (operators.operators, "mse"),
    "diagnosis": (diagnosis.diagnosis, "mse"),
}
"""Each table's builder and the metric that it shows unless told otherwise."""

NAMES = (*TABLES, "all")


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
        name: one of `NAMES`.
        root: the folder of a run.
        format: `markdown`, `latex`, `csv` or `json`.
        metric: `sse`, `mse` or `nmse`; None takes each table's own.
        published: show the papers' values beside ours.
        methods: names, labels, groups or globs to show, as a list or separated by commas; None shows all.
        tasks: the same for tasks.

    Raises:
        UsageError: an unknown name, format, metric, method or task; no records; two records of one cell.
    """
    builders = _builders(name)
    if format not in FORMATS:
        raise unknown("format", format, FORMATS)
    if metric is not None and metric not in METRICS:
        raise unknown("metric", metric, METRICS)
    groups = group(_selected(_read(Path(root)), methods, tasks))
    tables = [table for build, default in builders for table in build(groups, metric or default, published)]
    if not tables:
        raise UsageError(
            f"No record below {str(root)!r} has what the table {name!r} shows. Allowed: {', '.join(NAMES)}."
        )
    return FORMATS[format](tables)


def _builders(name: str) -> list[tuple[Builder, str]]:
    if name == "all":
        return list(TABLES.values())
    for known, entry in TABLES.items():
        if name.lower().replace("_", "-") == known.lower().replace("_", "-"):
            return [entry]
    raise unknown("table", name, NAMES)


def _read(root: Path) -> list[Record]:
    from harness.store import Store

    if not root.is_dir():
        raise UsageError(f"There is no result folder {str(root)!r}. Give the folder of a run with --out.")
    records: list[Record] = list(Store(root).records())
    if not records:
        raise UsageError(
            f"There are no records below {str(root)!r}. Give the folder of a run with --out, or start one with "
            "`python -m harness run`."
        )
    return records


def _selected(
    records: Sequence[Record], methods: str | Sequence[str] | None, tasks: str | Sequence[str] | None
) -> Iterable[Record]:
    for kind, wanted in (("method", methods), ("task", tasks)):
        if isinstance(wanted, str):
            from harness.selection import split

            wanted = split(wanted)
        if wanted is not None:
            records = _matching(records, kind, wanted)
    return records


def _matching(records: Sequence[Record], kind: str, wanted: Sequence[str]) -> list[Record]:
    chosen: dict[int, Record] = {}
    for pattern in wanted:
        found = [record for record in records if _matches(record, kind, pattern)]
        if not found:
            raise unknown(kind, pattern, {"all", *(record["label"][kind] for record in records)})
        chosen.update((id(record), record) for record in found)
    return list(chosen.values())


def _matches(record: Record, kind: str, pattern: str) -> bool:
    name: str = record["declared"][kind]["name"]
    return pattern in ("all", name, record["label"][kind], *groups_of(record, kind)) or fnmatchcase(name, pattern)
