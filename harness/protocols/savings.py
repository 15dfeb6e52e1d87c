"""What else than the usual pairs is worth: the size at which a reference, without it, has the same error."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from harness import comparing
from harness.metrics import METRICS
from harness.protocols.contract import Protocol, Shown
from harness.protocols.multi_target import MultiTarget
from harness.records import canonical
from harness.reporting.apart import of_label
from harness.reporting.build import table
from harness.reporting.figure import Axis, Figure, Guide, Panel, Series, log_axis
from harness.reporting.groups import Group
from harness.reporting.notes import pairs_of
from harness.reporting.numbers import interval, number
from harness.reporting.rows import order
from harness.reporting.table import Column, Raw, Table
from harness.reporting.variants import told_apart
from harness.statistics import Array

REFERENCE = "reference"
TITLE = "What it saves"
NEEDS = (
    "one of the scenarios unpaired, transfer and fidelity with its reference (lone=none, source=none, use=top) in two "
    "sizes or more, and something to compare with it"
)
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
    varied: frozenset[str]
    """The options in which what is compared with it may differ; with other differences other targets are asked for, or
    it is another study."""
    pairs: bool = False
    """Whether the size is the number of pairs in all variants, as far as there are so many, and not in the reference
    alone."""


STUDIES = {
    "unpaired": Study("n", "pairs", {"lone": "none"}, frozenset({"lone", "rows"}), pairs=True),
    "transfer": Study("n", "pairs of the new task", {"source": "none"}, frozenset({"source", "given"}), pairs=True),
    "fidelity": Study("budget", "simulations", {"use": "top"}, frozenset({"use", "share", "level"})),
}


class Savings(Protocol):
    """The number of pairs, or the budget, that something saves; it asks nothing of its own."""

    name: ClassVar[str] = "savings"

    def tables(self) -> dict[str, Shown[Table]]:
        return {"savings": Shown(_build, place=14, needs=NEEDS, metrics=METRICS_SHOWN, reads=(MultiTarget.name,))}

    def figures(self) -> dict[str, Shown[Figure]]:
        return {"savings": Shown(_draw, place=45, needs=NEEDS, metrics=METRICS_SHOWN, reads=(MultiTarget.name,))}


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
    """One study of a task: the reference, and all that was run to be compared with it."""

    study: Study
    title: str
    """The task and the scenario, with the options that tell this study from others."""
    reference: Mapping[float, Group]
    """By size."""
    others: Mapping[str, Mapping[float, Group]]
    """By what they are, in words, and by size."""
    metric: str

    @cached_property
    def first(self) -> Group:
        return next(iter(self.reference.values()))

    def curve(self, sizes: Mapping[float, Group], label: str) -> Curve | None:
        """Of one method; None where there are no sizes with errors."""
        every = ((size, of_label(sizes[size], label, MultiTarget.name, self.metric)) for size in sorted(sizes))
        found = {size: drawn for size, drawn in every if drawn}
        return Curve(tuple(found), tuple(found.values())) if found else None

    @cached_property
    def labels(self) -> list[str]:
        """The methods, in the order of tables."""
        every = [group for sizes in (self.reference, *self.others.values()) for group in sizes.values()]
        rows = {row.label: row for group in every for row in group.rows}
        return [row.label for row in sorted(rows.values(), key=order)]


Run = tuple[dict[str, Any], float, Group]
"""The options of a scenario but for the size, the size, and what was run."""


def _studies(groups: Sequence[Group], metric: str) -> Iterator[Variants]:
    """What was run of the scenarios that have a size and a reference, task by task."""
    found: dict[tuple[str, ...], list[Run]] = defaultdict(list)
    for group in groups:
        scenario = group.first.declared.scenario
        if scenario and scenario.name in STUDIES and group.scored(MultiTarget):
            study, options = STUDIES[scenario.name], dict(scenario.options)
            size = float(options.pop(study.size))
            if study.pairs or study.reference.items() <= options.items():  # as far as there were so many
                size = min(size, pairs_of(group) or size)
            same = canonical({name: value for name, value in options.items() if name not in study.varied})
            task = canonical(group.first.declared.task)
            found[scenario.name, task, group.settings, group.heading, same].append((options, size, group))
    for key, runs in found.items():
        alike = [other for other in found if other[:-1] == key[:-1]]
        variants = _variants(STUDIES[key[0]], key, runs, alike, metric)
        if variants.reference and variants.others:
            yield variants


def _variants(
    study: Study, key: tuple[str, ...], runs: list[Run], alike: list[tuple[str, ...]], metric: str
) -> Variants:
    """The runs of one study; in the reference, options that change nothing there, such as lone rows, may differ."""
    parts: tuple[list[Run], list[Run]] = ([], [])
    for run in runs:
        parts[study.reference.items() <= run[0].items()].append(run)
    compared, references = parts
    others: dict[str, dict[float, Group]] = defaultdict(dict)
    for options, size, group in compared:
        what = told_apart([options for options, _, _ in compared], options, study.varied)
        others[what or told_apart([options for options, _, _ in runs], options, study.varied)][size] = group
    reference = {size: group for _, size, group in references}
    fixed = [json.loads(other[-1]) for other in alike]
    own = told_apart(fixed, json.loads(key[-1]), frozenset(fixed[0]))
    title = f"{runs[0][2].first.label.task}, {key[0]}{f'[{own}]' if own else ''}"
    return Variants(study, title, reference, others, metric)


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
        Column("factor", _factor, value="factor"),
    ]
    unit, reference = variants.study.unit, ", ".join(f"{k}={v}" for k, v in variants.study.reference.items())
    said = [
        f"{METRICS[variants.metric].words}; mean of one proposal for each target",
        f"{variants.study.size}: {unit}; reference: the error with {reference} and as many",
        f"equivalent: the number of {unit} with which the reference has the same error, interpolated between its "
        "sizes; factor: by how much that is more; 95 % intervals over targets, and over trainings where there are "
        "several. < and >: below the smallest size of the reference, or above the largest",
    ]
    made = table("savings", TITLE, variants.first, columns, raws, said, variants.metric)
    return replace(made, title=f"{TITLE}: {variants.title} ({variants.first.heading})")


def _raws(variants: Variants, label: str) -> Iterator[dict[str, Any]]:
    reference = variants.curve(variants.reference, label)
    if reference is None or len(reference.sizes) < 2:
        return
    by_size = dict(zip(reference.sizes, reference.drawn, strict=True))
    for what, sizes in variants.others.items():
        curve = variants.curve(sizes, label)
        for size, errors in zip(curve.sizes, curve.means, strict=True) if curve else ():
            found = reference.size_of(errors)
            ends = reference.sizes[0], reference.sizes[-1]  # beyond them nothing is known
            low, high = np.clip(np.percentile(found[1:], [2.5, 97.5], method="nearest"), *ends)
            within = 0 < found[0] < np.inf
            yield {
                "method": label,
                "status": "ok",
                "baseline": False,
                "what": what,
                "size": size,
                "error": float(errors[0]),
                "reference": by_size[size].mean if size in by_size else None,
                "equivalent": float(found[0]) if within else None,
                "low": float(low),
                "high": float(high),
                "beyond": "" if within else ">" if found[0] else "<",
                "ends": list(ends),
                "factor": float(found[0]) / size if size and within else None,
            }


def _equivalent(raw: Raw) -> str:
    least, most = raw["ends"]
    if raw["beyond"]:
        return f"> {number(most)}" if raw["beyond"] == ">" else f"< {number(least)}"
    return interval(raw["equivalent"], raw["low"], raw["high"])


def _factor(raw: Raw) -> str:
    least, most = raw["ends"]
    if not raw["size"]:
        return number(None)
    if raw["beyond"]:
        bound = number((most if raw["beyond"] == ">" else least) / raw["size"])
        return f"{raw['beyond']} {bound}"
    return interval(raw["factor"], raw["low"] / raw["size"], raw["high"] / raw["size"])


def _panels(variants: Variants) -> list[Panel]:
    """A panel for the reference, and one for each variant, all with the same range of errors."""
    every = {
        what: {label: curve for label in variants.labels if (curve := variants.curve(sizes, label))}
        for what, sizes in {REFERENCE: variants.reference, **variants.others}.items()
    }
    errors = [each.mean for curves in every.values() for curve in curves.values() for each in curve.drawn]
    sizes = log_axis(
        variants.study.unit, [size for curves in every.values() for one in curves.values() for size in one.sizes]
    )
    error = log_axis(f"mean {variants.metric}", errors)
    panels = []
    for what, curves in every.items():
        one = next(iter(variants.others[what])) if len(variants.others.get(what, ())) == 1 else None
        if one is None:
            lines = tuple(line for label, curve in curves.items() if (line := _line(label, curve)).x)
            panels.append(Panel(what, sizes, error, lines))
        else:
            panels.append(_beside(variants, what, one, curves, every[REFERENCE], error))
    return [panel for panel in panels if not panel.empty]


def _beside(
    variants: Variants,
    what: str,
    size: float,
    curves: Mapping[str, Curve],
    reference: Mapping[str, Curve],
    error: Axis,
) -> Panel:
    """The panel of a variant of one size: each method in a row, beside the reference of that size."""
    means = {label: curve.drawn[0].mean for label, curve in curves.items()}
    places = {label: float(place) for place, label in enumerate(means)}
    known = [
        (drawn.mean, places[label])
        for label in means
        if label in reference
        for at, drawn in zip(reference[label].sizes, reference[label].drawn, strict=True)
        if at == size and drawn.mean > 0
    ]
    return Panel(
        what,
        replace(error, title=f"{error.title}, {number(size)} {variants.study.unit}"),
        Axis("", names=tuple(means)),
        tuple(Series(label, (mean,), (places[label],), joined=False) for label, mean in means.items() if mean > 0),
        (Guide("points", label="the reference of the same size", points=tuple(known)),) if known else (),
    )


def _line(label: str, curve: Curve) -> Series:
    points = [(size, each.mean) for size, each in zip(curve.sizes, curve.drawn, strict=True) if size > 0 < each.mean]
    return Series(label, tuple(x for x, _ in points), tuple(y for _, y in points))


def _draw(groups: Sequence[Group], metric: str | None, published: bool) -> list[Figure]:
    """A figure for each study."""
    said = (
        f"the mean {metric} of one proposal for each target, against how much was learned from, or method by method "
        "where a variant was run with one size; all panels have the same range of errors",
    )
    return [
        Figure(
            "savings",
            f"{TITLE}: {variants.title}",
            tuple(panels),
            said,
            apart=variants.title,
            beside="savings",
        )
        for variants in _studies(groups, str(metric))
        if (panels := _panels(variants))
    ]
