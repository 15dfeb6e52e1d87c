"""Finds plug-ins by entry point, and builds them from a specification.

Our own plug-ins arrive here exactly like a stranger's: by the groups `harness.methods`, `harness.tasks`,
`harness.scenarios` and `harness.protocols`.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Literal

from harness import modules, sources
from harness.declaration import sound
from harness.errors import TRAINING, UsageError, not_installed, unknown
from harness.extras import needed
from harness.options import instantiate

if TYPE_CHECKING:
    from harness.contracts import Method, Task
    from harness.protocols.contract import Protocol
    from harness.scenarios.contract import Scenario
    from harness.settings import Sizes

Kind = Literal["methods", "tasks", "scenarios", "protocols"]
BASES: dict[Kind, tuple[str, str]] = {
    "methods": ("harness.contracts", "Method"),
    "tasks": ("harness.contracts", "Task"),
    "scenarios": ("harness.scenarios.contract", "Scenario"),
    "protocols": ("harness.protocols.contract", "Protocol"),
}
"""The class that a plug-in of each kind is derived from."""


SHOWING = ("numbers", "tables", "figures", "refusal")
"""The methods of a protocol that show its scores, or say which it cannot have, and do not determine them."""

NAME = re.compile(r"\w[\w.+-]*")
"""The names of plug-ins that a selection can hold."""


class Plugin:
    """One entry point: a method or a task that is installed, whether or not it can be imported.

    Args:
        kind: what the entry point is registered as.
        entry: the entry point, which is not loaded yet.
        rivals: distributions that register the same name, where there are several.
    """

    def __init__(self, kind: Kind, entry: EntryPoint, rivals: tuple[str, ...] = ()) -> None:
        self.kind = kind
        self.name = entry.name
        self.entry = entry
        self.rivals = rivals
        """Distributions that register the same name, where there are several."""
        self.needs: str | None = None
        """Where it was imported and an optional package was not there: `needs`, and what to install."""
        self.distribution = entry.dist.name if entry.dist else "unknown"
        self.release = entry.dist.version if entry.dist else "unknown"

    @cached_property
    def _loaded(self) -> tuple[type | None, str | None]:
        if self.rivals:
            return None, f"registered by {' and by '.join(self.rivals)}: uninstall all but one"
        if not NAME.fullmatch(self.name):
            return (
                None,
                f"the name {self.name!r} cannot stand in a selection: use letters, digits, and - _ . + after one",
            )
        if self.name == "all":
            return None, "the name 'all' stands for all that are installed: register it under another name"
        if not self.module:
            return None, f"its entry point {self.entry.value!r} is none: write module:attribute"
        try:
            loaded = plugin_class(self.kind, self.name, self.entry.load())
            sound(loaded)
            return loaded, None
        except MemoryError:
            return None, "MemoryError: it needs more memory than there is, so end other programs and call again"
        except (Exception, SystemExit) as error:  # whatever a stranger's module raises must not stop the others
            self.needs = needed(error, self.entry.dist)
            text = " ".join(str(error).split())
            return None, self.needs or (f"{type(error).__name__}: {text}" if text else type(error).__name__)

    @property
    def module(self) -> str:
        """The module that the entry point names; empty where it names none in the form `module:attribute`."""
        try:
            return self.entry.module
        except AttributeError:
            return ""

    @property
    def error(self) -> str | None:
        """Why the plug-in cannot be used; None where it can. Imports it."""
        return self.clash or self._loaded[1]

    @cached_property
    def clash(self) -> str | None:
        """Why its name cannot be told from that of a group; None where it can. Imports nothing."""
        for other in discover(self.kind).values():
            if other.entry != self.entry and self.name in modules.groups_of(other.module):
                return (
                    f"{self.name!r} is the name of a group, to which {other.name} of distribution "
                    f"{other.distribution!r} belongs: register it under another name"
                )
        return None

    def load(self) -> type:
        """The class of the method or task.

        Raises:
            UsageError: the plug-in is broken.
        """
        loaded, error = self._loaded
        if loaded is None:
            raise UsageError(self.described(error))
        return loaded

    def described(self, error: str | None) -> str:
        """In a sentence, why the plug-in cannot be used.

        Args:
            error: why it cannot be used, as `Plugin.error`.
        """
        for package in TRAINING:
            if error == f"ModuleNotFoundError: No module named {package!r}":
                return not_installed(package)
        named = f"{self.kind.removesuffix('s').capitalize()} {self.name!r}"
        if self.needs:
            return f"{named} {self.needs}"
        return (
            f"{named} of distribution {self.distribution!r} is broken: {error}. Repair or uninstall that distribution, "
            "or select others."
        )

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
        """SHA-256 of the source of the module that the entry point names, with all that it imports of its own.

        Of a protocol, only what determines its scores counts.
        """
        module, tops = self.entry.module, sources.tops_of(self.entry.dist)
        if self.kind == "protocols":
            return sources.of_class(module, self.entry.attr.partition(".")[0], SHOWING, tops)
        return sources.of_module(module, tops)


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
    """SHA-256 of the plug-in's source and of what it imports of its own; of a protocol, of what its score uses."""
    groups: tuple[str, ...] = ()
    identity: Mapping[str, Any] | None = field(default=None, hash=False)
    """The options that determine numbers, where not all of them do."""
    fingerprint: str = ""
    """Hash of what the plug-in reads besides its package, such as the user's data."""

    @property
    def declared(self) -> dict[str, Any]:
        """The options that a record declares and a key knows: those that determine numbers."""
        return dict(self.options if self.identity is None else self.identity)


def plugin_class(kind: Kind, name: str, found: Any) -> type:
    """What an entry point led to, as a class: one derived from the base of its kind, or a function as a method.

    Args:
        kind: what the entry point is registered as.
        name: of the plug-in.
        found: what the entry point led to.

    Raises:
        TypeError: it is none of them.
    """
    module, base = BASES[kind]
    wanted: type = getattr(import_module(module), base)
    if inspect.isclass(found) and issubclass(found, wanted):
        return found
    if kind == "methods" and callable(found) and not inspect.isclass(found):
        from harness.adapter import from_function

        return from_function(found, name)
    also = " or a function (x_train, y_train) -> propose" if kind == "methods" else ""
    raise TypeError(f"{found!r} is not a subclass of {module}.{base}{also}")


def discover(kind: Kind) -> dict[str, Plugin]:
    """All installed plug-ins of a kind by name, in alphabetical order; none is imported yet.

    Args:
        kind: `methods`, `tasks`, `scenarios` or `protocols`.
    """
    return dict(_discovered(kind, tuple(sys.path)))


@cache
def _discovered(kind: Kind, path: tuple[str, ...]) -> dict[str, Plugin]:
    """The plug-ins on a search path, which is looked through once."""
    found = sorted(entry_points(group=f"harness.{kind}"), key=lambda entry: entry.name)
    times = Counter(entry.name for entry in found)
    rivals = {
        name: tuple(entry.dist.name if entry.dist else "unknown" for entry in found if entry.name == name)
        for name, count in times.items()
        if count > 1
    }
    return {entry.name: Plugin(kind, entry, rivals.get(entry.name, ())) for entry in found}


def broken() -> list[Plugin]:
    """The plug-ins that cannot be used, of those that were imported so far."""
    seen = [plugin for kind in BASES for plugin in discover(kind).values()]
    return [plugin for plugin in seen if plugin.clash or ("_loaded" in vars(plugin) and plugin.error)]


def get(kind: Kind, name: str) -> Plugin:
    """The installed plug-in of exactly this name.

    Args:
        kind: `methods`, `tasks`, `scenarios` or `protocols`.
        name: of the plug-in.
    """
    plugins = discover(kind)
    if name not in plugins:
        raise unknown(kind.removesuffix("s"), name, plugins)
    return plugins[name]


def build_method(spec: PluginSpec) -> Method:
    """The method that a specification describes, in its initial state: not built, not trained.

    Args:
        spec: name and options, all resolved.
    """
    return _build("methods", spec)


def build_task(spec: PluginSpec, scenario: PluginSpec | None = None) -> Task:
    """The task that a specification describes, as it is in a scenario.

    Args:
        spec: name and options, all resolved.
        scenario: likewise; None for the base.
    """
    task: Task = _build("tasks", spec)
    return build_scenario(scenario).task(task)


def build_scenario(spec: PluginSpec | None) -> Scenario:
    """The scenario that a specification describes; None describes the base, which changes nothing.

    Args:
        spec: name and options, all resolved.
    """
    from harness.scenarios.contract import Scenario

    return Scenario() if spec is None else _build("scenarios", spec)


def build_protocol(spec: PluginSpec) -> Protocol:
    """The protocol that a specification describes.

    Args:
        spec: name and options, all resolved.
    """
    return _build("protocols", spec)


def require_scorable(protocol: Protocol, sizes: Sizes | None = None) -> None:
    """Refuse a protocol whose own `refusal` says that it cannot be scored, at sizes where these are known.

    Args:
        protocol: with the options that are wanted.
        sizes: numbers of proposals; None where they are not known yet.

    Raises:
        UsageError: with its reason.
    """
    reason = getattr(protocol, "refusal", lambda sizes: None)(sizes)
    if reason:
        raise UsageError(f"{protocol.name}: {reason}")


def _build(kind: Kind, spec: PluginSpec) -> Any:
    loaded: Any = get(kind, spec.name).load()
    return loaded(instantiate(loaded.Options, spec.options, spec.name))
