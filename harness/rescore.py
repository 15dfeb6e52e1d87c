"""`rescore` and `time`: scores anew from stored answers, and inference measured anew from stored models.

Both bring single parts of records up to date, one record after the other; one that cannot be used is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import torch

from harness import provenance
from harness.cell import stamped, update
from harness.changed import rebuilt
from harness.cores import usable_cores
from harness.errors import UsageError
from harness.learning import learn
from harness.plan import Cell, Made, specification
from harness.records import Damaged, plain, read
from harness.registry import PluginSpec, build_protocol, discover, get, require_scorable
from harness.schema import Plugin, Record
from harness.selection import Selection
from harness.store import RECORD, Store, carry, cell_folders, problems, scratch
from harness.threads import threads
from harness.work import MODEL, Work

LEFT = "left as it is: "
BUSY = 0.25  # share of the processors' time above which the machine is not idle
PAUSE = 0.3  # seconds that are looked at, before each cell


class Unusable(ValueError):
    """A stored cell from which nothing can be computed again; the text says why."""


def rescore(root: Path, options: Mapping[str, Mapping[str, Any]] | None = None) -> Iterator[str]:
    """Re-simulate the stored answers of every record below the root and score them; yields a line for each cell.

    Args:
        root: a result folder.
        options: for protocols by name, over those that the record was scored with; only these are scored where given.
    """
    return _each(root, lambda cell, record: _scoring(cell, record, options or {}))


def retime(root: Path) -> Iterator[str]:
    """Measure the stored model of every record below the root again, one at a time; yields a line for each cell.

    The record of a cell before which other processes kept the processors busy says so.
    """
    torch.set_num_threads(1)
    return _each(root, _timing)


def _each(root: Path, plan: Callable[[Cell, Record], tuple[Cell, Work]]) -> Iterator[str]:
    for folder in cell_folders(root):
        place = folder.relative_to(root)
        try:
            yield f"{place}: {_revise(root, folder, plan)}"
        except (Exception, SystemExit) as error:  # whatever a cell's files, task or method lead to
            kind = "" if isinstance(error, Unusable | UsageError | Damaged) else f"{type(error).__name__}: "
            yield f"{place}: {LEFT}{kind}{error}"


def _revise(root: Path, folder: Path, plan: Callable[[Cell, Record], tuple[Cell, Work]]) -> str:
    record = _intact(folder)
    cell, work = plan(cell_of(record), record)
    started, timed = provenance.now(), any(build_protocol(spec).measures for spec in cell.protocols)
    busy = psutil.cpu_percent(PAUSE) / 100 if timed else 0.0
    content = {**plain(record), "sources": cell.sources}
    count = min(record.stamp.threads if record.stamp else 1, usable_cores())
    with scratch(folder) as copy, threads(count):
        carry(folder, copy, record.files)
        try:
            for part in update(cell, work, record, copy, learn, lambda *_: None, exclusive=busy < BUSY):
                content.update(part)
        except UsageError as error:
            rebuilt(cell.task, record, cell.scenario)  # says where its files were, if they are what is missing
            raise Unusable(str(error)) from error
        device = cell.device if timed else "cpu"  # where this was done: scores need no GPU
        stamp = provenance.stamp(provenance.environment(), device=device, threads=count, started=started)
        Store(root).place(stamped(content, stamp), copy, folder)
    return f"{', '.join(work.score)} anew" + (f"; the machine was not idle ({busy:.0%} busy)" if busy >= BUSY else "")


def _intact(folder: Path) -> Record:
    damage = next(problems(folder), None)
    if damage is not None:
        raise Unusable(f"damaged: {damage.what}")
    record = read(folder / RECORD)
    if record.status != "ok":
        raise Unusable(f"its status is {record.status}")
    return record


def _scoring(cell: Cell, record: Record, options: Mapping[str, Mapping[str, Any]]) -> tuple[Cell, Work]:
    specs = [spec for spec in _protocols(record, options) if not build_protocol(spec).measures]
    if not any(answer.file in record.files for answer in record.answers.values()):
        raise Unusable("its answers are not stored here; run the cell again to have them")
    return _scored(cell, [spec for spec in specs if spec.name in (options or record.scores)])


def _timing(cell: Cell, record: Record) -> tuple[Cell, Work]:
    if MODEL not in record.files:
        raise Unusable(f"{MODEL} is not stored here; run the cell again, unless its method keeps no state to store")
    if cell.device.startswith("cuda") and not torch.cuda.is_available():
        raise Unusable(f"it was made on {cell.device}, and torch finds no CUDA device here")
    return _scored(cell, [spec for spec in _protocols(record, {}) if build_protocol(spec).measures])


def _protocols(record: Record, options: Mapping[str, Mapping[str, Any]]) -> Iterator[PluginSpec]:
    """All protocols that can be used, with the options that the record was scored with, and these over them."""
    for name, plugin in discover("protocols").items():
        if plugin.error is None:
            score = record.scores.get(name)
            earlier = score.options if score else {}
            yield specification(Selection(plugin, {**earlier, **options.get(name, {})}))


def _scored(cell: Cell, specs: Sequence[PluginSpec]) -> tuple[Cell, Work]:
    for spec in specs:
        require_scorable(build_protocol(spec), cell.sizes)
    return replace(cell, protocols=tuple(specs)), Work(score=tuple(spec.name for spec in specs))


def cell_of(record: Record) -> Cell:
    """The cell that a record declares, with the sources of now."""
    declared = record.declared
    return Cell(
        task=replace(
            _spec("tasks", declared.task, record.label.task),
            options=record.task_options,
            identity=declared.task.options,
        ),
        method=_spec("methods", declared.method, record.label.method),
        scenario=_spec("scenarios", declared.scenario, record.label.scenario) if declared.scenario else None,
        preset=record.preset,
        budget=declared.budget,
        schedule=declared.schedule,
        data=declared.data,
        sizes=record.sizes,
        seed=declared.seed,
        device=declared.device.partition(" ")[0],
        made=Made(record.sources, record.digests),
    )


def _spec(kind: Any, plugin: Plugin, label: str) -> PluginSpec:
    source = get(kind, plugin.name).source
    return PluginSpec(plugin.name, plugin.version, plugin.options, label, source, fingerprint=plugin.fingerprint)
