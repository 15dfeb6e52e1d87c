"""Presets: the parameter budget, training schedule, data, sizes of the questions, and options of a run.

Each preset is a TOML file beside this module; a user's own file has the same tables and may start from one of
these with `preset = "quick"`. Method options chosen per task live here, never in code.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from harness.errors import UsageError, unknown
from harness.options import value_of
from harness.settings import DataSettings, Schedule, Sizes, check, override
from harness.split import held_back

PARTS = {"schedule": Schedule, "data": DataSettings, "sizes": Sizes}
"""The tables of settings that a preset, a task of it, and a run file have."""


@dataclass(frozen=True)
class Preset:
    """Everything that a run needs besides its methods, tasks and seeds."""

    name: str
    budget: int
    """Trainable parameters of each method."""
    schedule: Schedule = field(default_factory=Schedule)
    data: DataSettings = field(default_factory=DataSettings)
    sizes: Sizes = field(default_factory=Sizes)
    protocols: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Options of a protocol, by its name."""
    methods: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Options of a method, by method name; a nested table named like a task holds that task's."""
    tasks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """`budget`, `steps`, `schedule`, `data` and `sizes` of a task, by task name, where they differ."""
    scenarios: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """How much is asked in a scenario, by its name or `all`, where it differs: `targets` and the fields of `Sizes`."""
    steps: int = 0
    """Least steps of the optimiser: pairs so few that the epochs make fewer are passed over more often.

    A table that gives `epochs` or `batch` and no `steps` means just these passes.
    """
    simulation_seconds: float = math.inf
    """CPU seconds for re-simulating the designs of one cell; a slower task is asked for fewer proposals for r_T."""

    def method_options(self, method: str, task: str) -> dict[str, Any]:
        """The options that this preset gives a method on a task."""
        table = self.methods.get(method, {})
        common = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
        return {**common, **table.get(task, {})}

    def for_task(self, task: str, cost: float, pairs: int) -> Preset:
        """The preset as it holds for a task of so many pairs whose 1000 simulations take `cost` CPU seconds.

        Raises:
            UsageError: an unknown or mistyped setting in the task's table.
        """
        own = _override(self, self.tasks.get(task, {}), f"task {task!r} of preset {self.name!r}", ("budget", "steps"))
        own = replace(own, schedule=own._long_enough(own.data.n_train or pairs))
        if cost <= 0:
            return own
        simulations = 1000 * self.simulation_seconds / cost - own.sizes.repeats * own.sizes.fixed_proposals
        affordable = math.floor(min(own.sizes.proposals, simulations / own.data.targets))
        pool = min(own.sizes.proposals, max(own.sizes.repeats, affordable))
        return replace(own, sizes=replace(own.sizes, proposals=pool))

    def for_scenario(self, scenario: str) -> Preset:
        """The preset as it holds for a scenario: how much is asked; what is learned from stays as it is.

        Raises:
            UsageError: an unknown or mistyped setting in the scenario's table.
        """
        table = {**self.scenarios.get("all", {}), **self.scenarios.get(scenario, {})}
        owner = f"scenario {scenario!r} of preset {self.name!r}"
        for key in table:
            if key not in ASKED:
                raise unknown(f"setting of {owner}", key, ASKED)
        data = override(self.data, {key: table.pop(key) for key in ("targets",) if key in table}, owner)
        changed = replace(self, data=data, sizes=override(self.sizes, table, owner))
        check(changed.data, "data")
        check(changed.sizes, "sizes")
        return changed

    def _long_enough(self, pairs: int) -> Schedule:
        """The schedule, with as many epochs as give the least number of steps."""
        rows = max(1, pairs - held_back(pairs))
        epochs = math.ceil(self.steps / (rows // min(self.schedule.batch, rows)))
        return replace(self.schedule, epochs=max(self.schedule.epochs, epochs))


ASKED = ("targets", *(item.name for item in fields(Sizes)))
"""What a scenario's table may set."""
NUMBERS = {"budget": int, "steps": int, "simulation_seconds": float}
NESTED = ("protocols", "methods", "tasks", "scenarios")
"""The tables of tables of a preset and a run file."""
BUILT_IN = ("smoke", "quick", "paper")


def load(name: str) -> Preset:
    """The built-in preset of this name, or the one in a TOML file of this path.

    Raises:
        UsageError: an unknown name, an unreadable file, or an unknown or mistyped setting.
    """
    if name in BUILT_IN:
        return from_table(name, tomllib.loads(files(__package__).joinpath(f"{name}.toml").read_text(encoding="utf-8")))
    path = Path(name)
    if path.suffix != ".toml":
        raise unknown("preset", name, BUILT_IN)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"Preset file {name!r} cannot be read: {reason(error)}") from error
    return from_table(path.stem, table)


def reason(error: Exception) -> str:
    """Why a TOML file cannot be read, and what to do."""
    if isinstance(error, FileNotFoundError):
        return f"there is no such file. It was looked for from {str(Path.cwd())!r}; give its path as it is."
    if isinstance(error, OSError):
        return f"{error.strerror or error}. Give the path of a file, and the right to read it."
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8. Save it as UTF-8."
    return f"it is no TOML: {error}. Correct that line."


def from_table(name: str, table: Mapping[str, Any]) -> Preset:
    """A preset from its settings and tables, on top of `preset` where given.

    Raises:
        UsageError: an unknown or mistyped setting.
    """
    base = load(str(table["preset"])) if "preset" in table else Preset(name=name, budget=150_000)
    rest = {key: value for key, value in table.items() if key != "preset"}
    preset = _override(base, rest, f"preset {name!r}", ("budget", "steps", "simulation_seconds", *NESTED))
    for task in preset.tasks:
        preset.for_task(task, cost=0.0, pairs=1)
    for scenario in preset.scenarios:
        preset.for_scenario(scenario)
    return replace(preset, name=name)


def _override(base: Preset, table: Mapping[str, Any], owner: str, settings: Collection[str]) -> Preset:
    """The preset with a table's values: of these settings, and of the tables in `PARTS`."""
    for key in table:
        if key not in (*settings, *PARTS):
            raise unknown(f"setting of {owner}", key, {*settings, *PARTS})
    if {"epochs", "batch"} & table.get("schedule", {}).keys():  # the passes are then meant as they are written
        table = {"steps": 0, **table}
    single: dict[str, Any] = {key: value_of(table[key], NUMBERS[key], key) for key in NUMBERS if key in table}
    parts: dict[str, Any] = {name: override(getattr(base, name), table.get(name, {}), name) for name in PARTS}
    nested: dict[str, Any] = {name: merge(getattr(base, name), table.get(name, {})) for name in NESTED}
    changed = replace(base, **single, **parts, **nested)
    if changed.budget < 1:
        raise UsageError(f"budget = {changed.budget} is not allowed. Allowed: 1 or more.")
    if changed.steps < 0:
        raise UsageError(f"steps = {changed.steps} is not allowed. Allowed: 0 or more.")
    for name in PARTS:
        check(getattr(changed, name), name)
    return changed


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Nested tables on top of others: tables of the same name are merged, other values replaced."""
    merged = dict(below)
    for key, value in above.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            value = merge(merged[key], value)
        merged[key] = value
    return merged
