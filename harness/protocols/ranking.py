"""What changes the ranking: the error in every scenario of a task beside that without one, and which methods swap."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from harness import comparing
from harness.metrics import METRICS
from harness.protocols.contract import Protocol, Shown
from harness.protocols.multi_target import MultiTarget
from harness.reporting.apart import Apart, by_targets, of_row
from harness.reporting.build import table
from harness.reporting.groups import Group
from harness.reporting.numbers import number
from harness.reporting.rows import Row, order
from harness.reporting.table import Column, Raw, Table

BASE = "base"
MEANING = (
    "(in parentheses): the place among the methods of the column; ratio: of the error to that without the scenario. A "
    "scenario may ask for other targets and score them otherwise: see its own table, scenario"
)


@dataclass(frozen=True)
class View:
    """A scenario of a task, or the task without one: the errors of one proposal for each target."""

    name: str
    group: Group
    metric: str

    @property
    def drawn(self) -> Mapping[str, comparing.Drawn]:
        """What the bootstrap draws of the errors, by the label of the method."""
        least = self.group.negligible(self.metric)
        found = {row.label: of_row(row, MultiTarget.name, self.metric, least) for row in self.group.rows}
        return {label: drawn for label, drawn in found.items() if drawn is not None}

    @property
    def ranked(self) -> list[str]:
        """The methods, that of the least mean error first."""
        drawn = self.drawn
        return sorted(drawn, key=lambda label: drawn[label].mean)


class Ranking(Protocol):
    """Every method with and without each scenario; it asks nothing of its own."""

    name: ClassVar[str] = "ranking"

    def tables(self) -> dict[str, Shown[Table]]:
        return {"ranking": Shown(_build, place=12, metrics=("nmse", "mse", "sse"), reads=(MultiTarget.name,))}


def _build(groups: Sequence[Group], metric: str | None, published: bool) -> list[Table]:
    return [_table(views) for views in _families(groups, str(metric)) if len(views) > 1]


def _families(groups: Sequence[Group], metric: str) -> Iterator[list[View]]:
    """Each task without a scenario, followed by the scenarios that were run with the same settings."""
    for base in groups:
        if base.first.declared.scenario is not None or not base.scored(MultiTarget):
            continue
        own = base.first.declared.task, base.settings, base.heading
        others = [
            View(other.first.label.scenario, other, metric)
            for other in groups
            if other.first.declared.scenario is not None
            and (other.first.declared.task, other.settings, other.heading) == own
            and other.scored(MultiTarget)
        ]
        yield [View(BASE, base, metric), *others]


def _table(views: Sequence[View]) -> Table:
    base, *scenarios = views
    rows = {row.label: row for view in views for row in view.group.rows}
    raws = [_raw(row, views) for row in sorted(rows.values(), key=order)]
    columns = [column for view in views for column in _columns(view)]
    said = [f"{METRICS[base.metric].words}; of one proposal for each target", MEANING]
    said += [sentence for view in scenarios for sentence in _changes(base, view)]
    return table("ranking", "What changes the ranking", base.group, columns, raws, said, base.metric)


def _raw(row: Row, views: Sequence[View]) -> dict[str, Any]:
    raw: dict[str, Any] = {"method": row.label, "baseline": row.baseline, "status": "ok"}
    first = views[0].drawn.get(row.label)
    for view in views:
        there = next((each for each in view.group.rows if each.label == row.label), None)
        found, ranked = view.drawn.get(row.label), view.ranked
        raw[f"{view.name}.status"] = there.status if there else None
        raw[view.name] = None if found is None else found.mean
        raw[f"{view.name}.place"] = None if found is None else ranked.index(row.label) + 1
        raw[f"{view.name}.ratio"] = found.mean / first.mean if found and first and first.mean else None
    return raw


def _columns(view: View) -> Iterator[Column]:
    status = f"{view.name}.status"
    yield Column(
        view.name,
        partial(_error, name=view.name),
        best=view.name,
        status=status,
        apart=_told(view),
        floor=view.group.floor(view.metric),
    )
    if view.name != BASE:
        yield Column("ratio", partial(_ratio, name=view.name), status=status, value=f"{view.name}.ratio")


def _told(view: View) -> Apart:
    return by_targets(view.group, view.metric, MultiTarget.name, view.metric)


def _error(raw: Raw, name: str) -> str:
    place = raw[f"{name}.place"]
    return number(raw[name]) if place is None else f"{number(raw[name])} ({place})"


def _ratio(raw: Raw, name: str) -> str:
    return number(raw[f"{name}.ratio"])


def _changes(base: View, view: View) -> Iterator[str]:
    """In a sentence, which method takes the place of the best one."""
    best, then = view.ranked[0], base.ranked[0]
    if best == then:
        yield f"{view.name}: {best} is the best with and without it"
        return
    drawn = view.drawn
    place = f", number {base.ranked.index(best) + 1} without it" if best in base.ranked else ", not run without it"
    if then not in drawn:
        yield f"{view.name}: the best is {best}{place}; {then}, the best without it, takes no part"
        return
    sure = comparing.apart(drawn[best], drawn[then]) != 0
    ratio = number(drawn[then].mean / drawn[best].mean) if drawn[best].mean else "many"
    doubt = "" if sure else ", which may be chance"
    yield f"{view.name}: the best is {best}{place}; {then}, the best without it, has {ratio} times its error{doubt}"
