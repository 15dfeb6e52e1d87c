"""The chapters and commands of README and docs do what they say, as printed, in a fresh environment and folder."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas
import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {
    name: (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in ("running", "reading", "first-plugin")
}
PACKAGED = ("harness", "methods", "tasks", "pyproject.toml", "README.md", "LICENSE")
FILE = re.compile(r"`([\w./-]+)`:\n\n```\w+\n(.*?)```", re.DOTALL)
LIMITS = {"gaussian_inverse": 30, "nearest_design": 30, "cantilever_task": 25}
"""The most lines of the two files of a plug-in, without empty ones."""

pytestmark = pytest.mark.slow


def chapter(title: str) -> str:
    """The text of the one chapter of this title."""
    heading = f"\n## {title}\n"
    (page,) = (text for text in (README, *PAGES.values()) if heading in text)
    return re.split(r"^## ", page.split(heading)[1], flags=re.MULTILINE)[0]


def commands(text: str) -> list[str]:
    """The lines of the shell blocks."""
    return [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]


def write_files(text: str, folder: Path) -> list[str]:
    """Put the files that a text prints into a folder; returns the folders that they are in, relative to it."""
    names = []
    for name, body in FILE.findall(text):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body, encoding="utf-8")
        names.append(str(Path(name).parent))
    return list(dict.fromkeys(names))


class Environment:
    """A virtual environment with our wheel, and the heavy dependencies of the current one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "venv" / "bin" / "python"
        call(sys.executable, "-m", "venv", "--without-pip", folder / "venv")
        (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
        (site / "heavy.pth").write_text(sysconfig.get_path("purelib") + "\n")
        source = folder / "source"
        source.mkdir()
        for name in PACKAGED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, source / name)
        self.pip("install", str(source), cwd=folder)

    def pip(self, verb: str, *arguments: str, cwd: Path) -> str:
        offline = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet")
        return call(sys.executable, "-m", "pip", "--python", self.python, verb, *offline, *arguments, cwd=cwd)

    def shell(self, line: str, cwd: Path, *extra: str) -> str:
        """Run one line of the README."""
        program, *arguments = shlex.split(line)
        if program == "pip":
            return self.pip(*arguments, cwd=cwd)
        assert program == "python", line
        return call(self.python, *arguments, *extra, cwd=cwd)


def call(*command: object, cwd: Path | None = None) -> str:
    """The output of a command, which must succeed."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "PYTEST", "COV_"))}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=clean, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def environment(tmp_path_factory):
    return Environment(tmp_path_factory.mktemp("readme"))


def test_the_first_commands_are_make_run_and_make_test():
    title, first_section = README.split("\n## ")[0].split("\n", 1)
    assert title == "# inverse-harness"
    assert re.findall(r"^    (.*?)  +#", first_section, re.MULTILINE) == ["make run", "make test"]


@pytest.mark.parametrize(("folder", "limit"), LIMITS.items())
def test_a_plug_in_is_small(folder, limit):
    bodies = [body for name, body in FILE.findall(PAGES["first-plugin"]) if f"/{folder}/" in name]
    assert len(bodies) == 2 and sum(bool(line) for body in bodies for line in body.splitlines()) <= limit


def test_every_table_and_every_figure_is_explained():
    from harness.reporting import figures, tables

    for name in (*tables(), *figures()):
        assert f"| `{name}` |" in chapter("Read the tables")


def test_every_flag_of_run_is_explained():
    from harness.config import Settings, flag

    for item in fields(Settings):
        assert flag(item.name) in chapter("Run")


@pytest.mark.parametrize(("title", "kind"), [("Add a method", "methods"), ("Add a task", "tasks")])
def test_a_chapter_works_as_printed(environment, tmp_path, title, kind):
    text = chapter(title)
    folders = write_files(text, tmp_path)
    names = []
    for folder in folders:
        project = tomllib.loads((tmp_path / folder / "pyproject.toml").read_text())["project"]
        names += project["entry-points"][f"harness.{kind}"]
    for line in commands(text):
        output = environment.shell(line, tmp_path)
        shown = [name for name in names if re.search(rf"\b{name}\b", line)]
        if " run " in line and kind == "methods":
            assert all(re.search(rf"^\| {name} .*\d", output, re.MULTILINE) for name in shown), output
        if " run " in line and kind == "tasks":
            assert all(f"| {name} r_1" in re.sub(" +", " ", output) for name in shown), output
    assert names


def test_the_commands_run_as_printed(environment, tmp_path):
    for name, body in re.findall(r"`(run\.toml)`:\n\n```toml\n(.*?)```", PAGES["running"], re.DOTALL):
        (tmp_path / name).write_text(body)
    for line in commands(chapter("Run")):
        small = "--preset smoke" in line or "--dry-run" in line
        assert environment.shell(line, tmp_path, *([] if small else ["--dry-run"])).strip()
    # What the small run has left takes the place of the default one.
    shutil.copytree(tmp_path / "results" / "smoke", tmp_path / "results" / "quick")
    for line in commands(chapter("Records")) + commands(chapter("Read the tables")):
        assert environment.shell(line, tmp_path).strip()


def test_from_a_file_of_pairs_to_designs_as_printed(environment, tmp_path):
    x = np.random.default_rng(0).uniform(size=(300, 3))
    table = pandas.DataFrame(x, columns=["a", "b", "c"]).assign(gap=x[:, 0] + x[:, 1] * x[:, 2])
    table.to_csv(tmp_path / "pairs.csv", index=False)
    (tmp_path / "wanted.csv").write_text("gap\n0.5\n1.0\n")
    text = chapter("Designs for a target")
    small = ("--preset", "smoke", "--methods", "na,lookup", "--out", "results/quick", "--quiet")
    lines = [line.replace("METHOD", "na") for line in commands(text)]
    printed = [environment.shell(line, tmp_path, *(small if " run " in line else ())) for line in lines]
    assert "| dataset[pairs] " in printed[1] and printed[2].count("0.80000") == 10
    assert len(pandas.read_csv(tmp_path / "designs.csv")) == 10
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    code = code.replace("METHOD", "na").replace('fit("na", pairs)', 'fit("na", pairs, preset="smoke")')
    assert call(environment.python, "-c", f"{code}print(len(designs))", cwd=tmp_path).strip() == "10"


def test_make_knows_the_targets_that_the_readme_names():
    for target in {*re.findall(r"(?:`|^    )make ([\w-]+)", README, re.MULTILINE)}:
        call("make", "-n", target, cwd=ROOT)


@pytest.mark.parametrize("name", ["smoke", "quick", "paper"])
def test_the_table_of_presets_is_true(name):
    from harness import presets
    from harness.reporting.numbers import count

    preset = presets.load(name)
    (row,) = (line for line in chapter("Run").splitlines() if line.startswith(f"| `{name}`"))
    assert f"| {count(preset.budget)} |" in row and f"{preset.schedule.epochs} epochs" in row
    assert f"| {preset.data.targets} × {preset.sizes.proposals}, {preset.sizes.repeats} |" in row
