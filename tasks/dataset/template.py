"""What `python -m harness new task` writes: a task of the user's own pairs, derived from this one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from harness.options import convert, instantiate
from harness.selection import parse
from harness.texts import meant, openable
from tasks.dataset.reading import kind_of
from tasks.dataset.task import DatasetTask


def texts(
    names: Mapping[str, str], pairs: Path, x: str | None, y: str | None
) -> tuple[dict[str, str], dict[str, Path]]:
    """The texts of the new folder, and the files that are copied into it, by their places there.

    Args:
        names: `name`, `module` and `class_name` of the new task.
        pairs: file of the pairs, also with options as in `pairs.csv[decimal=comma]`, which become defaults.
        x: columns of the design, as in a selection; the option's default where omitted.
        y: columns of the target.

    Raises:
        UsageError: data that the task refuses.
    """
    file, options = (str(pairs), {}) if pairs.exists() else parse(meant(str(pairs)))
    pairs, columns_of = Path(openable(file)), {**({"x": x} if x else {}), **({"y": y} if y else {})}
    given = convert(DatasetTask.Options, {**options, **columns_of, "path": file}, "dataset")
    task = DatasetTask(instantiate(DatasetTask.Options, given, "dataset"))
    data, module = f"pairs{kind_of(pairs)}", names["module"]
    columns = {name: json.dumps(getattr(task.options, name), ensure_ascii=False) for name in ("x", "y")}
    more = "".join(_declared(name, value) for name, value in given.items() if name not in ("path", "x", "y"))
    values = {**names, "data": data, **columns, "more": more, "x_dim": task.x_dim, "y_dim": task.y_dim}
    places = {"pyproject": "pyproject.toml", "module": f"{module}/__init__.py", "test": f"tests/test_{module}.py"}
    folder = files("tasks.dataset").joinpath("templates")
    written = {
        place: Template(folder.joinpath(f"{name}.txt").read_text(encoding="utf-8")).substitute(values)
        for name, place in places.items()
    }
    return written, {f"{module}/{data}": pairs}


def _declared(name: str, value: Any) -> str:
    """A line that gives an option another default."""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
    return f"    {name}: {'str | None' if value is None else type(value).__name__} = {text}\n"
