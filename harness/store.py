"""Results on disk: one folder per cell, `<root>/<task>/<method>/<key>/`, written aside and renamed into place.

A folder under its final name is complete. Two result folders merge by copying one into the other. Reading and
verifying need the standard library only.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.durable import locked_folder, replace, storage_errors, sweep
from harness.errors import UsageError
from harness.records import SCHEMA, Damaged, content_key, file_sha256, read, serialise

if TYPE_CHECKING:
    from harness.plan import Cell

RECORD = "record.json"
KEY_DIGITS = 16

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Problem:
    """Something in a result folder that cannot be trusted."""

    path: Path
    what: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"


class Store:
    """The records below one folder."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root)

    def path(self, cell: Cell) -> Path:
        """The final folder of a cell."""
        return self.root / folder_name(cell.task.name) / folder_name(cell.method.name) / cell.key[:KEY_DIGITS]

    def prepare(self) -> None:
        """Create the root, make sure that it can be written, and clean up after killed runs.

        Raises:
            UsageError: the folder cannot be created or written.
        """
        with storage_errors(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            probe = self.root / f".{secrets.token_hex(4)}.tmp"
            probe.mkdir()
            probe.rmdir()
            sweep(self.root, "*/*")

    @contextmanager
    def temporary(self, cell: Cell) -> Iterator[Path]:
        """A locked folder beside the final one, removed at the end unless it was committed."""
        final = self.path(cell)
        with storage_errors(final):
            folder, lock = locked_folder(final)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)

    def commit(self, cell: Cell, folder: Path, record: Mapping[str, Any]) -> Path:
        """Complete the record with key, declared inputs and file checksums, and move the folder into place.

        At every moment the previous record or the new one is complete on disk.

        Raises:
            UsageError: the disk is full or the folder cannot be written.
        """
        final = self.path(cell)
        head = {"schema": SCHEMA, "key": cell.key, "status": "ok", "error": None}
        declared = record.get("declared") or cell.declared()
        with storage_errors(final):
            files = {path.name: file_sha256(path) for path in sorted(folder.iterdir()) if path.name != RECORD}
            (folder / RECORD).write_bytes(serialise({**head, **record, "declared": declared, "files": files}))
            # safetensors writes files that only their owner may read, which would spoil copying results.
            mode = (folder / RECORD).stat().st_mode & 0o777
            for name in files:
                (folder / name).chmod(mode)
            replace(folder, final)
        return final

    def read(self, cell: Cell) -> dict[str, Any] | None:
        """The record of a cell; None where there is none or it is damaged. The files beside it are not read."""
        try:
            record = read(self.path(cell) / RECORD)
        except Damaged:
            return None
        return record if record.get("key") == cell.key else None

    def has(self, cell: Cell, *, thorough: bool = False) -> bool:
        """True where the record is intact; `thorough` also checks the files beside it, as `verify` does."""
        return self.read(cell) is not None and not (thorough and any(problems(self.path(cell))))

    def records(self) -> Iterator[dict[str, Any]]:
        """All intact records in the order of their paths; a damaged one is left out with a logged warning."""
        for folder in cell_folders(self.root):
            try:
                yield read(folder / RECORD)
            except Damaged as error:
                logger.warning("%s %s. Left out; `verify` names all damage.", folder / RECORD, error)

    def revise(self, folder: Path, changes: Mapping[str, Any]) -> None:
        """Replace top-level parts of the record in a cell's folder, such as its scores; the other files stay.

        Raises:
            Damaged: the record cannot be trusted.
            UsageError: the folder cannot be written.
        """
        record = read(folder / RECORD)
        _write_copy(folder, folder, {**record, **changes}, list(record["files"]))

    def export(self, target: str | os.PathLike[str], largest: int) -> None:
        """Copy all intact cells to another root without the files of more than `largest` bytes.

        What is left out is named with its SHA-256 in the record's `omitted`.

        Raises:
            UsageError: the target cannot be written.
        """
        for folder in cell_folders(self.root):
            if any(problems(folder)):
                logger.warning("%s is damaged and left out; `verify` says how.", folder)
                continue
            record = read(folder / RECORD)
            files = dict(record["files"])
            large = {name: files.pop(name) for name in list(files) if (folder / name).stat().st_size > largest}
            record.update(files=files, omitted={**record.get("omitted", {}), **large})
            _write_copy(folder, Path(target, *folder.parts[-3:]), record, list(files))

    def verify(self) -> list[Problem]:
        """Everything below the root that is truncated, edited, missing or misplaced.

        Raises:
            UsageError: there is no such folder.
        """
        if not self.root.is_dir():
            raise UsageError(f"There is no result folder {str(self.root)!r}. Name the folder of a run.")
        return [problem for folder in cell_folders(self.root) for problem in problems(folder)]


def verify(root: str | os.PathLike[str]) -> list[Problem]:
    """Everything below a result folder that is damaged; see `Store.verify`."""
    return Store(root).verify()


def _write_copy(source: Path, final: Path, record: Mapping[str, Any], names: list[str]) -> None:
    with storage_errors(final):
        folder, lock = locked_folder(final)
        try:
            for name in names:
                shutil.copyfile(source / name, folder / name)
            (folder / RECORD).write_bytes(serialise(record))
            replace(folder, final)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def cell_folders(root: Path) -> list[Path]:
    """The folders of cells below a root, sorted; temporary ones are not among them."""
    found = (path for path in root.glob("*/*/*") if path.is_dir())
    return sorted(path for path in found if not any(part.startswith(".") for part in path.parts[-3:]))


def folder_name(name: str) -> str:
    """A plug-in's name as one part of a path."""
    return re.sub(r"^\.|[^\w.+-]", "_", name)


def problems(folder: Path) -> Iterator[Problem]:
    """What is damaged in the folder of one cell."""
    path = folder / RECORD
    try:
        record = read(path)
    except Damaged as error:
        yield Problem(path, str(error))
        return
    declared, key = record.get("declared", {}), str(record.get("key"))
    if content_key(declared) != key:
        yield Problem(path, f"has the key {key[:KEY_DIGITS]}, which does not match its declared inputs")
    names = [folder_name(str(declared.get(kind, {}).get("name"))) for kind in ("task", "method")]
    place = "/".join([*names, key[:KEY_DIGITS]])
    if "/".join(folder.parts[-3:]) != place:
        yield Problem(folder, f"is in the wrong place: its record belongs to {place}")
    for name, digest in record.get("files", {}).items():
        yield from _file_problems(folder / name, digest)


def _file_problems(path: Path, digest: str) -> Iterator[Problem]:
    try:
        if file_sha256(path) != digest:
            yield Problem(path, "does not match its SHA-256 in the record; it was edited or truncated")
    except FileNotFoundError:
        yield Problem(path, "is missing")
    except OSError as error:
        yield Problem(path, f"cannot be read ({error.strerror or error})")
