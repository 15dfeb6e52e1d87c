"""Comparison tables from records; nothing here trains, simulates or imports torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from harness.errors import UsageError, unknown
from harness.metrics import METRICS
from harness.registry import discover
from harness.reporting import lean, notes
from harness.reporting.bases import with_scenarios
from harness.reporting.figure import Figure, labelled
from harness.reporting.formats import FORMATS
from harness.reporting.groups import Group, by_options, group
from harness.reporting.rows import order
from harness.reporting.table import Table
from harness.schema import Record
from harness.selection import means, split

if TYPE_CHECKING:
    from harness.protocols.contract import Protocol, Shown

Block = TypeVar("Block")
ALL, COMPARE, BASE = "all", "compare", "base"
REASONS = 3
"""Reasons for a lack of numbers that an error names."""


def protocols() -> dict[str, Protocol]:
    """The installed protocols that can be used, by name, with default options."""
    found = {name: plugin for name, plugin in discover("protocols").items() if plugin.error is None}
    return {name: plugin.load()() for name, plugin in found.items()}


def tables() -> dict[str, tuple[str, Shown[Table]]]:
    """All tables by name, in the order in which they are shown, each with the name of its protocol."""
    return _placed((owner, protocol.tables()) for owner, protocol in protocols().items())


def figures() -> dict[str, tuple[str, Shown[Figure]]]:
    """All figures by name, in the order in which they are shown, each with the name of its protocol."""
    return _placed((owner, protocol.figures()) for owner, protocol in protocols().items())


def _placed(found: Iterable[tuple[str, Mapping[str, Shown[Block]]]]) -> dict[str, tuple[str, Shown[Block]]]:
    every = [(name, owner, shown) for owner, by_name in found for name, shown in by_name.items()]
    return {name: (owner, shown) for name, owner, shown in sorted(every, key=lambda item: (item[2].place, item[0]))}


def render(
    name: str,
    root: str | Path,
    *,
    format: str = "markdown",
    metric: str | None = None,
    published: bool = True,
    methods: str | Sequence[str] | None = None,
    tasks: str | Sequence[str] | None = None,
    scenarios: str | Sequence[str] | None = None,
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
        scenarios: the same for scenarios, `base` for none; None shows all, but in tables that hold for any task only
            what was run without one, where there is that.

    Raises:
        UsageError: an unknown name, format, metric, method or task; a metric that the table cannot show; no records;
            two records of one cell.
    """
    if format not in FORMATS:
        raise unknown("format", format, FORMATS)
    if name == COMPARE:
        from harness.reporting.compare import comparison

        pair = split(methods) if isinstance(methods, str) else list(methods or ())
        groups = group(_selected(_read(Path(root), _unread(())), None, tasks, scenarios), Path(root))
        return FORMATS[format](comparison(groups, pair, metric))
    chosen = _chosen(name, metric, tables(), "table", (ALL, COMPARE))
    groups = group(_selected(_read(Path(root), _unread(chosen)), methods, tasks, scenarios), Path(root))
    found = _built(chosen, groups, metric, published, all_shown=scenarios is not None)
    if not found:
        raise UsageError(
            f"No record below {str(root)!r} has what the table {name!r} shows: no cell was asked for it, or it does "
            f"not apply to these. See `list protocols`, and what there is: table {ALL}.{_lacking(groups, chosen)}"
        )
    return FORMATS[format](found)


def tabled(root: str | Path) -> list[Table]:
    """All tables from the records below a folder, each with its own metric.

    Args:
        root: the folder of a run.

    Raises:
        UsageError: no records, or two records of one cell.
    """
    return tables_of(grouped(root))


def tables_of(groups: Sequence[Group]) -> list[Table]:
    """All tables of groups, each with its own metric.

    Args:
        groups: as `grouped` gives them.
    """
    return _built(tables().values(), groups, None, True)


def figures_of(groups: Sequence[Group]) -> list[Figure]:
    """All figures of a report, each with its own metric, without the settings of ablations, which have their own table.

    Those that have nothing to draw are left out.

    Args:
        groups: as `grouped` gives them.
    """
    shown, plain = [found for found in figures().values() if not found[1].files_only], usual(groups)
    return labelled(_built(shown, plain, None, False), _labels(plain))


def _labels(groups: Sequence[Group]) -> list[str]:
    """All methods of the groups in their order."""
    return list(dict.fromkeys(row.label for row in sorted((row for item in groups for row in item.rows), key=order)))


def grouped(root: str | Path, tasks: str | Sequence[str] | None = None) -> list[Group]:
    """The records below a folder as groups that may share a table.

    Args:
        root: the folder of a run.
        tasks: names, labels, groups or globs to keep, as a list or separated by commas; None keeps all.

    Raises:
        UsageError: no records, an unknown task, or two records of one cell.
    """
    return group(_selected(_read(Path(root), _only_drawn(), packed=False), None, tasks), Path(root))


def drawn(
    names: Sequence[str],
    root: str | Path,
    *,
    metric: str | None = None,
    methods: str | Sequence[str] | None = None,
    tasks: str | Sequence[str] | None = None,
    scenarios: str | Sequence[str] | None = None,
) -> list[Figure]:
    """Figures from the records below a folder, for a painter such as `harness.reporting.drawing`.

    Args:
        names: of figures; `all` is all of them.
        root: the folder of a run.
        metric: `sse`, `mse` or `nmse`; None takes each figure's own.
        methods: as of `render`.
        tasks: as of `render`.
        scenarios: as of `render`.

    Raises:
        UsageError: as of `render`, and nothing to draw.
    """
    known = figures()
    chosen = {found[1]: found for name in names for found in _chosen(name, metric, known, "figure", (ALL,))}
    records = _read(Path(root))
    labels = _labels(group(records))
    groups = group(_selected(records, methods, tasks, scenarios), Path(root))
    every = _built(chosen.values(), groups, metric, False, all_shown=scenarios is not None)
    if not every:
        raise UsageError(
            f"No record below {str(root)!r} has what {', '.join(names)} draws. Allowed: {', '.join((*known, ALL))}."
            f"{_lacking(groups, list(chosen.values()))}"
        )
    return labelled(every, labels)


def _built(
    chosen: Iterable[tuple[str, Shown[Block]]],
    groups: Sequence[Group],
    metric: str | None,
    published: bool,
    *,
    all_shown: bool = False,
) -> list[Block]:
    """The tables or figures that are chosen, each with the name of its protocol."""
    found, most = [], usual(groups)
    beside = [] if all_shown else [(other, base) for base, others in with_scenarios(most) for other in others]
    for owner, shown in chosen:
        own = metric if metric in shown.metrics else next(iter(shown.metrics), None)
        given = groups if shown.every else _without_scenarios(most, beside, shown)
        found += shown.build(by_options(given, owner), own, published)
    return found


def _lacking(groups: Sequence[Group], chosen: Sequence[tuple[str, Shown[Block]]]) -> str:
    """What an error says of what is lacking: runs of another kind, the task without scenarios, cells with numbers."""
    said = [f"It needs {shown.needs}." for _, shown in chosen if shown.needs]
    if not said and groups and all(item.first.declared.scenario for item in groups):
        said = [f"What compares with the task itself needs that, too: --scenarios {BASE},..."]
    reasons = list(notes.failures([row for item in groups for row in item.rows]))
    said += [f"Without numbers: {'; '.join(reasons[:REASONS])}{' …' * (len(reasons) > REASONS)}."] if reasons else []
    return "".join(f" {sentence}" for sentence in said)


def _without_scenarios(
    groups: Sequence[Group], beside: Sequence[tuple[Group, Group]], shown: Shown[Block]
) -> list[Group]:
    """The groups but for those in scenarios, beside the task without one, that a table or figure leaves out."""
    plain = shown.plain
    left_out = {id(other) for other, base in beside if (plain(other, base) if callable(plain) else plain)}
    return [item for item in groups if id(item) not in left_out]


def usual(groups: Sequence[Group]) -> list[Group]:
    """The groups without the rows that a table of their own shows, such as the settings of ablations.

    Args:
        groups: rows that may be compared.
    """
    takers = [shown.takes for _, shown in tables().values() if shown.takes is not None]
    found = []
    for item in groups:
        taken = {id(row) for takes in takers for row in takes(item)}
        found.append(replace(item, rows=tuple(row for row in item.rows if id(row) not in taken)))
    return found


def _chosen(
    name: str, metric: str | None, known: Mapping[str, tuple[str, Shown[Block]]], what: str, also: Sequence[str]
) -> list[tuple[str, Shown[Block]]]:
    """The tables or figures that are meant, each with its protocol."""
    if metric is not None and metric not in METRICS:
        raise unknown("metric", metric, METRICS)
    if name == ALL:
        return list(known.values())
    alike = {_folded(other): other for other in known}
    if _folded(name) not in alike:
        raise unknown(what, name, (*known, *also))
    owner, shown = known[alike[_folded(name)]]
    if metric is not None and metric not in shown.metrics:
        allowed = ", ".join(shown.metrics) or "none, for it shows no error"
        raise UsageError(f"The {what} {name!r} cannot show the metric {metric!r}. Allowed: {allowed}.")
    return [(owner, shown)]


def _folded(name: str) -> str:
    return name.lower().replace("_", "-")


def _unread(chosen: Sequence[tuple[str, Shown[Table]]]) -> list[str]:
    """The protocols whose numbers none of the chosen tables reads.

    These are all that they do not name, where each names those that it reads; else those that have figures and no
    table. Tables that are given every row, such as that of claims, may read the numbers of any protocol.
    """
    from harness.protocols.contract import Protocol

    read = [(owner, *shown.reads) for owner, shown in chosen if shown.reads is not None]
    if chosen and len(read) == len(chosen):
        return [name for name in protocols() if name not in {*chain.from_iterable(read)}]
    found = {name: protocol for name, protocol in protocols().items() if protocol.figures() and not protocol.tables()}
    if any(shown.every for _, shown in chosen):
        found = {name: protocol for name, protocol in found.items() if type(protocol).numbers is Protocol.numbers}
    return list(found)


def _only_drawn() -> list[str]:
    """The protocols whose scores nothing but figures in files of their own reads."""
    from harness.protocols.contract import Protocol

    kept = {
        name: found
        for name, found in protocols().items()
        if type(found).numbers is Protocol.numbers and not found.tables()
    }
    return [name for name, found in kept.items() if all(shown.files_only for shown in found.figures().values())]


def _read(root: Path, skipped: Sequence[str] = (), *, packed: bool = True) -> list[Record]:
    from harness.store import Store, none_below, record_files

    if not root.is_dir():
        raise UsageError(f"There is no result folder {str(root)!r}. Give the folder of a run.")
    records = list(lean.records(Store(root), skipped, packed=packed)) if record_files(root) else []
    if not records:
        raise UsageError(f"{none_below(root)} `python -m harness run` starts one.")
    return records


def _selected(
    records: Sequence[Record],
    methods: str | Sequence[str] | None,
    tasks: str | Sequence[str] | None,
    scenarios: str | Sequence[str] | None = None,
) -> Sequence[Record]:
    for kind, wanted in (("method", methods), ("task", tasks), ("scenario", scenarios)):
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
        if not found and kind == "scenario":
            found = [record for record in records if _meant(record, pattern)]
        if not found:
            raise unknown(kind, pattern, {ALL, *(_names(record, kind)["label"] for record in records)})
        chosen.update((id(record), record) for record in found)
    return list(chosen.values())


def _meant(record: Record, pattern: str) -> bool:
    scenario = record.declared.scenario
    return scenario is not None and means(pattern, record.label.scenario, scenario)


def _matches(record: Record, kind: str, pattern: str) -> bool:
    names = _names(record, kind)
    groups = {"method": record.groups.method, "task": record.groups.task}.get(kind, ())
    return pattern in (ALL, *names.values(), *groups) or fnmatchcase(names["name"], pattern)


def _names(record: Record, kind: str) -> Mapping[str, str]:
    if kind == "method":
        return {"name": record.declared.method.name, "label": record.label.method}
    if kind == "scenario":
        scenario = record.declared.scenario
        return {"name": scenario.name if scenario else BASE, "label": record.label.scenario}
    return {"name": record.declared.task.name, "label": record.label.task}
