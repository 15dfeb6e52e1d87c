"""What another forward model says of the same designs, such as the operator that a proxy stands for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from harness.reporting import notes
from harness.reporting.build import METHOD, base, several
from harness.reporting.groups import Group
from harness.reporting.numbers import number, share
from harness.reporting.rows import Row, dig
from harness.reporting.table import Column, Table

ERRORS = {"mse_simulate": "mse", "mse": "mse by operator", "mse_between": "operator against own"}
TARGETS = {"multi_target": "many", "fixed_target": "y*"}


def operators(groups: Sequence[Group], metric: str, published: bool) -> list[Table]:
    """The error of some designs by the task's own forward model and by others, as `rescore --operator` measured it."""
    return [table for together in several(groups) if (table := _table(together)) is not None]


def _table(groups: Sequence[Group]) -> Table | None:
    rows = [raw for group in groups for row in group.rows for raw in _raws(group, row)]
    if not rows:
        return None
    columns = (
        Column("task", lambda raw: str(raw["task"]), status=None),
        Column("operator", lambda raw: str(raw["operator"]), status=None),
        METHOD,
        Column("targets", lambda raw: TARGETS[raw["targets_of"]], status=None),
        Column("designs", lambda raw: str(raw["designs"])),
        Column("valid", lambda raw: share(raw["valid"])),
        *(Column(title, _text(key)) for key, title in ERRORS.items()),
    )
    extra = (
        "mse: error of first proposals, re-simulated by the task's own forward model; by operator: by the other one, "
        "for the same designs and targets; operator against own: mean square of the difference of the two",
        notes.METRICS["mse"],
    )
    facts = {**notes.facts(groups[0], "mse"), "title": "Other forward models", "task": None, "split": None}
    title = f"Other forward models ({groups[0].heading})"
    return Table(
        "operators", title, {**facts, "targets": None}, columns, tuple(rows), (*extra, *notes.settings(groups))
    )


def _raws(group: Group, row: Row) -> Iterator[dict[str, Any]]:
    """One raw row for each operator by which designs of this row were re-simulated."""
    for name, found in sorted((dig(row.first, "operators") or {}).items()):
        for protocol in found:
            values = {key: row.mean("operators", name, protocol, key) for key in ("valid", *ERRORS)}
            designs = found[protocol]["designs"]
            place = {"task": group.task, "operator": name, "targets_of": protocol, "designs": designs}
            yield {**place, **base(row), **values}


def _text(key: str) -> Any:
    return lambda raw: number(raw[key])
