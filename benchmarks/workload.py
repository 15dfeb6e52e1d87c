"""What is timed: the sinewave in the setting of the quick preset, and every method of the project on it."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch
from torch import Generator, Tensor

from harness import budget, data, fitting, presets, registry
from harness.contracts import Method, Phase
from harness.plan import specification
from harness.selection import select
from harness.timing import Stopwatch

TASK = "sinewave"
EPOCHS = 20  # of the preset's 140: enough for a surrogate that a search can converge on
METHODS = sorted(
    name for name, plugin in registry.discover("methods").items() if plugin.distribution == "inverse-harness"
)
TASKS = sorted(
    name
    for name, plugin in registry.discover("tasks").items()
    if plugin.distribution == "inverse-harness" and not plugin.required
)
SEARCHES = ["ipage", "ipage-lm", "kernel", "na", "na-lm", "na-near"]

STAGES = Stopwatch()
"""Adds up the stages of every proposal that is timed."""


def localising() -> float:
    """A clock that runs while a method localises, and stands still otherwise."""
    return STAGES.seconds["localisation"]


@dataclass
class Workload:
    """A method of the preset's size, with the data that it learns from."""

    method: Method
    dataset: data.Dataset
    train: data.Pairs
    valid: data.Pairs
    given: fitting.Lesson

    def phases(self) -> list[Phase]:
        """The training phases, without what a method does between them."""
        return list(self.method.phases()) if self.method.trainable else []

    def fixed_target(self) -> Tensor:
        """y* as the method sees it `(1, y_dim)`."""
        return self.dataset.y_scale.apply(self.dataset.fixed.shown).to(self.given.device, self.method.dtype)

    def propose(self, n: int) -> Tensor:
        """N proposals for y*, from the same random numbers every time."""
        return self.method.propose(self.fixed_target(), n, Generator().manual_seed(0)).x

    def searching(self, **options: Any) -> Workload:
        """The same trained networks, searched with other options."""
        method = copy.copy(self.method)
        method.options = replace(method.options, **options)
        return replace(self, method=method)

    def errors(self, x: Tensor) -> Tensor:
        """Re-simulated squared error of standardised designs `(1, n, x_dim)` for y*."""
        task = registry.get("tasks", TASK).load()()
        reached = task.simulate(self.dataset.x_scale.undo(x[0].cpu().double()))
        return (reached - self.dataset.fixed.y).square().mean(-1)


@cache
def dataset_of(task: str) -> data.Dataset:
    """The task's data under the quick preset."""
    return data.draw(registry.get("tasks", task).load()(), presets.load("quick").data)


@cache
def built(name: str, device: str) -> Workload:
    """A method at its budget, not trained."""
    preset, dataset = presets.load("quick"), dataset_of(TASK)
    (selection,) = select("methods", name)
    spec = specification(selection, preset.method_options(name, TASK))
    task = registry.get("tasks", TASK).load()()
    schedule = replace(preset.schedule, epochs=EPOCHS)
    given = fitting.lesson(task, dataset, budget=preset.budget, schedule=schedule, seed=0, device=device)
    method, _ = fitting.build(given, lambda: registry.build_method(spec))
    return Workload(method, dataset, *fitting.parts(given, method), given)


@cache
def trained(name: str, device: str) -> Workload:
    """A method after a shortened training; built anew, as the other one stays untrained."""
    made = built.__wrapped__(name, device)
    fitting.fit(made.given, made.method, pairs=(made.train, made.valid))
    return made


def described(workload: Workload) -> dict[str, Any]:
    """What a reader of the timings must know."""
    device = workload.given.device
    properties = torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu"
    return {
        "device": properties,
        "threads": torch.get_num_threads(),
        "parameters": budget.trainable_parameters(workload.method),
        "stored": budget.stored_numbers(workload.method),
    }
