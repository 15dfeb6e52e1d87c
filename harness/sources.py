"""The source that determines numbers, as a digest: of a plug-in with all that it imports, or of one of its functions.

Comments, docstrings, formatting, help texts and the texts of errors do not count, nor what is imported for type
checking alone. Imports are followed through the modules of the plug-in's own distribution; `harness` is followed from
its own modules only. A module that imports others in a way that cannot be read from its text (`importlib`,
`subprocess`, `exec`, ...) stands for the whole package that it is in. Files beside the modules, such as weights, count.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import Distribution
from importlib.util import find_spec
from pathlib import Path

DYNAMIC_MODULES = ("importlib", "runpy", "subprocess", "pkgutil", "imp")
STATIC_PARTS = ("importlib.resources", "importlib.metadata")
DYNAMIC_CALLS = ("__import__", "exec", "eval", "import_module")  # by these names alone: `network.eval()` is none
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
NOT_SOURCE = (".py", ".pyc", ".pyi", ".md", ".rst")


@cache
def of_module(module: str, tops: frozenset[str] = frozenset()) -> str:
    """SHA-256 of a module with all that it imports from its own top-level package, and from `tops`, other ones.

    Raises:
        ModuleNotFoundError: there is no such module.
    """
    if _path(module) is None:
        raise ModuleNotFoundError(f"No module named {module!r}")
    members = closure(module, tops)
    return _digest({name: _text(name) for name in members}, _files(members))


def tops_of(distribution: Distribution | None) -> frozenset[str]:
    """The top-level packages of a plug-in's distribution, as far as it names them; never `harness`."""
    if distribution is None:
        return frozenset()
    named = distribution.read_text("top_level.txt")
    if named is None:
        files = (path.parts[0].removesuffix(".py") for path in distribution.files or ())
        return frozenset(name for name in files if name.isidentifier()) - {"harness"}
    return frozenset(named.split()) - {"harness"}


def of_modules(*modules: str) -> str:
    """SHA-256 of several modules with all that they import."""
    return hashlib.sha256("\n".join(of_module(module) for module in sorted(modules)).encode()).hexdigest()


@cache
def of_class(module: str, owner: str, without: tuple[str, ...], tops: frozenset[str] = frozenset()) -> str:
    """SHA-256 of a class, and of those that it is derived from, without some methods, with all that they name.

    Definitions are followed from name to name, through the modules of the own top-level package and of `tops`; where a
    whole module is imported, all of it counts with all that it imports.

    Raises:
        ModuleNotFoundError: there is no such module.
    """
    own = frozenset({module.partition(".")[0], *tops})
    texts: dict[str, str] = {}
    modules: set[str] = set()
    waiting = [(module, owner, True)]
    while waiting:
        place, name, partly = waiting.pop()
        found = _find(place, name, own)
        if found is None or f"{found[0]}:{found[1]}" in texts:
            continue
        place, name = found
        if not name:
            modules |= closure(place, tops)
            continue
        node = _definitions(_tree(place))[name]
        parts = _members(node, without) if partly else [node]
        texts[f"{place}:{name}"] = "\n".join(ast.unparse(part) for part in parts)
        bases = _names_of_bases(node) if partly else []
        waiting += [(place, base, True) for base in bases]
        waiting += [(place, inner, False) for part in parts for inner in _names(part) if inner not in bases]
    return _digest({**texts, **{name: _text(name) for name in modules}}, _files(modules))


def _find(module: str, name: str, own: frozenset[str]) -> tuple[str, str] | None:
    """Where a name that a module uses is defined, as module and name; a whole module has no name.

    None for a name that is not defined in these top-level packages.
    """
    tree = _tree(module)
    if name in _definitions(tree):
        return module, name
    for known, origin, inner in _imported(module):
        if known == name and origin.partition(".")[0] in own:
            return _find(origin, inner, own) if inner else (origin, "")
    return None


def _members(node: ast.AST, without: tuple[str, ...]) -> list[ast.AST]:
    """Of a class all that it holds without some methods; anything else as a whole."""
    if not isinstance(node, ast.ClassDef):
        return [node]
    return [item for item in node.body if getattr(item, "name", None) not in without]


def _names_of_bases(node: ast.AST) -> list[str]:
    return [base for item in getattr(node, "bases", ()) for base in _names(item)]


@cache
def closure(module: str, tops: frozenset[str] = frozenset()) -> frozenset[str]:
    """The module and all modules of its own top-level package, and of `tops`, that it imports, directly or not."""
    own = {module.partition(".")[0], *tops}
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        waiting += [parent for parent in _parents(name) if parent not in found]
        waiting += [other for other in _imports(name) if other.partition(".")[0] in own]
        if _is_dynamic(name):
            waiting += _package_members(name)
    return frozenset(found)


@cache
def imported(module: str) -> frozenset[str]:
    """The modules that a module imports itself, those that can be found, of whatever package."""
    return frozenset(_imports(module))


@cache
def groups_of(module: str) -> frozenset[str]:
    """The names of groups that the classes of a module are declared to belong to, read without importing it."""
    try:
        nodes = [node for node in ast.walk(_tree(module)) if isinstance(node, ast.Assign | ast.AnnAssign)]
    except (SyntaxError, ValueError, ImportError):  # a broken module says so when it is imported
        return frozenset()
    found: set[str] = set()
    for node in nodes:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if any(isinstance(target, ast.Name) and target.id == "groups" for target in targets) and node.value:
            found |= {inner.value for inner in ast.walk(node.value) if isinstance(inner, ast.Constant)}  # type: ignore[misc]
    return frozenset(name for name in found if isinstance(name, str))


def _parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:size]) for size in range(1, len(parts))]


@cache
def _path(module: str) -> Path | None:
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


@cache
def _tree(module: str) -> ast.Module:
    path = _path(module)
    tree = ast.parse(path.read_bytes()) if path else ast.Module([], [])
    return ast.fix_missing_locations(_Essence().visit(tree))


def _text(module: str) -> str:
    return ast.unparse(_tree(module))


class _Essence(ast.NodeTransformer):
    """A module without docstrings, help texts, the texts of errors, and what is there for type checking alone."""

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
        return None if any(name.startswith("__") for name in names) else self.generic_visit(node)

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


def _imports(module: str) -> Iterator[str]:
    """The names of the modules that a module imports, those that can be found."""
    for _, name, _ in _imported(module):
        if _exists(name):
            yield name


@cache
def _imported(module: str) -> tuple[tuple[str, str, str], ...]:
    return tuple(_imported_names(_tree(module), module))


def _imported_names(tree: ast.AST, module: str) -> Iterator[tuple[str, str, str]]:
    """Each name that is imported, with the module that it is, or that holds it and under which name there."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0], alias.name, ""
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, module)
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                place = (inner, "") if _exists(inner) else (base, alias.name)
                yield alias.asname or alias.name, *place


def _absolute(node: ast.ImportFrom, module: str) -> str:
    if not node.level:
        return str(node.module)
    path = _path(module)
    package = module.split(".") if path and path.name == "__init__.py" else module.split(".")[:-1]
    parts = package[: len(package) - node.level + 1]
    return ".".join([*parts, *([node.module] if node.module else [])])


def _exists(module: str) -> bool:
    return _path(module) is not None


def _is_dynamic(module: str) -> bool:
    for node in ast.walk(_tree(module)):
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


def _package_members(module: str) -> list[str]:
    """All modules of the innermost package that a module is in; the module itself where it is in none."""
    path = _path(module)
    if path is None:
        return []
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    if not package:
        return []
    inside = sorted(file.relative_to(path.parent) for file in path.parent.rglob("*.py"))
    names = [".".join([package, *file.with_suffix("").parts]).removesuffix(".__init__") for file in inside]
    return [name for name in names if _exists(name)]


def _files(modules: Iterable[str]) -> dict[str, bytes]:
    """The files that are no source, such as weights, in the folders of the packages that the modules make up."""
    found: dict[str, bytes] = {}
    for module in modules:
        path = _path(module)
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


def _definitions(tree: ast.Module) -> dict[str, ast.AST]:
    """The functions, classes and values that a module defines at its top, by name."""
    found: dict[str, ast.AST] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found.update({target.id: node for target in targets if isinstance(target, ast.Name)})
    return found


def _names(node: ast.AST) -> list[str]:
    """The names that a definition takes from outside; those of its arguments and variables are its own."""
    return sorted(_free(node))


def _free(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Name):
        return {node.id} if isinstance(node.ctx, ast.Load) else set()
    found: set[str] = set().union(*(_free(child) for child in ast.iter_child_nodes(node)))
    return found - _bound(node) if isinstance(node, SCOPES) else found


def _bound(node: ast.AST) -> set[str]:
    inner = list(ast.walk(node))
    stored = {item.id for item in inner if isinstance(item, ast.Name) and isinstance(item.ctx, ast.Store)}
    return stored | {item.arg for item in inner if isinstance(item, ast.arg)}


def _digest(texts: dict[str, str], files: dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in sorted({**{key: text.encode() for key, text in texts.items()}, **files}.items()):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()
