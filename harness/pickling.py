"""A trained method as bytes for `pickle`, such as for another process: its state, from which it is built anew."""

from __future__ import annotations

import pickle
from dataclasses import replace
from functools import partial

from torch import Generator, Tensor

from harness import fitting
from harness.contracts import Method, Task
from harness.data import Standardisation
from harness.fitting import Lesson
from harness.own_pairs import OwnPairs
from harness.seeds import seeded
from harness.undisturbed import undisturbed


def frozen(method: Method, given: Lesson, task: Task) -> bytes:
    """The three as bytes.

    Raises:
        PicklingError: one of them has no such form.
    """
    name = type(method).__name__
    if not method.restorable:
        raise pickle.PicklingError(
            f"{name} keeps what it learned in memory alone and cannot be pickled. Train it again."
        )
    own = replace(given, problem=replace(given.problem, sample_prior=None))  # type: ignore[arg-type]
    parts = type(method), method.options, method.state_dict(), own, _parts_of(task)
    try:
        return pickle.dumps(parts)
    except Exception as error:  # whatever a stranger's object raises
        raise pickle.PicklingError(
            f"{name} on {type(task).__name__} cannot be pickled ({error}). Take classes and functions of a module in "
            "place of local ones, or let `run` train it and call harness.load where it is needed."
        ) from error


def thawed(content: bytes) -> tuple[Method, Lesson, Task]:
    """What was frozen; the method is built anew and given its state."""
    kind, options, state, given, parts = pickle.loads(content)
    task = OwnPairs(*parts) if isinstance(parts, tuple) else parts
    given = replace(given, problem=replace(given.problem, sample_prior=partial(_draw, task, given.scales[0])))
    with undisturbed():
        method, _ = fitting.build(given, partial(kind, options))
        with seeded("restore", given.seed):
            fitting.restore(method, state)
    return method.eval(), given, task


def _parts_of(task: Task) -> object:
    """Own pairs as what they were made from: their prior is a local function."""
    if not isinstance(task, OwnPairs):
        return task
    reached = task.y[:, : task.reached]
    return task.x, reached, task.given, (task.x_labels, task.y_labels), task.kinds, task.forward_model


def _draw(task: Task, scale: Standardisation, n: int, generator: Generator) -> Tensor:
    return scale.apply(task.sample_prior(n, generator))
