"""The run: hands cells to an engine, shows their progress, and sees to it that each one has a record at the end."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

import harness
from harness import provenance
from harness.errors import UsageError, numbered
from harness.execution import aftermath
from harness.execution.engine import Done, Engine, Job, Lost, Runner
from harness.execution.interrupts import Noted, signals_noted
from harness.execution.local import Processes
from harness.execution.outcome import Outcome, Summary
from harness.execution.progress import Progress
from harness.store import Store

if TYPE_CHECKING:
    from harness.plan import Cell
    from harness.work import Work

POLL = 0.05  # seconds


def run_cells(
    works: Mapping[Cell, Work],
    store: Store,
    *,
    engine: Engine | None = None,
    jobs: int = 1,
    timeout: float | None = None,
    fail_fast: bool = False,
    quiet: bool = False,
    runner: Runner | None = None,
    costs: Mapping[Cell, float] | None = None,
) -> Summary:
    """Do the work of all cells, `jobs` at a time, each for at most `timeout` seconds, and leave one record for each.

    Ctrl-C, SIGTERM, SIGHUP and, with `fail_fast`, the first failure end the run: finished cells are kept, running ones
    are lost. Without an `engine` each cell has a process on this machine. `runner`, an importable function, replaces
    `harness.cell.update`. `costs`, estimated seconds of each cell, tell how long the rest will take.

    Raises:
        UsageError: `jobs` or `timeout` is not positive, or the records cannot be written.
    """
    if jobs < 1 or (timeout is not None and timeout <= 0):
        raise UsageError(f"jobs = {jobs} and timeout = {timeout} cannot be used. Allowed: positive numbers.")
    summary = Summary(planned=len(works))
    if not works:
        return summary
    store = Store(store.root.absolute())  # whatever folder a plug-in changes to
    store.prepare()
    git = provenance.git_state(Path(harness.__file__).parents[1])
    waiting = [Job(cell, store.root, work, git, timeout, runner) for cell, work in works.items()]
    engine = engine or Processes()
    progress = Progress(list(works), 0 if engine.queues else jobs, quiet, costs or {})
    run = _Run(waiting, engine, store, progress, summary)
    left = ""
    with signals_noted() as noted:
        try:
            run.until_done(len(waiting) if engine.queues else jobs, fail_fast, noted)
            if summary.signal is not None:
                left = engine.leave()
        finally:
            engine.stop()
            progress.close()
    if summary.signal is not None:
        are = "is" if len(summary.outcomes) == 1 else "are"
        kept = f"{len(summary.outcomes)} of {numbered(len(works), 'cell')} {are} finished and kept"
        progress.note(f"Interrupted: {kept}, {left}. The same command continues.")
    return summary


class _Run:
    """The loop that starts cells, listens to them, and records those that could not do it themselves."""

    def __init__(self, waiting: list[Job], engine: Engine, store: Store, progress: Progress, summary: Summary) -> None:
        self.waiting, self.engine, self.store = waiting, engine, store
        self.progress, self.summary = progress, summary
        self.running: dict[Future[Done], Job] = {}

    def until_done(self, jobs: int, fail_fast: bool, noted: Noted) -> None:
        """Until all cells have a record, or a signal has arrived, or the first failure with `fail_fast`."""
        while self.waiting or self.running:
            if noted.number is not None:
                self.summary.signal = noted.number
                return
            while len(self.running) < jobs and (job := self._next()):
                self.running[self.engine.submit(job)] = job
                self.progress.start(job.cell)
            self.engine.listen(self.progress.update, POLL)
            for future in [future for future in self.running if future.done()]:
                job = self.running.pop(future)
                if noted.number is not None and isinstance(lost := future.exception(), Lost):
                    # What ended this process may have ended the cell's too, which says nothing of the cell.
                    aftermath.forget(lost)
                    self.summary.signal = noted.number
                    continue
                outcome = self._finish(future, job)
                if fail_fast and outcome.status != "ok":
                    self.summary.stopped = True
                    return

    def _next(self) -> Job | None:
        """Takes the first cell that waits for no other's model; a queue is given all of them at once."""
        open_ = set() if self.engine.queues else {job.cell for job in (*self.waiting, *self.running.values())}
        ready = next((job for job in self.waiting if job.work.lender not in open_), None)
        if ready is not None:
            self.waiting.remove(ready)
        return ready

    def _finish(self, future: Future[Done], job: Job) -> Outcome:
        try:
            done = future.result()
        except Lost as lost:
            done = aftermath.record(job, lost, self.store)
        outcome = Outcome(job.cell, done.status, done.seconds, done.message)
        self.summary.outcomes.append(outcome)
        self.progress.finish(outcome)
        for remark in done.remarks:
            self.progress.note(f"{job.cell.label}: {remark}")
        return outcome
