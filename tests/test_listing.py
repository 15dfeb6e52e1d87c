"""What `list` says: every option with its meaning and its bounds, in lines that fit a terminal."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args

import pytest

from harness import listing
from harness.errors import UsageError
from harness.meanings import bounds_of, meanings
from harness.options import hints
from harness.registry import discover
from harness.selection import select
from harness.settings import setting
from methods.edm import EDMOptions
from tests.plugins import install

KINDS: tuple[Any, ...] = get_args(listing.Kind)
OWN = [
    pytest.param(plugin.load().Options, id=f"{kind} {name}")
    for kind in KINDS
    for name, plugin in discover(kind).items()
    if plugin.distribution == "inverse-harness"
]


@dataclass(frozen=True)
class Base:
    rate: float = 0.1
    """Of the search,
    in words."""
    steps: int = setting(3, help="how many", least=1)
    """Not this."""
    silent: bool = True


@dataclass(frozen=True)
class Derived(Base):
    rate: float = 0.2
    silent: bool = False
    """Now with words."""


def test_a_meaning_is_the_help_or_the_text_below_where_it_was_last_given() -> None:
    assert meanings(Base) == {"rate": "Of the search, in words.", "steps": "how many"}
    assert meanings(Derived) == {**meanings(Base), "silent": "Now with words."}


@pytest.mark.parametrize("options", OWN)
def test_every_option_of_ours_has_a_meaning_and_every_number_a_bound(options: Any) -> None:
    names = [item.name for item in fields(options)]
    assert [name for name in names if name not in meanings(options)] == []
    numbers = {name for name, kind in hints(options).items() if {int, float} & {kind, *get_args(kind)}}
    free = [item.name for item in fields(options) if item.name in numbers and not bounds_of(item)]
    assert free == (["mean"] if options is EDMOptions else []), "the mean of a logarithm may be any finite number"


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("methods", "na[steps=-1]", "na.steps = -1 is not allowed. Allowed: 0 or more."),
        ("methods", "mdn[components=0]", "mdn.components = 0 is not allowed. Allowed: 1 or more."),
        ("methods", "tandem[surrogate_share=1]", "Allowed: more than 0 and less than 1."),
        ("methods", "kernel[tolerance=-1e-3]", "kernel.tolerance = -0.001 is not allowed. Allowed: 0 or more."),
        ("tasks", "dataset[path=a.csv,workers=0]", "dataset.workers = 0 is not allowed. Allowed: 1 or more."),
        ("scenarios", "noise[sd=-1]", "noise.sd = -1.0 is not allowed. Allowed: 0 or more and 1000 or less."),
        ("protocols", "r_T[bootstrap=0]", "r_T.bootstrap = 0 is not allowed. Allowed: 1 or more."),
    ],
)
def test_a_number_out_of_bounds_is_refused_with_the_selection(kind: Any, text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        select(kind, text)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("width", [80, 120])
def test_lines_fit_the_terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    texts = [listing.plugins(kind) for kind in KINDS] + [listing.preset_list()]
    assert max(len(line) for text in texts for line in text.splitlines()) <= width
    joined = " ".join(" ".join(texts).split())
    assert "components = 32 (int, 1 or more): normals in the mixture" in joined
    assert "sep = auto (auto|comma|semicolon|tab|space): What separates the columns of a text file;" in joined
    assert "sd = 0.05 (float, 0 or more and 1000 or less): standard deviation of the noise" in joined
    assert "bootstrap = 1000 (int, 1 or more): resamples behind an interval" in joined


def test_a_variant_shows_what_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    _, _, text = listing.plugins("methods").partition("  na-lm  ")
    lines = [line.strip() for line in text.partition("  na-near  ")[0].splitlines()[1:]]
    assert lines[0] == "handles: conditions, gaps, partial"
    assert [line.partition(" = ")[0] for line in lines[2:5]] == ["rank", "solver", "steps"]
    assert lines[5] == "all other options as those of na"


STRANGER = '''
from dataclasses import dataclass
from harness.contracts import Method

class Strange(Method):
    @dataclass(frozen=True)
    class Options:
        mode: str = "near"
        """Where to look."""
        silent: int = 3
'''


def test_the_options_of_a_stranger_are_listed_with_what_it_says_of_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, tmp_path, STRANGER, methods={"strange": "Strange"})
    text = listing.plugins("methods")
    assert "    mode = near (str): Where to look.\n" in text and "    silent = 3 (int)\n" in text
