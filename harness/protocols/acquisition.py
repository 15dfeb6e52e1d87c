"""Whether simulations that were chosen are worth more than random ones: the area between the curves of their errors."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import numpy as np

from harness.comparing import NORMAL
from harness.metrics import METRICS
from harness.protocols.contract import Protocol, Shown
from harness.protocols.multi_target import MultiTarget
from harness.records import canonical
from harness.reporting.build import table
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


@dataclass
class Study:
    """What was run of one method on one task, but for how simulations are chosen, how many, and the seed."""

    group: Group
    row: Row
    options: Mapping[str, Any]
    errors: dict[tuple[tuple[str, str], int, float], Array] = field(default_factory=dict)
    """Of the targets, by how simulations are chosen, seed, and number of simulations."""

    def area(self, chosen: tuple[str, str], seed: int, centre: str) -> float | None:
        """The mean over the numbers of simulations, in powers of ten, of log10 of the ratio of the error to that with
        random ones of the same seed; None where there is nothing to compare.
        """
        of = CENTRES[centre]
        calls = sorted(
            count
            for way, own, count in self.errors
            if (way, own) == (chosen, seed) and (RANDOM, seed, count) in self.errors
        )
        pairs = [[float(of(self.errors[way, seed, count])) for way in (chosen, RANDOM)] for count in calls]
        if not pairs or min(map(min, pairs)) <= 0:
            return None
        logs = [np.log10(own / random) for own, random in pairs]
        if len(calls) == 1:
            return float(logs[0])
        across = np.log10(calls)
        return float(np.trapezoid(logs, across) / (across[-1] - across[0]))


class Acquisition(Protocol):
    """What a way of choosing simulations gains over random ones; it asks nothing of its own."""

    name: ClassVar[str] = "acquisition"

    def tables(self) -> dict[str, Shown[Table]]:
        return {"acquisition": Shown(_build, place=15, metrics=METRICS_SHOWN, reads=(MultiTarget.name,))}


def _build(groups: Sequence[Group], metric: str | None, published: bool) -> list[Table]:
    by_task: dict[str, list[Study]] = defaultdict(list)
    for study in _studies(groups, str(metric)):
        by_task[canonical([study.group.first.declared.task, study.group.settings, study.options])].append(study)
    found = [(studies, [raw for study in studies for raw in _raws(study)]) for studies in by_task.values()]
    several = len({canonical(studies[0].options) for studies, raws in found if raws}) > 1
    return [_table(studies[0], raws, str(metric), several) for studies, raws in found if raws]


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
    for chosen in dict.fromkeys(way for way, _, _ in sorted(study.errors) if way != RANDOM):
        raw: dict[str, Any] = {"method": study.row.label, "status": "ok", "baseline": study.row.baseline}
        raw |= {"acquire": chosen[0], "candidates": chosen[1]}
        seeds = sorted({seed for way, seed, _ in study.errors if way == chosen})
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
        *(Column(f"{centre} {metric}", partial(_decades, key=centre), value=centre) for centre in CENTRES),
        Column("seeds", lambda raw: str(raw["seeds"])),
    ]
    calls = sorted({count for _, _, count in study.errors})
    said = [
        f"powers of ten by which the {metric} of one proposal is larger than with as many random draws of the prior "
        f"(below 0: less), mean over {', '.join(f'{count:g}' for count in calls)} simulations in their logarithm; in "
        "parentheses the 95 % interval over seeds of the whole study. Where it holds 0, choosing has not been shown to "
        "pay",
        f"mean, median: of the {metric} over targets",
        METRICS[metric].words,
    ]
    title = TITLE + (f" ({', '.join(f'{name} {value}' for name, value in study.options.items())})" if several else "")
    return table("acquisition", title, study.group, columns, raws, said, metric)


def _decades(raw: Raw, key: str) -> str:
    value, low, high = (raw[name] for name in (key, f"{key}_low", f"{key}_high"))
    if value is None:
        return "–"
    return f"{value:+.2f}" + (f" ({low:+.2f} to {high:+.2f})" if low is not None else "")
