"""Active: simulations are few, and the next ones are chosen by what is known so far."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Generator

from harness import cache_folder
from harness.behaviour import as_bytes, behaviour
from harness.contracts import Pairs, Task
from harness.errors import UsageError
from harness.scenarios.acquiring import Acquire, Candidates, Known, chosen
from harness.scenarios.contract import Scenario, Targets
from harness.scenarios.shift import Options as ShiftOptions
from harness.scenarios.shift import Shift
from harness.seeds import derive
from harness.settings import setting
from harness.split import held_back
from harness.statistics import Array
from harness.threads import threads

POOL, OTHERS, WANTED = 2000, 100, 200
"""Draws of the prior to choose from in a round, those that EPIG wants to know about, and wanted y."""
TAIL = 0.1
"""Share of the draws whose y is wanted where the targets are shifted: those furthest from the middle."""
MOST = 5000
"""Simulations: a Gaussian process of more takes too long."""
LEAST = 5
"""Of the first designs, that can be simulated."""
SOURCES = ("active.py", "acquiring.py", "process.py")


@dataclass(frozen=True)
class Options:
    """Options of the scenario."""

    calls: int = setting(100, help="simulations, the validation part and those that fail included", least=20, most=MOST)
    start: int = setting(20, help="of which so many are draws of the prior", least=10, most=MOST)
    batch: int = setting(10, help="simulations that are chosen at once", least=1, most=POOL // 4)
    acquire: Acquire = setting("maximin", help="how the next are chosen")
    candidates: Candidates = setting(
        "prior", help="what they are chosen from: draws of the prior, or those that seem to lead to wanted y (inverse)"
    )
    targets: Literal["prior", "shifted"] = setting(
        "prior", help="what is asked: the usual targets, or the tenth of them that is furthest from the middle of y"
    )
    seed: int = setting(0, help="of the draws: another one is another study", least=0, most=2**31 - 1)


class Active(Scenario):
    """Designs to learn from that were chosen one batch after the other, by a Gaussian process that the harness owns.

    Every method learns from the same pairs, those of which a fifth validates. What is wanted is known beforehand: y
    such as the targets', of other designs. Pairs are kept in the cache folder, round by round, so that more calls
    continue where fewer ended.
    """

    Options: ClassVar[type] = Options

    def refusal(self, task: Task) -> str | None:
        if self.options.start > self.options.calls:
            return f"start = {self.options.start} is more than calls = {self.options.calls}"
        return None if task.conditions is None else "the task has conditions, which would have to be chosen, too"

    def data(self, task: Task, train: Pairs, valid: Pairs, generator: Generator) -> tuple[Pairs, Pairs]:
        x, y = acquired(task, self.options)
        pairs = Pairs(torch.from_numpy(x), torch.from_numpy(y))
        order = torch.randperm(len(x), generator=Generator().manual_seed(derive("active", "split", self.options.seed)))
        known = order[pairs.y.isfinite().all(1)[order]]
        held = max(2, held_back(len(known)))
        rows = known[held:], known[:held]
        return Pairs(pairs.x[rows[0]], pairs.y[rows[0]]), Pairs(pairs.x[rows[1]], pairs.y[rows[1]])

    def ask(self, task: Task, known: Pairs, targets: Targets, generator: Generator) -> Targets:
        if self.options.targets == "prior" or len(targets.y) < 2:
            return targets
        shifted = Shift(ShiftOptions(tail=TAIL, beyond=0.0)).ask(task, known, targets, generator)
        return replace(shifted, views={})


def acquired(task: Task, options: Options) -> tuple[Array, Array]:
    """All that was simulated: designs `(calls, x_dim)` and y `(calls, y_dim)`, physical, in the order of the calls.

    Args:
        task: whose forward model is called.
        options: of the scenario.

    Raises:
        UsageError: the cache cannot be written, or nothing can be simulated.
    """
    every = _rounds(options)
    paths = _paths(task, every)
    place = max((place for place, path in enumerate(paths) if path.exists()), default=0)
    known: tuple[Array, Array] | None = None
    while place < len(every):
        try:
            known = _kept(task, every[place], paths[place], known, first=place == 0)
            place += 1
        except _Unknown:
            place -= 1
    assert known is not None
    return known


class _Unknown(Exception):
    """The file of a round is damaged, and of the rounds before nothing is known yet."""


def _rounds(options: Options) -> list[Options]:
    """The studies that a study goes through, each with the calls of a round more; the study itself is the last."""
    counts = range(options.start, options.calls, options.batch)
    return [*(replace(options, calls=count) for count in counts), options]


def _paths(task: Task, every: Sequence[Options]) -> list[Path]:
    """Where each study is kept. The forward model is looked at once for all: its calls may be dear to a user."""
    known = [*map(as_bytes, behaviour(task)), *(Path(__file__).with_name(name).read_bytes() for name in SOURCES)]
    keys = (cache_folder.digest(json.dumps(asdict(one), sort_keys=True).encode(), *known) for one in every)
    return [cache_folder.folder("acquired") / f"{type(task).__name__.lower()}-{key[:24]}.safetensors" for key in keys]


def _kept(
    task: Task, options: Options, path: Path, known: tuple[Array, Array] | None, *, first: bool
) -> tuple[Array, Array]:
    """What a round has given, from its file in the cache folder or made of what is known from that before.

    Raises:
        _Unknown: it has to be made, it is not the first, and nothing is known.
    """

    def made() -> dict[str, Array]:
        with threads(1):
            if first:
                return dict(zip("xy", _first(task, options), strict=True))
            if known is None:
                raise _Unknown
            return dict(zip("xy", _round(task, options, known), strict=True))

    found = cache_folder.once_arrays(path, made)
    return found["x"], found["y"]


def _first(task: Task, options: Options) -> tuple[Array, Array]:
    """The draws of the prior that a study begins with."""
    first = task.sample_prior(options.start, _stream(options, "start", 0))[: options.calls]
    reached = task.simulate(first)
    valid = int(reached.isfinite().all(1).sum())
    if valid < LEAST:
        raise UsageError(
            f"active: of the first {len(first)} designs {valid} could be simulated; choosing others by them "
            f"takes {LEAST}. Give your forward model: harness.pairs(..., simulate=f); or a larger start."
        )
    return first.numpy(), reached.numpy()


def _round(task: Task, options: Options, known: tuple[Array, Array]) -> tuple[Array, Array]:
    """What the rounds before have given, with one more."""
    rounds = -(-(options.calls - options.start) // options.batch)
    x, y = known
    pool = task.sample_prior(POOL, _stream(options, "pool", rounds)).numpy()
    others = task.sample_prior(OTHERS, _stream(options, "others", rounds)).numpy()
    spread = pool.std(0)
    unit = np.where(spread > 0, spread, 1.0)
    looked_at = options.candidates == "inverse" or options.acquire == "inverse-epig"
    measured = Known(x / unit, y, _wanted(task, options) if looked_at else y[:0])
    count = options.calls - len(x)
    # A whole batch is chosen, so that a study with more calls begins with the same ones.
    places = chosen(measured, pool / unit, others / unit, options.batch, options.acquire, options.candidates)[:count]
    new = pool[places]
    return np.concatenate([x, new]), np.concatenate([y, task.simulate(torch.from_numpy(new)).numpy()])


def _wanted(task: Task, options: Options) -> Array:
    """Y such as will be asked for, of other designs than the targets'."""
    if options.targets == "prior":
        return task.draw(WANTED, _stream(options, "wanted", 0)).y.numpy()
    y = task.draw(round(WANTED / TAIL), _stream(options, "wanted", 0)).y
    scale = y.std(0).where(y.std(0) > 0, 1.0)
    distance = ((y - y.mean(0)) / scale).square().mean(1)
    return y[distance.argsort(descending=True)[:WANTED]].numpy()


def _stream(options: Options, purpose: str, number: int) -> Generator:
    return Generator().manual_seed(derive("active", purpose, options.seed, number))
