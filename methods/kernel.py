"""Gaussian-kernel ridge regression as the forward model, searched by Levenberg-Marquardt."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from harness.contracts import Method, Pairs, Phase, Problem, Proposals
from harness.settings import setting
from methods.conditioned import box, joined, parted, split
from methods.levels import nearest
from methods.localisation import attainable, distinct_searches, levenberg_marquardt, repeated, restart
from methods.networks import known_error, repeat_targets, squared_error

COARSE = 1000  # centres with which the whole grid is tried
ROWS = 256  # designs compared with all centres at once: what fits a processor cache
LENGTHS = tuple(2.0**power for power in range(-3, 6))
RIDGES = tuple(10.0**power for power in range(-14, 0, 2))


@dataclass(frozen=True)
class KernelOptions:
    """Options of the kernel baseline."""

    centres: int = setting(4000, help="training designs that the surrogate is made of, at most", least=1)
    steps: int = setting(10, help="of a search", least=0)
    restarts: int = setting(10, help="rounds in which rows that did not converge start afresh", least=0)
    tolerance: float = setting(1e-2, least=0)
    """A row has converged when its error is this share of the validation error, the rest is the surrogate's own; or at
    the validation error, where y has more dimensions than x."""
    searches: int = setting(0, least=0)
    """Distinct searches for a target, which the proposals repeat; 0: one for each, or five where y has more dimensions
    than x."""


class Kernel(Method):
    """Kernel ridge regression f(x) = sum_i a_i exp(-|x - c_i|^2 / (2 l^2)) in float64, inverted by restarted LM.

    The length scale l (in standardised x) and the ridge are chosen on the validation part: on the whole grid with
    `COARSE` centres, then around the best with all centres. A classical baseline without trained networks.

    References: Saunders, Gammerman, Vovk, "Ridge regression learning algorithm in dual variables", ICML 1998.
    """

    groups: ClassVar[tuple[str, ...]] = ("baselines",)
    references: ClassVar[tuple[str, ...]] = ("Saunders, Gammerman, Vovk 1998 (ICML)",)
    dtype: ClassVar[torch.dtype] = torch.float64
    handles: ClassVar[frozenset[str]] = frozenset({"gaps", "conditions"})
    trainable: ClassVar[bool] = False
    Options: ClassVar[type] = KernelOptions

    def build(self, problem: Problem, width: int) -> None:
        self.problem = problem
        given = problem.condition_dim
        self.register_buffer("centres", torch.empty(0, problem.x_dim + given))
        self.register_buffer("weights", torch.empty(0, problem.y_dim - given))
        self.register_buffer("length", torch.ones(()))
        self.register_buffer("error", torch.ones(()))

    def fit(self, train: Pairs, valid: Pairs, run: Callable[[Phase], float]) -> None:
        """Choose l and the ridge on the validation part, then solve for the weights.

        Args:
            train: pairs `(n, x_dim)` and `(n, y_dim)`, standardised.
            valid: pairs that are held back, likewise.
            run: not used, as there is no network to train.

        Raises:
            ArithmeticError: no pair of the grid gives a positive definite kernel matrix.
        """
        train, valid = (_complete(self._learned(pairs)) for pairs in (train, valid))
        few, all_centres = min(COARSE, len(train.x)), min(self.options.centres, len(train.x))
        coarse = list(itertools.product(LENGTHS, RIDGES))
        _, length, ridge = self._choose(train, valid, few, coarse)
        # More centres lie closer together and want a shorter length; the ridge follows rounding and stays near.
        fine = [(length * 2**shift, ridge * factor) for shift in (-1, -0.5, 0.0, 0.5) for factor in (1e-1, 1.0, 1e1)]
        error, length, ridge = self._choose(train, valid, all_centres, fine)
        if not math.isfinite(error):
            raise ArithmeticError("No length scale and ridge of the grid gave a solvable kernel matrix.")
        self.centres = train.x[:all_centres].clone()
        weights = _solve(gaussian(self.centres, self.centres, length), train.y[:all_centres], ridge)
        assert weights is not None
        self.weights = weights
        self.length, self.error = (train.x.new_tensor(value) for value in (length, error))

    def _learned(self, pairs: Pairs) -> Pairs:
        """The pairs with the conditions beside x."""
        wanted, given = split(self.problem, pairs.y)
        return Pairs(joined(pairs.x, given), wanted)

    def _choose(
        self, train: Pairs, valid: Pairs, centres: int, grid: list[tuple[float, float]]
    ) -> tuple[float, float, float]:
        """The least validation error over the grid, with its length and ridge."""
        results = []
        x, y = train.x[:centres], train.y[:centres]
        across, among = exponents(valid.x, x), exponents(x, x)
        for length, group in itertools.groupby(grid, key=lambda pair: pair[0]):
            kernel, matrix = (across / length**2).exp_(), (among / length**2).exp_()
            for _, ridge in group:
                weights = _solve(matrix, y, ridge)
                error = math.inf if weights is None else float(squared_error(kernel @ weights, valid.y).mean())
                results.append((error if math.isfinite(error) else math.inf, length, ridge))
        return min(results)

    def linearised(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """f(x) `(n, y_dim - c)` and its exact Jacobian `(n, y_dim - c, x_dim + c)`: one exponential, one product.

        Args:
            x: designs with their conditions `(n, x_dim + c)`, standardised; the Jacobian is 0 in the latter, which are
                given.
        """
        y_dim, x_dim = self.weights.shape[1], x.shape[1]
        weighted = (self.weights[:, :, None] * self.centres[:, None]).flatten(1)
        sums = torch.cat([self.weights, weighted], 1)
        moments = torch.cat([gaussian(rows, self.centres, float(self.length)) @ sums for rows in x.split(ROWS)])
        value, pulled = moments[:, :y_dim], moments[:, y_dim:].view(-1, y_dim, x_dim)
        jacobian = (pulled - value[..., None] * x[:, None]) / self.length**2
        jacobian[..., self.problem.x_dim :] = 0
        return value, jacobian

    @torch.no_grad()
    def propose(self, y: Tensor, n: int, generator: Generator) -> Proposals:
        options, problem, bounds = self.options, self.problem, box(self.problem, self.problem.bounds)
        to_reach = problem.y_dim - problem.condition_dim
        pool = distinct_searches(options.searches, n, problem.x_dim, to_reach)
        targets, given = split(problem, repeat_targets(y, pool))
        error = float(self.error)
        tolerance = attainable(options.tolerance * error, error, problem.x_dim, to_reach)

        def drawn() -> Tensor:
            return joined(problem.sample_prior(len(targets), generator), given)

        with self.stage("generation"):
            starts = drawn()

        def solve(rows: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
            return levenberg_marquardt(self.linearised, rows, x, bounds, steps=options.steps, tolerance=tolerance)

        def draw(rows: Tensor) -> Tensor:
            return drawn()[rows]

        with self.stage("localisation"):
            z, reached = solve(targets, starts)
            z, reached, searches = restart(
                solve, targets, z, reached, draw, rounds=options.restarts, tolerance=tolerance
            )
        x, _ = parted(problem, z)
        if problem.step is not None:
            x = nearest(problem, x)
            reached = known_error(self.linearised(joined(x, given))[0], targets)
        x, reached = repeated(x.view(len(y), pool, -1), n), repeated(reached.view(len(y), pool), n)
        return Proposals(x, believed=reached, generated=searches)


def _complete(pairs: Pairs) -> Pairs:
    """The pairs of which all of x and y is known."""
    rows = ~(pairs.x.isnan().any(1) | pairs.y.isnan().any(1))
    return Pairs(pairs.x[rows], pairs.y[rows])


def _solve(matrix: Tensor, y: Tensor, ridge: float) -> Tensor | None:
    """The weights a of (K + ridge) a = y; None where that is not positive definite."""
    matrix = matrix.clone()
    matrix.diagonal().add_(ridge)
    factor, failed = torch.linalg.cholesky_ex(matrix)
    return None if int(failed) else torch.cholesky_solve(y, factor)


def exponents(x: Tensor, centres: Tensor) -> Tensor:
    """-|x - c|^2 / 2 of all designs and centres `(n, m)`, as a single product.

    Args:
        x: designs `(n, x_dim)`, in units of the length scale.
        centres: `(m, x_dim)`, likewise.
    """
    norms = -0.5 * x.square().sum(1, keepdim=True), -0.5 * centres.square().sum(1, keepdim=True)
    left = torch.cat([x, norms[0], torch.ones_like(norms[0])], 1)
    return left @ torch.cat([centres, torch.ones_like(norms[1]), norms[1]], 1).T


def gaussian(x: Tensor, centres: Tensor, length: float) -> Tensor:
    """exp(-|x - c|^2 / (2 l^2)) of all designs and centres `(n, m)`.

    Args:
        x: designs `(n, x_dim)`, standardised.
        centres: `(m, x_dim)`, standardised.
        length: l, in standardised x.
    """
    return exponents(x / length, centres / length).exp_()
