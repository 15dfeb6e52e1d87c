"""Re-simulation: the true forward model of proposed designs, each distinct design once, on all cores."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from harness.contracts import Task

ROWS_PER_CALL = 100_000
SLOW = 0.1  # CPU seconds for 1000 simulations, from which on looking for repeated designs and starting threads pays
ROWS_PER_THREAD = 256


def resimulate(task: Task, x: Tensor, operator: Callable[[Tensor], Tensor] | None = None) -> Tensor:
    """The true forward model of designs `(..., x_dim)`, float64, `(..., y_dim)`.

    Invalid designs are NaN: those that are not finite, outside the hard domain, or not to be simulated. `operator`
    takes the place of `task.simulate`.
    """
    simulate = operator or task.simulate
    flat = x.reshape(-1, x.shape[-1])
    if task.cost < SLOW and operator is None:
        y = torch.cat([_valid(task, simulate, rows) for rows in flat.split(ROWS_PER_CALL)])
    else:
        first, place = _distinct(flat)
        with ThreadPoolExecutor(_cores(), initializer=torch.set_num_threads, initargs=(1,)) as threads:
            parts = list(threads.map(lambda rows: _valid(task, simulate, rows), flat[first].split(ROWS_PER_THREAD)))
        y = torch.cat(parts)[place]
    return y.reshape(*x.shape[:-1], task.y_dim)


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


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
