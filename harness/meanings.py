"""What the options of a plug-in mean, by their help text or the text below them in the source; and their bounds."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import Field, fields, is_dataclass
from functools import cache
from itertools import pairwise
from typing import Any

from harness.errors import UsageError
from harness.modules import path_of
from harness.options import BOUNDS, members, text_of, value_of, words


def meanings(options: type) -> dict[str, str]:
    """The meaning of each field of a dataclass that has one; of a field that is declared again, the nearest text."""
    below = [texts(base.__module__, base.__qualname__) for base in options.__mro__ if is_dataclass(base)]
    found = {}
    for item in fields(options):
        known = [item.metadata.get("help"), *(each.get(item.name) for each in below)]
        text = next(filter(None, known), "")
        if text:
            found[item.name] = " ".join(text.split())
    return found


def bounds_of(item: Field[Any]) -> str:
    """The bounds of a field in words, such as `0 or more and less than 1`; empty where it has none."""
    bounds = item.metadata.get("bounds", {})
    return " and ".join(BOUNDS[name][1].format(bound) for name, bound in bounds.items())


def typed(item: Field[Any], kind: Any, value: Any, name: str) -> Any:
    """A value of a field of type `kind`, as `value_of` gives it; an error says in words what is allowed.

    Raises:
        UsageError: with the value, and what is allowed, bounds included.
    """
    try:
        return value_of(value, kind, name)
    except UsageError as error:
        if not {int, float} & set(members(kind)):
            raise
        raise UsageError(f"{name} = {text_of(value)} is not allowed. Allowed: {in_words(item, kind)}.") from error


def in_words(item: Field[Any], kind: Any) -> str:
    """What a field of type `kind` may be, such as `a whole number, 1 or more, or none`."""
    bounds = bounds_of(item)
    found = [
        f"{words(one)}{f', {bounds}' if bounds and one in (int, float) else ''}" for one in reversed(members(kind))
    ]
    return (", or " if bounds else " or ").join(found)


@cache
def texts(module: str, name: str) -> Mapping[str, str]:
    """The texts below the annotated names of a class, by name, read from its source; none where there is no source."""
    path = path_of(module)
    try:
        node: ast.AST | None = ast.parse(path.read_bytes()) if path else None
    except (OSError, ValueError, SyntaxError):
        return {}
    for part in name.split("."):
        inner = (child for child in getattr(node, "body", ()) if isinstance(child, ast.ClassDef) and child.name == part)
        node = next(inner, None)
    return {
        field.target.id: text.value.value
        for field, text in pairwise(getattr(node, "body", ()))
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
