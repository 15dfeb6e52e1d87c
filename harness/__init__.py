"""A benchmark harness for inverse methods: which designs x give the target y = f(x)?

`fit` trains a method on a task or on your own `pairs`, `load` brings back one that `run` has trained; either is asked
for designs by `propose`. `frame` gives all numbers of a result folder.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # importing `typing` would be most of what this package takes
if TYPE_CHECKING:
    from typing import Any

    from harness.api import OutsideRange, OwnPairs, Solver, TrainedLittle, fit, load, pairs
    from harness.contracts import Kind
    from harness.reporting.frame import frame

__version__ = "0.1.0"

__all__ = ["Kind", "OutsideRange", "OwnPairs", "Solver", "TrainedLittle", "fit", "frame", "load", "pairs"]

_HOMES = {"Kind": "harness.contracts", "frame": "harness.reporting.frame"}


def __getattr__(name: str) -> Any:
    """The public names, imported when they are first asked for: the command line answers without torch."""
    if name not in __all__:
        raise AttributeError(f"module 'harness' has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "harness.api")), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
