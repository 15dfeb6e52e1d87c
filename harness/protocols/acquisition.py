"""Whether simulations that were chosen are worth more than random ones: the area between the curves of their errors."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np

from harness.comparing import NORMAL
from harness.metrics import METRICS
from harness.protocols.contract import Protocol, Shown
from harness.protocols.multi_target import MultiTarget
from harness.records import canonical
from harness.reporting.build import table
from harness.reporting.figure import Figure, Guide, Panel, Series, log_axis
from harness.reporting.groups import Group
from harness.reporting.rows import Row, order
from harness.reporting.table import Column, Raw, Table
from harness.statistics import Array

SCENARIO = "active"
RANDOM = ("random", "prior")
"""What is chosen, and from what, in the curves that others are compared with."""
CENTRES: Mapping[str, Callable[[Array], Any]] = {"mean": np.mean, "median": np.median}
"""Of the errors of the targets."""
STUDENT = 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228
"""The quantile at 97.5 % of Student's t with 1 to 10 degrees of freedom."""
METRICS_SHOWN = ("nmse", "mse", "sse")
TITLE = "Chosen simulations"
NEEDS = (
    "the scenario `active` with designs chosen in some way and at random (acquire=random), with the same seed and calls"
)


@dataclass
class Study:
    """What was run of one method on one task, but for how simulations are chosen, how many, and the seed."""

    group: Group
    row: Row
    options: Mapping[str, Any]
    errors: dict[tuple[tuple[str, str], int, float], Array] = field(default_factory=dict)
    """Of the targets, by how simulations are chosen, seed, and number of simulations."""

    def compared(self, chosen: tuple[str, str], seed: int) -> list[float]:
        """The numbers of simulations of which there are random ones of the same seed, too."""
        own = ((way, count) for way, of, count in self.errors if of == seed)
        return sorted(count for way, count in own if way == chosen and (RANDOM, seed, count) in self.errors)

    def area(self, chosen: tuple[str, str], seed: int, centre: str) -> float | None:
        """The mean over the numbers of simulations, in powers of ten, of log10 of the ratio of the error to that with
        random ones of the same seed; None where there is nothing to compare.
        """
        of = CENTRES[centre]
        calls = self.compared(chosen, seed)
        pairs = [[float(of(self.errors[way, seed, count])) for way in (chosen, RANDOM)] for count in calls]
        if not pairs or min(map(min, pairs)) <= 0:
            return None
        logs = [np.log10(own / random) for own, random in pairs]
        if len(calls) == 1:
            return float(logs[0])
        across = np.log10(calls)
        return float(np.trapezoid(logs, across) / (across[-1] - across[0]))

    def line(self, chosen: tuple[str, str], beside: tuple[str, str] | None = None) -> Series | None:
        """The median error over targets by the number of simulations, over seeds; None where there is none above 0.

        Args:
            chosen: how simulations are chosen.
            beside: only seeds and numbers that there are of this way, too; None for all.
        """
        by_count: dict[float, list[float]] = defaultdict(list)
        for (way, seed, count), errors in self.errors.items():
            there = beside is None or (beside, seed, count) in self.errors
            if way == chosen and there and np.median(errors) > 0:
                by_count[count].append(math.log10(np.median(errors)))
        if not by_count:
            return None
        counts = sorted(by_count)
        found = [over_seeds(by_count[count]) for count in counts]
        y = [10**mean for mean, _, _ in found]
        if any(low is None for _, low, _ in found):
            return Series(self.row.label, tuple(counts), tuple(y))
        low, high = (tuple(10 ** float(each[end] or 0.0) for each in found) for end in (1, 2))
        return Series(self.row.label, tuple(counts), tuple(y), low, high)


class Acquisition(Protocol):
    """What a way of choosing simulations gains over random ones; it asks nothing of its own."""

    name: ClassVar[str] = "acquisition"

    def tables(self) -> dict[str, Shown[Table]]:
        return {"acquisition": Shown(_build, place=15, needs=NEEDS, metrics=METRICS_SHOWN, reads=(MultiTarget.name,))}

    def figures(self) -> dict[str, Shown[Figure]]:
        return {"acquisition": Shown(_draw, place=47, needs=NEEDS, metrics=METRICS_SHOWN, reads=(MultiTarget.name,))}


def _build(groups: Sequence[Group], metric: str | None, published: bool) -> list[Table]:
    together, several = _together(groups, str(metric))
    found = [(studies, [raw for study in studies for raw in _raws(study)]) for studies in together]
    return [_table(studies[0], raws, str(metric), several) for studies, raws in found if raws]


def _together(groups: Sequence[Group], metric: str) -> tuple[list[list[Study]], bool]:
    """The studies of which something was chosen, those of one task and of the same options together; whether a task
    has several of these.
    """
    by_task: dict[str, list[Study]] = defaultdict(list)
    for study in _studies(groups, metric):
        if len({way for way, _, _ in study.errors}) > 1:
            by_task[canonical([study.group.first.declared.task, study.group.settings, study.options])].append(study)
    return [*by_task.values()], len({canonical(studies[0].options) for studies in by_task.values()}) > 1


def _studies(groups: Sequence[Group], metric: str) -> list[Study]:
    """The studies, the methods in the order of tables."""
    found: dict[str, Study] = {}
    for group in groups:
        scenario = group.first.declared.scenario
        if scenario is None or scenario.name != SCENARIO:
            continue
        options = dict(scenario.options)
        chosen = str(options.pop("acquire")), str(options.pop("candidates"))
        seed, calls = int(options.pop("seed")), float(options.pop("calls"))
        for row in group.rows:
            errors = row.of_targets(MultiTarget.name, metric)
            key = canonical([group.first.declared.task, group.settings, options, row.label])
            if errors.size and np.isfinite(errors).all():
                study = found.setdefault(key, Study(group, row, options))
                study.errors[chosen, seed, calls] = errors.ravel()
    return sorted(found.values(), key=lambda study: order(study.row))


def _raws(study: Study) -> Iterator[dict[str, Any]]:
    for chosen in _ways([study]):
        raw: dict[str, Any] = {"method": study.row.label, "status": "ok", "baseline": study.row.baseline}
        raw |= {"acquire": chosen[0], "candidates": chosen[1]}
        seeds = sorted({seed for way, seed, _ in study.errors if way == chosen})
        raw["simulations"] = sorted({count for seed in seeds for count in study.compared(chosen, seed)})
        for centre in CENTRES:
            areas = [area for seed in seeds if (area := study.area(chosen, seed, centre)) is not None]
            raw |= {centre: None, f"{centre}_low": None, f"{centre}_high": None, "seeds": len(areas)}
            if areas:
                raw |= dict(zip((centre, f"{centre}_low", f"{centre}_high"), over_seeds(areas), strict=True))
        if raw["seeds"]:
            yield raw


def over_seeds(values: Sequence[float]) -> tuple[float, float | None, float | None]:
    """Their mean with the ends of its 95 % interval by Student's t; None of a single one.

    Args:
        values: one for each seed.
    """
    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, None, None
    half = quantile(len(values) - 1) * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return mean, mean - half, mean + half


def quantile(freedom: int) -> float:
    """The quantile at 97.5 % of Student's t; of more than ten degrees of freedom by its expansion in their inverse.

    Args:
        freedom: degrees of freedom, 1 or more.
    """
    if freedom <= len(STUDENT):
        return STUDENT[freedom - 1]
    z = NORMAL
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def _table(study: Study, raws: Sequence[Raw], metric: str, several: bool) -> Table:
    columns = [
        Column("acquire", lambda raw: str(raw["acquire"])),
        Column("candidates", lambda raw: str(raw["candidates"])),
        Column("simulations", lambda raw: ", ".join(f"{count:g}" for count in raw["simulations"])),
        *(
            Column(f"{centre} {metric}", partial(_decades, key=centre), value=centre, floor=-math.inf)
            for centre in CENTRES
        ),
        Column("seeds", lambda raw: str(raw["seeds"])),
    ]
    said = [
        f"powers of ten by which the {metric} of one proposal is larger than with as many random draws of the prior "
        "(below 0: less), mean over the numbers of simulations in their logarithm; in parentheses the 95 % interval "
        "over seeds of the whole study. Where it holds 0, choosing has not been shown to pay",
        f"mean, median: of the {metric} over targets",
        METRICS[metric].words,
    ]
    made = table("acquisition", TITLE, study.group, columns, raws, said, metric)
    return replace(made, title=f"{TITLE}: {_heading(study, several)} ({study.group.heading})")


def _heading(study: Study, several: bool) -> str:
    """The task, and what tells its studies apart where it has several."""
    task = study.group.first.label.task
    return f"{task}, {', '.join(f'{name} {value}' for name, value in study.options.items())}" if several else task


def _draw(groups: Sequence[Group], metric: str | None, published: bool) -> list[Figure]:
    """The error against the number of simulations: a panel for each method and way of choosing, beside random ones."""
    together, several = _together(groups, str(metric))
    panels = [panel for studies in together for panel in _panels(studies, str(metric), several)]
    said = (
        f"the median over targets of the {metric} of one proposal, against simulations; the geometric mean over seeds "
        "of the whole study, with its 95 % interval; panels of a task have the same axes",
    )
    return [Figure("acquisition", TITLE, tuple(panels), said, beside="acquisition")] if panels else []


def _panels(studies: Sequence[Study], metric: str, several: bool) -> Iterator[Panel]:
    lines = [(way, study, line) for way in _ways(studies) for study in studies if (line := study.line(way))]
    every = [line for _, _, line in lines]
    across = log_axis("simulations", [x for line in every for x in line.x])
    up = log_axis(f"median {metric}", [y for line in every for y in (*line.low, *line.high, *line.y)])
    for (acquire, candidates), study, line in lines:
        random = study.line(RANDOM, beside=(acquire, candidates))
        points = tuple(zip(random.x, random.y, strict=True)) if random else ()
        guides = (Guide("curve", label="as many random draws of the prior", points=points),) * bool(points)
        way = acquire + (f", candidates {candidates}" if candidates != RANDOM[1] else "")
        yield Panel(f"{_heading(study, several)}, {study.row.label}: {way}", across, up, (line,), guides)


def _ways(studies: Sequence[Study]) -> list[tuple[str, str]]:
    return list(dict.fromkeys(way for study in studies for way, _, _ in sorted(study.errors) if way != RANDOM))


def _decades(raw: Raw, key: str) -> str:
    value, low, high = (raw[name] for name in (key, f"{key}_low", f"{key}_high"))
    if value is None:
        return "–"
    return f"{value:+.2f}" + (f" ({low:+.2f} to {high:+.2f})" if low is not None else "")
