"""Re-simulation: the true forward model of proposed designs, each distinct design once, on all cores."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import torch
from torch import Tensor

from harness.contracts import Pairs, Task, forward
from harness.cores import usable_cores

ROWS_PER_CALL = 100_000
SLOW = 0.1  # CPU seconds for 1000 simulations, from which on looking for repeated designs and starting threads pays
ROWS_PER_THREAD = 256


Advance = Callable[[int, int], None]


def resimulate(
    task: Task,
    x: Tensor,
    targets: Tensor | None = None,
    operator: Callable[[Tensor], Tensor] | None = None,
    advance: Advance = lambda done, total: None,
    known: Pairs | None = None,
) -> Tensor:
    """The true forward model of designs `(rows, n, x_dim)`, float64, `(rows, n, y_dim)`.

    Invalid designs are NaN: those that are not finite, outside the hard domain, or not to be simulated.

    Args:
        task: whose forward model it is.
        x: the designs.
        targets: `(rows or 1, y_dim)`; their last entries are the conditions, for a task that has any.
        operator: takes the place of `task.simulate`.
        advance: is told how many designs of how many are done, where they are slow.
        known: designs `(m, x_dim)` with their f(x) `(m, y_dim)`, such as `simulated` pairs; none of them is simulated
            again, where simulations are slow.
    """
    flat = x.reshape(-1, x.shape[-1])
    if task.conditions is not None and targets is not None:
        y = _conditioned(task, x, targets)
    elif task.cost < SLOW and operator is None:
        y = torch.cat([_valid(task, task.simulate, rows) for rows in flat.split(ROWS_PER_CALL)])
    else:
        y = _distinct_only(task, operator or task.simulate, flat, advance, None if operator else known)
    return y.reshape(*x.shape[:-1], task.y_dim)


def _conditioned(task: Task, x: Tensor, targets: Tensor) -> Tensor:
    assert task.conditions is not None
    conditions = targets[:, None, -task.conditions.shape[1] :].expand(*x.shape[:-1], -1).flatten(0, -2)
    rows = zip(x.flatten(0, -2).split(ROWS_PER_CALL), conditions.split(ROWS_PER_CALL), strict=True)
    return torch.cat([_valid(task, partial(_forward, task, given), part) for part, given in rows])


def _forward(task: Task, conditions: Tensor, x: Tensor) -> Tensor:
    return forward(task, x, conditions)


def simulated(task: Task, pairs: Pairs) -> Pairs | None:
    """The pairs that a task gave, where their y is what its forward model gives; None where that is not known.

    So are those of `Task.draw`; a task that has pairs of its own says so by `simulated_pairs = True`.

    Args:
        task: the task.
        pairs: designs `(m, x_dim)` and their y `(m, y_dim)`, physical, unchanged by a scenario.
    """
    drawn = type(task).pairs is Task.pairs and type(task).draw is Task.draw
    return pairs if drawn or getattr(task, "simulated_pairs", False) else None


def _distinct_only(
    task: Task, simulate: Callable[[Tensor], Tensor], x: Tensor, advance: Advance, known: Pairs | None
) -> Tensor:
    first, place = _distinct(x)
    x = x[first]
    y = _found(task, x, known)
    new = y.isnan().all(1).nonzero()[:, 0]
    if not len(new):
        return y[place]
    parts = []
    with ThreadPoolExecutor(usable_cores(), initializer=torch.set_num_threads, initargs=(1,)) as threads:
        for part in threads.map(lambda rows: _valid(task, simulate, rows), x[new].split(ROWS_PER_THREAD)):
            parts.append(part)
            advance(min(len(parts) * ROWS_PER_THREAD, len(new)), len(new))
    y[new] = torch.cat(parts)
    return y[place]


def _found(task: Task, x: Tensor, known: Pairs | None) -> Tensor:
    """f(x) `(n, y_dim)` of the designs `(n, x_dim)` that are known ones, NaN of all others."""
    y = torch.full((len(x), task.y_dim), torch.nan, dtype=torch.float64)
    if known is None or not len(known.x):
        return y
    sums, order = _checksums(known.x).sort()
    sums_of_x = _checksums(x)
    place = torch.searchsorted(sums, sums_of_x).clamp(max=len(sums) - 1)
    likely = (sums[place] == sums_of_x).nonzero()[:, 0]
    row = order[place[likely]]
    same = (known.x[row] == x[likely]).all(1)
    likely, row = likely[same], row[same]
    y[likely] = torch.where(_usable(task, known.x[row], known.y[row])[:, None], known.y[row], torch.nan)
    return y


def _checksums(x: Tensor) -> Tensor:
    """A number for each row of `(n, d)`; equal rows have equal ones, and others hardly ever."""
    return torch.tensor([hash(row.tobytes()) for row in x.double().numpy()])


@torch.no_grad()
def _valid(task: Task, simulate: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    x = x.double()
    y = simulate(x)
    return torch.where(_usable(task, x, y)[:, None], y, torch.nan)


def _usable(task: Task, x: Tensor, y: Tensor) -> Tensor:
    """Mask `(n,)` of the designs that are valid, given their f(x)."""
    return torch.isfinite(x).all(-1) & torch.isfinite(y).all(-1) & task.in_support(x)


def _distinct(x: Tensor) -> tuple[Tensor, Tensor]:
    """The rows at which each distinct design stands first, and for every row which of them it is."""
    rows = np.ascontiguousarray(x.numpy())
    whole = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1])))[:, 0]
    _, first, place = np.unique(whole, return_index=True, return_inverse=True)
    return torch.from_numpy(first), torch.from_numpy(place)
