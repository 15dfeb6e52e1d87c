"""How a property of a plug-in is examined and reported."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable
from dataclasses import MISSING, dataclass, fields
from typing import Any, TypeVar

from torch import Tensor

from harness.errors import ContractError

Subject = TypeVar("Subject")


@dataclass(frozen=True)
class Finding:
    """One property of a plug-in."""

    property: str
    ok: bool
    message: str = ""
    """What is wrong and what to fix; empty where the property holds."""

    def __str__(self) -> str:
        return f"{self.property}: {self.message or 'ok'}"


class ViolationError(AssertionError):
    """A property does not hold; the text says what to fix."""


def require(condition: bool, message: str) -> None:
    """Raise a `ViolationError` with this message unless the condition holds."""
    if not condition:
        raise ViolationError(message)


def examine(name: str, holds: Callable[[Subject], None], subjects: Iterable[Subject]) -> Finding:
    """The finding of one property on all subjects; an exception that the plug-in raises is a failure too."""
    try:
        for subject in subjects:
            holds(subject)
    except (ViolationError, ContractError) as violation:
        return Finding(name, False, str(violation))
    except (Exception, SystemExit) as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{frame.name}, line {frame.lineno}"
        return Finding(name, False, f"{type(error).__name__}: {error} (in {place}). Make it work on this input.")
    return Finding(name, True)


def require_shape(what: str, tensor: Tensor, shape: tuple[int, ...]) -> None:
    """The tensor must have this shape."""
    found = tuple(tensor.shape)
    require(found == shape, f"{what} has shape {found}; return {shape}.")


def require_options(plugin: type) -> None:
    """`Options` must be a frozen dataclass whose fields all have defaults."""
    options: Any = getattr(plugin, "Options", None)
    settings = getattr(options, "__dataclass_params__", None)
    require(
        settings is not None and settings.frozen,
        f"Options is {options!r}; make it a dataclass with @dataclass(frozen=True).",
    )
    bare = [item.name for item in fields(options) if item.default is MISSING and item.default_factory is MISSING]
    require(not bare, f"the options {', '.join(bare)} have no default; give them one.")
