"""Small TOML files as dataclasses, from entry points and from a reader's own paths; errors name file, field and values.

An entry point of `harness.claims` or `harness.ablations` names a package, in which each `.toml` is one claim or one
ablation; its name is that of the file.
"""

from __future__ import annotations

import logging
import math
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from importlib.metadata import EntryPoint, entry_points
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar, get_origin

from harness.errors import UsageError, unknown
from harness.options import hints, required, value_of

Made = TypeVar("Made")
SUFFIX = ".toml"

logger = logging.getLogger(__name__)


def delivered(group: str, made: Callable[[str, Mapping[str, Any], str], Made]) -> dict[str, Made]:
    """What the entry points of a group deliver, by name, in alphabetical order.

    Args:
        group: of entry points, such as `harness.claims`.
        made: makes one of its name, its content and what errors call it.
    """
    found: dict[str, Made] = {}
    for entry in sorted(entry_points(group=group), key=lambda entry: entry.name):
        for name, text, where in _texts(entry):
            try:
                found.setdefault(name, made(name, parsed(text, where), where))
            except UsageError as error:  # a stranger's file must not stop the others
                logger.warning("%s It is left out.", error)
    return dict(sorted(found.items()))


def own(path: Path, made: Callable[[str, Mapping[str, Any], str], Made]) -> tuple[str, Made]:
    """What a reader's own file holds, with its name.

    Raises:
        UsageError: it cannot be read, or has a field or a value that is not allowed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{str(path)!r} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    return path.stem, made(path.stem, parsed(text, str(path)), str(path))


def parsed(text: str, where: str) -> dict[str, Any]:
    """TOML text as tables.

    Raises:
        UsageError: it is no TOML.
    """
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"{where} is no TOML: {error}.") from error


def filled(kind: type[Made], given: Mapping[str, Any], where: str) -> Made:
    """A dataclass with the values of a table; a text may stand for a list of one.

    Raises:
        UsageError: an unknown or a missing field, or a value that is not allowed.
    """
    types = hints(kind)
    for name in given:
        if name not in types:
            raise unknown(f"field of {where}:", name, types)
    missing = [item.name for item in fields(kind) if required(item) and item.name not in given]  # type: ignore[arg-type]
    if missing:
        raise UsageError(f"{where} has no field {missing[0]!r}. Fields: {', '.join(types)}.")
    return kind(**{name: _value(value, types[name], f"{where}: {name}") for name, value in given.items()})


def _value(value: Any, kind: Any, name: str) -> Any:
    several = get_origin(kind) is tuple
    given = [value] if several and isinstance(value, str) else value
    if several and not (isinstance(given, list) and all(isinstance(each, str) for each in given)):
        raise UsageError(f"{name} = {value!r} is not allowed. Allowed: a text, or a list of texts.")
    if kind is str and not isinstance(value, str):
        raise UsageError(f"{name} = {value!r} is not allowed. Allowed: a text in quotes.")
    if isinstance(value, bool) or (isinstance(value, float) and not math.isfinite(value)):
        raise UsageError(f"{name} = {str(value).lower()} is not allowed. Allowed: a finite number.")
    try:
        found = value_of(given, kind, name)
        return " ".join(found.split()) if kind is str else found
    except OverflowError as error:
        raise UsageError(f"{name} is a number too large to calculate with. Give one below 1e300.") from error


def _texts(entry: EntryPoint) -> Iterator[tuple[str, str, str]]:
    """Name, text and what errors call it of each file of a package; none, with a warning, where it cannot be used."""
    try:
        folder = files(entry.load().__name__)
        for item in sorted(folder.iterdir(), key=lambda item: item.name):
            if item.name.endswith(SUFFIX):
                name = item.name.removesuffix(SUFFIX)
                yield name, item.read_text(encoding="utf-8"), f"{item.name} of {entry.value}"
    except (Exception, SystemExit) as error:  # whatever a stranger's package raises
        text = " ".join(f"{type(error).__name__}: {error}".split())
        logger.warning("The files of %r are left out, for they cannot be read: %s", entry.value, text)
