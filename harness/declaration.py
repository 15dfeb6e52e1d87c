"""Whether the options that a plug-in declares can be given as text, hashed and written to a record."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from harness.errors import UsageError
from harness.options import convert, hints, members, required, text_of, value_of

ALLOWED = "bool, int, float, str, Literal, a tuple[...] of one of them, or any of these | None"
COLLECTIONS = ("groups", "references", "handles", "finer", "required")
"""What a plug-in's class may say of itself in several texts."""
PLAIN = (bool, int, float, str, NoneType)


def sound(plugin: type) -> None:
    """Hold the `Options`, the `defaults` and the collections of names of a plug-in's class to what can be worked with.

    Raises:
        TypeError: naming the option, what it is, and what to write instead.
    """
    for name in COLLECTIONS:
        _texts(name, getattr(plugin, name, ()))
    options: Any = getattr(plugin, "Options", None)
    settings = getattr(options, "__dataclass_params__", None)
    if not isinstance(options, type) or not is_dataclass(options) or settings is None or not settings.frozen:
        raise TypeError(f"Options is {_name(options)}; make it a dataclass with @dataclass(frozen=True)")
    try:
        types = hints(options)
    except Exception as error:
        raise TypeError(f"the types of Options cannot be read ({type(error).__name__}: {error})") from error
    for item in fields(options):
        kind = types[item.name]
        if not all(_allowed(member) for member in members(kind)):
            raise TypeError(f"the option {item.name} is of type {_name(kind)}; declare it as {ALLOWED}")
        if not required(item):
            made = item.default_factory
            _default(item.name, item.default if made is MISSING else made(), kind)
    _defaults(options, getattr(plugin, "defaults", {}))


def _texts(name: str, value: Any) -> None:
    """Refuse a text, which would be taken for its letters, and all else that is no collection of texts."""
    if isinstance(value, str):
        raise TypeError(f"{name} is the text {value!r}; write a tuple: {name} = ({value!r},)")
    if not isinstance(value, Collection) or not all(isinstance(item, str) for item in value):
        raise TypeError(f"{name} is {value!r}; write a tuple of texts, such as {name} = ('one', 'two')")


def _allowed(kind: Any) -> bool:
    if get_origin(kind) is Literal:
        return all(isinstance(choice, PLAIN) for choice in get_args(kind))
    if get_origin(kind) is tuple:
        inner = get_args(kind)
        return len(inner) == 2 and inner[1] is Ellipsis and all(_allowed(member) for member in members(inner[0]))
    return kind in PLAIN


def _default(name: str, default: Any, kind: Any) -> None:
    plain = default if isinstance(default, tuple) else (default,)
    odd = next((value for value in plain if type(value) not in PLAIN), None)
    if odd is not None:
        raise TypeError(
            f"the option {name} has the default {default!r}, which is {_name(type(odd))}; give a value of {ALLOWED}: a "
            "tuple in place of a list, a str in place of a path"
        )
    try:
        value_of(default if isinstance(default, tuple) else text_of(default), kind, name)
    except UsageError as error:
        raise TypeError(f"the default of the option {name} is not of its own type: {error}") from error


def _defaults(options: type, values: Any) -> None:
    try:
        convert(options, values, "defaults")
    except (UsageError, AttributeError, TypeError) as error:
        raise TypeError(f"defaults = {values!r} cannot be used: {error}") from error


def _name(kind: Any) -> str:
    return kind.__qualname__ if isinstance(kind, type) and not get_args(kind) else str(kind)
