"""`new` writes plug-ins that work as they are, or nothing at all."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from harness import new
from harness.conformance import check
from harness.errors import UsageError
from harness.registry import discover
from tasks.dataset import DatasetOptions, DatasetTask

ROOT = Path(__file__).parents[1]
FAST = "\n\nfrom tasks.dataset.training import Training\n\n{name}.training = Training(steps=50)\n"


@pytest.fixture
def pairs(tmp_path):
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.uniform(-1, 1, (150, 3)), columns=["length", "width", "depth"])
    frame["deflection"] = frame["length"] ** 3 / (2 + frame["width"])
    path = tmp_path / "measured data.csv"
    frame.to_csv(path, index=False)
    return path


def install(folder, site):
    """Install a plug-in as its user does, into a folder of its own; without a network, with what is installed."""
    offline = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet")
    command = [sys.executable, "-m", "pip", "install", *offline, "--target", str(site), str(folder)]
    subprocess.run(command, check=True, cwd=folder.parent)


def run_its_test(folder, site, cache):
    path = os.pathsep.join([str(site), str(ROOT), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", "tests"]
    environment = {**os.environ, "PYTHONPATH": path, "INVERSE_HARNESS_CACHE": str(cache)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def listing(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_new_task_can_be_installed_and_passes_its_own_test(tmp_path, pairs, monkeypatch):
    folder, site = tmp_path / "my-beam", tmp_path / "site"
    said = new.new_task("my-beam", folder, pairs, "length:depth", "deflection")
    assert "python -m harness check my-beam" in said and f"pip install -e {folder}" in said
    assert listing(folder) == ["my_beam/__init__.py", "my_beam/pairs.csv", "pyproject.toml", "tests/test_my_beam.py"]
    with (folder / "my_beam" / "__init__.py").open("a") as module:
        module.write(FAST.format(name="MyBeam"))
    install(folder, site)
    assert "2 passed" in run_its_test(folder, site, tmp_path / "cache")
    monkeypatch.syspath_prepend(str(site))
    plugin = discover("tasks")["my-beam"]
    assert plugin.error is None and plugin.required == ()  # so that `all` runs it, too


def test_how_the_file_is_read_becomes_a_default_of_the_new_task(tmp_path, pairs, monkeypatch):
    german = tmp_path / "german.csv"
    german.write_text(pairs.read_text(encoding="utf-8").replace(",", ";").replace(".", ","), encoding="utf-8")
    with pytest.raises(UsageError, match="decimal=comma"):
        new.new_task("beam", tmp_path / "beam", german, "length:depth", "deflection")
    wanted = Path(f"{german}[decimal=comma,comment=none,batch=7]")
    new.new_task("beam", tmp_path / "beam", wanted, "length:depth", "deflection")
    monkeypatch.syspath_prepend(str(tmp_path / "beam"))
    made = importlib.import_module("beam").Beam()
    plain = DatasetTask(DatasetOptions(path=str(pairs), x="length:depth", y="deflection"))
    assert torch.equal(made.rows.x, plain.rows.x) and torch.equal(made.rows.y, plain.rows.y)
    assert (made.options.decimal, made.options.comment, made.options.batch) == ("comma", None, 7)
    sys.modules.pop("beam")


def test_a_new_method_is_found_and_conforms(tmp_path, monkeypatch):
    folder, site = tmp_path / "anything", tmp_path / "site"
    assert "--methods spread-net,baselines" in new.new_method("spread-net", folder)
    assert listing(folder) == ["pyproject.toml", "spread_net.py", "tests/test_spread_net.py"]
    install(folder, site)
    monkeypatch.syspath_prepend(str(site))
    plugin = discover("methods")["spread-net"]
    assert plugin.error is None and check(plugin) == []
    compile((folder / "tests" / "test_spread_net.py").read_text(), "test_spread_net.py", "exec")


def test_what_is_written_has_the_style_of_the_house(tmp_path, pairs):
    new.new_task("beam", tmp_path / "beam", pairs, "length:depth", "deflection")
    new.new_method("spread", tmp_path / "spread")
    code = [str(path) for path in tmp_path.glob("*/**/*.py")]
    settings = ["--config", str(ROOT / "pyproject.toml")]
    # How imports are sorted depends on the name of the plug-in.
    for arguments in (["check", "--ignore=ANN,D103,I001"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *arguments, *settings, *code]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


NAMES = {
    "Beam": "not allowed",
    "my--beam": "not allowed",
    "../beam": "not allowed",
    "class": "not allowed",
    "all": "name of a group",
    "torch": "Python module 'torch'",
    "tasks": "Python module 'tasks'",
}


@pytest.mark.parametrize(("name", "message"), [*NAMES.items(), ("sinewave", "task 'sinewave' already")])
def test_a_name_that_would_be_mistaken_is_refused(tmp_path, pairs, name, message):
    with pytest.raises(UsageError, match=message):
        new.new_task(name, tmp_path / "folder", pairs, "length:depth", "deflection")
    assert listing(tmp_path) == [pairs.name]


@pytest.mark.parametrize(("name", "message"), [*NAMES.items(), ("mdn", "method 'mdn' already")])
def test_the_same_of_methods(tmp_path, name, message):
    with pytest.raises(UsageError, match=message):
        new.new_method(name, tmp_path / "folder")
    assert list(tmp_path.iterdir()) == []


def test_what_exists_is_left_as_it_is(tmp_path, pairs):
    for name in ("file", "folder"):
        place = tmp_path / name
        place.touch() if name == "file" else place.mkdir()
        for write in (new.new_method, lambda name, folder: new.new_task(name, folder, pairs, "l*", "deflection")):
            with pytest.raises(UsageError, match="exists already and is left as it is"):
                write("spread", place)
    assert listing(tmp_path) == sorted(["file", pairs.name])


def test_data_that_cannot_be_used_leaves_nothing_behind(tmp_path, pairs):
    with pytest.raises(UsageError, match="Did you mean depth"):
        new.new_task("beam", tmp_path / "beam", pairs, "length:dept", "deflection")
    with pytest.raises(UsageError, match="Unknown data file"):
        new.new_task("beam", tmp_path / "beam", tmp_path / "none.csv")
    assert list(tmp_path.iterdir()) == [pairs]


def test_a_write_that_fails_leaves_nothing_behind(tmp_path, pairs, monkeypatch):
    with pytest.raises(UsageError, match="cannot be written: No such file"):
        new.new_method("spread", tmp_path / "none" / "spread")

    def full(source, target):
        Path(target).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(new.shutil, "copyfile", full)
    with pytest.raises(UsageError, match="cannot be written: No space left"):
        new.new_task("beam", tmp_path / "beam", pairs, "length:depth", "deflection")
    assert list(tmp_path.iterdir()) == [pairs]
