"""How much wrong pairs cost a method: its error against their share, and the share at which it has doubled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np

from harness import comparing
from harness.metrics import METRICS
from harness.protocols.contract import Protocol, Shown
from harness.protocols.multi_target import MultiTarget
from harness.records import canonical
from harness.reporting.apart import of_label
from harness.reporting.bases import with_scenarios
from harness.reporting.build import table
from harness.reporting.figure import Axis, Figure, Panel, Series
from harness.reporting.groups import Group
from harness.reporting.numbers import interval, number
from harness.reporting.rows import Row, order
from harness.reporting.table import Column, Raw, Table
from harness.reporting.variants import told_apart
from harness.statistics import Array

SCENARIO, SHARE = "corrupted", "share"
TITLE = "Wrong pairs"
TWICE = 2.0
METRICS_SHOWN = ("nmse", "mse", "sse")


@dataclass(frozen=True)
class Study:
    """A task with more and more wrong pairs of one kind."""

    what: str
    """The options of the scenario in which it differs from other studies of the task, in words; empty for the only
    one."""
    groups: Mapping[float, Sequence[Group]]
    """By share; for 0 the task without the scenario, and what was run in it with no wrong pair."""

    @property
    def first(self) -> Group:
        return self.groups[0.0][0]

    @property
    def title(self) -> str:
        return f"{TITLE}, {self.what}" if self.what else TITLE

    @cached_property
    def rows(self) -> list[Row]:
        """The methods that were run with wrong pairs, in the order of tables."""
        wrong = {
            row.label: row for share, alike in self.groups.items() if share for group in alike for row in group.rows
        }
        return sorted(wrong.values(), key=order)

    @property
    def trimmed(self) -> bool:
        """Whether a part of the pairs is left out, which it is not where none is wrong."""
        scenarios = [group.first.declared.scenario for alike in self.groups.values() for group in alike]
        return any(scenario and scenario.options.get("trim") for scenario in scenarios)

    def drawn(self, label: str, metric: str) -> dict[float, comparing.Drawn]:
        """The errors of a method by share, as far as they are known; without the scenario, of the first of its
        targets, as many as are asked for in it. These are the same where a task draws its designs one after the other.
        """
        found: dict[float, comparing.Drawn] = {}
        for share, alike in sorted(self.groups.items(), reverse=True):
            first = min((len(errors.of_targets) for errors in found.values()), default=None)
            known = (of_label(group, label, MultiTarget.name, metric, first) for group in alike)
            if errors := next(filter(None, known), None):
                found[share] = errors
        return dict(sorted(found.items()))


class Corruption(Protocol):
    """Error against the share of wrong pairs; it asks nothing of its own."""

    name: ClassVar[str] = "corruption"

    def tables(self) -> dict[str, Shown[Table]]:
        return {"corruption": Shown(_build, place=16, metrics=METRICS_SHOWN, reads=(MultiTarget.name,))}

    def figures(self) -> dict[str, Shown[Figure]]:
        return {"corruption": Shown(_draw, place=46, metrics=METRICS_SHOWN, reads=(MultiTarget.name,))}


def _studies(groups: Sequence[Group]) -> Iterator[Study]:
    for base, others in with_scenarios(groups):
        found: dict[str, dict[float, list[Group]]] = {}
        every: dict[str, dict[str, Any]] = {}
        for group in others:
            scenario = group.first.declared.scenario
            if scenario and scenario.name == SCENARIO and group.scored(MultiTarget):
                options = dict(scenario.options)
                share = float(options.pop(SHARE))
                every[canonical(options)] = options
                found.setdefault(canonical(options), {0.0: [base]}).setdefault(share, []).append(group)
        for key, runs in sorted(found.items()):
            if base.scored(MultiTarget) and any(runs):
                yield Study(told_apart([*every.values()], every[key], every[key].keys()), runs)


def _build(groups: Sequence[Group], metric: str | None, published: bool) -> list[Table]:
    return [_table(study, str(metric)) for study in _studies(groups)]


def _table(study: Study, metric: str) -> Table:
    raws = [_raw(row, study.drawn(row.label, metric)) for row in study.rows]
    columns = [
        Column("none wrong", partial(_error, key="error_0"), status=None),
        *(
            Column(f"{share:g}", partial(_error, key=f"error_{share:g}"), status=None)
            for share in sorted(study.groups)[1:]
        ),
        Column("doubles at", _doubles, value="doubles", status=None),
    ]
    said = [
        f"mean {metric} of one proposal for each target, with this share of the pairs wrong; in "
        "parentheses its ratio to that with none wrong, both for as many targets",
        "doubles at: the share at which the error is twice that with none wrong, interpolated between the shares in "
        "the logarithm of the error, with its 95 % interval over targets, and over trainings where there are several; "
        "<: with the smallest share it has more than doubled already; >: it does not double up to the largest",
        METRICS[metric].words,
    ]
    if study.trimmed:
        said.insert(1, "none wrong: of all pairs, none of them trimmed")
    made = table("corruption", TITLE, study.first, columns, raws, said, metric)
    title = f"{study.title}: {study.first.task} ({study.first.heading})"
    return replace(made, title=title, facts={**made.facts, "study": study.what})


def _raw(row: Row, drawn: Mapping[float, comparing.Drawn]) -> dict[str, Any]:
    raw: dict[str, Any] = {"method": row.label, "baseline": row.baseline, "status": row.status}
    first = drawn.get(0.0)
    for share, errors in drawn.items():
        ratio = errors.mean / first.mean if first and first.mean else None
        raw |= {f"error_{share:g}": errors.mean, f"error_{share:g}_ratio": ratio}
    most = max(drawn) if first else 0.0
    raw |= {"doubles": None, "doubles_low": None, "doubles_high": None, "most": most}
    if first and len(drawn) > 1:
        found = doubled_at(list(drawn), np.stack([np.append(each.mean, each.means) for each in drawn.values()]))
        least = min(share for share in drawn if share)  # between none wrong and this many nothing is known
        ends = np.percentile(found[1:], [2.5, 97.5], method="nearest").clip(least)
        values = (float(each) if np.isfinite(each) else None for each in (found[0], *ends))
        raw |= dict(zip(("doubles", "doubles_low", "doubles_high"), values, strict=True))
        if found[0] < least:
            raw |= {"doubles": None, "least": least}
    return raw


def doubled_at(shares: Sequence[float], errors: Array) -> Array:
    """The share at which an error first is twice that at share 0, of each column; infinite where it never is.

    Args:
        shares: 0 and more, in their order.
        errors: `(shares, n)`.

    >>> doubled_at([0.0, 0.1, 0.2], np.array([[1.0], [1.0], [4.0]])).round(3).tolist()
    [0.15]
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        levels = np.log(errors / (TWICE * errors[0]))
    found = np.full(errors.shape[1], np.inf)
    for place in range(len(shares) - 1, 0, -1):
        below, above = levels[place - 1], levels[place]
        crossed = (below < 0) & (above >= 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            at = shares[place - 1] + (shares[place] - shares[place - 1]) * below / (below - above)
        found = np.where(crossed, at, found)
    return found


def _error(raw: Raw, key: str) -> str:
    ratio = raw.get(f"{key}_ratio")
    return number(raw.get(key)) + (f" ({number(ratio, 2)})" if ratio is not None and key != "error_0" else "")


def _doubles(raw: Raw) -> str:
    value, low, high, most = (raw[name] for name in ("doubles", "doubles_low", "doubles_high", "most"))
    if least := raw.get("least"):
        return f"< {least:g}"
    if value is None:
        return f"> {most:g}" if most else "–"
    return interval(value, low if low is not None else value, high if high is not None else most)


def _draw(groups: Sequence[Group], metric: str | None, published: bool) -> list[Figure]:
    panels = []
    for study in _studies(groups):
        series = []
        for row in study.rows:
            drawn = study.drawn(row.label, str(metric))
            first = drawn.get(0.0)
            if first and first.mean and len(drawn) > 1:
                shares, ratios = zip(*((share, each.mean / first.mean) for share, each in drawn.items()), strict=True)
                series.append(Series(row.label, shares, ratios))
        across, up = Axis("share of the pairs that is wrong"), Axis("error / error with none wrong", log=True)
        if series:
            panels.append(Panel(f"{study.first.task}: {study.what or TITLE.lower()}", across, up, tuple(series)))
    said = (f"the mean {metric} of one proposal for each target, over that with none wrong",)
    return [Figure("corruption", TITLE, tuple(panels), said, beside="corruption")] if panels else []
