"""Searches for all targets of an answer: the least error after each call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Generator, Tensor

from harness.contracts import Task
from harness.kinds import discrete
from harness.posterior.priors import density
from harness.protocols.contract import Answered
from harness.searching.meter import INVALID, Meter
from harness.searching.searches import SEARCHES, TRIED, Space
from harness.seeds import derive
from harness.statistics import Array
from harness.threads import threads


def of_proposals(answered: Answered, task: Task, searches: Sequence[str], seed: int) -> dict[str, Array]:
    """The least nmse after each call `(targets, calls)` of searches from a method's proposals.

    Args:
        answered: the proposals for each target, in the order in which they are looked at.
        task: whose forward model is called.
        searches: their names; of whole numbers and choices only `none` is done.
        seed: of the searches.
    """
    usable = answered.answer.x.isfinite().all(-1)
    return {
        name: _traced(answered, task, name, seed, lambda number: _in_tens(answered.answer.x[number][usable[number]]))
        for name in _possible(task, searches)
    }


def of_prior(answered: Answered, task: Task, searches: Sequence[str], seed: int) -> dict[str, Array]:
    """The same of draws of the prior in place of proposals.

    Args:
        answered: whose targets are searched for.
        task: whose forward model is called.
        searches: their names.
        seed: of the draws and the searches.
    """

    def draws(number: int) -> Iterator[Array]:
        generator = Generator().manual_seed(derive("metered", "prior", seed, number))
        while True:
            yield task.sample_prior(TRIED, generator).numpy()

    return {name: _traced(answered, task, name, seed, draws) for name in _possible(task, searches)}


def _possible(task: Task, searches: Sequence[str]) -> list[str]:
    whole = bool(discrete(task.kinds, task.x_dim).any())
    return [name for name in searches if name == "none" or not whole]


def _in_tens(x: Tensor) -> Iterator[Array]:
    return (rows.numpy() for rows in x.split(TRIED) if len(rows))


def _traced(answered: Answered, task: Task, name: str, seed: int, starts: Callable[[int], Iterator[Array]]) -> Array:
    targets, scale = answered.targets, answered.data.y_variance.sqrt()
    scale, space = torch.where(scale > 0, scale, 1.0), _space(task)
    found = np.empty((len(targets.y), targets.calls))
    with threads(1):
        for number, y in enumerate(targets.y):

            def simulate(x: Tensor, shown: Tensor = targets.under[number]) -> Tensor:
                return answered.simulate(x[None], shown[None])[0]

            meter = Meter(simulate, y, scale, targets.calls)
            SEARCHES[name](meter, starts(number), space, derive("metered", name, seed, number))
            errors = np.minimum.accumulate(meter.errors or [INVALID**2])  # nothing was proposed
            found[number] = np.pad(errors, (0, targets.calls - len(errors)), mode="edge")
    return found


def _space(task: Task) -> Space:
    """The prior's units and bounds; those of the task's box where the prior's density is not known."""
    known = density(task, Generator().manual_seed(0))
    if isinstance(known, str):
        low, high = task.bounds.cpu().numpy()
        width = np.where(high > low, (high - low) / np.sqrt(12), 1.0)
        centre = (low + high) / 2
        return Space(centre, width, (low - centre) / width, (high - centre) / width)
    centre, width = known.centre.numpy(), known.width.numpy()
    return Space(centre, width, (known.low.numpy() - centre) / width, (known.high.numpy() - centre) / width)
