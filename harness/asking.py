"""A user's question to a trained method, and whose fault it is where there is no answer."""

from __future__ import annotations

from collections.abc import Sequence

import psutil
import torch
from torch import Generator, Tensor

from harness.answers import Asker
from harness.contracts import Method, Proposals
from harness.data import extent
from harness.errors import UsageError, numbered
from harness.execution.failures import said, status_of
from harness.fitting import Lesson
from harness.seeds import derive, seeded
from harness.undisturbed import undisturbed

NUMBER = 8  # bytes


def ask(method: Method, given: Lesson, wanted: Tensor, n: int, seed: int, names: Sequence[str]) -> Proposals:
    """N designs for each target: x `(m, n, x_dim)`, physical and float64.

    Args:
        method: a trained one.
        given: what it learned from.
        wanted: targets `(m, y_dim)`, physical and float64; NaN is an entry that may be anything.
        n: designs for each.
        seed: of the random numbers that the method draws.
        names: of the entries of y, for an error.

    Raises:
        UsageError: a target of which nothing is given, more designs than there is memory for, or targets for which the
            method has no answer, though it has one for those that it learned from.
        ContractError: the method has none for these either.
    """
    _require_some(wanted, given.problem.condition_dim)
    size = n * len(wanted) * given.problem.x_dim * NUMBER
    total = psutil.virtual_memory().total
    if size > total:
        raise _too_many(wanted, n, f"take {size / 2**30:.3g} GB, and this machine has {total / 2**30:.3g}")
    try:
        return _answer(method, given, wanted, n, seed)
    except Exception as error:
        if status_of(error) == "out_of_memory":
            raise _too_many(wanted, n, "do not fit into memory") from error
        if isinstance(error, UsageError) or not _answers_others(method, given, len(wanted), n, seed):
            raise
        raise UsageError(
            f"{type(method).__name__} has no answer to these targets, of which {_farthest(given, wanted, names)}. Give "
            f"targets nearer to that. ({type(error).__name__}: {said(error)})"
        ) from error


def _answer(method: Method, given: Lesson, targets: Tensor, n: int, seed: int) -> Proposals:
    with undisturbed(), seeded("solver", seed):
        return Asker(method, given).propose(targets, n, Generator().manual_seed(derive("solver", seed)))


def _answers_others(method: Method, given: Lesson, count: int, n: int, seed: int) -> bool:
    """Whether the method answers as many targets that it has learned from."""
    known = given.train.y[given.train.y.isfinite().all(1)]
    if not len(known):
        return False
    try:
        _answer(method, given, known[torch.arange(count) % len(known)], n, seed)
    except Exception:
        return False
    return True


def _require_some(wanted: Tensor, conditions: int) -> None:
    free = wanted[:, : wanted.shape[1] - conditions]
    empty = free.isnan().all(1).nonzero()[:, 0].tolist()
    if empty:
        raise UsageError(f"Target {empty[0]} asks for nothing: all of its entries are NaN. Give one at least.")


def _too_many(wanted: Tensor, n: int, why: str) -> UsageError:
    return UsageError(f"n = {n} designs for each of {numbered(len(wanted), 'target')} {why}. Ask for fewer.")


def _farthest(given: Lesson, wanted: Tensor, names: Sequence[str]) -> str:
    """In words, the target that is farthest from those that were learned from."""
    low, high = extent(torch.cat([given.train.y, given.valid.y]))
    distance = given.scales[1].apply(wanted).abs().nan_to_num(nan=-1.0)
    row, entry = divmod(int(distance.argmax()), wanted.shape[1])
    return f"{names[entry]} = {wanted[row, entry]:g} (target {row}); it has learned {low[entry]:g} to {high[entry]:g}"
