"""`new`: a plug-in of the user's own as a folder that pip can install, with its test."""

from __future__ import annotations

import keyword
import re
import secrets
import shutil
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import Any

from harness.errors import UsageError
from harness.registry import Kind, discover

NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")


def new_task(name: str, folder: Path, pairs: Path, x: str | None = None, y: str | None = None) -> str:
    """Write a task of pairs (x, y), with a copy of their file, into a new folder.

    Args:
        name: of the plug-in.
        folder: which must not exist yet.
        pairs: CSV, Parquet or NPZ file.
        x: columns of the design, as an option of the new task; its default where omitted.
        y: columns of the target.

    Returns:
        What to do next.

    Raises:
        UsageError: a name that cannot be used, a folder that exists or cannot be written, or data that the template
            refuses.
    """
    _require_free("tasks", name, folder)
    texts, copies = _template("task")(_names(name), pairs, x, y)
    _write(folder, texts, copies)
    return _next_steps("tasks", name, folder)


def _template(kind: str) -> Callable[..., tuple[Mapping[str, str], Mapping[str, Path]]]:
    """The function that gives the texts of a new folder: an entry point of the group `harness.templates`."""
    found = list(entry_points(group="harness.templates", name=kind))
    if not found:
        raise UsageError(
            f"No installed distribution has a template of a {kind} (entry point {kind!r} of the group "
            "'harness.templates'). Install one."
        )
    template: Callable[..., tuple[Mapping[str, str], Mapping[str, Path]]] = found[0].load()
    return template


def new_method(name: str, folder: Path) -> str:
    """Write a method that works, to be changed into the user's own, into a new folder; returns what to do next.

    Raises:
        UsageError: a name that cannot be used, or a folder that exists or cannot be written.
    """
    _require_free("methods", name, folder)
    values = _names(name)
    texts = {
        "pyproject.toml": _filled("method_pyproject", values),
        f"{values['module']}.py": _filled("method_module", values),
        f"tests/test_{values['module']}.py": _filled("method_test", values),
    }
    _write(folder, texts, {})
    return _next_steps("methods", name, folder)


def _require_free(kind: Kind, name: str, folder: Path) -> None:
    """Refuse a name that would be mistaken for another thing, and a folder that exists."""
    noun, plugins = kind.removesuffix("s"), discover(kind)
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise UsageError(f"The name {name!r} is not allowed. Allowed: a-z, 0-9, and single - or _ between them.")
    if name in plugins:
        raise UsageError(
            f"There is a {noun} {name!r} already, from {plugins[name].distribution!r}. Choose another name."
        )
    if name == "all" or name in {group for plugin in plugins.values() for group in plugin.groups}:
        raise UsageError(f"{name!r} is the name of a group of {kind}. Choose another name.")
    if find_spec(_names(name)["module"]) is not None:
        raise UsageError(f"There is a Python module {_names(name)['module']!r} already. Choose another name.")
    if folder.exists() or folder.is_symlink():
        raise UsageError(f"{str(folder)!r} exists already and is left as it is. Remove it or choose another name.")


def _names(name: str) -> dict[str, Any]:
    parts = re.split("[-_]", name)
    return {"name": name, "module": "_".join(parts), "class_name": "".join(part.capitalize() for part in parts)}


def _filled(template: str, values: Mapping[str, Any]) -> str:
    text = files("harness").joinpath("templates", f"{template}.txt").read_text(encoding="utf-8")
    return Template(text).substitute(values)


def _write(folder: Path, texts: Mapping[str, str], copies: Mapping[str, Path]) -> None:
    """The folder with all its files, or nothing: written aside and renamed into place."""
    aside = folder.with_name(f".{folder.name}-{secrets.token_hex(4)}.tmp")
    try:
        aside.mkdir()
        for place in (*texts, *copies):
            (aside / place).parent.mkdir(parents=True, exist_ok=True)
        for place, text in texts.items():
            (aside / place).write_text(text, encoding="utf-8")
        for place, source in copies.items():
            shutil.copyfile(source, aside / place)
        aside.rename(folder)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"{str(folder)!r} cannot be written: {reason}. Choose another folder.") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _next_steps(kind: Kind, name: str, folder: Path) -> str:
    selection = f"--tasks {name}" if kind == "tasks" else f"--methods {name},baselines --tasks analytic"
    place = folder if folder.is_absolute() else f"./{folder}"
    return "\n".join(
        (
            f"{folder} holds the {kind.removesuffix('s')} {name} and its test. Next:",
            f"  pip install -e {place}",
            f"  python -m harness check {name}",
            f"  python -m harness run --preset smoke {selection}",
        )
    )
