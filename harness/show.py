"""One record in readable lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from harness.errors import UsageError, unknown
from harness.records import Damaged, plain, read
from harness.schema import Record
from harness.selection import means
from harness.store import KEY_DIGITS, RECORD, cell_folders, holds_records, record_files

HIDDEN = ("schema", "checksum", "files")
LISTED = 12  # records in an error
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
    folders = list(cell_folders(existing(str(root))))
    if re.fullmatch(r"[0-9a-f]{4,}", what):
        folders = [folder for folder in folders if folder.name.startswith(what[:KEY_DIGITS])]
        if folders:
            return folders
        raise UsageError(f"No record below {str(root)!r} has a key that begins with {what}. Give its folder by --out.")
    found = [folder for folder in folders if "/".join(folder.parts[-3:-1]) == what.rstrip("/")]
    found = found or labelled(root / what)
    if not found:
        raise unknown(f"record below {str(root)!r}", what, {"/".join(folder.parts[-3:-1]) for folder in folders})
    return found


def labelled(path: Path) -> list[Path]:
    """The folders of the records at a path whose end is written as tables show it: `RUN/dataset[pairs]/METHOD`.

    Options may have slashes in them, so that the result folder may be any folder above.
    """
    for root in path.parents:
        if root != root.parent and (files := record_files(root)):
            wanted = path.relative_to(root).as_posix()
            return [file.parent for file in files if _is_called(file.parent, wanted)]
    return []


def _is_called(folder: Path, wanted: str) -> bool:
    """Whether words mean the record in a folder, such as TASK/METHOD/SCENARIO; not where it is damaged."""
    try:
        record = read(folder / RECORD)
    except Damaged:
        return False
    name, scenario = f"{record.label.task}/{record.label.method}", record.declared.scenario
    if scenario is None or not wanted.startswith(f"{name}/"):
        return wanted == name or (scenario is None and wanted == f"{name}/{record.declared.seed}")
    label = wanted.removeprefix(f"{name}/").removesuffix(f"/{record.declared.seed}")
    try:
        return label == record.label.scenario or means(label, record.label.scenario, scenario)
    except UsageError:
        return False


def none_there(path: Path) -> UsageError:
    """The error for a path without a record, which lists what there is at the nearest folder above it."""
    missing = f"There is no record in {str(path)!r}."
    near = next((root for root in (path, *path.parents) if root.is_dir()), Path())
    for root in (near, near.parent):
        found = sorted({str(file.parent.parent) for file in record_files(root)})
        found = found or sorted({str(folder) for folder in root.glob("[!.]*/") if record_files(folder)})
        if found:
            more = f" and {len(found) - LISTED} more" if len(found) > LISTED else ""
            close = get_close_matches(str(path), found, n=3)
            hint = f" Did you mean {' or '.join(close)}?" if close else ""
            return UsageError(
                f"{missing}{hint} There are {', '.join(found[:LISTED])}{more}. Name the folder of a cell, "
                "RUN/TASK/METHOD."
            )
    return UsageError(
        f"{missing} Name the folder of a cell, such as results/quick/TASK/METHOD; `list results` shows the result "
        "folders, and `run` makes one."
    )


def existing(out: str) -> Path:
    """The result folder, which must exist.

    Raises:
        UsageError: naming the result folders beside it.
    """
    root = Path(out)
    try:
        if root.is_dir():
            return root
    except OSError as error:
        raise UsageError(
            f"The result folder {out!r} cannot be read: {error.strerror}. Name another with --out."
        ) from error
    beside = sorted(
        str(path) for path in root.parent.glob("*/") if not path.name.startswith(".") and holds_records(path)
    )
    if not beside:
        raise UsageError(f"Unknown result folder {out!r}. Beside it there is none: `python -m harness run` makes one.")
    raise UsageError(f"{unknown('result folder', out, beside)} Name one of them with --out.")


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
