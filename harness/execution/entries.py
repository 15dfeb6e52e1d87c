"""The engine that packs cells into the entries of an array in a cluster's queue, and watches their records appear.

The entries do not need this process: where it has ended, another run finds them in the ledger and goes on watching.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from harness import provenance
from harness.cluster import MOST
from harness.errors import UsageError, numbered
from harness.execution.engine import Done, Engine, Hear, Job, Left, Lost
from harness.execution.entry import Slice
from harness.execution.ledger import Ledger, array_of, line, mark, order
from harness.execution.packing import pack, time_limit
from harness.execution.progress import duration
from harness.execution.queue import ENDED, Queue, Refused
from harness.execution.submitted import Entry, Item, done, verdict
from harness.store import Store

if TYPE_CHECKING:
    from harness.plan import Cell


@dataclass(frozen=True)
class Shape:
    """How cells become entries."""

    at_once: int = 1
    """Cells that run at once in an entry."""
    entries: int | None = None
    """From the estimate where None; so `limit`."""
    limit: float | None = None
    """Seconds that an entry may take."""


@dataclass(frozen=True)
class Pace:
    """How often the engine looks, in seconds."""

    look: float = 3.0
    """Between two looks at the records."""
    ask: float = 15.0
    """Between two questions to the queue, which is shared by all users of a cluster."""
    settle: float = 30.0
    """From the end of an entry until its records are visible here: a network file system may remember for so long that
    there was none."""
    retry: float = 60.0
    """After a full queue has refused an array."""
    away: float = 90.0
    """For which the controller may not answer, where nothing is in the queue yet: a restart takes less."""


class Entries(Engine):
    """Cells in a cluster's queue.

    Args:
        queue: the queue.
        root: the result folder, on a file system that all nodes see.
        seconds: the estimate for each cell.
        shape: how cells become entries.
        pace: how often to look.
        quiet: say nothing of what is handed in.
    """

    queues = True

    def __init__(
        self,
        queue: Queue,
        root: Path,
        seconds: Mapping[Cell, float],
        shape: Shape = Shape(),
        pace: Pace = Pace(),
        quiet: bool = False,
    ) -> None:
        self.queue, self.store, self.ledger = queue, Store(root.absolute()), Ledger(root)
        self.seconds, self.shape, self.pace, self.quiet = seconds, shape, pace, quiet
        self.waiting: list[Item] = []
        self.entries: dict[str, Entry] = {}
        self.adopted = False
        self.away_since: float | None = None
        self.next_look = self.next_ask = self.next_try = 0.0

    def submit(self, job: Job) -> Future[Done]:
        future = Future[Done]()
        future.set_running_or_notify_cancel()
        self.waiting.append(Item(replace(job, root=self.store.root), future, mark(self.store, job.cell)))
        return future

    def listen(self, hear: Hear, seconds: float) -> None:
        if not self.adopted:
            self._adopt()
        if self.waiting and time.monotonic() >= self.next_try:
            self._hand_in()
        if time.monotonic() >= self.next_look:
            self._look()
            self.next_look = time.monotonic() + self.pace.look
        if self.entries and time.monotonic() >= self.next_ask:
            self._ask()
            self.next_ask = time.monotonic() + self.pace.ask
        time.sleep(seconds)

    def stop(self) -> None:
        own = {name for name, entry in self.entries.items() if not entry.shared}
        if own:
            self.queue.cancel(own)
        end = time.monotonic() + self.pace.settle
        while own and time.monotonic() < end and self._alive(own):
            time.sleep(min(self.pace.ask, 1.0))
        self.ledger.forget(own)
        self.entries.clear()
        self.waiting.clear()

    def leave(self) -> str:
        arrays = " ".join(sorted({array_of(name) for name in self.entries}, key=lambda name: (len(name), name)))
        self.entries.clear()
        self.waiting.clear()
        return f"the others stay in the queue (to end them: scancel {arrays})" if arrays else "no other was handed in"

    def _adopt(self) -> None:
        """Take over what another run has left in the queue, and cancel what would do something else than is wanted.

        Raises:
            UsageError: the queue does not tell what is in it.
        """
        self.adopted = True
        known = self.ledger.known()
        states = self.queue.states() if known else {}
        if states is None:
            raise UsageError(
                "The queue does not answer (squeue fails), and an earlier run has left cells in it. Nothing was "
                "handed in. Try the same command again later."
            )
        wanted = {item.job.cell.key: item for item in self.waiting}
        gone, other = [], []
        for name, lines in known.items():
            left = self.ledger.left(lines)
            mine = [one for one in left if one.key in wanted]
            if states.get(name, "COMPLETED") in ENDED or not left:
                gone.append(name)
            elif any(one.order != order(wanted[one.key].job) for one in mine):
                other.append(name)
            elif items := [wanted[one.key] for one in mine if not wanted[one.key].entry]:
                self.entries[name] = Entry(items, alone=len(lines) == 1, shared=len(items) < len(left))
                for item in items:
                    item.entry, item.tries = name, 1
        if other:
            self.queue.cancel(other)
        self.ledger.forget([*gone, *other])
        self.waiting = [item for item in self.waiting if not item.entry]
        if taken := sum(len(entry.items) for entry in self.entries.values()):
            are = "is" if taken == 1 else "are"
            where = in_entries(len(self.entries))
            self._say(f"{numbered(taken, 'cell')} of an earlier run {are} in the queue, {where}.")

    def _hand_in(self) -> None:
        """Hand in what waits: packed at first, and in entries of its own what was lost."""
        fresh = [item for item in self.waiting if not item.tries]
        again = [item for item in self.waiting if item.tries]
        for items, entries in ((fresh, self.shape.entries), (again, MOST)):
            if items:
                costs = [self._cost(item) for item in items]
                self._submit(pack(items, costs, self.shape.at_once, entries, self.shape.limit))
        self.waiting = [item for item in self.waiting if not item.entry]

    def _submit(self, parts: list[list[Item]]) -> None:
        """Hand in an array.

        Raises:
            UsageError: the queue will never take it.
        """
        at_once, timeout = self.shape.at_once, parts[0][0].job.timeout
        costs = [[self._cost(item) for item in part] for part in parts]
        limit = self.shape.limit or time_limit(costs, at_once, timeout)
        slices = [Slice([item.job for item in part], [item.mark for item in part], at_once) for part in parts]
        self.ledger.prepare()
        try:
            names = self.queue.submit(slices, limit)
        except Refused as refused:
            return self._refused(parts, refused)
        self.away_since = None
        self.ledger.keep(
            {
                name: [line(self.store, item.job, item.mark) for item in part]
                for name, part in zip(names, parts, strict=True)
            }
        )
        for name, part in zip(names, parts, strict=True):
            self.entries[name] = Entry(part, alone=len(part) == 1)
            for item in part:
                item.entry, item.tries = name, item.tries + 1
        cells, entries = sum(map(len, parts)), len(parts)
        what = f"{numbered(cells, 'cell')} {in_entries(entries)}"
        self._say(f"Job {array_of(names[0])}: {what} of at most {duration(limit)}.")

    def _refused(self, parts: list[list[Item]], refused: Refused) -> None:
        """Hand in halves where the queue does not take so many at once, and try again later where it is full."""
        if refused.away:
            return self._away(refused)
        self.away_since = None
        half = len(parts) // 2
        if refused.smaller and half:
            self._submit(parts[:half])
            if time.monotonic() >= self.next_try:
                self._submit(parts[half:])
        elif refused.later:
            if not self.next_try:
                self._say(f"The queue takes no more for now, and is asked again until it does: {refused}.")
            self.next_try = time.monotonic() + self.pace.retry
        else:
            raise UsageError(
                f"The cluster refuses the cells: {refused}. Change what is asked for with --slurm, such as "
                "partition=..., time=... or mem=...; then the same command continues."
            )

    def _away(self, refused: Refused) -> None:
        """Try again while the controller may come back; where cells are in the queue, for as long as they are watched.

        Raises:
            UsageError: it has not answered for long, and nothing was handed in.
        """
        now = time.monotonic()
        if self.away_since is None:
            self.away_since = now
            self._say(f"SLURM's controller does not answer, and is asked again: {refused}.")
        elif now - self.away_since > self.pace.away and not self.entries:
            raise UsageError(
                f"SLURM's controller has not answered for {duration(now - self.away_since)}: {refused}. Nothing was "
                "handed in. See with `sinfo` whether this machine reaches the cluster, and call the same command again "
                "when it does; or leave out --engine to run the cells on this machine."
            )
        self.next_try = now + min(self.pace.retry, self.pace.away / 4)

    def _look(self) -> None:
        """Settle the cells that have a new record."""
        for entry in self.entries.values():
            for item in list(entry.items):
                cell = item.job.cell
                if mark(self.store, cell) != item.mark and (ended := done(self.store, cell)):
                    entry.items.remove(item)
                    item.future.set_result(ended)

    def _ask(self) -> None:
        """Ask what runs, and settle the entries that have ended."""
        states = self.queue.states()
        if states is None:
            return
        for name, entry in self.entries.items():
            entry.update(states.get(name, ""), time.monotonic())
        self._look()
        over = [name for name, entry in self.entries.items() if entry.over(self.pace.settle, time.monotonic())]
        for name in over:
            self._settle(name, self.entries.pop(name))
        self.ledger.forget(over)

    def _settle(self, name: str, entry: Entry) -> None:
        """Of an entry that has ended, hand in again what has no record, or give it up."""
        if entry.items:
            self.store.prepare()  # removes what its cells were working in
        for item in entry.items:
            item.entry = ""
            found = verdict(entry, item, self.queue.log(name), [self.store.root.resolve(), Path.cwd()])
            if found is None:
                self.waiting.append(item)
            else:
                item.future.set_exception(Lost(*found, Left(provenance.now())))

    def _alive(self, names: set[str]) -> bool:
        states = self.queue.states()
        return states is None or any(states.get(name, "COMPLETED") not in ENDED for name in names)

    def _cost(self, item: Item) -> float:
        return self.seconds.get(item.job.cell, 0.0)

    def _say(self, text: str) -> None:
        if not self.quiet:
            tqdm.write(text, file=sys.stderr)


def in_entries(count: int) -> str:
    """In how many array entries something is."""
    return f"in {count} array {'entry' if count == 1 else 'entries'}"
