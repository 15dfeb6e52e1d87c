"""What `run` does between plan and exit code: which cells to run, running them, tables, and what failed."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, redirect_stderr
from io import StringIO
from pathlib import Path
from tempfile import TemporaryFile

from harness import cache_folder, config, lending, submitting
from harness.cores import usable_cores
from harness.durable import storage_errors, sweep_files, write_whole
from harness.errors import numbered
from harness.plan import Cell, misfits
from harness.store import Store, record_files, scratch
from harness.work import Work, due, everything

SUMMARY, RANKING = "summary", "ranking"
"""The table that a run ends with, of all methods on all tasks; all tables where no record has what it shows."""
NOT_RUN = "not run"
OUT_OF_DATE = "out of date"
NAMED = 3
"""Cells that are named where many cannot be run for the same reason."""
SUFFIXES = {"markdown": "md", "latex": "tex", "csv": "csv", "json": "json"}


def execute(todo: Mapping[Cell, Work], store: Store, jobs: int, settings: config.Settings) -> int:
    """Do the work of the cells; 0, or the exit code of an interrupted run. Failures are found in the records.

    Raises:
        UsageError: the cache folder cannot be written.
    """
    refused = {cell: ("cannot", "Cannot", cell.refusal) for cell in todo if cell.refusal}
    trained = [cell for cell, work in todo.items() if work.train and cell not in refused]
    refused |= {cell: ("failed", "harness.budget.BudgetMissed", why) for cell, why in misfits(trained).items()}
    for cell, (status, kind, why) in refused.items():
        refuse(cell, store, status, {"type": kind, "message": why, "traceback": ""})
    say_refused({cell: (status, why) for cell, (status, _, why) in refused.items()}, quiet=settings.quiet)
    works = {cell: work for cell, work in todo.items() if cell not in refused}
    if settings.engine == "slurm":
        submitting.sweep(store)
    if not works:
        return 0
    from harness import estimate
    from harness.execution import run_cells

    if settings.engine == "local":
        require_cache()
    works = {cell: works[cell] for cell in slow_first(list(works))}
    engine = submitting.engine(works, store, settings) if settings.engine == "slurm" else None
    prepare(list(works), quiet=settings.quiet)
    summary = run_cells(
        works,
        store,
        engine=engine,
        jobs=jobs,
        timeout=settings.timeout,
        fail_fast=settings.fail_fast,
        quiet=settings.quiet,
        costs=estimate.estimated(works, store),
    )
    return 128 + summary.signal if summary.signal is not None else 0


def require_cache() -> None:
    """Refuse a cache folder that cannot be used before anything is trained, and not when a score looks for it.

    Raises:
        UsageError: it cannot be written.
    """
    trial = cache_folder.root() / "trial"
    with cache_folder.writable(trial):
        trial.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=trial.parent):
            pass


def refuse(cell: Cell, store: Store, status: str, error: Mapping[str, str]) -> None:
    """Write the record of a cell that there cannot be, or that fails for sure; no process is started for it."""
    store.prepare()
    with scratch(store.path(cell)) as folder:
        store.commit(cell, folder, {"status": status, "error": dict(error)})


def say_refused(refused: Mapping[Cell, tuple[str, str]], *, quiet: bool) -> None:
    """One line for each reason for which cells are not run, and each cell that fails; only these where `quiet`."""
    by_reason: dict[str, list[str]] = {}
    for cell, (status, why) in refused.items():
        if status == "failed":
            print(f"{cell.label}: failed before training: {why}", file=sys.stderr)
        elif not quiet:
            by_reason.setdefault(why, []).append(cell.label)
    for why, labels in by_reason.items():
        more = f" and {len(labels) - NAMED} more" if len(labels) > NAMED else ""
        print(f"cannot, {', '.join(labels[:NAMED])}{more}: {why}", file=sys.stderr)


def slow_first(todo: Sequence[Cell]) -> list[Cell]:
    """The cells of the slowest simulators first: what is last, while other cores have nothing left to do, is short."""
    from harness.registry import build_task

    costs = {pair: build_task(*pair).cost for pair in {(cell.task, cell.scenario) for cell in todo}}
    return sorted(todo, key=lambda cell: -costs[cell.task, cell.scenario])


def prepare(todo: Sequence[Cell], *, quiet: bool) -> None:
    """Make the data that several cells share; where that fails, the cells will say why in their records."""
    from harness import data
    from harness.registry import build_task

    for task, scenario, settings in dict.fromkeys((cell.task, cell.scenario, cell.data) for cell in todo):
        try:
            with redirect_stderr(StringIO()) if quiet else nullcontext():  # where progress bars go
                data.prepare(build_task(task, scenario), settings)
        except (Exception, SystemExit) as error:
            print(f"{task.label}: its data could not be prepared: {error}", file=sys.stderr)


def pending(cells: Sequence[Cell], store: Store, settings: config.Settings) -> dict[Cell, Work]:
    """What is to be done for each cell that is not up to date; with `force` all, with `retry` also what failed."""
    works = {}
    for cell in cells:
        record = store.read(cell) if store.has(cell, thorough=True) else None
        if settings.force:
            works[cell] = everything(cell, "--force")
        elif settings.retry and record is not None and record.status not in ("ok", "cannot"):
            works[cell] = everything(cell, f"--retry: it was {record.status}")
        else:
            works[cell] = due(cell, record)
        assert cell.digests  # worked out here, and sent to the workers with the cell
    works = lending.arranged(works, store, stored=not settings.force)
    return {cell: work for cell, work in works.items() if work}


def status(store: Store, cell: Cell) -> str:
    """The status of a cell's record; `not run` where there is none, `out of date` where a part could not be renewed."""
    record = store.read(cell)
    if record is None:
        return NOT_RUN
    return OUT_OF_DATE if record.status == "ok" and due(cell, record) else record.status


def default_jobs(device: str) -> int:
    """One job per core that this process may use; one where they would share a GPU."""
    return usable_cores() if device == "cpu" else 1


def finish(cells: Sequence[Cell], store: Store, *, echo: bool = True) -> int:
    """Write tables and report, with `echo` print the summary, name what failed, and return the exit code of the run."""
    states = {cell: status(store, cell) for cell in cells}
    if all(state == NOT_RUN for state in states.values()):
        print("Nothing ran.", file=sys.stderr)
        return 3
    shown = (SUMMARY, RANKING) if any(cell.scenario for cell in cells) else (SUMMARY,)
    write_tables(store.root, shown if echo else ())
    bad = {cell: state for cell, state in states.items() if state not in ("ok", "cannot")}
    for cell, state in bad.items():
        hint = "" if state == NOT_RUN else f" (python -m harness show {store.path(cell)})"
        print(f"{cell.label}: {state}{hint}", file=sys.stderr)
    if bad:
        are, them = ("is", "it") if len(bad) == 1 else ("are", "them")
        print(f"{len(bad)} of {numbered(len(cells), 'cell')} {are} not ok; --retry runs {them} again.", file=sys.stderr)
    return 1 if bad else 0


def write_tables(root: Path, printed: Sequence[str]) -> None:
    """Write all tables of a result folder, in every format, into its folder `tables`, and print those of these names.

    The report is written where there is none, or one that is older than a record.
    """
    from harness.reporting import ALL, tabled
    from harness.reporting.formats import FORMATS

    folder = root / "tables"
    with storage_errors(folder):
        folder.mkdir(exist_ok=True)
        sweep_files(folder)
    tables = tabled(root)
    for form, suffix in SUFFIXES.items():
        text = FORMATS[form](tables).rstrip("\n") + "\n"
        with storage_errors(folder):
            write_whole(folder / f"{ALL}.{suffix}", text)
    if printed:
        print(FORMATS["markdown"]([table for table in tables if table.name in printed] or tables))
    print(f"All tables: {folder / 'all.md'}, and as LaTeX, CSV and JSON. `python -m harness table NAME` prints one.")
    from harness.reporting.report import NAME, write

    latest = max((path.stat().st_mtime for path in record_files(root)), default=0.0)
    path = root / NAME
    try:
        if not path.is_file() or path.stat().st_mtime < latest:
            write(root)
    except Exception as error:  # whatever a stranger's figure or table raises: the results are there all the same
        print(f"The report could not be written: {type(error).__name__}: {error}", file=sys.stderr)
        return
    print(f"Report: {path}")
