"""A plug-in whose options or name the harness cannot work with: one clear error, and `list` shows it as broken."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

import pytest

from harness import listing
from harness.errors import UsageError
from harness.registry import discover
from harness.selection import select
from tests.plugins import install

CODE = """
from __future__ import annotations
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from harness.contracts import Method

class Odd(Method):
    trainable = False
{body}
"""


def code(body: str) -> str:
    return CODE.format(body=indent(body, "    "))


def frozen(declared: str, more: str = "") -> str:
    return f"@dataclass(frozen=True)\nclass Options:\n    {declared}\n{more}"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("Options = dict", "Options is dict; make it a dataclass with @dataclass(frozen=True)"),
        ("Options = None", "Options is None; make it a dataclass"),
        (
            "@dataclass\nclass Options:\n    a: int = 1",
            "Options is Odd.Options; make it a dataclass with @dataclass(frozen",
        ),
        (frozen("where: Path = Path('.')"), "the option where is of type Path; declare it as bool, int, float, str"),
        (frozen("where: str = Path('.')"), "the option where has the default PosixPath('.'), which is PosixPath"),
        (frozen("sizes: list[int] = field(default_factory=list)"), "the option sizes is of type list[int]; declare it"),
        (frozen("sizes: tuple[int, ...] = field(default_factory=list)"), "has the default [], which is list"),
        (frozen("sizes: tuple[int, int] = (1, 2)"), "the option sizes is of type tuple[int, int]"),
        (frozen("size: int = 1.5"), "the default of the option size is not of its own type: size = 1.5 is not allowed"),
        (frozen("size: Nowhere = 1"), "the types of Options cannot be read (NameError: name 'Nowhere'"),
        (frozen("size: int = 1", "defaults = {'width': 3}"), "defaults = {'width': 3} cannot be used: Unknown option"),
    ],
    ids=range(11),
)
def test_options_that_cannot_be_used_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], body: str, reason: str
) -> None:
    install(monkeypatch, tmp_path, code(body), methods={"odd": "Odd"})
    error = discover("methods")["odd"].error
    assert error is not None and reason in error and "\n" not in error
    with pytest.raises(UsageError, match=r"'odd' of distribution .* is broken: TypeError"):
        select("methods", "odd")
    shown = listing.plugins("methods")
    assert "odd  BROKEN" in shown and "mdn  (version" in shown
    assert "method odd is broken" in capsys.readouterr().err


@pytest.mark.parametrize(
    "declared",
    [
        "a: bool = True",
        "a: float = 1",
        "a: float | None = None",
        "a: Literal['x', 3] = 3",
        "a: tuple[float, ...] = (0.5, 2.0)",
        "a: str | None = 'x'",
        "a: tuple[str, ...] = ()",
    ],
)
def test_options_that_can_be_used_are_left_alone(monkeypatch, tmp_path: Path, declared: str) -> None:
    install(monkeypatch, tmp_path, code(frozen(declared)), methods={"odd": "Odd"})
    assert discover("methods")["odd"].error is None
    assert "odd  (version 1" in listing.plugins("methods")


@pytest.mark.parametrize(("name", "reason"), [("all", "stands for all"), ("paper", "'paper' is the name of a group")])
def test_a_name_that_means_something_else_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, reason: str
) -> None:
    others = [selection.label for selection in select("methods", name)]
    install(monkeypatch, tmp_path, code("pass"), methods={name: "Odd"})
    assert reason in str(discover("methods")[name].error)
    assert f"{name}  BROKEN" in listing.plugins("methods")
    if name == "all":
        assert [selection.label for selection in select("methods", name)] == others
    else:
        with pytest.raises(UsageError, match=reason):
            select("methods", name)


def test_all_that_is_installed_is_sound() -> None:
    for kind in ("methods", "tasks", "scenarios", "protocols"):
        assert {name: plugin.error for name, plugin in discover(kind).items() if plugin.error} == {}
