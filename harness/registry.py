"""Finds methods and tasks by entry point, and builds them from a specification.

Our own plug-ins arrive here exactly like a stranger's: by the groups `harness.methods` and `harness.tasks`.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.errors import UsageError, unknown
from harness.options import instantiate

if TYPE_CHECKING:
    from harness.contracts import Method, Task

Kind = Literal["methods", "tasks"]


class Plugin:
    """One entry point: a method or a task that is installed, whether or not it can be imported."""

    def __init__(self, kind: Kind, entry: EntryPoint, rivals: tuple[str, ...] = ()) -> None:
        self.kind = kind
        self.name = entry.name
        self.entry = entry
        self.rivals = rivals
        """Distributions that register the same name, where there are several."""
        self.distribution = entry.dist.name if entry.dist else "unknown"
        self.release = entry.dist.version if entry.dist else "unknown"

    @cached_property
    def _loaded(self) -> tuple[type | None, str | None]:
        if self.rivals:
            return None, f"registered by {' and by '.join(self.rivals)}: uninstall all but one"
        try:
            return plugin_class(self.kind, self.name, self.entry.load()), None
        except Exception as error:  # whatever a stranger's module raises must not stop the others
            return None, f"{type(error).__name__}: {error}"

    @property
    def error(self) -> str | None:
        """Why the plug-in cannot be used; None where it can. Imports it."""
        return self._loaded[1]

    def load(self) -> type:
        """The class of the method or task.

        Raises:
            UsageError: the plug-in is broken.
        """
        loaded, error = self._loaded
        if loaded is None:
            raise UsageError(
                f"{self.kind.removesuffix('s').capitalize()} {self.name!r} of distribution {self.distribution!r} "
                f"is broken: {error}. Repair or uninstall that distribution, or select others."
            )
        return loaded

    @property
    def version(self) -> str:
        """The version of the class itself, which is part of a cell's key; that of its distribution is `release`."""
        loaded: Any = self.load()
        return str(loaded.version)

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups that the class names itself a member of; none where it is broken."""
        loaded: Any = self._loaded[0]
        return () if loaded is None else tuple(loaded.groups)

    @property
    def required(self) -> tuple[str, ...]:
        """Options without which the plug-in cannot be built; none where it is broken."""
        return tuple(getattr(self._loaded[0], "required", ()))

    @property
    def source(self) -> str:
        """SHA-256 of the files of the top-level package or module that the entry point names."""
        return source_hash(self.entry.module.partition(".")[0])


@dataclass(frozen=True)
class PluginSpec:
    """A method or task with everything that decides what it does; plain values that can be pickled."""

    name: str
    version: str
    options: Mapping[str, Any] = field(hash=False)
    """All options, resolved: defaults, then the preset's, then the user's."""
    label: str
    """The name with the options that the user gave."""
    source: str
    """SHA-256 of the files of the plug-in's package: source, data and weights."""
    groups: tuple[str, ...] = ()
    fingerprint: str = ""
    """Hash of what the plug-in reads besides its package, such as the user's data."""

    def declared(self) -> dict[str, Any]:
        """What is hashed into a cell's key."""
        parts = {"name": self.name, "version": self.version, "options": dict(self.options), "source": self.source}
        return {**parts, "fingerprint": self.fingerprint} if self.fingerprint else parts


def plugin_class(kind: Kind, name: str, found: Any) -> type:
    """What an entry point led to, as a class: a `Task`, a `Method`, or a function wrapped as a method.

    Raises:
        TypeError: it is none of them.
    """
    from harness.contracts import Method, Task

    wanted: type = Method if kind == "methods" else Task
    if inspect.isclass(found) and issubclass(found, wanted):
        return found
    if kind == "methods" and callable(found) and not inspect.isclass(found):
        from harness.adapter import from_function

        return from_function(found, name)
    also = " or a function (x_train, y_train) -> propose" if kind == "methods" else ""
    raise TypeError(f"{found!r} is not a subclass of harness.contracts.{wanted.__name__}{also}")


def discover(kind: Kind) -> dict[str, Plugin]:
    """All installed plug-ins of a kind by name, in alphabetical order; none is imported yet."""
    found = sorted(entry_points(group=f"harness.{kind}"), key=lambda entry: entry.name)
    times = Counter(entry.name for entry in found)
    rivals = {
        name: tuple(entry.dist.name if entry.dist else "unknown" for entry in found if entry.name == name)
        for name, count in times.items()
        if count > 1
    }
    return {entry.name: Plugin(kind, entry, rivals.get(entry.name, ())) for entry in found}


def get(kind: Kind, name: str) -> Plugin:
    """The installed plug-in of exactly this name."""
    plugins = discover(kind)
    if name not in plugins:
        raise unknown(kind.removesuffix("s"), name, plugins)
    return plugins[name]


def build_method(spec: PluginSpec) -> Method:
    """The method that a specification describes, in its initial state: not built, not trained."""
    return _build("methods", spec)


def build_task(spec: PluginSpec) -> Task:
    """The task that a specification describes."""
    return _build("tasks", spec)


def _build(kind: Kind, spec: PluginSpec) -> Any:
    loaded: Any = get(kind, spec.name).load()
    return loaded(instantiate(loaded.Options, spec.options, spec.name))


@cache
def source_hash(package: str) -> str:
    """SHA-256 over the names and contents of the files of a top-level package or module: source, data and weights."""
    spec = find_spec(package)
    if spec is None:
        raise ModuleNotFoundError(f"No module named {package!r} on {sys.path}")
    if spec.submodule_search_locations:
        roots = [Path(location) for location in spec.submodule_search_locations]
        return hash_files([(root, path) for root in roots for path in sorted(root.rglob("*")) if _shipped(path, root)])
    origin = Path(str(spec.origin))
    return hash_files([(origin.parent, origin)])


def _shipped(path: Path, root: Path) -> bool:
    """Whether a file is a part of the package rather than a trace of an editor or of the interpreter."""
    parts = path.relative_to(root).parts
    return path.is_file() and not any(part == "__pycache__" or part.startswith(".") for part in parts)


def hash_files(located: list[tuple[Path, Path]]) -> str:
    """SHA-256 over files, each named relative to its root."""
    digest = hashlib.sha256()
    for root, path in located:
        content = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()
