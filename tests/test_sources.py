"""What counts as the source of a plug-in: an edit that changes no number makes nothing out of date, any other does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness import modules, sources

ROOT = Path(__file__).parents[1]
PACKAGES = ("harness", "methods", "tasks")
MEASURE = """
import json
from harness import presets, registry
from harness.plan import Wanted, harness_sources, plan
from harness.selection import select

chosen = (select("methods", "all"), select("tasks", "all"), select("scenarios", "all"), select("protocols", "all"))
found = {}
for cell in plan(Wanted(*chosen, (0,)), presets.load("smoke")):
    asked = {name: [cell.answer_digest(item) for item in of.values()] for name, of in cell.questions.items()}
    scores = {spec.name: cell.score_digest(spec) for spec in cell.protocols}
    found[cell.label] = {"key": cell.key, **cell.digests, "asked": asked, "scores": scores}
print(json.dumps(found))
"""


class Copy:
    """Our own packages in another folder, where they can be edited."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for package in PACKAGES:
            shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__", "*.npz"))
        self.before = self.digests()

    def digests(self) -> dict[str, dict]:
        """The digests of all cells, by label."""
        environment = {**os.environ, "PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-c", MEASURE]
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def edited(self, edits: Mapping[str, tuple[str, str]]) -> dict[str, dict]:
        """The digests after edits, by file: a text that occurs there, and what takes its place."""
        kept = {}
        try:
            for name, (old, new) in edits.items():
                path = self.folder / name
                kept[path] = path.read_text()
                assert old in kept[path], f"{name} holds no {old!r}"
                path.write_text(kept[path].replace(old, new, 1))
            return self.digests()
        finally:
            for path, text in kept.items():
                path.write_text(text)

    def changed(self, edits: Mapping[str, tuple[str, str]]) -> dict[str, set[str]]:
        """Of each part that an edit changed, the labels of the cells, `task/method/seed` with the scenario if any."""
        after = self.edited(edits)
        parts = ("key", "data", "model", "asked", "scores")
        found = {part: {name for name in after if after[name][part] != self.before[name][part]} for part in parts}
        return {part: names for part, names in found.items() if names}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    return Copy(tmp_path_factory.mktemp("copy"))


def methods_of(labels: set[str]) -> set[str]:
    return {label.split("/")[1] for label in labels}


def tasks_of(labels: set[str]) -> set[str]:
    return {label.split("/")[0] for label in labels}


HARMLESS = {
    "tasks/sinewave.py": ('"""', '"""Edited: '),  # a docstring
    "tasks/ballistics.py": ("\nclass ", "\n\n\n# Edited.\nclass "),
    "harness/fitting.py": ('raise ValueError(f"', 'raise ValueError(f"Edited: '),
    "harness/settings.py": ('help="rows of one step"', 'help="edited"'),
    "harness/protocols/r_t.py": ("published: bool) -> list[Table]:\n", "published: bool) -> list[Table]:\n    3 + 4\n"),
    "harness/reporting/rows.py": ("import annotations\n", "import annotations\n\nEDITED = 1\n"),
    "harness/cli.py": ("def main", "EDITED = 1\n\n\ndef main"),
    "harness/__init__.py": ("__version__ = ", '__version__ = "99" + '),
    "harness/api.py": ("\ndef fit(", "\nEDITED = 1\n\n\ndef fit("),
    "harness/solver.py": ("NAMED = 3", "NAMED = 4"),
}
"""What a table shows, a docstring, a comment, the text of an error, a help text, the command line, the release."""


@pytest.mark.slow
def test_edits_that_change_no_number_leave_all_cells_current(copy: Copy) -> None:
    assert copy.changed(HARMLESS) == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    "edits",
    [
        {"harness/metrics.py": ("return 1 / y_variance.where(y_variance > 0, 1.0)", "return 1 / y_variance")},
        {"harness/protocols/r_t.py": ("count <= answered", "count < answered")},
        {"harness/resimulation.py": ("\ndef ", "\nEDITED = 1\n\n\ndef ")},
    ],
    ids=["a metric", "a score", "the re-simulation"],
)
def test_what_scores_are_computed_with_changes_scores_only(copy: Copy, edits) -> None:
    changed = copy.changed(edits)
    assert changed.keys() == {"scores"} and changed["scores"] == copy.before.keys()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "edit", "methods"),
    [
        ("mdn", ("FULL = 32", "FULL = 33"), {"mdn"}),
        ("flows", ("\ndef build_flow", "\nEDITED = 1\n\n\ndef build_flow"), {"inn", "cinn", "ipage", "ipage-lm"}),
    ],
    ids=["a method", "a helper of several"],
)
def test_an_edited_method_trains_again_and_no_other(copy: Copy, file, edit, methods) -> None:
    changed = copy.changed({f"methods/{file}.py": edit})
    assert changed.keys() == {"model", "asked", "scores"}
    assert all(methods_of(labels) == methods for labels in changed.values())
    assert tasks_of(changed["model"]) == tasks_of(set(copy.before))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "edit", "task"),
    [
        ("sinewave.py", ("3 * math.pi", "4 * math.pi"), "sinewave"),
        ("workers/worker.py", ("LENGTH = 8", "LENGTH = 4 + 4"), "architecture"),
        ("crystal/parameters.json", ("{", "{ "), "crystal"),
    ],
    ids=["its module", "what it starts as a program", "its data"],
)
def test_an_edited_task_is_out_of_date_and_no_other(copy: Copy, file, edit, task) -> None:
    changed = copy.changed({f"tasks/{file}": edit})
    assert changed.keys() == {"data", "model", "asked", "scores"}
    assert all(tasks_of(labels) == {task} for labels in changed.values())


class Package:
    """A synthetic package, whose digest is taken in this process."""

    def __init__(self, folder: Path, **texts: str) -> None:
        self.folder, self.name = folder / "synthetic", "synthetic"
        self.folder.mkdir()
        self.write({"__init__": "", **texts})

    def write(self, texts: Mapping[str, str]) -> None:
        for name, text in texts.items():
            path = self.folder / (name if "." in name else f"{name}.py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        for cached in (
            sources.of_module,
            sources.of_class,
            sources.closure,
            modules.path_of,
            modules.tree,
            modules.imported_names,
        ):
            cached.cache_clear()

    def digest(self, module: str = "plugin", **texts: str) -> str:
        """The digest of a module after these changes."""
        self.write(texts)
        return sources.of_module(f"{self.name}.{module}")

    def members(self, module: str = "plugin") -> set[str]:
        return {name.removeprefix(f"{self.name}.") for name in sources.closure(f"{self.name}.{module}")}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Makes a package of modules, by their texts."""
    monkeypatch.syspath_prepend(str(tmp_path))
    yield lambda **modules: Package(tmp_path, **modules)
    sys.modules.pop("synthetic", None)


PLAIN = "def answer(x):\n    if x < 0:\n        raise ValueError('negative')\n    assert x, 'zero'\n    return x + 1\n"


@pytest.mark.parametrize(
    "text",
    [
        '"""A module."""\n' + PLAIN.replace("    if", '    """Add one."""\n    if'),
        "# A comment.\n\n\n" + PLAIN.replace("x + 1", "(x + 1)  # one more"),
        PLAIN.replace("'negative'", "f'{x} is negative: give one that is not'"),
        PLAIN.replace("'zero'", "'nothing'"),
        '__version__ = "3"\n__all__ = ["answer"]\n' + PLAIN,
        'references = ("One 2020",)\nahead: str = "waits"\nsimulated_pairs = True\n' + PLAIN,
        "from typing import TYPE_CHECKING\n" + PLAIN,
    ],
    ids=[
        "docstrings",
        "comments and format",
        "an error",
        "an assertion",
        "dunder names",
        "words",
        "an import of the library",
    ],
)
def test_what_changes_no_number_is_no_source(package, text: str) -> None:
    made = package(plugin="from typing import TYPE_CHECKING\n" + PLAIN if "TYPE_CHECKING" in text else PLAIN)
    assert made.digest() == made.digest(plugin=text)


@pytest.mark.parametrize("text", [PLAIN.replace("+ 1", "+ 2"), PLAIN.replace("< 0", "<= 0"), PLAIN + "N = 1\n"])
def test_what_may_change_a_number_is(package, text: str) -> None:
    made = package(plugin=PLAIN)
    assert made.digest() != made.digest(plugin=text)


def test_what_is_imported_counts_at_any_depth_and_nothing_else(package) -> None:
    made = package(plugin="from synthetic.helper import A\n", helper="from . import deep\nA = deep.B\n", deep="B = 1\n")
    before = made.digest(other="C = 1\n")
    assert made.members() == {"synthetic", "plugin", "helper", "deep"}
    assert made.digest(other="C = 2\n") == before != made.digest(deep="B = 2\n")


def test_imports_inside_functions_count_and_those_for_type_checking_do_not(package) -> None:
    checked = (
        "import typing\nfrom typing import TYPE_CHECKING\nif {}:\n    from synthetic.types import T\nelse:\n    T = 1\n"
    )
    inside = "def f():\n    from synthetic import late\n    return late\n"
    made = package(plugin=checked.format("TYPE_CHECKING") + inside, types="T = int\n", late="")
    assert made.members() == {"synthetic", "plugin", "late"}
    before = made.digest()
    assert made.digest(types="T = str\n") == before
    made.write({"plugin": checked.format("typing.TYPE_CHECKING")})
    assert made.members() == {"synthetic", "plugin"}
    before = made.digest()
    assert made.digest(plugin=checked.format("typing.TYPE_CHECKING").replace("T = 1", "T = 2")) != before


@pytest.mark.parametrize(
    "text",
    ["import importlib", "from importlib import import_module", "import subprocess", "exec('1')", "__import__('a')"],
)
def test_what_is_loaded_by_name_stands_for_its_whole_package(package, text: str) -> None:
    made = package(**{"inner/__init__": "", "inner/plugin": f"{text}\n", "inner/part": "A = 1\n", "outer": "B = 1\n"})
    before = made.digest("inner.plugin")
    assert made.digest("inner.plugin", outer="B = 2\n") == before
    assert made.digest("inner.plugin", **{"inner/part": "A = 2\n"}) != before


@pytest.mark.parametrize("text", ["from importlib.resources import files", "def f(net):\n    return net.eval()"])
def test_resources_and_methods_called_eval_load_no_module(package, text: str) -> None:
    made = package(plugin=f"{text}\n", other="")
    assert made.members() == {"synthetic", "plugin"}


def test_files_beside_a_package_count_and_traces_do_not(package) -> None:
    made = package(**{"inner/__init__": "A = 1\n", "inner/data/weights.bin": "1"})
    before = made.digest("inner")
    assert made.digest("inner", **{"inner/data/weights.bin": "2"}) != before
    traces = {"inner/.swap.txt": "1", "inner/__pycache__/a.pyc": "1", "inner/README.md": "1"}
    assert made.digest("inner", **{"inner/data/weights.bin": "1", **traces}) == before


SCORED = """
from synthetic.helper import half, title

class Base:
    def score(self, x):
        return self.inner(x)
    def inner(self, x):
        return half(x)
    def tables(self):
        return title()

class Protocol(Base):
    def numbers(self, x):
        return [1]
    def tables(self):
        return [title(), 'Errors']
"""
HELPER = "def half(x):\n    return x / 2\ndef title():\n    return 'Half'\n"


@pytest.mark.parametrize(
    ("module", "old", "new", "same"),
    [
        ("plugin", "'Errors'", "'Mistakes'", True),
        ("plugin", "[1]", "[2]", True),
        ("helper", "'Half'", "'Halves'", True),
        ("helper", "x / 2", "x / 3", False),
        ("plugin", "self.inner(x)", "self.inner(-x)", False),
    ],
)
def test_of_a_protocol_only_what_its_score_uses_counts(package, module, old, new, same) -> None:
    made = package(plugin=SCORED, helper=HELPER)
    before = sources.of_class("synthetic.plugin", "Protocol", ("numbers", "tables"))
    made.write({module: {"plugin": SCORED, "helper": HELPER}[module].replace(old, new)})
    assert (sources.of_class("synthetic.plugin", "Protocol", ("numbers", "tables")) == before) is same


def test_a_module_that_is_not_there_is_named() -> None:
    with pytest.raises(ModuleNotFoundError, match="surely_not_there"):
        sources.of_module("surely_not_there.at_all")
