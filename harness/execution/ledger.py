"""What a run keeps beside the results about its array entries, so that another run knows what is in the queue.

`<results>/.slurm/` has a file for each array, `<array>.json`, beside submitit's own files. It is gone when all is done.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.durable import make_folder, storage_errors, write_whole
from harness.records import content_key
from harness.store import RECORD, Store

if TYPE_CHECKING:
    from harness.execution.engine import Job
    from harness.plan import Cell

FOLDER = ".slurm"

Mark = tuple[int, int] | None
"""Which record a cell has: time in nanoseconds and size of its file; None where there is no record."""


@dataclass(frozen=True)
class Line:
    """What is known of one cell in an entry."""

    key: str
    place: str
    """Its folder, seen from the result folder."""
    order: str
    """The digest of all that was to be done for it."""
    mark: Mark
    """The record that the cell had then: with another one, it is done."""


def mark(store: Store, cell: Cell) -> Mark:
    """Which record a cell has now."""
    return _mark_of(store.path(cell))


def line(store: Store, job: Job, before: Mark) -> Line:
    """What is noted of a cell that is handed in."""
    place = store.path(job.cell).relative_to(store.root).as_posix()
    return Line(job.cell.key, place, order(job), before)


def _mark_of(folder: Path) -> Mark:
    with suppress(OSError):
        found = (folder / RECORD).stat()
        return found.st_mtime_ns, found.st_size
    return None


def order(job: Job) -> str:
    """The digest of all that is to be done for a cell, and of the sources that do it."""
    cell, work = job.cell, job.work
    protocols = [[spec.name, spec.options, spec.source] for spec in cell.protocols]
    lender = work.lender and work.lender.key
    return content_key([cell.key, cell.sources, cell.sizes, protocols, work.train, lender, work.ask, work.score])


class Ledger:
    """The arrays of one result folder, by the ids of their entries, such as `123_4`."""

    def __init__(self, root: Path) -> None:
        self.root, self.folder = root.absolute(), root.absolute() / FOLDER

    def prepare(self) -> None:
        """Make the folder.

        Raises:
            StorageError: it cannot be written.
        """
        with storage_errors(self.folder):
            make_folder(self.folder)

    def keep(self, entries: Mapping[str, list[Line]]) -> None:
        """Note entries, all that there are of their arrays.

        Raises:
            StorageError: the folder cannot be written.
        """
        arrays: dict[str, dict[str, Any]] = {}
        for name, lines in entries.items():
            arrays.setdefault(array_of(name), {})[name] = [[*astuple(line)] for line in lines]
        with storage_errors(self.folder):
            for array, content in arrays.items():
                write_whole(self._file(array), json.dumps(content))

    def known(self) -> dict[str, list[Line]]:
        """All entries that have been noted; what cannot be read is left out, and what it did is done again."""
        found: dict[str, list[Line]] = {}
        for path in sorted(self.folder.glob("*.json")):
            with suppress(OSError, ValueError, TypeError):
                for name, lines in json.loads(path.read_text()).items():
                    found[name] = [Line(key, place, what, had and tuple(had)) for key, place, what, had in lines]
        return found

    def left(self, lines: Iterable[Line]) -> list[Line]:
        """The cells of an entry that have no new record yet."""
        return [line for line in lines if _mark_of(self.root / line.place) == line.mark]

    def sweep(self) -> None:
        """Forget the entries that have nothing left to do, which a run that was ended could not do itself."""
        self.forget([name for name, lines in self.known().items() if not self.left(lines)])

    def forget(self, names: Iterable[str]) -> None:
        """Remove all that belongs to these entries; of an array, when the last of its entries goes."""
        gone = set(names)
        known = self.known() if gone else {}
        for name in gone:
            self._remove(f"{name}_*")
        for array in {array_of(name) for name in gone}:
            left = {name: lines for name, lines in known.items() if array_of(name) == array and name not in gone}
            if left:
                self.keep(left)
            else:
                self._file(array).unlink(missing_ok=True)
                self._remove(f"{array}_*")
                self._remove(".submission_file_*", dangling=True)
        with suppress(OSError):
            self.folder.rmdir()  # only where nothing is left in it

    def _file(self, array: str) -> Path:
        return self.folder / f"{array}.json"

    def _remove(self, pattern: str, *, dangling: bool = False) -> None:
        for path in self.folder.glob(pattern):
            if not dangling or not path.exists():
                with suppress(OSError):
                    path.unlink()


def array_of(name: str) -> str:
    """The array that an entry belongs to."""
    return name.partition("_")[0]
