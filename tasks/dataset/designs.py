"""Simulated designs on disk, so that none is simulated twice; any number of processes may read and write."""

from __future__ import annotations

import hashlib
import sqlite3
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from tasks.dataset.cache import writable

PATIENCE = 60.0  # seconds to wait for another process that writes
TABLE = "CREATE TABLE IF NOT EXISTS designs (x BLOB PRIMARY KEY, y BLOB NOT NULL) WITHOUT ROWID"


class Designs:
    """The y of designs, by the exact bytes of x."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, keys: Sequence[bytes]) -> dict[bytes, np.ndarray]:
        """The y `(y_dim,)` of those designs that are known, by key."""
        with self._open() as connection:
            rows = (connection.execute("SELECT y FROM designs WHERE x = ?", (key,)).fetchone() for key in keys)
            return {key: np.frombuffer(row[0]) for key, row in zip(keys, rows, strict=True) if row is not None}

    def write(self, found: Mapping[bytes, np.ndarray]) -> None:
        """Keep the y `(y_dim,)` of designs, float64, all of them or none."""
        with self._open() as connection, connection:
            rows = [(key, np.ascontiguousarray(y, np.float64).tobytes()) for key, y in found.items()]
            connection.executemany("INSERT OR REPLACE INTO designs VALUES (?, ?)", rows)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with writable():
            self.path.parent.mkdir(parents=True, exist_ok=True)
        with closing(self._connect()) as connection:
            yield connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=PATIENCE)
        try:
            connection.execute(TABLE)
        except sqlite3.OperationalError:  # locked for too long, or the disk is full: not the file's fault
            connection.close()
            raise
        except sqlite3.DatabaseError:
            connection.close()
            warnings.warn(f"The cache file {self.path.name} is damaged and is made again.", stacklevel=4)
            self.path.unlink()
            return self._connect()
        return connection


def key(x: np.ndarray) -> bytes:
    """What stands for a design `(x_dim,)`, float64, in the cache."""
    return hashlib.blake2b(x.tobytes(), digest_size=16).digest()
