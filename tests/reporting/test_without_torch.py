"""Results can be read on a machine without torch, with the packages of the extra `reading` alone."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from harness.errors import TRAINING

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SCRIPT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
from harness.cli import main
from harness import frame

for command in {commands!r}:
    print("rc", main(command), flush=True)
print(len(frame({root!r})) > 100)
"""


def names(wanted: list[str]) -> set[str]:
    return {re.split(r"[><=]", name)[0] for name in wanted}


def without_torch(root: str, *commands: str) -> subprocess.CompletedProcess[str]:
    text = SCRIPT.format(
        absent={*TRAINING, "cma", "sklearn"}, root=root, commands=[command.split() for command in commands]
    )
    return subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)


def test_the_extra_has_all_but_what_trains_and_scores():
    needed = names(PROJECT["dependencies"]) - {*TRAINING, "cma", "scikit-learn", "threadpoolctl"}
    assert names(PROJECT["optional-dependencies"]["reading"]) == needed


def test_all_that_reads_works_without_torch(ran, tmp_path):
    verbs = ("table all", "advise", "advise --pairs 100000 --calls 9", "compare", "claims", "ablation na-boundary")
    verbs += ("show sinewave/mdn", "list results", "verify")
    figures = f"figures r_T --format png --out {ran} --folder {tmp_path}"
    found = without_torch(str(ran), *(f"{verb} --out {ran}" for verb in verbs), figures)
    assert found.stdout.count("rc 0") == len(verbs) + 1 and found.stdout.rstrip().endswith("True"), found.stderr
    assert (tmp_path / "r_T.png").stat().st_size > 1000


@pytest.mark.parametrize(
    "command", ["run --methods mdn --tasks sinewave --out OUT", "check mdn", "show-task sinewave", "time --out OUT"]
)
def test_what_trains_says_what_to_install(ran, tmp_path, command):
    found = without_torch(str(ran), command.replace("OUT", str(tmp_path)))
    assert "rc 2" in found.stdout and "torch is not installed: results can be read here" in found.stderr
    assert "Traceback" not in found.stderr


def test_lists_name_what_is_installed_and_say_what_it_needs(ran):
    found = without_torch(str(ran), "list methods", "list tasks", "list protocols")
    assert found.stdout.count("rc 0") == 3 and "BROKEN" not in found.stdout and found.stderr == ""
    assert "mdn, na" in found.stdout and found.stdout.count("torch is not installed: results can be read here") == 2
    assert "r_T  (version" in found.stdout
