"""A simulator of the user's own as forward model: in batches, in parallel, each design once."""

from __future__ import annotations

import hashlib
import sqlite3
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
from tqdm import tqdm

from harness import cache_folder
from harness.errors import UsageError
from tasks.workers import Failed

PATIENCE = 20  # designs in a row without an answer, after which a design that was answered before is asked for again
WAIT = 60.0  # seconds for another process that writes
TABLE = "CREATE TABLE IF NOT EXISTS designs (x BLOB PRIMARY KEY, y BLOB NOT NULL) WITHOUT ROWID"

Ask = Callable[[np.ndarray], np.ndarray]


class Simulator:
    """Targets of designs from an engine, kept on disk as soon as a batch is answered.

    A batch that fails is tried again in halves, so that a design fails only by itself: its y is NaN, and is not kept.
    The first failure is shown with what the program wrote to standard error. A simulator that does not even answer
    what it did before, say without its licence, is given up: its designs are not invalid.

    Args:
        ask: the engine, from designs `(n, x_dim)` to targets `(n, y_dim)`, float64.
        y_dim: numbers for each design.
        designs: where answers are kept.
        batch: designs that the engine is given at once, at most.
        workers: batches that are asked for at once.
        name: what the user calls it.
    """

    def __init__(self, ask: Ask, y_dim: int, designs: Designs, batch: int, workers: int, name: str) -> None:
        self.y_dim, self.designs, self.batch, self.workers, self.name = y_dim, designs, batch, workers, name
        self.asked = 0
        """Designs that were not known and have been simulated."""
        self.failure: str | None = None
        """Why the first batch that failed did."""
        self.known: np.ndarray | None = None
        """A design `(x_dim,)` that was answered."""
        self._ask = ask
        self._unanswered = 0

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Targets `(n, y_dim)` of designs, float64; NaN in all y of one that was not simulated.

        Args:
            x: finite designs `(n, x_dim)`, physical and float64.

        Raises:
            UsageError: it has stopped to answer.
        """
        keys = [key(row) for row in np.ascontiguousarray(x)]
        known = self.designs.read(keys)
        fresh = list({name: row for name, row in zip(keys, x, strict=True) if name not in known}.items())
        step = self.batch * self.workers
        with tqdm(total=len(fresh), desc="simulating", unit="design", disable=None, leave=False) as bar:
            for start in range(0, len(fresh), step):
                part = dict(fresh[start : start + step])
                known |= self._simulate(part)
                bar.update(len(part))
        nothing = np.full(self.y_dim, np.nan)
        return np.array([known.get(name, nothing) for name in keys]).reshape(-1, self.y_dim)

    def _simulate(self, x: dict[bytes, np.ndarray]) -> dict[bytes, np.ndarray]:
        """The targets of a round of designs. One process at a time, which has all workers: others find its answers."""
        with cache_folder.locked(self.designs.path):
            known = self.designs.read(list(x))
            waiting = [name for name in x if name not in known]
            size = min(self.batch, -(-len(waiting) // self.workers)) or 1
            batches = [waiting[i : i + size] for i in range(0, len(waiting), size)]
            with ThreadPoolExecutor(self.workers) as threads:
                answers = threads.map(lambda names: self._answer(np.stack([x[name] for name in names])), batches)
                for names, (y, answered) in zip(batches, answers, strict=True):
                    found = {name: row for name, row, ok in zip(names, y, answered, strict=True) if ok}
                    self.designs.write(found)
                    known |= found
            self.asked += len(waiting)
        return known

    def _answer(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Targets `(n, y_dim)`, and the mask `(n,)` of the designs to which there was an answer."""
        try:
            y = self._ask(x)
            self._unanswered = 0
            return np.where(np.isfinite(y).all(1, keepdims=True), y, np.nan), np.ones(len(x), bool)
        except Failed as failure:
            self._report(str(failure), len(x))
        if len(x) == 1:
            self._require_alive()
            return np.full((1, self.y_dim), np.nan), np.zeros(1, bool)
        halves = [self._answer(half) for half in np.array_split(x, 2)]
        return np.concatenate([y for y, _ in halves]), np.concatenate([mask for _, mask in halves])

    def _require_alive(self) -> None:
        """After many designs without an answer, ask for one that was answered before."""
        self._unanswered += 1
        if self.known is None or self._unanswered < PATIENCE:
            return
        try:
            self._ask(self.known[None])
        except Failed as failure:  # the count stays: other batches that wait end with their next design
            raise UsageError(
                f"simulator={self.name} has stopped to answer: after {PATIENCE} designs in a row it fails on a row of "
                f"the file that it answered before. Mend it and run again; its answers are kept. {failure}"
            ) from failure
        self._unanswered = 0

    def _report(self, reason: str, designs: int) -> None:
        if self.failure is None:
            self.failure = reason
            warnings.warn(
                f"The simulator {self.name!r} did not answer a batch of {designs}; designs that it does not answer "
                f"alone count as invalid. Further failures are not shown. {reason}",
                RuntimeWarning,
                stacklevel=2,
            )


class Designs:
    """The y of designs on disk, by the exact bytes of x; any number of processes may read and write.

    Args:
        path: the database, which need not be there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, keys: Sequence[bytes]) -> dict[bytes, np.ndarray]:
        """The y `(y_dim,)` of those designs that are known, by key.

        Args:
            keys: of designs, as `key` gives them.
        """
        with self._open() as connection:
            rows = (connection.execute("SELECT y FROM designs WHERE x = ?", (key,)).fetchone() for key in keys)
            return {key: np.frombuffer(row[0]) for key, row in zip(keys, rows, strict=True) if row is not None}

    def write(self, found: Mapping[bytes, np.ndarray]) -> None:
        """Keep the y `(y_dim,)` of designs, float64, all of them or none.

        Args:
            found: the y `(y_dim,)` of designs, by key.
        """
        with self._open() as connection, connection:
            rows = [(key, np.ascontiguousarray(y, np.float64).tobytes()) for key, y in found.items()]
            connection.executemany("INSERT OR REPLACE INTO designs VALUES (?, ?)", rows)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with cache_folder.writable(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        with closing(self._connect()) as connection:
            yield connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=WAIT)
        try:
            connection.execute(TABLE)
        except sqlite3.OperationalError:  # locked for too long, or the disk is full: not the file's fault
            connection.close()
            raise
        except sqlite3.DatabaseError:
            connection.close()
            cache_folder.warn_damaged(self.path)
            self.path.unlink()
            return self._connect()
        return connection


def key(x: np.ndarray) -> bytes:
    """What stands for a design in the cache: 16 bytes.

    Args:
        x: a design `(x_dim,)`, float64.
    """
    return hashlib.blake2b(x.tobytes(), digest_size=16).digest()
