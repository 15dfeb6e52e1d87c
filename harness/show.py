"""One record in readable lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.errors import UsageError, unknown
from harness.records import Damaged, plain, read
from harness.schema import Record
from harness.store import KEY_DIGITS, RECORD, cell_folders

HIDDEN = ("schema", "checksum", "files")
MANY = 8  # values of a list that are shown before it is cut


def show(root: Path, what: str) -> str:
    """The record that a key, a path or TASK/METHOD names; one line for each where there are several.

    Raises:
        UsageError: nothing is found, or the record is damaged.
    """
    folders = find(root, what)
    if len(folders) == 1:
        return "\n".join([str(folders[0]), *lines(plain(load(folders[0])))])
    return "\n".join([f"{len(folders)} records: show one by its key.", *(f"  {summary(folder)}" for folder in folders)])


REPLACE = "Give the `run` command that made it again, which makes a new one in its place."
"""What to do about a damaged record."""


def find(root: Path, what: str) -> list[Path]:
    """The folders of the records that are meant."""
    path = Path(what)
    if (path.parent if path.name == RECORD else path).joinpath(RECORD).is_file():
        return [path.parent if path.name == RECORD else path]
    folders = list(cell_folders(root))
    if re.fullmatch(r"[0-9a-f]{4,}", what):
        folders = [folder for folder in folders if folder.name.startswith(what[:KEY_DIGITS])]
        if folders:
            return folders
        raise UsageError(f"No record below {str(root)!r} has a key that begins with {what}. Give its folder by --out.")
    found = [folder for folder in folders if "/".join(folder.parts[-3:-1]) == what.rstrip("/")]
    if not found:
        raise unknown(f"record below {str(root)!r}", what, {"/".join(folder.parts[-3:-1]) for folder in folders})
    return found


def load(folder: Path) -> Record:
    """The record in a folder; a damaged one is a `UsageError`."""
    try:
        return read(folder / RECORD)
    except Damaged as error:
        raise UsageError(f"{folder / RECORD} {error}. {REPLACE}") from error


def summary(folder: Path) -> str:
    """One record in one line."""
    record = load(folder)
    label = record.label
    name = f"{label.task}/{label.method}" + (f"/{label.scenario}" if record.declared.scenario else "")
    return f"{folder.name}  {name}  seed {record.declared.seed}  {record.preset}  {record.status}"


def lines(record: dict[str, Any]) -> Iterator[str]:
    """The record as indented lines: short values first, then its parts."""
    yield from _mapping({key: value for key, value in record.items() if key not in HIDDEN}, "")


def _mapping(values: dict[str, Any], indent: str) -> Iterator[str]:
    plain = {key: value for key, value in values.items() if not _has_parts(value)}
    width = max((len(key) for key in plain), default=0)
    for key, value in plain.items():
        yield f"{indent}{key:<{width}}  {_text(value, indent)}"
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield f"{indent}{key}"
            yield from _mapping(value, indent + "  ")
        elif _has_parts(value):
            for number, part in enumerate(value, 1):
                yield f"{indent}{key} {number} of {len(value)}"
                yield from _mapping(part, indent + "  ")


def _has_parts(value: Any) -> bool:
    listed = isinstance(value, list) and bool(value) and isinstance(value[0], dict)
    return listed or (isinstance(value, dict) and bool(value))


def _text(value: Any, indent: str) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str) and "\n" in value:
        return "\n".join(["", *(f"{indent}    {line}" for line in value.splitlines())])
    if isinstance(value, list):
        shown = [_text(item, indent) for item in value]
        if len(shown) > MANY:
            shown = [*shown[: MANY // 2], f"... {len(shown) - MANY} more ...", *shown[-MANY // 2 :]]
        return "[" + ", ".join(shown) + "]"
    return {True: "yes", False: "no", None: "–"}[value] if value is None or isinstance(value, bool) else str(value)
