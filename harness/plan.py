"""The plan: methods × tasks × seeds as an ordered list of cells, each with a key of what determines its numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, cached_property
from itertools import product
from pathlib import Path
from typing import Any

import harness
from harness.limits import check
from harness.options import resolve
from harness.presets import Preset, Protocol, Schedule
from harness.records import content_key
from harness.registry import PluginSpec, build_task, hash_files
from harness.selection import Selection

DETERMINING = (
    "contracts.py",
    "adapter.py",
    "seeds.py",
    "budget.py",
    "data.py",
    "training.py",
    "cell.py",
    "evaluation/*.py",
)
"""The modules of the harness that determine numbers: a record made with others has another key."""


@dataclass(frozen=True)
class Cell:
    """One method trained on one task with one seed."""

    task: PluginSpec
    method: PluginSpec
    preset: str
    budget: int
    schedule: Schedule
    protocol: Protocol
    seed: int
    device: str = "cpu"
    threads: int = 1

    def declared(self) -> dict[str, Any]:
        """All that determines the cell's numbers, as JSON values; not the preset's name, labels or threads."""
        return {
            "task": self.task.declared(),
            "method": self.method.declared(),
            "budget": self.budget,
            "schedule": asdict(self.schedule),
            "protocol": {**asdict(self.protocol), "trials": list(self.protocol.trials)},
            "seed": self.seed,
            "device": self.device.partition(":")[0],
            "harness": {"version": harness.__version__, "source": harness_source()},
        }

    @cached_property
    def key(self) -> str:
        """SHA-256 of the canonical JSON of `declared()`, in hexadecimal digits."""
        return content_key(self.declared())

    @property
    def label(self) -> str:
        """The cell in words: `sinewave/na[boundary_loss=off]/0`."""
        return f"{self.task.label}/{self.method.label}/{self.seed}"

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Cell:
        values = json.loads(text)
        protocol = {**values["protocol"], "trials": tuple(values["protocol"]["trials"])}
        parts = {
            "task": PluginSpec(**{**values["task"], "groups": tuple(values["task"]["groups"])}),
            "method": PluginSpec(**{**values["method"], "groups": tuple(values["method"]["groups"])}),
            "schedule": Schedule(**values["schedule"]),
            "protocol": Protocol(**protocol),
        }
        return cls(**{**values, **parts})


@cache
def harness_source() -> str:
    """SHA-256 of the modules of the harness that determine numbers."""
    root = Path(harness.__file__).parent
    return hash_files([(root, path) for pattern in DETERMINING for path in sorted(root.glob(pattern))])


def plan(
    methods: Sequence[Selection],
    tasks: Sequence[Selection],
    preset: Preset,
    seeds: Sequence[int],
    device: str = "cpu",
    threads: int = 1,
) -> list[Cell]:
    """All cells, task by task, then method by method, then seed by seed; cells with the same key appear once.

    Raises:
        UsageError: a preset option that a method refuses, or data that a task refuses.
    """
    check(preset)
    cells: dict[str, Cell] = {}
    posed = {task.label: specification(task) for task in tasks}
    built = {label: build_task(spec) for label, spec in posed.items()}
    posed = {label: replace(spec, fingerprint=built[label].fingerprint) for label, spec in posed.items()}
    for task, method in product(tasks, methods):
        own = preset.for_task(task.plugin.name, built[task.label].cost)
        check(own)
        given = preset.method_options(method.plugin.name, task.plugin.name)
        specs = posed[task.label], specification(method, given)
        for seed in seeds:
            cell = Cell(*specs, preset.name, own.budget, own.schedule, own.protocol, seed, device, threads)
            cells.setdefault(cell.key, cell)
    return list(cells.values())


def specification(selection: Selection, preset: Mapping[str, Any] | None = None) -> PluginSpec:
    """A selected plug-in with all its options: its own defaults, then the preset's, then the user's."""
    plugin = selection.plugin
    loaded: Any = plugin.load()
    own = getattr(loaded, "defaults", {})
    options = resolve(loaded.Options, own, preset or {}, selection.options, owner=plugin.name)
    return PluginSpec(plugin.name, plugin.version, options, selection.label, plugin.source, plugin.groups)
