"""A plan of cells, printed and carried out: what `run`, `claims --run` and `ablation NAME --run` have in common."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations
from pathlib import Path

from harness import submitting
from harness.config import Settings
from harness.errors import numbered
from harness.options import render
from harness.plan import Cell, Plan, part_of, planned
from harness.presets import Preset
from harness.running import default_jobs, execute, finish, pending
from harness.selection import parse, placed, split
from harness.store import Store
from harness.work import Work, in_words


def perform(
    plan: Plan, settings: Settings, preset: Preset, close: Callable[[Sequence[Cell], Store], int] = finish
) -> int:
    """Print a plan and carry it out, or with `dry_run` only print it; returns the exit code.

    Args:
        plan: of the cells.
        settings: how to do it.
        preset: its name is that of the result folder where the settings give none.
        close: what ends a run that was not interrupted, given its cells and the result folder.
    """
    cluster, cells = settings.engine == "slurm", plan.cells
    if settings.part:
        cells = part_of(cells, settings.part)
        print(f"Part {settings.part[0]} of {settings.part[1]}: {len(cells)} of {numbered(len(plan.cells), 'cell')}.")
        if not cells:
            return 0
    store = Store(root_of(settings, preset))
    todo = pending(cells, store, settings)
    usual = submitting.at_once(settings) if cluster else settings.jobs or default_jobs(settings.device)
    able = [work for cell, work in todo.items() if not cell.refusal]
    jobs = min(usual, max(len(able), 1))
    to_do = in_words(able) + (f", {jobs} at a time{' in each array entry' * cluster}" if able else "")
    current = f"{len(cells) - len(todo)} up to date" + f", {len(todo) - len(able)} cannot" * (len(able) < len(todo))
    print(f"{numbered(len(cells), 'cell')} ({_axes(plan, settings)}), preset {preset.name}: {current}; {to_do}.")
    print(f"Results: {store.root}", flush=True)
    if settings.dry_run:
        _describe(plan, cells, todo, store, jobs, settings)
        return 0
    for remark in plan.remarks():
        print(remark, flush=True)
    return execute(todo, store, jobs, settings) or close(cells, store)


def _axes(plan: Plan, settings: Settings) -> str:
    """How many methods, tasks, scenarios and seeds a plan has, as a product where it has all combinations."""
    counts = (*plan.axes, len(settings.seeds))
    named = [numbered(count, noun) for count, noun in zip(counts, ("method", "task", "scenario", "seed"), strict=True)]
    return (" × " if math.prod(counts) == len(plan.cells) else ", ").join(named)


def _describe(
    plan: Plan, cells: Sequence[Cell], todo: Mapping[Cell, Work], store: Store, jobs: int, settings: Settings
) -> None:
    """Print what would be done, and what it would cost."""
    from harness.estimate import describe

    print(describe(cells, todo, store, jobs))
    if plan.ahead:
        print(f"Before the first cell, unless it is kept from an earlier run: {'; '.join(plan.ahead)}.")
    if settings.engine == "slurm":
        print(submitting.describe(todo, store, settings))


def root_of(settings: Settings, preset: Preset) -> Path:
    """The result folder of a run."""
    return settings.out or Path("results") / preset.name


def without_summary(cells: Sequence[Cell], store: Store) -> int:
    """The end of a run that does not print the summary."""
    return finish(cells, store, echo=False)


def together(needs: Mapping[str, Sequence[str]], settings: Settings, preset: Preset) -> Plan:
    """The plan of some methods on each of some tasks, in the scenarios that their labels name behind ` @ `.

    A cell is called by as few of the options as make it: where `[steps=20]` is the value of the preset, it is the cell
    of the plain name, and has its record.

    Args:
        needs: labels of methods by that of a task.
        settings: all but methods and tasks.
        preset: of the run.
    """
    tasks: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for task, labels in needs.items():
        by_scenario: dict[str, dict[str, None]] = {}
        for label in labels:
            method, scenario = placed(label)
            by_scenario.setdefault(scenario or "base", {})[method] = None
        for scenario, methods in by_scenario.items():
            tasks.setdefault((scenario, tuple(methods)), []).append(task)
    model = submitting.device_model(settings) if settings.engine == "slurm" else ""
    plans = []
    for (scenario, labels), names in tasks.items():
        plan = partial(_plan, names, replace(settings, scenarios=scenario), preset, model)
        wanted, named = plan(labels), plan(_shorter(labels))
        keys = {cell.key for cell in wanted.cells}
        plans.append(replace(wanted, cells=[cell for cell in named.cells if cell.key in keys]))
    every = {cell.key: cell for plan in plans for cell in plan.cells}
    cells = list(every.values())
    axes = (
        len({cell.method.label for cell in cells}),
        len({cell.task.label for cell in cells}),
        len({cell.scenario for cell in cells}),
    )
    ahead = dict.fromkeys(text for plan in plans for text in plan.ahead)
    reporting = dict.fromkeys(spec for plan in plans for spec in plan.reporting)
    return Plan(cells, axes, tuple(ahead), tuple(reporting))


def _plan(tasks: Sequence[str], settings: Settings, preset: Preset, model: str, labels: Sequence[str]) -> Plan:
    return planned(replace(settings, methods=",".join(labels), tasks=",".join(tasks)), preset, model)


def _shorter(labels: Iterable[str]) -> list[str]:
    """The labels and all with fewer of their options, the fewest first."""
    found: dict[str, int] = {}
    for label in (label for text in labels for label in split(text)):
        name, options = parse(label)
        for size in range(len(options) + 1):
            for chosen in combinations(sorted(options), size):
                found.setdefault(name + render({key: options[key] for key in chosen}), size)
    return sorted(found, key=lambda label: found[label])
