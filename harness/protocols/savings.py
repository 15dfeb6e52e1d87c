"""What else than the usual pairs is worth: the size at which a reference, without it, has the same error."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np

from harness import comparing
from harness.metrics import METRICS
from harness.protocols.contract import Protocol, Shown
from harness.protocols.multi_target import MultiTarget
from harness.records import canonical
from harness.reporting.apart import of_row
from harness.reporting.build import METHOD, table
from harness.reporting.figure import Axis, Figure, Panel, Series
from harness.reporting.groups import Group
from harness.reporting.numbers import interval, number
from harness.reporting.rows import order
from harness.reporting.table import Column, Raw, Table
from harness.statistics import Array

ROOM = 1.3
"""By which axes go on behind the first and the last value."""
METRICS_SHOWN = ("nmse", "mse", "sse")


@dataclass(frozen=True)
class Study:
    """A scenario that is run with several sizes, with something and, for reference, without it."""

    size: str
    """The option that says how much is learned from."""
    unit: str
    """What it counts."""
    reference: Mapping[str, Any]
    """The options of the reference."""


STUDIES = {
    "unpaired": Study("n", "pairs", {"lone": "none"}),
    "transfer": Study("n", "pairs of the new task", {"source": "none"}),
    "fidelity": Study("budget", "simulations", {"use": "top"}),
    "active": Study("calls", "simulations", {"acquire": "random", "candidates": "prior"}),
}


class Savings(Protocol):
    """The number of pairs, or the budget, that something saves; it asks nothing of its own."""

    name: ClassVar[str] = "savings"

    def tables(self) -> dict[str, Shown[Table]]:
        return {"savings": Shown(_build, place=14, metrics=METRICS_SHOWN, reads=(MultiTarget.name,))}

    def figures(self) -> dict[str, Shown[Figure]]:
        return {"savings": Shown(_draw, place=45, metrics=METRICS_SHOWN, reads=(MultiTarget.name,))}


@dataclass(frozen=True)
class Curve:
    """The errors of one method in one variant of a scenario, by size."""

    sizes: tuple[float, ...]
    drawn: tuple[comparing.Drawn, ...]

    @cached_property
    def means(self) -> Array:
        """`(sizes, 1 + resamples)`: the mean error, and its resamples."""
        return np.stack([np.concatenate([[each.mean], each.means]) for each in self.drawn])

    def size_of(self, errors: Array) -> Array:
        """The sizes at which the curve has these errors `(1 + resamples,)`, interpolated between powers of ten.

        Below its error at the largest size, or above that at the smallest, it is infinite or 0: not known. The curve is
        taken to fall: where it rises, the least error up to a size counts.
        """
        with np.errstate(divide="ignore"):
            levels = np.log10(np.minimum.accumulate(self.means, 0))
            wanted = np.log10(errors)
        sizes = np.log10(self.sizes)
        found = np.empty(len(wanted))
        for place, level in enumerate(wanted):
            column = levels[:, place]
            if level < column[-1]:
                found[place] = np.inf
            elif level > column[0]:
                found[place] = 0.0
            else:
                found[place] = 10 ** np.interp(-level, -column, sizes)
        return found


@dataclass(frozen=True)
class Variants:
    """One scenario of a task: all that was run of it, and the reference."""

    study: Study
    task: str
    scenario: str
    groups: Mapping[str, Mapping[float, Group]]
    """By the options that are not the size, as text, and by size."""
    reference: str
    metric: str

    @cached_property
    def first(self) -> Group:
        return next(iter(self.groups[self.reference].values()))

    def curve(self, variant: str, label: str) -> Curve | None:
        """Of one method; None where there are no sizes with errors."""
        found = {}
        for size, group in sorted(self.groups.get(variant, {}).items()):
            row = next((row for row in group.rows if row.label == label), None)
            drawn = row and of_row(row, MultiTarget.name, self.metric, group.negligible(self.metric))
            if drawn:
                found[size] = drawn
        return Curve(tuple(found), tuple(found.values())) if found else None

    @cached_property
    def labels(self) -> list[str]:
        """The methods, in the order of tables."""
        rows = {row.label: row for sizes in self.groups.values() for group in sizes.values() for row in group.rows}
        return [row.label for row in sorted(rows.values(), key=order)]


def _studies(groups: Sequence[Group], metric: str) -> Iterator[Variants]:
    """What was run of the scenarios that have a size and a reference, task by task."""
    found: dict[tuple[str, ...], dict[str, dict[float, Group]]] = defaultdict(lambda: defaultdict(dict))
    for group in groups:
        scenario, alike = group.first.declared.scenario, canonical(group.first.declared.task)
        if scenario and scenario.name in STUDIES and group.scored(MultiTarget):
            options = dict(scenario.options)
            size = options.pop(STUDIES[scenario.name].size)
            key = scenario.name, alike, group.settings, group.heading
            found[key][json.dumps(options, sort_keys=True)][float(size)] = group
    for (name, *_), variants in found.items():
        study = STUDIES[name]
        usual = [key for key in variants if study.reference.items() <= json.loads(key).items()]
        if usual and len(variants) > 1:
            task = next(iter(variants[usual[0]].values())).first.label.task
            yield Variants(study, task, name, variants, usual[0], metric)


def _name(variant: str, variants: Variants) -> str:
    """A variant by the options in which it differs from others."""
    every = [json.loads(key) for key in variants.groups]
    own = json.loads(variant)
    told = {name: value for name, value in own.items() if len({json.dumps(each.get(name)) for each in every}) > 1}
    return ", ".join(f"{name}={value}" for name, value in told.items())


def _build(groups: Sequence[Group], metric: str | None, published: bool) -> list[Table]:
    found = ((variants, [*_rows(variants)]) for variants in _studies(groups, str(metric)))
    return [_table(variants, raws) for variants, raws in found if raws]


def _rows(variants: Variants) -> Iterator[dict[str, Any]]:
    for label in variants.labels:
        yield from _raws(variants, label)


def _table(variants: Variants, raws: Sequence[Raw]) -> Table:
    columns = [
        Column("what", lambda raw: str(raw["what"])),
        Column(variants.study.size, lambda raw: number(raw["size"])),
        Column(str(variants.metric), lambda raw: number(raw["error"])),
        Column("reference", lambda raw: number(raw["reference"])),
        Column("equivalent", _equivalent, value="equivalent"),
        Column("factor", partial(_factor), value="factor"),
    ]
    unit = variants.study.unit
    said = [
        f"{METRICS[variants.metric].words}; mean of one proposal for each target",
        f"{variants.study.size}: {unit}; reference: the error with {_name(variants.reference, variants)} and as many",
        f"equivalent: the number of {unit} with which the reference has the same error, interpolated between its "
        "sizes; factor: by how much that is more; 95 % intervals over targets, and over trainings where there are "
        "several. < and >: below the smallest size of the reference, or above the largest",
    ]
    made = table("savings", "What it saves", variants.first, columns, raws, said, variants.metric)
    return Table(
        made.name,
        f"What it saves: {variants.task}, {variants.scenario} ({variants.first.heading})",
        made.facts,
        (METHOD, *columns),
        made.rows,
        made.notes,
    )


def _raws(variants: Variants, label: str) -> Iterator[dict[str, Any]]:
    reference = variants.curve(variants.reference, label)
    for variant in variants.groups:
        curve = None if variant == variants.reference else variants.curve(variant, label)
        if curve is None or reference is None or len(reference.sizes) < 2:
            continue
        by_size = dict(zip(reference.sizes, reference.drawn, strict=True))
        for size, errors in zip(curve.sizes, curve.means, strict=True):
            found = reference.size_of(errors)
            low, high = np.percentile(found[1:], [2.5, 97.5], method="nearest")
            known = size > 0 and 0 < found[0] < np.inf
            yield {
                "method": label,
                "status": "ok",
                "baseline": False,
                "what": _name(variant, variants),
                "size": size,
                "error": float(errors[0]),
                "reference": by_size[size].mean if size in by_size else None,
                "equivalent": float(found[0]) if 0 < found[0] < np.inf else None,
                "low": float(low),
                "high": float(high),
                "beyond": "" if 0 < found[0] < np.inf else ">" if found[0] else "<",
                "ends": [reference.sizes[0], reference.sizes[-1]],
                "factor": float(found[0]) / size if known else None,
            }


def _equivalent(raw: Raw) -> str:
    least, most = raw["ends"]
    if raw["beyond"]:
        return f"> {number(most)}" if raw["beyond"] == ">" else f"< {number(least)}"
    return interval(raw["equivalent"], max(raw["low"], least), min(raw["high"], most))


def _factor(raw: Raw) -> str:
    least, most = raw["ends"]
    if not raw["size"]:
        return number(None)
    if raw["beyond"]:
        bound = number((most if raw["beyond"] == ">" else least) / raw["size"])
        return f"{raw['beyond']} {bound}"
    ends = max(raw["low"], least) / raw["size"], min(raw["high"], most) / raw["size"]
    return interval(raw["factor"], *ends)


def _panels(variants: Variants) -> list[Panel]:
    """A panel for each variant that has a line, the reference first, all with the same axes."""
    found = {}
    for variant in sorted(variants.groups, key=lambda variant: variant != variants.reference):
        curves = {label: variants.curve(variant, label) for label in variants.labels}
        found[variant] = [_line(label, curve) for label, curve in curves.items() if curve is not None]
    lines = [line for series in found.values() for line in series if line.x]
    if not lines:
        return []
    across = _axis(variants.study.unit, [x for line in lines for x in line.x])
    up = _axis(f"mean {variants.metric}", [y for line in lines for y in line.y])
    return [
        Panel(f"{variants.task}: {_name(variant, variants)}", across, up, tuple(series))
        for variant, series in found.items()
        if any(line.x for line in series)
    ]


def _axis(label: str, values: Sequence[float]) -> Axis:
    return Axis(label, log=True, low=min(values) / ROOM, high=max(values) * ROOM)


def _line(label: str, curve: Curve) -> Series:
    points = [(size, each.mean) for size, each in zip(curve.sizes, curve.drawn, strict=True) if size > 0 < each.mean]
    return Series(label, tuple(x for x, _ in points), tuple(y for _, y in points))


def _draw(groups: Sequence[Group], metric: str | None, published: bool) -> list[Figure]:
    panels = [panel for variants in _studies(groups, str(metric)) for panel in _panels(variants)]
    said = (
        f"the mean {metric} of one proposal for each target, against how much was learned from; the panels of a task "
        "have the same axes to read what a variant saves",
    )
    return [Figure("savings", "What it saves", tuple(panels), said, beside="savings")] if panels else []
