"""Re-simulation: the true forward model of proposed designs, each distinct design once, on all cores."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import torch
from torch import Tensor

from harness.contracts import Task, forward
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
) -> Tensor:
    """The true forward model of designs `(rows, n, x_dim)`, float64, `(rows, n, y_dim)`.

    Invalid designs are NaN: those that are not finite, outside the hard domain, or not to be simulated.

    Args:
        task: whose forward model it is.
        x: the designs.
        targets: `(rows or 1, y_dim)`; their last entries are the conditions, for a task that has any.
        operator: takes the place of `task.simulate`.
        advance: is told how many designs of how many are done, where they are slow.
    """
    flat = x.reshape(-1, x.shape[-1])
    if task.conditions is not None and targets is not None:
        y = _conditioned(task, x, targets)
    elif task.cost < SLOW and operator is None:
        y = torch.cat([_valid(task, task.simulate, rows) for rows in flat.split(ROWS_PER_CALL)])
    else:
        y = _distinct_only(task, operator or task.simulate, flat, advance)
    return y.reshape(*x.shape[:-1], task.y_dim)


def _conditioned(task: Task, x: Tensor, targets: Tensor) -> Tensor:
    assert task.conditions is not None
    conditions = targets[:, None, -task.conditions.shape[1] :].expand(*x.shape[:-1], -1).flatten(0, -2)
    rows = zip(x.flatten(0, -2).split(ROWS_PER_CALL), conditions.split(ROWS_PER_CALL), strict=True)
    return torch.cat([_valid(task, partial(_forward, task, given), part) for part, given in rows])


def _forward(task: Task, conditions: Tensor, x: Tensor) -> Tensor:
    return forward(task, x, conditions)


def _distinct_only(task: Task, simulate: Callable[[Tensor], Tensor], x: Tensor, advance: Advance) -> Tensor:
    first, place = _distinct(x)
    parts = []
    with ThreadPoolExecutor(usable_cores(), initializer=torch.set_num_threads, initargs=(1,)) as threads:
        for part in threads.map(lambda rows: _valid(task, simulate, rows), x[first].split(ROWS_PER_THREAD)):
            parts.append(part)
            advance(min(len(parts) * ROWS_PER_THREAD, len(first)), len(first))
    return torch.cat(parts)[place]


@torch.no_grad()
def _valid(task: Task, simulate: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    x = x.double()
    y = simulate(x)
    valid = torch.isfinite(x).all(-1) & torch.isfinite(y).all(-1) & task.in_support(x)
    return torch.where(valid[:, None], y, torch.nan)


def _distinct(x: Tensor) -> tuple[Tensor, Tensor]:
    """The rows at which each distinct design stands first, and for every row which of them it is."""
    rows = np.ascontiguousarray(x.numpy())
    whole = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1])))[:, 0]
    _, first, place = np.unique(whole, return_index=True, return_inverse=True)
    return torch.from_numpy(first), torch.from_numpy(place)
