"""The property of a method that it imports no task, and nothing that scores it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import sources
from harness.conformance.findings import Finding
from harness.registry import discover

if TYPE_CHECKING:
    from harness.registry import Plugin

SCORING = {
    "harness.registry": "which builds any task",
    "harness.resimulation": "which re-simulates designs by the true forward model",
    "harness.metrics": "which scores designs",
    "harness.protocols": "which puts the questions and scores the answers",
    "harness.scenarios": "which knows the entries that are hidden from the method",
    "harness.data": "which draws the targets",
    "harness.cell": "which holds the task",
    "harness.rescore": "which scores answers",
}


def forbidden_imports(plugin: Plugin) -> Finding:
    """Whether what the module of a method imports, through all modules of its own, is free of tasks and of scoring."""
    module, tops = plugin.module, sources.tops_of(plugin.entry.dist)
    tasks = {other.module: name for name, other in discover("tasks").items() if other.module not in ("", module)}
    found: dict[str, str] = {}
    for own in sorted(sources.closure(module, tops)):
        for name in sorted({own, *sources.imported(own)} - {module}):
            if why := _why(name, tasks):
                found.setdefault(name, f"{own} imports {name}, {why}" if own != name else f"it imports {name}, {why}")
    if not found:
        return Finding("imports", True)
    advice = "A method may know a task by its training pairs and `Problem` alone: leave out the import."
    return Finding("imports", False, f"{'; '.join(found.values())}. {advice}")


def _why(name: str, tasks: dict[str, str]) -> str:
    for task, label in tasks.items():
        if name == task or name.startswith(f"{task}."):
            return f"the module of the task {label!r}"
    for scoring, why in SCORING.items():
        if name == scoring or name.startswith(f"{scoring}."):
            return why
    return ""
