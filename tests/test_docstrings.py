"""What is public says what each of its arguments is; the examples in docstrings are true."""

from __future__ import annotations

import ast
import doctest
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

PUBLIC = (
    "methods*",
    "tasks*",
    "harness.contracts*",
    "harness.scenarios*",
    # What the author of a protocol calls.
    *(f"harness.protocols.{name}" for name in ("advice", "contract", "ledger", "shared")),
    *("harness.reporting", "harness.reporting.apart", "harness.reporting.build", "harness.reporting.drawing"),
    *(f"harness.reporting.{name}" for name in ("figure", "formats", "frame", "groups", "notes", "numbers")),
    *(f"harness.reporting.{name}" for name in ("published", "rows", "table")),
    # What a user, or a script, calls.
    *("harness.adapter", "harness.answers", "harness.api", "harness.asking", "harness.budget", "harness.by_target"),
    *("harness.comparing", "harness.data", "harness.distances", "harness.fitting", "harness.kinds", "harness.metrics"),
    *("harness.operations", "harness.outputs", "harness.own_pairs", "harness.priors", "harness.questions"),
    *("harness.records", "harness.registry", "harness.resimulation", "harness.sectors", "harness.seeds"),
    *("harness.settings", "harness.solver", "harness.split", "harness.statistics", "harness.store", "harness.training"),
    *("harness.conformance.apart", "harness.conformance.methods", "harness.conformance.tasks"),
    "harness.execution.engine",
)
"""Modules whose public functions, methods and constructors name their arguments; `*` stands for any text."""

FOR_TORCH = ("tasks.shell:RiccatiBessel.setup_context", "tasks.shell:RiccatiBessel.backward")
"""What torch alone calls, with arguments of its own."""

CALLED = ("__init__", "__call__")
SECTION = re.compile(r"^Args:\n((?: +\S.*\n)+)", re.MULTILINE)
ENTRY = re.compile(r"^    \*{0,2}(\w+): \S", re.MULTILINE)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules() -> dict[str, Path]:
    """All modules of the three packages by name, those in folders of data among them."""
    found = (path for package in ("harness", "methods", "tasks") for path in (ROOT / package).rglob("*.py"))
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in found}


MODULES = modules()


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_bytes())


def parameters(function: Function) -> list[str]:
    """The names of its arguments, but those of the object or class itself."""
    given = function.args
    every = (*given.posonlyargs, *given.args, given.vararg, *given.kwonlyargs, given.kwarg)
    return [each.arg for each in every if each is not None and each.arg not in ("self", "cls")]


def described(docstring: str | None) -> list[str] | None:
    """The arguments that a docstring names; None where it has no section of them."""
    section = SECTION.search(f"{docstring or ''}\n")
    return None if section is None else ENTRY.findall(section[1])


def functions(nodes: ast.Module) -> Iterator[tuple[str, Function, ast.ClassDef | None]]:
    """The functions of a module, and the methods and constructors of its classes, that have arguments."""
    for node in nodes.body:
        if isinstance(node, Function):
            yield node.name, node, None
        elif isinstance(node, ast.ClassDef):
            yield from ((f"{node.name}.{item.name}", item, node) for item in node.body if isinstance(item, Function))


def is_public(name: str) -> bool:
    return all(not part.startswith("_") or part in CALLED for part in name.split("."))


def own(function: Function, owner: ast.ClassDef | None) -> str | None:
    """Its docstring; that of a constructor is that of its class."""
    text = ast.get_docstring(function)
    return ast.get_docstring(owner) if owner is not None and function.name == "__init__" and text is None else text


def bases(module: str, owner: ast.ClassDef) -> Iterator[tuple[str, ast.ClassDef]]:
    """The classes of ours that a class is derived from, the nearest first, each with its module."""
    for base in owner.bases:
        name = base.id if isinstance(base, ast.Name) else ""
        place, found = _class(module, name)
        if found is not None:
            yield place, found
            yield from bases(place, found)


def _class(module: str, name: str) -> tuple[str, ast.ClassDef | None]:
    """A class by the name that a module has for it, and where it is defined."""
    for node in tree(module).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return module, node
        if isinstance(node, ast.ImportFrom) and node.module in MODULES:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _class(str(node.module), alias.name)
    return module, None


def wrong(module: str, name: str, function: Function, owner: ast.ClassDef | None, *, public: bool) -> str:
    """What is wrong with the arguments that a docstring names; empty where nothing is.

    Without a docstring of its own, a method has that of the class of ours that it overrides a method of. `options` are
    those of a plug-in, whose class `Options` says what each of them is.
    """
    wanted, text = parameters(function), own(function, owner)
    if owner is not None and (described(text) is None if function.name == "__init__" else text is None):
        inherited = (item for _, base in bases(module, owner) for item in base.body if isinstance(item, Function))
        text = next((found for item in inherited if item.name == function.name and (found := own(item, None))), text)
    named = described(text)
    if named is None:
        options = function.name == "__init__" and wanted == ["options"]
        return f"{name} says nothing of {', '.join(wanted)}" if public and wanted and not options else ""
    return "" if named == wanted else f"{name} has the arguments {wanted}, and its docstring names {named}"


def is_property(function: Function) -> bool:
    names = {getattr(item, "id", getattr(item, "attr", "")) for item in function.decorator_list}
    return bool(names & {"property", "cached_property"})


def findings(module: str, nodes: ast.Module, public: bool) -> list[str]:
    every = ((name, function, owner) for name, function, owner in functions(nodes) if not is_property(function))
    known = ((*item, is_public(item[0])) for item in every if f"{module}:{item[0]}" not in FOR_TORCH)
    texts = (wrong(module, *item, public=public and shown) for *item, shown in known)
    return [text for text in texts if text]


@pytest.mark.parametrize("module", sorted(MODULES))
def test_docstrings_name_all_arguments_and_no_others(module: str) -> None:
    public = is_public(module) and any(fnmatchcase(module, pattern) for pattern in PUBLIC)
    assert findings(module, tree(module), public) == []


@pytest.mark.parametrize("pattern", PUBLIC)
def test_what_is_public_is_there(pattern: str) -> None:
    assert any(fnmatchcase(module, pattern) for module in MODULES)


DOCUMENTED = '''
class Base:
    """A class.

    Args:
        size: in bytes.
    """

    def __init__(self, size: int) -> None: ...

    def ask(self, x: Tensor, *axes: str, n: int = 1, **more: float) -> Tensor:
        """The answer `(n,)`.

        Args:
            x: designs `(n, x_dim)`, with a text that is so long that it goes on
                in a second line: as here.
            *axes: names.
            n: how many.
            **more: numbers.

        Raises:
            ValueError: none.
        """

class Derived(Base):
    def ask(self, x: Tensor, *axes: str, n: int = 1, **more: float) -> Tensor: ...

    def _hidden(self, y: Tensor) -> None: ...
'''


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("size: in bytes", "sizes: in bytes", "Base.__init__"),
        ("            n: how many.\n", "", "Base.ask"),
        ("*axes: names", "*axis: names", "Base.ask"),
        ("**more: numbers.", "**more: numbers.\n            y: another.", "Base.ask"),
        ("n: int = 1, **more: float) -> Tensor: ...", "**more: float) -> Tensor: ...", "Derived.ask"),
        ("_hidden", "hidden", "Derived.hidden"),
    ],
)
def test_a_missing_argument_and_an_unknown_one_are_found(monkeypatch, old: str, new: str, found: str) -> None:
    def check(text: str) -> list[str]:
        monkeypatch.setitem(MODULES, "made_up", type("File", (), {"read_bytes": lambda self: text.encode()})())
        tree.cache_clear()
        return findings("made_up", tree("made_up"), public=True)

    assert check(DOCUMENTED) == []
    (broken, *_) = check(DOCUMENTED.replace(old, new))
    assert broken.startswith(found)


EXAMPLES = [module for module, path in MODULES.items() if re.search(r"^ +>>> ", path.read_text("utf-8"), re.MULTILINE)]


@pytest.mark.parametrize("module", sorted(EXAMPLES))
def test_the_examples_in_docstrings_are_true(module: str) -> None:
    failed, attempted = doctest.testmod(import_module(module))
    assert failed == 0 < attempted
