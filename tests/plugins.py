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


def write(
    folder: Path, code: str, *, methods: dict[str, str] | None = None, tasks: dict[str, str] | None = None
) -> Path:
    """Write a distribution that works from `sys.path`; entry points map names to objects of its module."""
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
    return root


def install(monkeypatch: pytest.MonkeyPatch, folder: Path, code: str, **entries: dict[str, str]) -> str:
    """Write a distribution and put it on `sys.path`; returns its module's name."""
    root = write(folder, code, **entries)
    monkeypatch.syspath_prepend(str(root))
    return root.name


MISBEHAVING = '''
"""A method that does what its option says while it is trained, unless the variable REPAIRED is set."""
import os
import signal
import time
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from harness.contracts import Method, Proposals


class Misbehaving(Method):
    @dataclass(frozen=True)
    class Options:
        how: Literal["not", "raise", "diverge", "memory", "sleep", "kill", "odd", "nowhere"] = "not"

    def build(self, problem, width):
        self.net = nn.Sequential(nn.Linear(problem.y_dim, width), nn.Tanh(), nn.Linear(width, problem.x_dim))

    def loss(self, x, y, progress):
        error = (self.net(y) - x).square().mean()
        return error if "REPAIRED" in os.environ else self.misbehave(error)

    def misbehave(self, error):
        if self.options.how == "raise":
            raise ValueError(f"found {__file__} unreadable")
        if self.options.how == "diverge":
            return error / 0
        if self.options.how == "memory":
            torch.empty(2**60)
        if self.options.how == "sleep":
            time.sleep(1000)
        if self.options.how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        return error

    @torch.no_grad()
    def propose(self, y, n, generator):
        x = self.net(y)[:, None].expand(-1, n, -1).clone()
        if self.options.how == "nowhere":
            x[:, 1::3, 0], x[:, ::3] = float("inf"), float("nan")
            return Proposals(x, believed=torch.where(x.isnan().any(-1), float("nan"), 0.1))
        return Proposals(x, ranked="yes" if self.options.how == "odd" else False)


def function(x_train, y_train):
    return lambda y, n, generator: x_train[:n].expand(len(y), -1, -1)
'''
