"""Distributions that exist only as a folder on `sys.path`: a module and its dist-info."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from textwrap import dedent

import pytest

NUMBERS = count()

METHOD = """
from dataclasses import dataclass
from typing import Literal

from harness.contracts import Method, Proposals


class Copy(Method):
    groups = ("strange",)
    trainable = False

    @dataclass(frozen=True)
    class Options:
        mode: Literal["near", "far"] = "near"
        width: int = 3

        def __post_init__(self):
            if self.width < 1:
                raise ValueError("width must be 1 or more")

    def fit(self, train, valid, run):
        self.x = train.x

    def propose(self, y, n, generator):
        return Proposals(self.x[:n].expand(len(y), -1, -1))


class CopyFar(Copy):
    defaults = {"mode": "far"}


def function(x_train, y_train):
    return lambda y, n, generator: x_train[:n].expand(len(y), -1, -1)
"""


def install(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    code: str,
    *,
    methods: dict[str, str] | None = None,
    tasks: dict[str, str] | None = None,
) -> str:
    """Put a distribution on `sys.path`; entry points map names to objects of its module. Returns the module's name."""
    module = f"stranger_{next(NUMBERS)}"
    root = folder / module
    info = root / f"{module}-2.5.dist-info"
    info.mkdir(parents=True)
    (root / f"{module}.py").write_text(dedent(code))
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 2.5\n")
    lines = []
    for kind, entries in (("methods", methods), ("tasks", tasks)):
        lines += [f"[harness.{kind}]", *(f"{name} = {module}:{target}" for name, target in (entries or {}).items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    monkeypatch.syspath_prepend(str(root))
    return module
