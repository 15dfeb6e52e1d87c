"""A simulator of the user's own as forward model: in batches, in parallel, each design once."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from tqdm import tqdm

from harness.errors import UsageError
from tasks.dataset import cache
from tasks.dataset.designs import Designs, key
from tasks.dataset.engines import Failed, Function, Program

PATIENCE = 20  # designs in a row without an answer, after which a design that was answered before is asked for again
FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")

Ask = Callable[[np.ndarray], np.ndarray]


class Simulator:
    """Targets of designs from an engine, kept on disk as soon as a batch is answered.

    A batch that fails is tried again in halves, so that a design fails only by itself: its y is NaN, and is not kept.
    The first failure is shown with what the program wrote to standard error. A simulator that does not even answer
    what it did before, say without its licence, is given up: its designs are not invalid.
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
        """Targets `(n, y_dim)` of finite designs `(n, x_dim)`, float64; NaN in all y of one that was not simulated.

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
        with cache.locked(self.designs.path):
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


def engine(text: str, x_names: Sequence[str], whole: Sequence[bool], y_dim: int, limit: float) -> Function | Program:
    """What answers a batch, from the text of the option.

    Raises:
        UsageError: no such module or program.
    """
    if FUNCTION.fullmatch(text):
        _source(text)
        return Function(text, y_dim, limit)
    return Program(_words(text), x_names, whole, y_dim, limit)


def identity(text: str) -> str:
    """SHA-256 of a simulator as far as it can be seen, wherever it is.

    That is `module:function` and the contents of the module's file; or the command, in which a file goes by its name
    without folders, and the contents of the files that it names.
    """
    if FUNCTION.fullmatch(text):
        return cache.digest(text.encode(), _source(text).read_bytes())
    words = _words(text)
    files = {word: Path(word) for word in words if Path(word).is_file()}
    command = shlex.join(files[word].name if word in files else word for word in words)
    return cache.digest(command.encode(), *(files[word].read_bytes() for word in words if word in files))


def usable_cores() -> int:
    """Logical cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _source(text: str) -> Path:
    """The file of the module of `module:function`."""
    module = text.partition(":")[0]
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:
        spec = None
    if spec is None or spec.origin is None:
        raise UsageError(
            f"simulator={text}: there is no module {module!r} in the current folder or among the installed ones. "
            "Write module:function, or a command such as ./program."
        )
    return Path(spec.origin)


def _words(text: str) -> list[str]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"simulator={text} is not a command: {error}.") from error
    if not words or shutil.which(words[0]) is None:
        raise UsageError(
            f"simulator={text}: there is no program {(words or [''])[0]!r} that can be executed. Write module:function "
            "for a Python function, ./program for a program in the current folder."
        )
    return words
