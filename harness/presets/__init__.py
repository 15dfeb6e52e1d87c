"""Presets: the parameter budget, training schedule, protocol sizes and method options of a run.

Each preset is a TOML file beside this module; a user's own file has the same tables and may start from one of
these with `preset = "quick"`. Method options chosen per task live here, never in code.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from harness.errors import UsageError, unknown


@dataclass(frozen=True)
class Schedule:
    """The training schedule, the same for every method."""

    epochs: int = 150
    """Passes over the training data, shared among the phases of a method."""
    batch: int = 256
    optimiser: str = "adamw"
    learning_rate: float = 2e-3
    decay: str = "cosine"
    """`cosine`: 5 % linear warm-up, then a cosine to 1e-3 of the rate. `plateau`: halved on plateau (Ren et al.)."""
    average: float = 0.998
    """Decay of the exponential moving average of the weights that is validated and kept; 0 turns it off."""
    validate_every: int = 5
    """Epochs between validations."""


@dataclass(frozen=True)
class Protocol:
    """How much is proposed and measured."""

    targets: int = 1000
    proposals: int = 200
    """Proposals per target for r_T."""
    repeats: int = 50
    fixed_proposals: int = 1000
    """Proposals for the fixed target y* in each repeat."""
    trials: tuple[int, ...] = (1, 10, 20, 30, 40, 50, 100, 200)
    """T of r_T."""
    bootstrap: int = 1000
    targets_from: str = "test"
    """`test`: fresh prior draws. `validation`: the validation part's y, for choosing options."""
    data_seed: int = 0
    n_train: int | None = None
    """Training pairs; None takes the task's own number."""

    def shortened(self, proposals: float) -> Protocol:
        """The protocol with at most so many proposals for r_T, but no fewer than the repeats need."""
        pool = max(self.repeats, math.floor(min(self.proposals, proposals)))
        if pool >= self.proposals:
            return self
        return replace(self, proposals=pool, trials=tuple(trial for trial in self.trials if trial <= pool))


@dataclass(frozen=True)
class Preset:
    """Everything that a run needs besides its methods, tasks and seeds."""

    name: str
    budget: int
    """Trainable parameters of each method."""
    schedule: Schedule = field(default_factory=Schedule)
    protocol: Protocol = field(default_factory=Protocol)
    methods: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Options of a method, by method name; a nested table named like a task holds that task's."""
    tasks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """`budget`, `schedule` and `protocol` of a task, by task name, where they differ."""
    simulation_seconds: float = math.inf
    """CPU seconds for re-simulating the designs of one cell; a slower task is asked for fewer proposals for r_T."""

    def method_options(self, method: str, task: str) -> dict[str, Any]:
        """The options that this preset gives a method on a task."""
        table = self.methods.get(method, {})
        common = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
        return {**common, **table.get(task, {})}

    def for_task(self, task: str, cost: float) -> Preset:
        """The preset as it holds for a task whose 1000 simulations take `cost` CPU seconds.

        Raises:
            UsageError: an unknown or mistyped setting in the task's table.
        """
        table = self.tasks.get(task, {})
        own = _override(self, table, f"task {task!r} of preset {self.name!r}", ("budget",))
        protocol = own.protocol
        if cost > 0:
            simulations = 1000 * self.simulation_seconds / cost - protocol.repeats * protocol.fixed_proposals
            protocol = protocol.shortened(simulations / protocol.targets)
        return replace(own, protocol=protocol)


BUILT_IN = ("smoke", "quick", "paper")


def load(name: str) -> Preset:
    """The built-in preset of this name, or the one in a TOML file of this path.

    Raises:
        UsageError: an unknown name, an unreadable file, or an unknown or mistyped setting.
    """
    if name in BUILT_IN:
        return from_table(name, tomllib.loads(files(__package__).joinpath(f"{name}.toml").read_text()))
    path = Path(name)
    if path.suffix != ".toml":
        raise unknown("preset", name, BUILT_IN)
    try:
        table = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"Preset file {name!r} cannot be read: {error}") from error
    return from_table(path.stem, table)


def from_table(name: str, table: Mapping[str, Any]) -> Preset:
    """A preset from its settings and tables, on top of `preset` where given.

    Raises:
        UsageError: an unknown or mistyped setting.
    """
    base = load(str(table["preset"])) if "preset" in table else Preset(name=name, budget=150_000)
    rest = {key: value for key, value in table.items() if key != "preset"}
    preset = _override(base, rest, f"preset {name!r}", ("budget", "simulation_seconds", "methods", "tasks"))
    for task in preset.tasks:
        preset.for_task(task, cost=0.0)
    return replace(preset, name=name)


def _override(base: Preset, table: Mapping[str, Any], owner: str, settings: Sequence[str]) -> Preset:
    """The preset with a table's values: of these settings, and of `schedule` and `protocol`."""
    known = (*settings, "schedule", "protocol")
    for key in table:
        if key not in known:
            raise unknown(f"setting of {owner}", key, known)
    single = {key: table[key] for key in ("budget", "simulation_seconds") if key in table}
    return replace(
        override(base, single, owner),
        schedule=override(base.schedule, table.get("schedule", {}), "schedule"),
        protocol=override(base.protocol, table.get("protocol", {}), "protocol"),
        methods=merge(base.methods, table.get("methods", {})),
        tasks=merge(base.tasks, table.get("tasks", {})),
    )


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Nested tables on top of others: tables of the same name are merged, other values replaced."""
    merged = dict(below)
    for key, value in above.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            value = merge(merged[key], value)
        merged[key] = value
    return merged


def override(settings: Any, values: Mapping[str, Any], kind: str) -> Any:
    """The frozen dataclass `settings` with some fields replaced; unknown or mistyped fields are a `UsageError`."""
    types = {item.name: type(getattr(settings, item.name)) for item in fields(settings)}
    changed = {}
    for key, value in values.items():
        if key not in types:
            raise unknown(f"{kind} setting", key, types)
        value = tuple(value) if isinstance(value, list) else value
        number = types[key] is float and isinstance(value, int)
        if not (number or types[key] is type(None) or isinstance(value, types[key])):
            raise UsageError(f"{kind} setting {key} = {value!r} must be of type {types[key].__name__}.")
        changed[key] = float(str(value)) if number else value
    return replace(settings, **changed)
