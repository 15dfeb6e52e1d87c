"""Typed options of a plug-in: a frozen dataclass says what is allowed, text or TOML says what is wanted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from harness.errors import UsageError, unknown

BOUNDS = {
    "least": (lambda value, bound: value >= bound, "{} or more"),
    "above": (lambda value, bound: value > bound, "more than {}"),
    "below": (lambda value, bound: value < bound, "less than {}"),
    "most": (lambda value, bound: value <= bound, "{} or less"),
}

SWITCH = {"on": True, "true": True, "off": False, "false": False}


def resolve(options: type, *layers: Mapping[str, Any], owner: str) -> dict[str, Any]:
    """All options of a plug-in as plain JSON values: the defaults of the dataclass `options`, then layer over layer.

    Raises:
        UsageError: an unknown option, a value of the wrong type, or one that the dataclass itself refuses.
    """
    given = {key: value for layer in layers for key, value in convert(options, layer, owner).items()}
    return asdict(instantiate(options, given, owner))


def instantiate(options: type, values: Mapping[str, Any], owner: str) -> Any:
    """The dataclass `options` with these values; what its own `__post_init__` refuses is a `UsageError`."""
    missing = [item.name for item in fields(options) if required(item) and item.name not in values]
    if missing:
        raise UsageError(f"{owner} needs a value for {', '.join(missing)}: write {owner}[{missing[0]}=...].")
    try:
        built = options(**values)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{owner} refuses its options {render(values)}: {error}") from error
    check(built, owner)
    return built


def check(settings: Any, owner: str, only: str | None = None) -> None:
    """Hold each field to its bounds; of a tuple, each of its values. With `only`, one field, which is `owner` itself.

    Raises:
        UsageError: naming the setting, its value and what is allowed.
    """
    for item in fields(settings):
        if only is not None and item.name != only:
            continue
        value, bounds = getattr(settings, item.name), item.metadata.get("bounds", {})
        values = value if isinstance(value, tuple) else (value,)
        if bounds and not all(one is None or _inside(one, bounds) for one in values):
            allowed = " and ".join(BOUNDS[name][1].format(bound) for name, bound in bounds.items())
            name = owner if only else f"{owner}.{item.name}"
            raise UsageError(f"{name} = {text_of(value)} is not allowed. Allowed: {allowed}.")


def _inside(value: Any, bounds: Mapping[str, float]) -> bool:
    return all(BOUNDS[name][0](value, bound) for name, bound in bounds.items())


def identity(options: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that determine numbers: all but those whose field says `field(metadata={"identity": False})`.

    Such an option says where something is or how fast it goes: a file whose contents are in `Task.fingerprint`, a
    number of processes. One that says `later` came when there were results, and with its default nothing is other than
    before: the default is left out. A field that a subclass declares again stays what it was.
    """
    declared = [item for base in options.__mro__ if is_dataclass(base) for item in fields(base)]
    without = {item.name for item in declared if not item.metadata.get("identity", True)}
    later = {item.name: item.default for item in declared if item.metadata.get("later")}
    return {
        key: value for key, value in values.items() if key not in without and not (key in later and value == later[key])
    }


def convert(options: type, given: Mapping[str, Any], owner: str) -> dict[str, Any]:
    """The given options, text turned into the types that the dataclass declares."""
    types = hints(options)
    for key in given:
        if key not in types:
            raise unknown(f"option of {owner}", key, types)
    return {key: value_of(value, types[key], f"{owner}[{key}]") for key, value in given.items()}


def value_of(value: Any, kind: Any, name: str) -> Any:
    """One value of the declared type `kind`, from text or from an already typed value.

    Raises:
        UsageError: with the value, what is allowed, and close matches where there are any.
    """
    for candidate in members(kind):
        matched, result = match(value, candidate)
        if matched:
            return result
    if any(get_origin(candidate) is Literal for candidate in members(kind)):
        raise unknown(f"value of {name}", text_of(value), describe(kind).split("|"))
    raise UsageError(f"{name} = {text_of(value)} is not allowed. Allowed: {words(kind)}.")


def match(value: Any, kind: Any) -> tuple[bool, Any]:
    """Whether a value (text or typed) is of one declared type, and what it is then."""
    if get_origin(kind) is Literal:
        named = {text_of(choice): choice for choice in get_args(kind)}
        return (True, named[text_of(value)]) if text_of(value) in named else (False, None)
    if kind is NoneType:
        return value is None or (isinstance(value, str) and value.lower() == "none"), None
    if kind is bool:
        result = SWITCH.get(value.lower()) if isinstance(value, str) else value
        return isinstance(result, bool), result
    if kind is str:
        return isinstance(value, str), value
    if kind in (int, float):
        return number(value, kind)
    if get_origin(kind) is tuple:
        return several(value, get_args(kind)[0])
    raise TypeError(
        f"Options of type {kind} cannot be given as text: use bool, int, float, str, Literal, a tuple or None."
    )


def number(value: Any, kind: type) -> tuple[bool, Any]:
    """Whether a value is a finite number of this kind; an int serves as float, never the other way round."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return False, None
    if kind is int and isinstance(value, float):
        return False, None
    try:
        result = kind(value)
    except ValueError:
        return False, None
    return math.isfinite(result), result


def several(value: Any, kind: Any) -> tuple[bool, Any]:
    """Whether a value is a list, or text joined by `+`, of values of one kind; and what it is then, as a tuple."""
    parts = value.split("+") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        return False, None
    matched = [match(part.strip() if isinstance(part, str) else part, kind) for part in parts]
    return all(fits for fits, _ in matched), tuple(found for _, found in matched)


def hints(options: type) -> dict[str, Any]:
    """The declared types of a dataclass, by field name."""
    declared = get_type_hints(options)
    return {item.name: declared[item.name] for item in fields(options)}


def members(kind: Any) -> tuple[Any, ...]:
    """The alternatives of a union, `None` first so that its text is not taken for a string."""
    if get_origin(kind) not in (Union, UnionType):
        return (kind,)
    return tuple(sorted(get_args(kind), key=lambda alternative: alternative is not NoneType))


def required(item: Field[Any]) -> bool:
    """Whether a field has no default."""
    return item.default is MISSING and item.default_factory is MISSING


def describe(kind: Any) -> str:
    """The allowed values of a declared type, as they are written in a selection."""
    if get_origin(kind) is Literal:
        return "|".join(text_of(choice) for choice in get_args(kind))
    if get_origin(kind) is tuple:
        return f"{describe(get_args(kind)[0])} joined by +"
    if len(members(kind)) > 1:
        return "|".join(describe(alternative) for alternative in reversed(members(kind)))
    return {bool: "on|off", NoneType: "none"}.get(kind, getattr(kind, "__name__", str(kind)))


def words(kind: Any, several: bool = False) -> str:
    """The allowed values of a declared type as an error says them, such as `a whole number or none`."""
    if get_origin(kind) is tuple:
        return f"{words(get_args(kind)[0], several=True)} joined by +"
    if len(members(kind)) > 1:
        return " or ".join(words(alternative, several) for alternative in reversed(members(kind)))
    named = {int: ("a whole number", "whole numbers"), float: ("a number", "numbers"), str: ("text", "texts")}
    return named[kind][several] if kind in named else describe(kind)


def text_of(value: Any) -> str:
    """A value as it is written in a selection; `value_of` reads it back."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple | list):
        return "+".join(text_of(item) for item in value)
    return "none" if value is None else str(value)


def render(values: Mapping[str, Any]) -> str:
    """Options as they are written in a selection, sorted: `[boundary_loss=off,candidates=50]`; empty for none."""
    if not values:
        return ""
    return "[" + ",".join(f"{key}={text_of(values[key])}" for key in sorted(values)) + "]"
