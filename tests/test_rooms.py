"""Who may import what: the order of the rooms, lowest first, and no ring of modules."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

ROOMS = (
    (
        "harness",
        "harness.ctrl_c",
        "harness.errors",
        "harness.no_options",
        "harness.questions",
        "harness.real",
        "harness.seeds",
        "harness.split",
    ),
    (
        "harness.allocator",
        "harness.cores",
        "harness.texts",
        "harness.threads",
        "harness.distances",
        "harness.metrics",
        "harness.operations",
        "harness.sectors",
        "harness.comparing",
        "harness.statistics",
    ),
    ("harness.options", "harness.settings", "harness.timing"),
    (
        "harness.contracts",
        "harness.contracts.*",
        "harness.adapter",
        "harness.outputs",
        "harness.kinds",
        "harness.priors",
        "harness.scenarios",
        "harness.scenarios.contract",
    ),
    (
        "harness.modules",
        "harness.meanings",
        "harness.sources",
        "harness.declaration",
        "harness.extras",
        "harness.registry",
        "harness.selection",
        "harness.labels",
    ),
    (
        "harness.schema",
        "harness.records",
        "harness.durable",
        "harness.cache_folder",
        "harness.by_target",
        "harness.kept",
        "harness.store",
        "harness.provenance",
    ),
    ("harness.data", "harness.resimulation", "harness.behaviour", "harness.solution_curves"),
    ("harness.posterior", "harness.posterior.*"),
    ("harness.training", "harness.budget", "harness.fitting", "harness.answers"),
    ("harness.scenarios.*",),
    ("harness.protocols", "harness.protocols.contract"),
    ("harness.searching", "harness.searching.*"),
    ("harness.reporting", "harness.reporting.*"),
    ("harness.claims", "harness.claims.*"),
    ("harness.protocols.*",),
    ("harness.cluster", "harness.presets", "harness.config", "harness.work", "harness.plan", "harness.lending"),
    ("harness.learning", "harness.changed", "harness.cell"),
    ("harness.apart", "harness.execution", "harness.execution.*"),
    ("harness.conformance", "harness.conformance.*"),
    (
        "harness.running",
        "harness.performing",
        "harness.submitting",
        "harness.rescore",
        "harness.estimate",
        "harness.show",
        "harness.listing",
    ),
    (
        "harness.portrait",
        "harness.new",
        "harness.own_pairs",
        "harness.undisturbed",
        "harness.pickling",
        "harness.asking",
        "harness.solver",
    ),
    ("harness.api", "harness.proposing"),
    ("harness.advising", "harness.claiming", "harness.ablating", "harness.verbs", "harness.cli", "harness.__main__"),
)
"""From the bottom to the top; `*` stands for the modules of a package that no line names. A module imports from its own
room and from those above it in this table."""


def modules(package: str) -> dict[str, Path]:
    """The modules of a package by name."""
    found = (ROOT / package).rglob("*.py")
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in found}
    return {name.removesuffix(".__init__"): path for name, path in names.items()}


HARNESS = modules("harness")


def imports(path: Path) -> set[str]:
    """What a module imports at any place but for type checking alone; names relative to nothing."""
    found: set[str] = set()
    for node in _statements(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        else:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            known = {name for name in inner if name in HARNESS}
            found |= known | ({str(node.module)} if known != inner else set())
    return found


def _statements(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield node
    for inner in ast.iter_child_nodes(node):
        yield from _statements(inner)


def room(module: str) -> int:
    """The number of the room that a module is in: of the line with its name, or with its package and `*`."""
    lines = {name: number for number, names in enumerate(ROOMS) for name in names}
    number = lines.get(module, lines.get(f"{module.rpartition('.')[0]}.*"))
    assert number is not None, f"{module} is in no room: give it a place in ROOMS"
    return number


GRAPH = {name: imports(path) & HARNESS.keys() for name, path in HARNESS.items()}


@pytest.mark.parametrize("module", sorted(HARNESS))
def test_no_module_imports_from_a_room_above_its_own(module: str) -> None:
    assert {name for name in GRAPH[module] if room(name) > room(module)} == set()


def test_there_is_no_ring_of_modules() -> None:
    assert set(TopologicalSorter(GRAPH).static_order()) == HARNESS.keys()


def test_every_room_has_its_modules() -> None:
    named = {name for names in ROOMS for name in names if not name.endswith("*")}
    assert named <= HARNESS.keys() and len(named) == sum(not name.endswith("*") for names in ROOMS for name in names)


def _tops(package: str) -> set[str]:
    return {name.partition(".")[0] for path in modules(package).values() for name in imports(path)}


def test_the_harness_knows_no_plug_in_and_methods_and_tasks_not_each_other() -> None:
    assert not _tops("harness") & {"methods", "tasks"}
    assert "tasks" not in _tops("methods") and "methods" not in _tops("tasks")


EXAMPLES = {
    "harness/api.py",
    "harness/cli.py",
    "harness/config.py",
    "harness/selection.py",
    "harness/plan.py",
    "harness/execution/progress.py",
}
"""Modules whose docstrings and help texts show how something is written, with a method or a task of ours as example."""


def test_the_harness_names_no_method_and_no_task_of_ours() -> None:
    names = {name for kind in ("methods", "tasks") for name in _entries(kind)}
    found = {}
    for path in HARNESS.values():
        tree = ast.parse(path.read_bytes())
        texts = {
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        named = {text for text in texts if text in names - {"prior"}}  # the prior is a word of the field
        if str(path.relative_to(ROOT)) not in EXAMPLES:
            known = "|".join(re.escape(name) for name in sorted(names - COMMON))
            named |= {text for text in texts if re.search(rf"(?<![\w-])({known})(?![\w-])", text)}
        if named:
            found[path.name] = named
    assert found == {}


COMMON = {"dataset", "kernel", "lookup", "prior", "shell", "stack"}
"""Names that are words of English or of the field, too: looked for only where they are the whole text."""


def _entries(kind: str) -> set[str]:
    return set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"][f"harness.{kind}"])
