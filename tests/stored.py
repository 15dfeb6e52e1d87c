"""Cells of a moment's work, and their records: made in this process, by what a worker does in its own."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from harness import presets, provenance
from harness.cell import stamped, update
from harness.learning import learn
from harness.plan import Cell, Wanted, plan
from harness.records import plain, read
from harness.schema import Record
from harness.selection import select
from harness.store import RECORD, Store, carry, scratch
from harness.work import Work, due

PRESET: Mapping[str, Any] = {
    "budget": 10000,
    "schedule": {"epochs": 1, "validate_every": 1},
    "data": {"n_train": 100, "targets": 6},
    "sizes": {"proposals": 4, "repeats": 2, "fixed_proposals": 5},
    "protocols": {"r_T": {"trials": [1, 4], "bootstrap": 20}},
}


def tiny(**tables: Any) -> presets.Preset:
    """A preset that takes no time; tables go over its own."""
    return presets.from_table("tiny", presets.merge(PRESET, tables))


def cells(
    methods: str = "prior",
    tasks: str = "sinewave",
    preset: presets.Preset | None = None,
    *,
    seeds: tuple[int, ...] = (0,),
    scenarios: str = "base",
    protocols: str = "all",
) -> list[Cell]:
    """The plan of these selections."""
    chosen = (select("methods", methods), select("tasks", tasks), select("scenarios", scenarios))
    return plan(Wanted(*chosen, select("protocols", protocols), seeds), preset or tiny())


def cell_of(methods: str = "prior", **settings: Any) -> Cell:
    """The only cell of these selections."""
    (cell,) = cells(methods, **settings)
    return cell


def run(cell: Cell, root: Path, work: Work | None = None, record: Record | None = None) -> Path:
    """Do what is due for a cell, and keep its record; returns its folder."""
    store, started = Store(root), provenance.now()
    store.prepare()
    work = work or due(cell, record)
    kept = () if record is None or work.train else ("data", "model", "answers", "scores", "seconds", "stamps")
    with scratch(store.path(cell)) as folder:
        content = {name: plain(getattr(record, name)) for name in kept}
        if record is not None and not work.train:
            carry(store.path(cell), folder, record.files)
        for part in update(cell, work, None if work.train else record, folder, learn, lambda *_: None):
            content.update(plain(part))
        stamp = provenance.stamp(_environment(), device="cpu", threads=1, started=started)
        store.commit(cell, folder, stamped({**content, "status": "ok", "error": None}, stamp))
    return store.path(cell)


@cache
def _environment() -> Mapping[str, Any]:
    return provenance.environment()


@cache
def _made(cell: Cell) -> Path:
    root = Path(tempfile.mkdtemp(prefix="stored-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    run(cell, root)
    return root


def put(cell: Cell, root: Path, **changes: Any) -> Path:
    """The record of a cell as `run` keeps it, computed once for all tests; changes replace its parts."""
    shutil.copytree(_made(cell), root, dirs_exist_ok=True)
    folder = Store(root).path(cell)
    if changes:
        edit(folder, **changes)
    return folder


def edit(folder: Path, **changes: Any) -> Record:
    """Change a record, checksum included, as `harness.records` would have written it."""
    record = read(folder / RECORD)
    with scratch(folder) as aside:
        carry(folder, aside, record.files)
        return Store(folder.parents[2]).place({**plain(record), **changes}, aside, folder)
