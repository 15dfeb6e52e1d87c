from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.options import convert, describe, hints, identity, render, resolve
from harness.selection import parse
from harness.settings import setting


@dataclass(frozen=True)
class Options:
    boundary_loss: bool = True
    candidates: int = 200
    rate: float = 0.05
    starts: Literal["prior", "uniform"] = "prior"
    name: str = "plain"
    limit: int | None = None
    degrees: Literal[81, 72] = 81
    trials: tuple[int, ...] = (1, 10)

    def __post_init__(self) -> None:
        if self.candidates < 1:
            raise ValueError("candidates must be 1 or more")


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("boundary_loss", "off", False),
        ("boundary_loss", "FALSE", False),
        ("boundary_loss", "true", True),
        ("candidates", "50", 50),
        ("rate", "1e-3", 1e-3),
        ("rate", "2", 2.0),
        ("starts", "uniform", "uniform"),
        ("name", "on", "on"),
        ("limit", "none", None),
        ("limit", "7", 7),
        ("degrees", "72", 72),
        ("trials", "1+10+20", (1, 10, 20)),
        ("trials", "7", (7,)),
        ("trials", [1, 2], (1, 2)),
    ],
)
def test_text_becomes_the_declared_type(key: str, text: str, value: Any) -> None:
    resolved = resolve(Options, {key: text}, owner="na")
    assert resolved[key] == value
    assert type(resolved[key]) is type(value)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("boundary_los", "off", "Did you mean boundary_loss"),
        ("starts", "unifrom", "Did you mean uniform.*Allowed: prior, uniform"),
        ("boundary_loss", "maybe", r"na\[boundary_loss\] = maybe is not allowed. Allowed: on\|off"),
        ("boundary_loss", 1, "Allowed: on"),
        ("candidates", "1.5", "Allowed: a whole number\\."),
        ("candidates", 1.0, "Allowed: a whole number\\."),
        ("candidates", True, "Allowed: a whole number\\."),
        ("candidates", "0", "candidates must be 1 or more"),
        ("rate", "nan", "Allowed: a number\\."),
        ("rate", "fast", "Allowed: a number\\."),
        ("limit", "few", r"Allowed: a whole number or none\."),
        ("name", 3, "Allowed: text"),
        ("degrees", "80", "Allowed: 72, 81"),
        ("trials", "1,2", r"na.trials. = 1,2 is not allowed. Allowed: whole numbers joined by \+"),
        ("trials", "1+x", r"Allowed: whole numbers joined by \+"),
        ("trials", 3, r"Allowed: whole numbers joined by \+"),
    ],
)
def test_what_is_not_allowed_is_named_with_what_is(key: str, value: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        resolve(Options, {key: value}, owner="na")


def test_later_layers_win_and_all_options_are_given() -> None:
    resolved = resolve(Options, {"candidates": 5, "rate": 1}, {"candidates": "6"}, owner="na")
    assert resolved == {**{item.name: item.default for item in fields(Options)}, "candidates": 6, "rate": 1.0}


def test_an_option_without_default_is_asked_for() -> None:
    @dataclass(frozen=True)
    class Needy:
        width: int

    with pytest.raises(UsageError, match=r"write mine\[width=\.\.\.\]"):
        resolve(Needy, owner="mine")


def test_a_type_that_text_cannot_give_is_the_authors_error() -> None:
    @dataclass(frozen=True)
    class Odd:
        sizes: dict[str, int] | None = None

    with pytest.raises(TypeError, match="use bool, int"):
        convert(Odd, {"sizes": "1"}, "odd")


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "boundary_loss": st.booleans(),
            "candidates": st.integers(1, 10**6),
            "rate": st.floats(allow_nan=False, allow_infinity=False),
            "starts": st.sampled_from(["prior", "uniform"]),
            "limit": st.none() | st.integers(),
            "trials": st.lists(st.integers(), min_size=1).map(tuple),
        },
    )
)
def test_rendered_options_read_back_the_same(values: dict[str, Any]) -> None:
    _, text = parse("na" + render(values))
    assert convert(Options, text, "na") == values


def test_descriptions_are_what_a_user_may_write() -> None:
    assert {key: describe(kind) for key, kind in hints(Options).items()} == {
        "boundary_loss": "on|off",
        "candidates": "int",
        "rate": "float",
        "starts": "prior|uniform",
        "name": "str",
        "limit": "int|none",
        "degrees": "81|72",
        "trials": "int joined by +",
    }


@dataclass(frozen=True)
class Placed:
    path: str = field(default="here.csv", metadata={"identity": False})
    workers: int | None = field(default=None, metadata={"identity": False})
    degrees: int = 81


@dataclass(frozen=True)
class PlacedElsewhere(Placed):
    path: str = "there.csv"
    rate: float = 0.5


def test_an_option_that_came_later_is_no_part_of_the_identity_while_it_has_its_default() -> None:
    """Results from before it came are those of cells of today."""

    @dataclass(frozen=True)
    class Grown:
        degrees: int = 81
        turn: float = setting(0.0, later=True)

    assert identity(Grown, resolve(Grown, owner="task")) == {"degrees": 81}
    assert identity(Grown, resolve(Grown, {"turn": "0.5"}, owner="task")) == {"degrees": 81, "turn": 0.5}


def test_options_that_determine_no_numbers_are_no_part_of_the_identity() -> None:
    assert identity(Placed, resolve(Placed, {"path": "b.csv", "workers": "3"}, owner="task")) == {"degrees": 81}
    assert identity(PlacedElsewhere, resolve(PlacedElsewhere, owner="task")) == {"degrees": 81, "rate": 0.5}
    values = resolve(Options, owner="na")
    assert identity(Options, values) == values
