"""The source that determines numbers, as a digest: of a plug-in with all that it imports, or of one of its functions.

Comments, docstrings, formatting, help texts and the texts of errors do not count, nor what is imported for type
checking alone. Imports are followed through the modules of the plug-in's own distribution; `harness` is followed from
its own modules only, and not through `harness` itself, which holds the names for users and nothing that numbers come
from. A module that imports others in a way that cannot be read from its text (`importlib`,
`subprocess`, `exec`, ...) stands for the whole package that it is in. Files beside the modules, such as weights, count.
"""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from importlib.metadata import Distribution

from harness import modules

FRONT = "harness"
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@cache
def of_module(module: str, tops: frozenset[str] = frozenset()) -> str:
    """SHA-256 of a module with all that it imports from its own top-level package, and from `tops`, other ones.

    Raises:
        ModuleNotFoundError: there is no such module.
    """
    if modules.path_of(module) is None:
        raise ModuleNotFoundError(f"No module named {module!r}")
    members = closure(module, tops)
    return _digest({name: modules.text(name) for name in members}, modules.files_of(members))


@cache
def tops_of(distribution: Distribution | None) -> frozenset[str]:
    """The top-level packages of a plug-in's distribution, as far as it names them; never `harness`."""
    if distribution is None:
        return frozenset()
    named = distribution.read_text("top_level.txt")
    if named is None:
        files = (path.parts[0].removesuffix(".py") for path in distribution.files or ())
        return frozenset(name for name in files if name.isidentifier()) - {"harness"}
    return frozenset(named.split()) - {"harness"}


def of_modules(*names: str) -> str:
    """SHA-256 of several modules with all that they import."""
    return hashlib.sha256("\n".join(of_module(name) for name in sorted(names)).encode()).hexdigest()


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
    whole: set[str] = set()
    waiting = [(module, owner, True)]
    while waiting:
        place, name, partly = waiting.pop()
        found = _find(place, name, own)
        if found is None or f"{found[0]}:{found[1]}" in texts:
            continue
        place, name = found
        if not name:
            whole |= closure(place, tops)
            continue
        node = _definitions(modules.tree(place))[name]
        parts = _members(node, without) if partly else [node]
        texts[f"{place}:{name}"] = "\n".join(ast.unparse(part) for part in parts)
        bases = _names_of_bases(node) if partly else []
        waiting += [(place, base, True) for base in bases]
        waiting += [(place, inner, False) for part in parts for inner in _names(part) if inner not in bases]
    return _digest({**texts, **{name: modules.text(name) for name in whole}}, modules.files_of(whole))


def _find(module: str, name: str, own: frozenset[str]) -> tuple[str, str] | None:
    """Where a name that a module uses is defined, as module and name; a whole module has no name.

    None for a name that is not defined in these top-level packages.
    """
    tree = modules.tree(module)
    if name in _definitions(tree):
        return module, name
    for known, origin, inner in modules.imported_names(module):
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
        if name in found or name == FRONT:
            continue
        found.add(name)
        waiting += [parent for parent in modules.parents(name) if parent not in found]
        waiting += [other for other in modules.imports(name) if other.partition(".")[0] in own]
        if modules.is_dynamic(name):
            waiting += modules.package_members(name)
    return frozenset(found)


@cache
def imported(module: str) -> frozenset[str]:
    """The modules that a module imports itself, those that can be found, of whatever package."""
    return frozenset(modules.imports(module))


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
