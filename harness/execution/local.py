"""Run cells on this machine, each in a process of its own that no other cell can harm."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from harness import provenance
from harness.errors import UsageError
from harness.execution import aftermath
from harness.execution.outcome import Outcome, Summary
from harness.execution.processes import Running, launcher, listen, start_server
from harness.execution.progress import Progress
from harness.execution.worker import Job, Runner
from harness.store import Store

if TYPE_CHECKING:
    from harness.plan import Cell
    from harness.work import Work

POLL = 0.05  # seconds


def run_cells(
    works: Mapping[Cell, Work],
    store: Store,
    *,
    jobs: int = 1,
    timeout: float | None = None,
    fail_fast: bool = False,
    quiet: bool = False,
    runner: Runner | None = None,
) -> Summary:
    """Do the work of all cells, `jobs` at a time, each for at most `timeout` seconds, and leave one record for each.

    Ctrl-C and, with `fail_fast`, the first failure end the run: finished cells are kept, running ones are lost.
    `runner`, an importable function, replaces `harness.cell.run_cell`.

    Raises:
        UsageError: `jobs` or `timeout` is not positive, or the records cannot be written.
    """
    if jobs < 1 or (timeout is not None and timeout <= 0):
        raise UsageError(f"jobs = {jobs} and timeout = {timeout} cannot be used. Allowed: positive numbers.")
    cells = list(works)
    summary = Summary(planned=len(cells))
    if not cells:
        return summary
    store.prepare()
    progress = Progress(len(cells), jobs, quiet)
    engine = _Engine(works, store, progress, summary, timeout, runner)
    try:
        engine.run(jobs, fail_fast)
    except KeyboardInterrupt:
        summary.interrupted = True
    finally:
        engine.stop()
        progress.close()
    if summary.interrupted:
        kept = f"{len(summary.outcomes)} of {len(cells)} cells are finished and kept"
        progress.note(f"Interrupted: {kept}, running ones are lost. The same command continues.")
    return summary


class _Engine:
    """The loop that starts processes, listens to them, and records those that cannot do it themselves."""

    def __init__(
        self,
        works: Mapping[Cell, Work],
        store: Store,
        progress: Progress,
        summary: Summary,
        timeout: float | None,
        runner: Runner | None,
    ) -> None:
        self.works = works
        self.waiting, self.running = list(works), list[Running]()
        self.store, self.progress, self.summary = store, progress, summary
        self.timeout, self.runner = timeout, runner
        self.context = start_server(max(cell.threads for cell in works))
        self.launch = launcher(self.context, timeout)
        self.environment = provenance.environment()

    def run(self, jobs: int, fail_fast: bool) -> None:
        """Until all cells have a record, or the first failure with `fail_fast`."""
        while self.waiting or self.running:
            while self.waiting and len(self.running) < jobs:
                self._start(self.waiting.pop(0))
            self._listen()
            for item in [item for item in self.running if item.future.done()]:
                outcome = self._finish(item)
                if fail_fast and outcome.status != "ok":
                    self.summary.stopped = True
                    return

    def stop(self) -> None:
        """End all processes that still run, and wait for their end."""
        while self.running:
            self._listen()
            for item in list(self.running):
                item.kill()
                if item.future.done():
                    self._release(item)

    def _start(self, cell: Cell) -> None:
        job = Job(cell, self.store.root, self.environment, self.works[cell], self.runner)
        reader, writer = self.context.Pipe(duplex=False)
        self.running.append(Running(job, self.launch(job, writer), reader))
        writer.close()
        self.progress.start(cell)

    def _listen(self) -> None:
        if all(item.messages.closed for item in self.running):
            time.sleep(POLL)
        listen(self.running, self._hear, POLL)

    def _hear(self, item: Running, phase: str, done: int, total: int, loss: float | None) -> None:
        self.progress.update(item.job.cell, phase, done, total, loss)

    def _finish(self, item: Running) -> Outcome:
        item.receive(self._hear)
        error = item.future.exception()
        try:
            if isinstance(error, UsageError):
                raise error
            done = item.future.result() if error is None else aftermath.record(item, error, self.timeout, self.store)
        finally:
            self._release(item)
        outcome = Outcome(item.job.cell, done.status, done.seconds, done.message)
        self.summary.outcomes.append(outcome)
        self.progress.finish(outcome)
        return outcome

    def _release(self, item: Running) -> None:
        """Remove every trace of an ended process, also processes that it has left behind."""
        item.kill()
        item.messages.close()
        self.running.remove(item)
        if item.leftover is not None:
            shutil.rmtree(item.leftover, ignore_errors=True)
