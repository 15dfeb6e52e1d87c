"""The examples of docs/examples as they would be installed: their modules as printed, beside a dist-info."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "docs" / "examples"


def install(monkeypatch: pytest.MonkeyPatch, folder: Path, name: str) -> Path:
    """Copy an example, write the dist-info that pip would make of its pyproject.toml, and put it on `sys.path`."""
    root = folder / f"installed_{name}"
    project = tomllib.loads((FOLDER / name / "pyproject.toml").read_text())["project"]
    shutil.copytree(FOLDER / name, root, ignore=shutil.ignore_patterns("__pycache__"))
    info = root / f"{name}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    lines = []
    for group, entries in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{key} = {target}" for key, target in entries.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    monkeypatch.syspath_prepend(str(root))
    return root
