"""The scripts of docs/examples do what the page `docs/examples.md` says: they run, and what it concludes holds."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas
import pytest

import harness
from harness.cache_folder import VARIABLE

ROOT = Path(__file__).parents[1]
SCRIPTS = {path.stem: path for path in (ROOT / "docs" / "examples").glob("*.py")}
PAGE = (ROOT / "docs" / "examples.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"(?<!\w)-?\d+(?:\.\d*)?(?:e[-+]\d+)?|(?<= )-(?= |$)", re.MULTILINE)
LINES = range(30, 81)


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[str, Path]]:
    """What a script prints, and the folder in which it was called; each runs once."""

    @cache
    def run(name: str) -> tuple[str, Path]:
        folder = tmp_path_factory.mktemp(name)
        environment = {**os.environ, VARIABLE: str(folder / "cache"), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, str(SCRIPTS[name]), "made"]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=900, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert not done.stderr
        return done.stdout, folder

    return run


def section(name: str) -> str:
    """The part of the page that links to a script."""
    (part,) = (text for text in PAGE.split("\n## ")[1:] if f"(examples/{name}.py)" in text)
    return part


def shape(text: str) -> list[str]:
    """The lines of a text with a sign in the place of each number, whatever the spaces between the words."""
    lines = (" ".join(NUMBER.sub("#", line).split()) for line in text.strip().splitlines())
    return [line.replace("[ ", "[").replace(" ]", "]") for line in lines]


def numbers(line: str) -> list[float]:
    return [float(text) for text in NUMBER.findall(line) if text != "-"]


def row(text: str, *words: str) -> list[float]:
    """The numbers of the one line that begins with these words."""
    (line,) = (line for line in text.splitlines() if line.split()[: len(words)] == list(words))
    return numbers(" ".join(line.split()[len(words) :]))


def same_as_on_the_page(name: str, text: str) -> None:
    """See that the page shows the lines that were printed, whatever the numbers."""
    (shown,) = re.findall(r"^It prints\n\n```\n(.*?)^```", section(name), re.DOTALL | re.MULTILINE)
    assert shape(shown) == shape(text)


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_the_page_has_every_script_with_its_question_and_its_code(name: str) -> None:
    source, part = SCRIPTS[name].read_text(encoding="utf-8"), section(name)
    blocks = re.findall(r"^```python\n(.*?)^```", part, re.DOTALL | re.MULTILINE)
    assert blocks and all(block in source for block in blocks)
    question = source.removeprefix('"""').splitlines()[0]
    assert " ".join(question.split()) in " ".join(part.split())
    assert f"python docs/examples/{name}.py" in source and f"python docs/examples/{name}.py" in part
    assert len(source.splitlines()) in LINES


@pytest.mark.slow
def test_methods_that_know_gaps_learn_from_more_rows_and_are_nearer_to_what_is_known(printed) -> None:
    text, folder = printed("missing_measurements")
    same_as_on_the_page("missing_measurements", text)
    assert text.count("rows are complete") == 1, "a process of a cell does not run the script again"
    found = pandas.read_csv(folder / "made" / "films.csv")
    assert numbers(text.splitlines()[0]) == [len(found.dropna()), len(found)]
    for method in ("na-lm", "joint"):
        rows, _, left_open, filled = row(text, method)
        assert left_open < filled and rows > row(text, "cfm")[0]
    assert re.search(r"^cfm .* cannot ", text, re.MULTILINE)
    wanted = row(text, "wanted")
    for film in "123":
        blue, _, red, _, *layers = row(text, "film", film)
        assert abs(blue - wanted[0]) < 0.05 and abs(red - wanted[1]) < 0.05
        assert len(layers) == 3 and all(0.2 <= layer <= 1.0 for layer in layers)


@pytest.mark.slow
def test_designs_go_with_the_conditions_and_miss_under_others(printed) -> None:
    text, _ = printed("varying_conditions")
    same_as_on_the_page("varying_conditions", text)
    days = np.array([numbers(line) for line in text.splitlines() if re.match(r" +\d", line)])
    assert len(days) == 4 and len({tuple(day) for day in days[:, :2]}) == 4
    assert (np.diff(days[:, 4]) < 0).all(), "the hotter and the more pressure, the less of both is needed"
    assert np.abs(days[:, 5] - 0.6).max() < 0.03
    assert (days[:-1, 6] > 0.7).all() and (np.diff(days[:, 6]) < 0).all()


@pytest.mark.slow
def test_which_simulations_are_best_depends_on_the_task_and_none_is_made_beyond_the_budget(printed) -> None:
    text, _ = printed("which_simulations")
    same_as_on_the_page("which_simulations", text)
    wave, arm = (
        {way: np.array(row(text, task, way)) for way in ("random", "maximin", "inverse-epig")}
        for task in ("Sinewave", "RoboticArm")
    )
    assert wave["maximin"].max() < wave["random"].min() and wave["inverse-epig"].max() < wave["random"].min()
    assert arm["random"].max() < arm["maximin"].min() and arm["inverse-epig"].max() < arm["maximin"].min()
    assert "maximin simulated 200 arms" in text and "was called 200 times" in text
    reached = re.search(r"this gives \[ *(\S+) +(\S+?)\]", text)
    assert reached and np.abs(np.array(reached.groups(), float) - [1.0, 0.3]).max() < 0.05


@pytest.mark.slow
def test_a_cheap_simulator_pays_where_its_error_is_not_taken_for_the_truth(printed) -> None:
    text, _ = printed("two_simulators")
    same_as_on_the_page("two_simulators", text)
    miss = {use: row(text, use)[1] for use in ("top", "low", "both", "tuned", "corrected")}
    off, _ = numbers(text.splitlines()[0])
    assert max(miss["tuned"], miss["corrected"]) < miss["top"] < min(miss["low"], miss["both"])
    assert off / 2 < miss["low"] < 2 * off, "who learns from the cheap one is off as it is"
    assert [row(text, use)[0] for use in ("top", "low", "both")] == [60, 1200, 630]


@pytest.mark.slow
def test_learning_pays_from_some_number_of_targets_on(printed) -> None:
    text, folder = printed("search_or_learn")
    same_as_on_the_page("search_or_learn", text)
    calls = harness.frame(folder / "made" / "results").query("protocol == 'metered'")["T"]
    assert calls.max() == 200
    unlearned, learned = numbers(re.search(r"Without learning .*", text)[0])
    assert 1 <= learned < unlearned <= 200
    (few, *_, many) = (numbers(line) for line in text.splitlines() if " targets: " in line)
    assert few == pytest.approx([10, 10 * unlearned, 2000 + 10 * learned], abs=10) and few[1] < few[2]
    assert many[0] == 1000 and many[1] > many[2]
    pays = [values[-1] for method in ("cfm", "na-lm", "kernel") if len(values := row(text, method, "lm")) == 6]
    assert min(pays) == pytest.approx(2000 / (unlearned - learned), rel=0.05)
