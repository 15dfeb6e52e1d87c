"""Ablations: what changes where one thing of a method is changed. Each is a small file, which says what to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from harness.claims import files
from harness.claims.statistic import Statistic, statistic
from harness.errors import UsageError
from harness.metrics import METRICS
from harness.options import render, text_of

GROUP = "harness.ablations"


@dataclass(frozen=True)
class Ablation:
    """Settings of methods that are compared with one of them."""

    name: str
    question: str
    """In one sentence."""
    source: str
    """Paper with table, figure or section."""
    statistics: tuple[str, ...]
    """What is compared, as `harness.claims.statistic` reads it."""
    tasks: tuple[str, ...]
    settings: tuple[str, ...] = ()
    """Labels such as `name[option=value]`, those of `vary` after them."""
    beside: str = ""
    """The setting that the others are compared with; the first where it is omitted."""
    figure: str = ""
    """Which figure shows it; where it is omitted `options`, or `r_T` where no method has two settings."""
    metric: str = "mse"
    """Of the figure."""
    note: str = ""
    """What a reader must know."""
    preset: str = ""
    """What it is run with unless a flag says otherwise; so `seeds`."""
    seeds: str = ""

    def needs(self) -> dict[str, tuple[str, ...]]:
        """The settings, by task."""
        return dict.fromkeys(self.tasks, self.settings)

    def compared(self) -> list[Statistic]:
        """What is compared."""
        return [statistic(text, f"{self.name}: statistics") for text in self.statistics]


def made(name: str, content: Mapping[str, Any], where: str) -> Ablation:
    """An ablation from the content of its file.

    Raises:
        UsageError: a field or a value that is not allowed; it names both, and the file.
    """
    given = {key: value for key, value in content.items() if key != "vary"}
    if "name" in given:
        raise UsageError(f"{where}: an ablation is named by its file. Remove the field 'name'.")
    found = files.filled(Ablation, {"name": name, **given}, where)
    settings = tuple(dict.fromkeys([*found.settings, *_grid(content.get("vary", {}), where)]))
    if len(settings) < 2:
        raise UsageError(
            f"{where} has {', '.join(settings) or 'nothing'} as its only setting. Give two or more: 'settings', or "
            "tables [vary.METHOD]."
        )
    beside = found.beside or settings[0]
    if beside not in settings:
        raise UsageError(f"{where}: beside = {beside!r} is not allowed. Allowed: {', '.join(settings)}.")
    if found.metric not in METRICS:
        raise UsageError(f"{where}: metric = {found.metric!r} is not allowed. Allowed: {', '.join(METRICS)}.")
    for name in ("tasks", "statistics"):
        if not getattr(found, name):
            raise UsageError(f"{where}: {name} = [] is not allowed. Name one or more.")
    for text in found.statistics:
        statistic(text, f"{where}: statistics")
    methods = [label.partition("[")[0] for label in settings]
    usual = "options" if len(set(methods)) < len(methods) else "r_T"
    return replace(found, settings=settings, beside=beside, figure=found.figure or usual)


def _grid(tables: Any, where: str) -> list[str]:
    """The labels of all combinations of the options of each method."""
    if not isinstance(tables, Mapping) or not all(map(_is_grid, tables.values())):
        raise UsageError(f"{where}: vary = {tables!r} is not allowed. Allowed: [vary.METHOD] with OPTION = [values].")
    return [
        method + render({key: text_of(value) for key, value in zip(axes, values, strict=True)})
        for method, axes in tables.items()
        for values in product(*axes.values())
    ]


def _is_grid(axes: Any) -> bool:
    return isinstance(axes, Mapping) and all(isinstance(values, list) and values for values in axes.values())


def delivered() -> dict[str, Ablation]:
    """The ablations of all installed packages, by name."""
    return files.delivered(GROUP, made)
