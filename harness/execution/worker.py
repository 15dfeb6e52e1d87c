"""What happens where a cell runs: it computes, and writes its own record, whatever becomes of it."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import provenance
from harness.cache_folder import DamagedFile
from harness.durable import StorageError
from harness.execution.console import captured
from harness.execution.engine import Done, Job, Report
from harness.execution.failures import tell
from harness.lending import borrowed
from harness.records import plain
from harness.schema import Record
from harness.store import Store, carry, scratch
from harness.texts import cleaned

if TYPE_CHECKING:
    from harness.cell import Learn
    from harness.plan import Cell
    from harness.work import Work

Say = Callable[..., None]
"""Told the kind of a message and what belongs to it: `machine`, `folder`, `known` or `progress`."""

REPORT_EVERY = 0.1  # seconds


def work(job: Job, say: Say) -> Done:
    """Run the cell and commit its record, whatever its status. There must be no other threads yet.

    Raises:
        StorageError: the record cannot be written.
    """
    from harness.apart import method_process

    with method_process() as learn:  # before there are threads, and before the task is made
        return _recorded(job, learn, say)


def _recorded(job: Job, learn: Learn, say: Say) -> Done:
    cell, started, clock = job.cell, provenance.now(), time.perf_counter()
    machine = {**provenance.machine(), "git": job.git}
    say("machine", machine)
    _use_threads(cell.threads)
    store = Store(job.root)
    private = [job.root.resolve(), Path.cwd()]
    earlier = None if job.work.anew else store.read(cell)
    lent = borrowed(store, job.work.lender) if job.work.lender else None
    if job.work.lender and lent is None:  # it failed, or keeps no model: then this one learns for itself
        job = replace(job, work=replace(job.work, train=True, lender=None))
    record, source = (lent, store.path(job.work.lender)) if job.work.lender else (earlier, store.path(cell))
    with scratch(store.path(cell)) as folder:
        say("folder", folder.name)
        if record is not None:
            carry(source, folder, record.files)
        with captured(folder, private), remarked() as remarks:
            result = _attempt(job, record, learn, folder, say, private)
        if earlier is None or result["status"] == "ok":
            stamp = provenance.stamp(machine, device=cell.device, threads=cell.threads, started=started)
            store.commit(cell, folder, completed(record, result, stamp))
    error = result["error"]
    message = error["message"] if error else ""
    return Done(result["status"], time.perf_counter() - clock, message, tuple(dict.fromkeys(remarks)))


@contextmanager
def remarked() -> Iterator[list[str]]:
    """Gather what is warned of that concerns more than this cell, such as damaged files of the cache; it is also shown
    as any warning is.
    """
    found: list[str] = []
    show = warnings.showwarning

    def shown(message: Warning | str, category: type[Warning], *rest: Any, **more: Any) -> None:
        if issubclass(category, DamagedFile):
            found.append(str(message))
        show(message, category, *rest, **more)

    warnings.showwarning = shown
    try:
        yield found
    finally:
        warnings.showwarning = show


def completed(record: Record | None, result: Mapping[str, Any], stamp: Mapping[str, Any]) -> dict[str, Any]:
    """What a record then holds: what it held, with the parts that are new and their stamp."""
    from harness.cell import stamped

    kept = ("data", "model", "answers", "scores", "seconds", "stamps", "omitted")
    before = {name: value for name, value in plain(record).items() if name in kept} if record else {}
    return stamped({**before, **result}, stamp)


def _attempt(
    job: Job, record: Record | None, learn: Learn, folder: Path, say: Say, private: list[Path]
) -> dict[str, Any]:
    """The parts of the record that are new, and the error where one was raised."""
    body: dict[str, Any] = {}
    try:
        runner = job.runner or partial(_run, job.work, record, learn)
        for part in runner(job.cell, folder, reporter(say)):
            new = cleaned(plain(part))
            body.update(new)
            say("known", new)
        return {**body, "status": "ok", "error": None}
    except StorageError:
        raise
    except BaseException as error:
        status, described = tell(error, private)
        return {**body, "status": status, "error": described}


def _run(
    work: Work, record: Record | None, learn: Learn, cell: Cell, folder: Path, report: Report
) -> Iterable[Mapping[str, Any]]:
    """What a cell does, its method in a process of its own."""
    from harness.cell import update

    check_sources(cell)
    return update(cell, work, record, folder, learn, report)


def check_sources(cell: Cell) -> None:
    """See that the code which is here is that which the cell was planned with.

    Raises:
        ValueError: naming what differs.
    """
    from harness.plan import harness_sources
    from harness.registry import get

    here = {"task": get("tasks", cell.task.name).source, "method": get("methods", cell.method.name).source}
    if cell.scenario:
        here["scenario"] = get("scenarios", cell.scenario.name).source
    here.update(harness_sources())
    planned = dict(cell.sources)
    for spec in cell.protocols:
        here[f"protocol {spec.name}"] = get("protocols", spec.name).source
        planned[f"protocol {spec.name}"] = spec.source
    other = [name for name, source in planned.items() if here.get(name) != source]
    if other:
        raise ValueError(
            f"The source of {', '.join(other)} is not the one that the run was planned with: it was edited in "
            "between, or another version is installed here. The same command plans anew."
        )


def reporter(say: Say) -> Report:
    """A `report` that sends at most ten messages a second, and every change of phase."""
    last_phase, last_time = "", 0.0

    def report(phase: str, done: int, total: int, loss: float | None) -> None:
        nonlocal last_phase, last_time
        moment = time.monotonic()
        if phase != last_phase or moment - last_time >= REPORT_EVERY:
            last_phase, last_time = phase, moment
            say("progress", phase, done, total, loss)

    return report


def _use_threads(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)
