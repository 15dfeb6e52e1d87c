"""A module's source, read without importing it: its text without what determines no number, and what it imports."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

DYNAMIC_MODULES = ("importlib", "runpy", "subprocess", "pkgutil", "imp")
STATIC_PARTS = ("importlib.resources", "importlib.metadata")
DYNAMIC_CALLS = ("__import__", "exec", "eval", "import_module")  # by these names alone: `network.eval()` is none
NOT_SOURCE = (".py", ".pyc", ".pyi", ".md", ".rst")


@cache
def path_of(module: str) -> Path | None:
    """The file of a module's source; None where there is none, as of compiled code. Nothing is imported to find it."""
    top, *inner = module.split(".")
    spec = find_spec(top)
    if spec is None:
        return None
    if not inner:
        return Path(spec.origin) if spec.origin and spec.origin.endswith(".py") else None
    for location in spec.submodule_search_locations or ():
        stem = Path(location, *inner)
        for file in (stem / "__init__.py", stem.with_name(f"{stem.name}.py")):
            if file.is_file():
                return file
    return None


def exists(module: str) -> bool:
    """Whether there is source of a module of this name."""
    return path_of(module) is not None


@cache
def tree(module: str) -> ast.Module:
    """The source of a module without what is there to be read by people, or for type checking, alone."""
    path = path_of(module)
    whole = ast.parse(path.read_bytes()) if path else ast.Module([], [])
    return ast.fix_missing_locations(_Essence().visit(whole))


def text(module: str) -> str:
    """`tree` as text."""
    return ast.unparse(tree(module))


@cache
def groups_of(module: str) -> frozenset[str]:
    """The names of groups that the classes of a module are declared to belong to, read without importing it."""
    try:
        nodes = [node for node in ast.walk(tree(module)) if isinstance(node, ast.Assign | ast.AnnAssign)]
    except (SyntaxError, ValueError, ImportError):  # a broken module says so when it is imported
        return frozenset()
    found: set[str] = set()
    for node in nodes:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if any(isinstance(target, ast.Name) and target.id == "groups" for target in targets) and node.value:
            found |= {inner.value for inner in ast.walk(node.value) if isinstance(inner, ast.Constant)}  # type: ignore[misc]
    return frozenset(name for name in found if isinstance(name, str))


def imports(module: str) -> Iterator[str]:
    """The names of the modules that a module imports, those that can be found."""
    for _, name, _ in imported_names(module):
        if exists(name):
            yield name


@cache
def imported_names(module: str) -> tuple[tuple[str, str, str], ...]:
    """Each name that is imported, with the module that it is, or that holds it and under which name there."""
    return tuple(_names_in(tree(module), module))


def _names_in(nodes: ast.AST, module: str) -> Iterator[tuple[str, str, str]]:
    for node in ast.walk(nodes):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0], alias.name, ""
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, module)
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                place = (inner, "") if exists(inner) else (base, alias.name)
                yield alias.asname or alias.name, *place


def _absolute(node: ast.ImportFrom, module: str) -> str:
    if not node.level:
        return str(node.module)
    path = path_of(module)
    package = module.split(".") if path and path.name == "__init__.py" else module.split(".")[:-1]
    parts = package[: len(package) - node.level + 1]
    return ".".join([*parts, *([node.module] if node.module else [])])


def parents(module: str) -> list[str]:
    """The packages that a module is in, outermost first."""
    parts = module.split(".")
    return [".".join(parts[:size]) for size in range(1, len(parts))]


def is_dynamic(module: str) -> bool:
    """Whether a module imports or runs others in a way that cannot be read from its text."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Call) and _is_dynamic_call(node.func):
            return True
        if isinstance(node, ast.Import) and any(_is_loader(alias.name) for alias in node.names):
            return True
        if isinstance(node, ast.ImportFrom) and not node.level and _is_loader(str(node.module)):
            return True
    return False


def _is_dynamic_call(function: ast.AST) -> bool:
    """Whether a call may import or run what the text does not show; `model.eval()` is none."""
    if isinstance(function, ast.Name):
        return function.id in DYNAMIC_CALLS
    return isinstance(function, ast.Attribute) and function.attr == "import_module"


def _is_loader(module: str) -> bool:
    static = any(module == part or module.startswith(f"{part}.") for part in STATIC_PARTS)
    return not static and module.partition(".")[0] in DYNAMIC_MODULES


def package_members(module: str) -> list[str]:
    """All modules of the innermost package that a module is in; the module itself where it is in none."""
    path = path_of(module)
    if path is None:
        return []
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    if not package:
        return []
    inside = sorted(file.relative_to(path.parent) for file in path.parent.rglob("*.py"))
    names = [".".join([package, *file.with_suffix("").parts]).removesuffix(".__init__") for file in inside]
    return [name for name in names if exists(name)]


def files_of(modules: Iterable[str]) -> dict[str, bytes]:
    """The files that are no source, such as weights, in the folders of the packages that the modules make up."""
    found: dict[str, bytes] = {}
    for module in modules:
        path = path_of(module)
        if path is not None and path.name == "__init__.py":
            for file in sorted(path.parent.rglob("*")):
                parts = file.relative_to(path.parent).parts
                own = not any(
                    (path.parent / Path(*parts[:size]) / "__init__.py").exists() for size in range(1, len(parts))
                )
                if own and file.is_file() and not _is_trace(parts):
                    found[f"{module}/{'/'.join(parts)}"] = file.read_bytes()
    return found


def _is_trace(parts: tuple[str, ...]) -> bool:
    """Whether a file is source, text, or a trace of an editor or of the interpreter."""
    hidden = any(part == "__pycache__" or part.startswith(".") for part in parts)
    return hidden or parts[-1].endswith(NOT_SOURCE)


WORDS = ("references", "ahead", "simulated_pairs")
"""Attributes of a plug-in that are there to be read, or that save work and change no number."""


class _Essence(ast.NodeTransformer):
    """A module without docstrings, references, help texts, the texts of errors, and what is for type checking alone."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if getattr(node, "body", None) == []:
            node.body = [ast.Pass()]  # type: ignore[attr-defined]
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        constant = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if constant else self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> ast.AST | None:
        names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        return None if any(name.startswith("__") or name in WORDS for name in names) else self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        return None if isinstance(node.target, ast.Name) and node.target.id in WORDS else self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        if isinstance(node.exc, ast.Call):
            node.exc = node.exc.func
        return self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> ast.AST | None:
        return None if node.arg == "help" else self.generic_visit(node)

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        node.msg = None
        return self.generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.AST]:
        name = node.test.attr if isinstance(node.test, ast.Attribute) else getattr(node.test, "id", None)
        if name != "TYPE_CHECKING":
            return self.generic_visit(node)
        visited = [self.visit(inner) for inner in node.orelse]
        return [inner for inner in visited if inner is not None]
