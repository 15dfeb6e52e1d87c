"""Progress on standard error: one line per finished cell, and on a terminal bars below."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from harness.execution.outcome import Outcome

if TYPE_CHECKING:
    from harness.plan import Cell


SAY_EVERY = 1.0  # seconds
OVERALL = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} {elapsed}{postfix}"


class Rest:
    """How long the cells that are left will take, from what each was estimated to take and what others did take."""

    def __init__(self, costs: Mapping[str, float], jobs: int, now: Callable[[], float] = time.monotonic) -> None:
        self.left, self.jobs, self.now = dict(costs), jobs, now
        self.started: dict[str, float] = {}
        self.estimated = self.taken = 0.0
        """Of the cells that have ended."""

    def start(self, key: str) -> None:
        """A cell has started."""
        self.started[key] = self.now()

    def finish(self, key: str, seconds: float) -> None:
        """A cell has ended after so many seconds."""
        self.estimated += self.left.pop(key, 0.0)
        self.taken += seconds
        self.started.pop(key, None)

    def seconds(self) -> float:
        """Until the last cell has ended: the work that is left, shared among the jobs, at the pace so far."""
        pace = self.taken / self.estimated if self.estimated > 0 and self.taken > 0 else 1.0
        now = self.now()
        each = [max(0.0, pace * cost - (now - self.started.get(key, now))) for key, cost in self.left.items()]
        return max([sum(each) / max(self.jobs, 1), *each], default=0.0)


class Progress:
    """One bar for all cells and one for each running cell, up to `jobs`; nothing at all where `quiet`."""

    def __init__(self, cells: Sequence[Cell], jobs: int, quiet: bool, costs: Mapping[Cell, float]) -> None:
        self.total, self.finished, self.quiet = len(cells), 0, quiet
        self.rest = Rest({cell.key: costs.get(cell, 1.0) for cell in cells}, jobs)
        self.said = time.monotonic()
        self.stream = sys.stderr
        self.live = not quiet and self.stream.isatty()
        self.free = list(range(1, jobs + 1))
        self.bars: dict[str, tqdm[Any]] = {}
        self.overall: tqdm[Any] | None = None
        if self.live:
            # tqdm's own lock is a semaphore shared between processes, its monitor a thread; one thread needs neither.
            tqdm.set_lock(threading.RLock())
            tqdm.monitor_interval = 0
            self.overall = tqdm(
                total=self.total, desc="cells", file=self.stream, dynamic_ncols=True, bar_format=OVERALL, postfix=""
            )
            self._say_rest()

    def start(self, cell: Cell) -> None:
        """A cell has started."""
        self.rest.start(cell.key)
        if self.live and self.free:
            self.bars[cell.key] = tqdm(
                desc=name(cell),
                total=1,
                position=self.free.pop(0),
                leave=False,
                file=self.stream,
                dynamic_ncols=True,
                bar_format="{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} {elapsed}{postfix}",
            )

    def update(self, cell: Cell, phase: str, done: int, total: int, loss: float | None) -> None:
        """A running cell has come to `done` of `total` epochs or steps of a phase."""
        bar = self.bars.get(cell.key)
        if bar is None:
            return
        bar.total, bar.n = total, done
        bar.set_description_str(f"{name(cell)} {phase}", refresh=False)
        bar.set_postfix_str("" if loss is None else f"loss {loss:.3g}", refresh=False)
        bar.refresh()
        if time.monotonic() > self.said + SAY_EVERY:
            self._say_rest()

    def finish(self, outcome: Outcome) -> None:
        """A cell has ended."""
        self.finished += 1
        self.rest.finish(outcome.cell.key, outcome.seconds)
        self._close_bar(outcome.cell)
        if not self.quiet:
            self._print(line(outcome, self.finished, self.total))
        if self.overall is not None:
            self.overall.update()
            self._say_rest()

    def _say_rest(self) -> None:
        self.said = time.monotonic()
        if self.overall is not None and self.rest.jobs:  # how many run at once in a queue is not known
            self.overall.set_postfix_str(
                f"about {duration(self.rest.seconds())} left" if self.finished < self.total else ""
            )

    def note(self, text: str) -> None:
        """A line that is printed also where `quiet`."""
        self._print(text)

    def close(self) -> None:
        """Remove all bars but the one of the cells."""
        for bar in self.bars.values():
            bar.close()
        self.bars.clear()
        if self.overall is not None:
            self.overall.close()

    def _close_bar(self, cell: Cell) -> None:
        bar = self.bars.pop(cell.key, None)
        if bar is not None:
            self.free.append(-bar.pos)
            self.free.sort()
            bar.close()

    def _print(self, text: str) -> None:
        if self.live:
            tqdm.write(text, file=self.stream)
        else:
            print(text, file=self.stream, flush=True)


def name(cell: Cell) -> str:
    """A cell in a few words."""
    scenario = f", {cell.scenario.label}" if cell.scenario else ""
    seed = f" seed {cell.seed}" if cell.seed else ""
    return f"{cell.task.label}{scenario} {cell.method.label}{seed}"


def line(outcome: Outcome, number: int, total: int) -> str:
    """A finished cell: `[ 3/36] sinewave mdn ok 41 s`."""
    width = len(str(total))
    text = f"[{number:{width}}/{total}] {name(outcome.cell)} {outcome.status} {duration(outcome.seconds)}"
    reason = outcome.message.strip().splitlines()
    return f"{text}: {reason[0]}" if reason else text


def duration(seconds: float) -> str:
    """Seconds for a reader: `0.4 s`, `41 s`, `12 min`, `3.5 h`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
