"""What changes the ranking: the error in every scenario of a task beside that without one, and which methods swap."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, ClassVar

from harness import comparing
from harness.metrics import METRICS
from harness.protocols.contract import Protocol, Shown
from harness.protocols.metered import Metered
from harness.protocols.metered import Scores as MeteredScores
from harness.protocols.multi_target import MultiTarget
from harness.protocols.studies import NMSE
from harness.protocols.traces import kept
from harness.protocols.views import USUAL, Views
from harness.reporting.apart import Apart, by_targets, of_row
from harness.reporting.bases import with_scenarios
from harness.reporting.build import table
from harness.reporting.figure import Axis, Field, Figure, Panel, headings
from harness.reporting.groups import Group
from harness.reporting.numbers import number
from harness.reporting.rows import Row, order
from harness.reporting.table import Column, Raw, Table
from harness.selection import parse

BASE = "base"
TITLE = "What changes the ranking"
STRONG = 100.0
"""The ratio from which on a field of the figure has the full colour."""
ACROSS = 6
"""Scenarios in one panel of the figure, at most."""
PANELS = 3
"""Panels beside each other, at most: with more, the numbers of so many scenarios run into each other."""
SEARCH, IN_TURN = "lm", "none"
METERED = {SEARCH: "in a Levenberg-Marquardt search from the proposals", IN_TURN: "one for each proposal in turn"}
"""How calls to the forward model are spent: the search, in words."""
MANY = 4
"""Variants of one scenario that are all shown."""
MEANING = (
    "(in parentheses): the place among the methods of the column; ratio: of the geometric mean of the errors to that "
    "without the scenario, which a few targets do not decide. A scenario may ask for other targets and score them "
    "otherwise: see its own table, scenario"
)


@dataclass(frozen=True)
class View:
    """A scenario of a task, or the task without one: the errors of one proposal for each target."""

    name: str
    group: Group
    metric: str
    plain: Group | None = None
    """The task without the scenario."""
    of: int = 0
    """How many variants of the scenario there are, where not all of them are shown."""

    @cached_property
    def kept(self) -> tuple[str, str]:
        """The protocol that keeps the errors of each target, and their name there.

        Where y was noisy, they are those against the true y, for against the noisy y a method that fits the noise would
        seem the best; where the forward model may be called, those after the last call.
        """
        searched: MeteredScores | None = self.group.score(Metered) if self.metric == NMSE else None
        if searched is not None:
            search = SEARCH if SEARCH in searched.own else IN_TURN
            return Metered.name, kept(search, searched.own[search].calls[-1], unlearned=False)
        if self.metric == NMSE and self.noisy:
            return Views.name, USUAL
        return MultiTarget.name, self.metric

    @cached_property
    def noisy(self) -> bool:
        """Whether y was noisy, and errors against the true y are kept."""
        return any(row.keeps(Views.name, USUAL) for row in self.group.rows)

    @property
    def exact(self) -> Group:
        """The group that says below which errors are alike: noise is no such level against the true y."""
        return self.plain if self.plain and self.kept == (Views.name, USUAL) else self.group

    @cached_property
    def drawn(self) -> Mapping[str, comparing.Drawn]:
        """What the bootstrap draws of the errors, by the label of the method."""
        least = self.exact.negligible(self.metric)
        found = {row.label: of_row(row, *self.kept, least) for row in self.group.rows}
        return {label: drawn for label, drawn in found.items() if drawn is not None}

    @cached_property
    def ranked(self) -> list[str]:
        """The methods, that of the least mean error first."""
        return sorted(self.drawn, key=lambda label: self.drawn[label].mean)


class Ranking(Protocol):
    """Every method with and without each scenario; it asks nothing of its own."""

    name: ClassVar[str] = "ranking"

    def figures(self) -> dict[str, Shown[Figure]]:
        return {
            "ranking": Shown(_draw, place=12, metrics=("nmse", "mse", "sse"), reads=(MultiTarget.name, Metered.name))
        }

    def tables(self) -> dict[str, Shown[Table]]:
        return {
            "ranking": Shown(_build, place=12, metrics=("nmse", "mse", "sse"), reads=(MultiTarget.name, Metered.name))
        }


def _build(groups: Sequence[Group], metric: str | None, published: bool) -> list[Table]:
    return [_table(views) for views in _views(groups, str(metric))]


def _views(groups: Sequence[Group], metric: str) -> Iterator[list[View]]:
    """Of every task that was run in scenarios: itself without one, and each of them."""
    for base, others in with_scenarios(groups):
        scored = [
            View(other.first.label.scenario, other, metric, base) for other in others if other.scored(MultiTarget)
        ]
        if scored and base.scored(MultiTarget):
            yield [View(BASE, base, metric), *_few(scored)]


def _few(views: Sequence[View]) -> list[View]:
    """The views but for those of a scenario of which there are many: of these the ones with the fewest options.

    These are the usual one, then those with one option changed, and so on, as far as all of these have room.
    """
    by_name: dict[str, list[View]] = defaultdict(list)
    for view in views:
        by_name[parse(view.name)[0]].append(view)
    shown: list[View] = []
    for several in by_name.values():
        if len(several) > MANY:
            changed = sorted(len(parse(view.name)[1]) for view in several)
            room = max((number for number in changed if bisect_right(changed, number) <= MANY), default=changed[0])
            kept = [view for view in several if len(parse(view.name)[1]) <= room][:MANY]
            several = [replace(view, of=len(several)) for view in kept]
        shown += several
    return [view for each in views for view in shown if view.name == each.name]


def _draw(groups: Sequence[Group], metric: str | None, published: bool) -> list[Figure]:
    """The ratio of every method's error in each scenario to that without one, one panel a task."""
    every = [*_views(groups, str(metric))]
    titles = headings([views[0].group for views in every])
    found = [panel for views, title in zip(every, titles, strict=True) for panel in _panels(views, title)]
    panels = tuple(panel for panel in found if not panel.empty)
    said = (
        f"geometric mean of the {METRICS[str(metric)].words.partition(' ')[0]} of one proposal in a scenario, over "
        "that without it; "
        f"bold colours: {STRONG:g} times more (orange) or less (blue), and beyond; empty: takes no part",
    )
    pairs = [(title, views[0], view) for views, title in zip(every, titles, strict=True) for view in views[1:]]
    pairs = [(title, base, view) for title, base, view in pairs if len(_in_both(base, view)) > 1]
    turned = [pair for pair in pairs if _in_both(pair[1], pair[2])[0] != pair[2].ranked[0]]
    same = f"{len(pairs) - len(turned)} of {len(pairs)}"
    stays = f"the method with the smallest error is the same with and without it in {same}"
    notes = (
        *said,
        *[stays] * bool(pairs),
        *(f"{title}, {text}" for title, base, view in turned for text in _changes(base, view)),
    )
    across = min(PANELS, len(panels))
    return [Figure("ranking", TITLE, panels, notes, legend=False, across=across, beside="ranking")] if panels else []


def _panels(views: Sequence[View], title: str) -> Iterator[Panel]:
    """A few scenarios each, so that there is room for the numbers."""
    base, *scenarios = views
    size = math.ceil(len(scenarios) / math.ceil(len(scenarios) / ACROSS))
    for start in range(0, len(scenarios), size):
        yield _panel([base, *scenarios[start : start + size]], title)


def _panel(views: Sequence[View], title: str) -> Panel:
    base, *scenarios = views
    methods = [row.label for row in sorted(base.group.rows, key=order) if row.label in base.drawn]
    fields = [
        Field(label, x, y, _shade(ratio), number(ratio, 2))
        for y, label in enumerate(methods)
        for x, view in enumerate(scenarios)
        if label in view.drawn
        for ratio in [_over(view.drawn[label], base.drawn[label])]
    ]
    across, up = Axis("", names=tuple(view.name for view in scenarios)), Axis("", names=tuple(methods))
    return Panel(title, across, up, fields=tuple(fields))


def _over(one: comparing.Drawn, other: comparing.Drawn) -> float:
    """The ratio of the geometric means of the errors of two sets of targets."""
    return float(10 ** (one.of_targets.mean() - other.of_targets.mean()))


def _shade(ratio: float) -> float:
    """Of a field: the ratio in powers of ten, as a share of the strongest."""
    if ratio <= 0:
        return -1.0
    return max(-1.0, min(1.0, math.log10(ratio) / math.log10(STRONG)))


def _table(views: Sequence[View]) -> Table:
    base, *scenarios = views
    rows = {row.label: row for view in views for row in view.group.rows}
    raws = [_raw(row, views) for row in sorted(rows.values(), key=order)]
    columns = [column for view in views for column in _columns(view)]
    said = [f"{METRICS[base.metric].words}; of one proposal for each target", MEANING]
    said.append(f"Targets: {', '.join(f'{view.name} {_targets(view)}' for view in views)}")
    said += [
        f"{view.name}: with the calls to the forward model, {METERED[view.kept[1].partition('_')[0]]}"
        for view in scenarios
        if view.kept[0] == Metered.name
    ]
    noisy = ", ".join(view.name for view in scenarios if view.noisy)
    if noisy and base.metric == NMSE:
        said.append(f"{noisy}: against the true y, not the noisy one that was asked for")
    elif noisy:
        said.append(f"{noisy}: against the noisy y that was asked for; against the true one with the metric nmse")
    said += [sentence for view in scenarios for sentence in _changes(base, view)]
    many = {parse(view.name)[0]: view.of for view in scenarios if view.of}
    said += [
        f"{name}: of {count} variants those with the fewest options; all: multi-target" for name, count in many.items()
    ]
    return table("ranking", TITLE, base.group, columns, raws, said, base.metric)


def _raw(row: Row, views: Sequence[View]) -> dict[str, Any]:
    raw: dict[str, Any] = {"method": row.label, "baseline": row.baseline, "status": "ok"}
    first = views[0].drawn.get(row.label)
    for view in views:
        there = next((each for each in view.group.rows if each.label == row.label), None)
        found, ranked = view.drawn.get(row.label), view.ranked
        raw[f"{view.name}.status"] = there.status if there else None
        raw[view.name] = None if found is None else found.mean
        raw[f"{view.name}.place"] = None if found is None else ranked.index(row.label) + 1
        raw[f"{view.name}.ratio"] = _over(found, first) if found and first else None
    return raw


def _columns(view: View) -> Iterator[Column]:
    status = f"{view.name}.status"
    yield Column(
        view.name,
        partial(_error, name=view.name),
        best=view.name,
        status=status,
        apart=_told(view),
        floor=view.exact.floor(view.metric),
    )
    if view.name != BASE:
        yield Column("ratio", partial(_ratio, name=view.name), status=status, value=f"{view.name}.ratio")


def _told(view: View) -> Apart:
    return by_targets(view.exact, view.metric, *view.kept, rows=view.group)


def _error(raw: Raw, name: str) -> str:
    place = raw[f"{name}.place"]
    return number(raw[name]) if place is None else f"{number(raw[name])} ({place})"


def _ratio(raw: Raw, name: str) -> str:
    return number(raw[f"{name}.ratio"])


def _targets(view: View) -> int:
    return max(len(drawn.of_targets) for drawn in view.drawn.values())


def _in_both(base: View, view: View) -> list[str]:
    """The methods that take part in a scenario, as they are ranked without it."""
    return [label for label in base.ranked if label in view.drawn]


def _changes(base: View, view: View) -> Iterator[str]:
    """In a sentence, which method takes the place of the best of those that take part; nothing where one is alone."""
    both = _in_both(base, view)
    if len(both) < 2:
        return
    best, then, drawn = view.ranked[0], both[0], view.drawn
    some = f" of the {len(drawn)} that take part" if len(both) < len(base.ranked) else ""
    if best == then:
        yield f"{view.name}: {best} has the smallest error{some} with and without it"
        return
    place = f", number {both.index(best) + 1} without it" if best in both else ", not run on the task itself"
    sure = comparing.apart(drawn[best], drawn[then]) != 0
    ratio = f"{number(drawn[then].mean / drawn[best].mean)} times it" if drawn[best].mean else "one above 0"
    doubt = "" if sure else " (may be chance)"
    yield f"{view.name}: {best} has the smallest error{some}{place}; {then}, first without it, has {ratio}{doubt}"
