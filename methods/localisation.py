"""Finding x with f(x) = y through a learned forward model f, many rows at once and each row on its own.

Rows never influence each other: losses are summed, not averaged, over rows, and damping is kept per row, so that a
row's result does not depend on the batch it came in.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from methods.networks import known_error, squared_error

Forward = Callable[[Tensor], Tensor]
Linearised = Callable[[Tensor], tuple[Tensor, Tensor]]
"""x `(n, x_dim)` to f(x) `(n, y_dim)` and its Jacobian `(n, y_dim, x_dim)`."""

ROWS_AT_ONCE = {"cpu": 2**10}  # a seventh to a third faster there than 4096
ROWS_ELSEWHERE = 2**15  # a GPU is idle below; the Jacobians of a spectrum take some 200 MB
BETAS = 0.5, 0.8  # Adam's memory, far shorter than in training: gradients are exact here, and a search has few steps
STEP = 0.5  # longest Levenberg-Marquardt step, in standardised x
FEW = 5  # distinct searches for a target of more dimensions than x, unless told otherwise
DAMPING = 1e-2, 1e-6, 1e4  # first, smallest and largest


def boundary_loss(x: Tensor, bounds: Tensor) -> Tensor:
    """How far each row lies outside the box `(n,)`, summed over x: Ren et al. 2020, eq. 5, per row.

    Args:
        x: designs `(n, x_dim)`, standardised.
        bounds: the box `(2, x_dim)`, standardised.

    >>> boundary_loss(torch.tensor([[0.5, 0.0], [1.5, -3.0]]), torch.tensor([[-1.0, -1.0], [1.0, 1.0]])).tolist()
    [0.0, 2.5]
    """
    centre, half = bounds.mean(0), (bounds[1] - bounds[0]) / 2
    return torch.relu((x - centre).abs() - half).sum(-1)


@torch.enable_grad()
def adam(
    forward: Forward,
    y: Tensor,
    start: Tensor,
    bounds: Tensor,
    *,
    steps: int,
    rate: float,
    boundary: float,
    stay: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Adam with a cosine step from `start`; each row keeps the best design that it passed.

    Minimises the squared error plus `boundary` times the boundary loss (Ren et al. 2020, eq. 3 to 5), plus `stay` times
    the squared distance from the start, summed over x. Entries of y that are NaN are not known and do not count.

    Args:
        forward: f, from designs `(n, x_dim)` to y `(n, y_dim)`; rows must be independent.
        y: a target for each row `(n, y_dim)`, standardised.
        start: designs `(n, x_dim)`, standardised.
        bounds: the box `(2, x_dim)` of the boundary loss.
        steps: of each search.
        rate: size of the first step, in standardised x.
        boundary: weight of the boundary loss.
        stay: weight of the squared distance from the start.

    Returns:
        x `(n, x_dim)` and the objective there `(n,)`.
    """
    measure = squared_error if bool(y.isfinite().all()) else known_error

    def objective(x: Tensor, targets: Tensor, origin: Tensor) -> Tensor:
        value = measure(forward(x), targets)
        if boundary:
            value = value + boundary * boundary_loss(x, bounds)
        return value + stay * (x - origin).square().sum(-1) if stay else value

    chunks = zip(_chunks(y), _chunks(start.detach()), strict=True)
    parts = [_descend(partial(objective, targets=rows, origin=x), x, steps, rate) for rows, x in chunks]
    return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])


def _chunks(rows: Tensor) -> tuple[Tensor, ...]:
    """Rows that are searched together."""
    return rows.split(ROWS_AT_ONCE.get(rows.device.type, ROWS_ELSEWHERE))


def _descend(objective: Forward, start: Tensor, steps: int, rate: float) -> tuple[Tensor, Tensor]:
    """Adam on an objective `(n,)` of x; the best x of each row and its objective."""
    x = start.clone()
    mean, square = torch.zeros_like(x), torch.zeros_like(x)
    best, least = x.clone(), x.new_full((len(x),), math.inf)
    for step in range(steps):
        x.requires_grad_(True)
        reached = objective(x)
        (gradient,) = torch.autograd.grad(reached.sum(), x)
        x = x.detach()
        best, least = _better(x, reached.detach(), best, least)
        mean = torch.lerp(mean, gradient, 1 - BETAS[0])
        square = torch.lerp(square, gradient.square(), 1 - BETAS[1])
        size = rate * 0.5 * (1 + math.cos(math.pi * step / steps))
        unbiased = mean / (1 - BETAS[0] ** (step + 1)), square / (1 - BETAS[1] ** (step + 1))
        x = x - size * unbiased[0] / (unbiased[1].sqrt() + 1e-12)
    with torch.no_grad():
        return _better(x, objective(x), best, least)


def _better(x: Tensor, value: Tensor, best: Tensor, least: Tensor) -> tuple[Tensor, Tensor]:
    """Of each row the design with the lesser objective, and its objective."""
    better = value < least
    return torch.where(better[:, None], x, best), torch.where(better, value, least)


def levenberg_marquardt(
    linearised: Linearised, y: Tensor, start: Tensor, bounds: Tensor, *, steps: int, tolerance: float
) -> tuple[Tensor, Tensor]:
    """Levenberg-Marquardt with per-row damping, projected on the box; a row stops at the tolerance.

    Marquardt 1963 with the step of `_step`; coordinates that push out of the box are held fixed.
    Designs outside the box are first moved onto it. Entries of y that are NaN are not known and do not count.

    Args:
        linearised: gives f and its Jacobian, as `linearise` does.
        y: a target for each row `(n, y_dim)`, standardised.
        start: designs `(n, x_dim)`, standardised.
        bounds: the box `(2, x_dim)`, infinite where x is free.
        steps: of each search, at most.
        tolerance: squared error, mean over y, at which a row stops.

    Returns:
        x `(n, x_dim)` and the squared error there, mean over y, `(n,)`.
    """
    chunks = zip(_chunks(y), _chunks(start), strict=True)
    parts = [_levenberg_marquardt(linearised, targets, x, bounds, steps, tolerance) for targets, x in chunks]
    return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])


def _levenberg_marquardt(
    linearised: Linearised, y: Tensor, start: Tensor, bounds: Tensor, steps: int, tolerance: float
) -> tuple[Tensor, Tensor]:
    look = _residuals(linearised, y)
    x = start.detach().clamp(bounds[0], bounds[1])
    residual, jacobian = look(x, slice(None))
    error = residual.square().mean(-1)
    damping = torch.full_like(error, DAMPING[0])
    for _ in range(steps):
        active = (error > tolerance).nonzero()[:, 0]
        if not len(active):
            break
        here = x[active]
        step = _step(here, residual[active], jacobian[active], damping[active], bounds)
        there = (here + step).clamp(bounds[0], bounds[1])
        change, slope = look(there, active)
        reached = change.square().mean(-1)
        accepted = reached < error[active]
        factor = torch.where(accepted, 0.2, 5.0)
        damping[active] = (damping[active] * factor).clamp(DAMPING[1], DAMPING[2])
        moved = active[accepted]
        x[moved], residual[moved] = there[accepted], change[accepted]
        jacobian[moved], error[moved] = slope[accepted], reached[accepted]
    return x, error


def _residuals(linearised: Linearised, y: Tensor) -> Callable[[Tensor, Tensor | slice], tuple[Tensor, Tensor]]:
    """A function of designs and the rows of y that they are for: f(x) - y and its Jacobian.

    An entry of y that is not known has neither; the others weigh more, so that the mean of the squares is theirs.
    """
    known, filled = y.isfinite().to(y.dtype), y.nan_to_num()
    weight = None if bool(known.all()) else known * (known.shape[1] / known.sum(1, keepdim=True)).sqrt()

    def look(x: Tensor, rows: Tensor | slice) -> tuple[Tensor, Tensor]:
        value, jacobian = linearised(x)
        if weight is None:
            return value - y[rows], jacobian
        return (value - filled[rows]) * weight[rows], jacobian * weight[rows][..., None]

    return look


def _step(x: Tensor, residual: Tensor, jacobian: Tensor, damping: Tensor, bounds: Tensor) -> Tensor:
    """The damped step `(n, x_dim)`, from the smaller of the two normal equations; no longer than `STEP`."""
    descent = -(jacobian * residual[..., None]).sum(1)
    held = ((x <= bounds[0]) & (descent < 0)) | ((x >= bounds[1]) & (descent > 0))
    free = jacobian * (~held)[:, None].to(x.dtype)
    y_dim, x_dim = free.shape[1:]
    if y_dim <= x_dim:
        normal = free @ free.mT
        step = -(free.mT @ _solve(normal, damping, residual)[..., None])[..., 0]
    else:
        step = -_solve(free.mT @ free, damping, (free.mT @ residual[..., None])[..., 0])
    length = step.norm(dim=1, keepdim=True)
    return step * (STEP / length.clamp_min(STEP))


def _solve(matrix: Tensor, damping: Tensor, right: Tensor) -> Tensor:
    """Solve (matrix + damping * mean diagonal * I) s = right for each row; a singular row gives a useless, finite s."""
    diagonal = matrix.diagonal(dim1=1, dim2=2)
    shift = damping * (diagonal.mean(1) + 1e-4) + 1e-9
    if matrix.shape[-1] == 1:
        return right / (diagonal + shift[:, None])
    matrix = matrix + torch.diag_embed(shift[:, None].expand_as(diagonal))
    if matrix.shape[-1] == 2:  # the closed form takes half the time of batched LAPACK on 2 x 2 blocks
        (a, b), (c, d) = (row.unbind(1) for row in matrix.unbind(1))
        r, s = right.unbind(1)
        return torch.stack([d * r - b * s, a * s - c * r], 1) / (a * d - b * c).clamp_min(1e-12)[:, None]
    solution, _ = torch.linalg.solve_ex(matrix, right)
    return torch.where(torch.isfinite(solution), solution, 0.0)


def linearise(forward: Forward) -> Linearised:
    """F and its Jacobian by automatic differentiation, in the cheaper of the two modes; rows must be independent.

    Args:
        forward: f, from designs `(n, x_dim)` to y `(n, y_dim)`.
    """

    def linearised(x: Tensor) -> tuple[Tensor, Tensor]:
        probe = x.detach().requires_grad_(True)
        with torch.enable_grad():
            value = forward(probe)
        y_dim, x_dim = value.shape[1], x.shape[1]
        if y_dim <= x_dim:
            columns = [value[:, j].sum() for j in range(y_dim)]
            rows = [torch.autograd.grad(column, probe, retain_graph=True)[0] for column in columns]
            return value.detach(), torch.stack(rows, 1)
        return value.detach(), _by_columns(value, probe)

    return linearised


def _by_columns(value: Tensor, x: Tensor) -> Tensor:
    """The Jacobian in x_dim instead of y_dim passes: J v is the derivative of (J^T u) v with respect to u."""
    with torch.enable_grad():
        weights = torch.zeros_like(value, requires_grad=True)
        (pulled,) = torch.autograd.grad(value, x, weights, create_graph=True)
        columns = [pulled[:, k].sum() for k in range(x.shape[1])]
    return torch.stack([torch.autograd.grad(column, weights, retain_graph=True)[0] for column in columns], 2)


def attainable(tolerance: float, surrogate_error: float, x_dim: int, y_dim: int) -> float:
    """The squared error at which a search has converged.

    That is `tolerance`; but where y has more dimensions than x, a surrogate reaches a y that it was not trained on only
    up to its own error, and what is asked for must not be less than its validation error.

    Args:
        tolerance: the squared error that is asked for, mean over standardised y.
        surrogate_error: the surrogate's validation error, likewise.
        x_dim: dimensions of a design.
        y_dim: dimensions of a target.
    """
    return tolerance if y_dim <= x_dim else max(tolerance, surrogate_error)


def distinct_searches(asked: int, n: int, x_dim: int, y_dim: int) -> int:
    """How many searches give n proposals: as many as asked for, at most n.

    Where nothing (0) is asked for there is one for each proposal; but where y has more dimensions than x, a search
    costs what dozens cost for a scalar, and its solutions are isolated points: then there are `FEW`.

    Args:
        asked: how many searches the options ask for; 0 for nothing.
        n: proposals for a target.
        x_dim: dimensions of a design.
        y_dim: dimensions of a target.
    """
    return min(n, asked or (n if y_dim <= x_dim else FEW))


def repeated(proposals: Tensor, n: int) -> Tensor:
    """The first n of the distinct proposals, over and over: `(b, n, ...)`.

    Args:
        proposals: `(b, m, ...)`.
        n: how many there are to be.

    >>> repeated(torch.tensor([[1, 2, 3]]), 5).tolist()
    [[1, 2, 3, 1, 2]]
    """
    return proposals[:, torch.arange(n, device=proposals.device) % proposals.shape[1]]


def restart(
    solve: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
    y: Tensor,
    x: Tensor,
    error: Tensor,
    draw: Callable[[Tensor], Tensor],
    *,
    rounds: int,
    tolerance: float,
) -> tuple[Tensor, Tensor, int]:
    """Solve rows whose error stays above the tolerance again from fresh starts, keeping the better of the two.

    `draw(rows)` gives a fresh start for each of these rows. What it draws for a row must not depend on which others
    there are, or a row's result would depend on its batch.

    Args:
        solve: a search, from targets and starts to designs `(rows, x_dim)` and their errors `(rows,)`.
        y: a target for each row `(n, y_dim)`, standardised.
        x: designs after the first search `(n, x_dim)`; changed in place.
        error: their squared errors `(n,)`; changed in place.
        draw: from row numbers to fresh starts `(rows, x_dim)`.
        rounds: how often at most.
        tolerance: the error at which a row has converged.

    Returns:
        x, its error, and how many searches there were in all, the first included.
    """
    searches = len(y)
    for _ in range(rounds):
        stuck = (error > tolerance).nonzero()[:, 0]
        if not len(stuck):
            break
        searches += len(stuck)
        retried, reached = solve(y[stuck], draw(stuck))
        better = reached < error[stuck]
        x[stuck[better]], error[stuck[better]] = retried[better], reached[better]
    return x, error, searches
