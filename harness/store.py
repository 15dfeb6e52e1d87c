"""Results on disk: one folder per cell, `<root>/<task>/<method>/<key>/`, written aside and renamed into place.

A folder under its final name is complete. Two result folders merge by copying one into the other. Reading and
verifying need no numerical library.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.durable import discard, locked_folder, make_folder, replace, storage_errors, sweep
from harness.errors import UsageError
from harness.records import Damaged, content_key, file_sha256, plain, read, serialise, typed
from harness.schema import SCHEMA, Record
from harness.texts import clean

if TYPE_CHECKING:
    from harness.plan import Cell

RECORD, CONSOLE = "record.json", "console.txt"
KEY_DIGITS = 16
DEPTH = 3  # from the root to a cell: task, method, key

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Problem:
    """Something in a result folder that cannot be trusted."""

    path: Path
    what: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"


class Store:
    """The records below one folder.

    Args:
        root: the result folder, which need not be there.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root)

    def path(self, cell: Cell) -> Path:
        """The final folder of a cell.

        Args:
            cell: which may be done or not.
        """
        return self.root / folder_name(cell.task.name) / folder_name(cell.method.name) / cell.key[:KEY_DIGITS]

    def folder(self, record: Record) -> Path:
        """The folder of a record.

        Args:
            record: of a cell below this root.
        """
        names = [folder_name(plugin.name) for plugin in (record.declared.task, record.declared.method)]
        return Path(self.root, *names, record.key[:KEY_DIGITS])

    def prepare(self) -> None:
        """Create the root, make sure that it can be written, and clean up after killed runs.

        Raises:
            UsageError: the folder cannot be created or written.
        """
        with storage_errors(self.root):
            make_folder(self.root)
            probe = self.root / f".{secrets.token_hex(4)}.tmp"
            probe.mkdir()
            probe.rmdir()
            sweep(self.root, "*/*")

    def commit(self, cell: Cell, folder: Path, content: Mapping[str, Any]) -> Record:
        """Complete the record with key, declared inputs and file checksums, and move the folder into place.

        At every moment the previous record or the new one is complete on disk.

        Args:
            cell: whose record it is.
            folder: with the files that stand beside the record, as `scratch` gives it.
            content: all other parts of the record.

        Raises:
            UsageError: the disk is full or the folder cannot be written.
            Damaged: a value that no record has.
        """
        head = {
            "schema": SCHEMA,
            "key": cell.key,
            "declared": cell.declared(),
            "sizes": cell.sizes,
            "preset": cell.preset,
        }
        label = {"task": cell.task.label, "method": cell.method.label}
        if cell.scenario:
            label["scenario"] = cell.scenario.label
        groups = {"task": list(cell.task.groups), "method": list(cell.method.groups)}
        origin = {"sources": cell.sources, "digests": cell.digests, "task_options": dict(cell.task.options)}
        label = {name: clean(text) for name, text in label.items()}
        return self.place({**head, "label": label, "groups": groups, **origin, **content}, folder, self.path(cell))

    def place(self, content: Mapping[str, Any], folder: Path, final: Path) -> Record:
        """Write a record beside the files in a scratch folder, with their checksums, and move it to its final place.

        Args:
            content: the record but for the checksums.
            folder: with the files that stand beside it.
            final: where the folder is moved; what is there is replaced.
        """
        with storage_errors(final):
            files = {path.name: file_sha256(path) for path in sorted(folder.iterdir()) if path.name != RECORD}
            record = typed({**content, "files": files})
            (folder / RECORD).unlink(missing_ok=True)
            (folder / RECORD).write_bytes(serialise(record))
            # safetensors writes files that only their owner may read, which would spoil copying results.
            mode = (folder / RECORD).stat().st_mode & 0o777
            for name in files:
                (folder / name).chmod(mode)
            replace(folder, final)
        return record

    def read(self, cell: Cell) -> Record | None:
        """The record of a cell; None where there is none or it is damaged. The files beside it are not read.

        Args:
            cell: whose record is wanted.
        """
        try:
            record = read(self.path(cell) / RECORD)
        except Damaged:
            return None
        return record if record.key == cell.key else None

    def has(self, cell: Cell, *, thorough: bool = False) -> bool:
        """Whether the record of a cell is there and intact.

        Args:
            cell: whose record is wanted.
            thorough: check the files beside it too, as `verify` does.
        """
        return self.read(cell) is not None and not (thorough and any(problems(self.path(cell))))

    def records(self, kind: type[Record] = Record) -> Iterator[Record]:
        """All intact records in the order of their paths; a damaged one is left out with a logged warning.

        The contents of the files beside a record are not read.

        Args:
            kind: what is read; a subclass may leave parts of a record as JSON.
        """
        for folder in cell_folders(self.root):
            found = _read(folder, kind)
            damage = found if isinstance(found, Problem) else next(_problems(folder, found, contents=False), None)
            if damage is not None:
                logger.warning("%s. Left out; `verify` names all damage.", damage)
            elif isinstance(found, Record):
                yield found

    def export(self, target: str | os.PathLike[str], largest: int) -> None:
        """Copy all intact cells to another root without their large files.

        What is left out is named with its SHA-256 in the record's `omitted`.

        Args:
            target: the other root.
            largest: bytes of the largest file that is copied.

        Raises:
            UsageError: the target cannot be written, or lies inside this root.
        """
        if self.root.resolve() in Path(target).resolve().parents:
            raise UsageError(f"{str(target)!r} lies inside the result folder. Name a target outside it.")
        with storage_errors(Path(target)):
            make_folder(Path(target))
            sweep(Path(target), "*/*")
        for folder in cell_folders(self.root):
            if any(problems(folder)):
                logger.warning("%s is damaged and left out; `verify` says how.", folder)
                continue
            record = read(folder / RECORD)
            large = {name: sha for name, sha in record.files.items() if (folder / name).stat().st_size > largest}
            content = {**plain(record), "omitted": {**record.omitted, **large}}
            final = Path(target, *folder.parts[-3:])
            with scratch(final) as copy:
                carry(folder, copy, record.files.keys() - large.keys(), link=False)
                self.place(content, copy, final)

    def verify(self) -> list[Problem]:
        """Everything below the root that is truncated, edited, missing or misplaced.

        Raises:
            UsageError: there is no such folder, or one cannot be read.
        """
        if not self.root.is_dir():
            raise UsageError(f"There is no result folder {str(self.root)!r}. Name the folder of a run.")
        return [problem for folder in cell_folders(self.root) for problem in problems(folder)]


def verify(root: str | os.PathLike[str]) -> list[Problem]:
    """Everything below a result folder that is damaged; see `Store.verify`.

    Args:
        root: the folder of a run.
    """
    return Store(root).verify()


@contextmanager
def scratch(final: Path) -> Iterator[Path]:
    """A locked folder beside the final one, removed at the end unless it was moved into place.

    Args:
        final: the folder of a cell, which need not be there.

    Raises:
        UsageError: the folder cannot be written.
    """
    with storage_errors(final):
        folder, lock = locked_folder(final)
    try:
        yield folder
    finally:
        discard(folder)
        os.close(lock)


def carry(source: Path, folder: Path, names: Iterable[str], *, link: bool = True) -> None:
    """Copy files of a cell into another folder; without moving a byte where they may be linked and can be.

    What a method printed is copied in any case: more is written at its end, which a link would share.

    Args:
        source: the folder of a cell.
        folder: where the files are wanted.
        names: of the files.
        link: whether they may be links to those in the source.
    """
    with storage_errors(folder):
        for name in names:
            try:
                if not link or name == CONSOLE:
                    raise OSError
                os.link(source / name, folder / name)
            except OSError:
                shutil.copyfile(source / name, folder / name)


def cell_folders(root: Path) -> list[Path]:
    """The folders of cells below a root, sorted; temporary ones are not among them.

    Args:
        root: the folder of a run.

    Raises:
        UsageError: a folder cannot be read.
    """
    found = [root]
    for _ in range(DEPTH):
        found = [inner for folder in found for inner in _folders(folder)]
    return sorted(found)


def _folders(folder: Path) -> list[Path]:
    """The folders in a folder; none where there is no such folder."""
    try:
        with os.scandir(folder) as entries:
            return [Path(entry) for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise UsageError(f"{str(folder)!r} cannot be read: {error.strerror or error}. Mend its permissions.") from error


def record_files(root: Path) -> list[Path]:
    """The record files below a root, sorted, intact or not; what a run is writing is not among them.

    Args:
        root: the folder of a run.
    """
    return [path for folder in cell_folders(root) if os.path.lexists(path := folder / RECORD)]


def holds_records(root: Path) -> bool:
    """Whether a folder is that of a run, with records in it.

    Args:
        root: any folder.
    """
    try:
        return any(os.path.lexists(folder / RECORD) for folder in cell_folders(root))
    except UsageError:  # not ours to read
        return False


def none_below(root: Path) -> str:
    """What to say of a folder without records, with the result folder that may have been meant.

    Args:
        root: a folder without records.
    """
    levels = ("/".join([*("*" * depth), RECORD]) for depth in (*range(DEPTH), DEPTH + 1))
    meant = [path.parents[DEPTH] for level in levels for path in root.resolve().glob(level)]
    hint = f" Did you mean {str(meant[0])!r}?" if meant else ""
    return f"There are no records below {str(root)!r}. Name the folder of a run.{hint}"


def folder_name(name: str) -> str:
    """A plug-in's name as one part of a path.

    Args:
        name: such as `me/method`, of any characters.

    >>> folder_name("me/method 2")
    'me_method_2'
    """
    return re.sub(r"^\.|[^\w.+-]", "_", name)


def problems(folder: Path) -> Iterator[Problem]:
    """What is damaged in the folder of one cell.

    Args:
        folder: of one cell.
    """
    found = _read(folder)
    if isinstance(found, Problem):
        yield found
    else:
        yield from _problems(folder, found)


def _read(folder: Path, kind: type[Record] = Record) -> Record | Problem:
    """The record in the folder of a cell, or what is wrong with it."""
    path = folder / RECORD
    try:
        return read(path, kind)
    except Damaged as error:
        return Problem(path, str(error))


def _problems(folder: Path, record: Record, *, contents: bool = True) -> Iterator[Problem]:
    """What does not go with a record; of the files beside it, only whether they are there where not `contents`."""
    path = folder / RECORD
    declared = record.declared
    if content_key(declared) != record.key:
        yield Problem(path, f"has the key {record.key[:KEY_DIGITS]}, which does not match its declared inputs")
    names = [folder_name(declared.task.name), folder_name(declared.method.name)]
    place = "/".join([*names, record.key[:KEY_DIGITS]])
    if "/".join(folder.parts[-3:]) != place:
        yield Problem(folder, f"is in the wrong place: its record belongs to {place}")
    for name, digest in record.files.items():
        if contents:
            yield from _file_problems(folder / name, digest)
        elif not os.path.isfile(folder / name):  # also where it may not be looked at
            yield Problem(folder / name, "is missing")


def _file_problems(path: Path, digest: str) -> Iterator[Problem]:
    try:
        if file_sha256(path) != digest:
            yield Problem(path, "does not match its SHA-256 in the record; it was edited or truncated")
    except FileNotFoundError:
        yield Problem(path, "is missing")
    except OSError as error:
        yield Problem(path, f"cannot be read ({error.strerror or error})")
