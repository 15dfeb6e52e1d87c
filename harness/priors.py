"""What designs are drawn from, given the designs of the rows: their bounding box, convex hull, or a density."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor

from harness import kinds
from harness.contracts import Kind

NEIGHBOURS = 6  # rows that a draw from the hull lies between, at most
ROWS_PER_CALL = 512  # draws whose distances to all rows are held at once

Prior = Callable[[int, Generator], Tensor]


def box(rows: Tensor) -> Prior:
    """Uniform in the bounding box of the rows.

    Args:
        rows: designs `(m, d)`, physical and float64.

    >>> draws = box(torch.tensor([[0.0, 5.0], [1.0, 7.0]], dtype=torch.float64))(100, Generator().manual_seed(0))
    >>> draws.shape, bool((draws[:, 1] >= 5).all())
    (torch.Size([100, 2]), True)
    """
    low, high = rows.min(0).values, rows.max(0).values

    def draw(n: int, generator: Generator) -> Tensor:
        unit = torch.rand(n, rows.shape[1], generator=generator, dtype=torch.float64, device=generator.device)
        return low.to(unit) + (high - low).to(unit) * unit

    return draw


def hull(rows: Tensor) -> Prior:
    """Between neighbouring rows: never outside the convex hull, and dense where the rows are.

    A draw is a random convex combination of a random row and its nearest others, d + 1 together or `NEIGHBOURS`, with
    uniform weights (Dirichlet with all parameters one): uniform in their simplex, not in the hull. In many dimensions
    most of a hull is far from every row, and uniform draws from it would be, too. Distances are in units of the
    columns' standard deviations.

    Args:
        rows: designs `(m, d)`, physical and float64; no column is constant.
    """
    count = min(rows.shape[1] + 1, NEIGHBOURS)
    scaled = rows / rows.std(0)

    def draw(n: int, generator: Generator) -> Tensor:
        device = generator.device
        chosen = torch.randint(len(rows), (n,), generator=generator, device=device)
        weights = -torch.rand(n, count, generator=generator, dtype=torch.float64, device=device).clamp(1e-300).log()
        weights /= weights.sum(1, keepdim=True)
        known, places = rows.to(device), scaled.to(device)
        near = [
            torch.cdist(places[part], places).topk(count, largest=False).indices for part in chosen.split(ROWS_PER_CALL)
        ]
        return torch.einsum("nk,nkd->nd", weights, known[torch.cat([chosen.new_empty(0, count), *near])])

    return draw


def density(rows: Tensor) -> Prior:
    """A density fitted to the rows: a Gaussian about each of them, folded back into their bounding box.

    The Gaussians have the rows' covariance times h^2 with h = m^(-1 / (d + 4)) (Scott 1992). Each row is first moved
    towards the mean by 1 / sqrt(1 + h^2), which keeps mean and covariance of the draws those of the rows (Silverman,
    Young 1987, Biometrika 74, 469). A draw outside the box is reflected at its sides (Silverman 1986, section 2.10).

    Args:
        rows: designs `(m, d)`, physical and float64.
    """
    low, high, mean = rows.min(0).values, rows.max(0).values, rows.mean(0)
    values, vectors = torch.linalg.eigh(torch.cov(rows.T).reshape(rows.shape[1], -1))
    root = vectors * values.clamp(min=0).sqrt()  # not Cholesky: columns may depend on each other
    bandwidth = len(rows) ** (-1 / (rows.shape[1] + 4))

    def draw(n: int, generator: Generator) -> Tensor:
        device = generator.device
        chosen = torch.randint(len(rows), (n,), generator=generator, device=device)
        noise = torch.randn(n, rows.shape[1], generator=generator, dtype=torch.float64, device=device)
        moved = (rows - mean).to(device)[chosen] + bandwidth * noise @ root.to(device).T
        return fold(mean.to(device) + moved / (1 + bandwidth**2) ** 0.5, low.to(device), high.to(device))

    return draw


def fold(x: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Designs `(n, d)` reflected at the sides of a box until they are inside.

    Args:
        x: designs `(n, d)`.
        low: the least value of each column `(d,)`.
        high: the greatest value of each column `(d,)`.

    >>> fold(torch.tensor([[1.25], [-0.5], [0.75]]), torch.tensor([0.0]), torch.tensor([1.0])).tolist()
    [[0.75], [0.5], [0.75]]
    """
    unit = ((x - low) / (high - low)).remainder(2)
    return (low + (high - low) * (1 - (1 - unit).abs())).clamp(low, high)


PRIORS = {"box": box, "hull": hull, "density": density}


def prior(name: str, rows: Tensor, columns: Sequence[Kind]) -> Prior:
    """The prior of this name: its draws, moved to the nearest valid design.

    Args:
        name: `box`, `hull` or `density`.
        rows: designs `(m, d)`, physical and float64.
        columns: what the columns are; all are continuous where there are none.
    """
    bounds = torch.stack([rows.min(0).values, rows.max(0).values])
    # Half a step beyond its range, so that rounding gives the ends of an integer column as often as the others.
    beyond = 0.5 * (kinds.discrete(columns, rows.shape[1]) & kinds.scaled(columns, rows.shape[1]))
    draw = box(torch.stack([bounds[0] - beyond, bounds[1] + beyond])) if name == "box" else PRIORS[name](rows)
    return lambda n, generator: kinds.snap(draw(n, generator), columns, bounds)
