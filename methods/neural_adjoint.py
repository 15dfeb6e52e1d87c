"""Neural-Adjoint: gradient search for x through a learned forward model (Ren, Padilla, Malof; NeurIPS 2020)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Generator, Tensor

from harness.contracts import Method, Pairs, Phase, Problem, Proposals
from harness.settings import setting
from methods.conditioned import box, joined, parted, split
from methods.levels import nearest
from methods.localisation import adam, attainable, distinct_searches, levenberg_marquardt, linearise, repeated, restart
from methods.networks import known_error, repeat_targets
from methods.straight_through import straight
from methods.surrogate import ROBUST, Surrogate


@dataclass(frozen=True)
class NeuralAdjointOptions:
    """Options of Neural-Adjoint; Ren et al. Table 5 ablates `boundary_loss` and `starts`."""

    boundary_loss: bool = setting(True, help="keep the search in the range of the training designs")
    starts: Literal["prior", "uniform", "nearest"] = "prior"
    """Where the search starts: draws from the design distribution, uniform in the box, or at those of `screened` draws
    from the design distribution that the surrogate maps nearest to y."""
    screened: int = setting(4000, help="draws among which `starts=nearest` chooses", least=1)
    stay: float = setting(0.0, least=0)
    """Weight of the squared distance from the start, in standardised x. With `starts=nearest` it keeps the search near
    the data, where the surrogate can be trusted."""
    rank: bool = True
    """Return the candidates best first by surrogate error, of at least `candidates` per target."""
    candidates: int = setting(200, help="searches for a target that `rank` chooses from, at least", least=1)
    solver: Literal["adam", "lm"] = "adam"
    """`lm`: Levenberg-Marquardt."""
    steps: int = setting(50, help="of a search", least=0)
    rate: float = setting(0.2, help="first step of Adam, in standardised x; it falls to zero along a cosine", above=0)
    boundary_weight: float = setting(0.1, help="Adam only: weight of the boundary loss", least=0)
    restarts: int = setting(10, least=0)
    """Levenberg-Marquardt only: rounds in which rows that did not converge start afresh."""
    tolerance: float = setting(1e-7, least=0)
    """Levenberg-Marquardt only: squared error, in standardised y, at which a row has converged; where y has more
    dimensions than x, not less than the surrogate's validation error."""
    searches: int = setting(0, least=0)
    """Levenberg-Marquardt only: distinct searches for a target, which the proposals repeat; 0: one for each, or five
    where y has more dimensions than x."""
    depth: int = setting(4, help="hidden layers of the surrogate", least=1)
    huber: float = setting(0.0, help=ROBUST, least=0, later=True)


class NeuralAdjoint(Method):
    """Neural-Adjoint (NA).

    A network f is fitted to the forward model; then x is moved from random starts to minimise
    |f(x) - y|^2 + w * boundary loss (eq. 3 to 5), all targets in one batch. With `rank`, the candidates are returned
    best first by their surrogate error, as in the paper. The box is the range of the training designs: the 95 %
    interval of the printed eq. 5 cuts off a fifth of a four-dimensional normal prior and puts its tail out of reach.

    References: Ren, Padilla, Malof, "Benchmarking deep inverse models over time, and the Neural-Adjoint method", 2020.
    """

    groups: ClassVar[tuple[str, ...]] = ("paper",)
    references: ClassVar[tuple[str, ...]] = ("Ren, Padilla, Malof 2020, arXiv:2009.12919",)
    handles: ClassVar[frozenset[str]] = frozenset({"gaps", "partial", "conditions"})
    finer: ClassVar[tuple[str, ...]] = ("depth",)
    Options: ClassVar[type] = NeuralAdjointOptions
    surrogate_error: Tensor

    def build(self, problem: Problem, width: int) -> None:
        self.problem = problem
        self.surrogate = Surrogate(problem, width, self.options.depth, self.options.huber)
        self.register_buffer("surrogate_error", torch.zeros(()))

    def fit(self, train: Pairs, valid: Pairs, run: Callable[[Phase], float]) -> None:
        """Train the surrogate and keep its validation error.

        Args:
            train: pairs `(n, x_dim)` and `(n, y_dim)`, standardised.
            valid: pairs that are held back, likewise.
            run: trains a phase and returns its best validation value.
        """
        for phase in self.phases():
            self.surrogate_error.fill_(run(phase))

    def phases(self) -> Iterator[Phase]:
        surrogate, squared = self.surrogate, not self.options.huber
        yield Phase("surrogate", surrogate, surrogate.loss, forward=squared, rows="partial")

    def candidates(self, n: int) -> int:
        return max(n, self.options.candidates) if self.options.rank else n

    def propose(self, y: Tensor, n: int, generator: Generator) -> Proposals:
        pool, problem = self.candidates(n), self.problem
        if self.options.solver == "lm":
            to_reach = problem.y_dim - problem.condition_dim
            pool = distinct_searches(self.options.searches, pool, problem.x_dim, to_reach)
        targets = repeat_targets(y, pool)
        with self.stage("generation"):
            starts = self.draw_starts(targets, generator)
        with self.stage("localisation"):
            x, generated = self.localise(targets, starts, generator)
            x = nearest(problem, x)
        with torch.no_grad():
            error = self.surrogate.error(x, targets).view(len(y), pool)
        x, error = repeated(x.view(len(y), pool, -1), max(n, pool)), repeated(error, max(n, pool))
        if self.options.rank:
            order = error.argsort(stable=True, dim=1)[:, :n]
            x, error = x.gather(1, order[..., None].expand(-1, -1, x.shape[2])), error.gather(1, order)
        return Proposals(x, ranked=self.options.rank, believed=error, generated=generated)

    def draw_starts(self, targets: Tensor, generator: Generator) -> Tensor:
        """Starting designs `(rows, x_dim)`, standardised.

        Args:
            targets: a target for each `(rows, y_dim)`, standardised.
            generator: all randomness comes from it.
        """
        rows = len(targets)
        if self.options.starts == "prior":
            return self.problem.sample_prior(rows, generator)
        if self.options.starts == "nearest":
            return self.nearest_draws(targets, generator)
        low, high = self.problem.bounds
        return low + (high - low) * torch.rand(rows, len(low), generator=generator, dtype=low.dtype).to(low.device)

    @torch.no_grad()
    def nearest_draws(self, targets: Tensor, generator: Generator) -> Tensor:
        """Starting designs `(rows, x_dim)`: for equal targets, one after the other, the draws whose predicted y is
        nearest, second nearest, ...

        Args:
            targets: a target for each `(rows, y_dim)`, standardised; NaN where y is not known.
            generator: all randomness comes from it.
        """
        pool = self.problem.sample_prior(self.options.screened, generator)
        # NaN differs from itself, and would be as many targets as there are rows.
        marked = targets.nan_to_num(nan=torch.inf)
        distinct, counts = torch.unique_consecutive(marked, dim=0, return_counts=True)
        distinct = distinct.masked_fill(distinct.isinf(), torch.nan)
        starts = []
        for target, count in zip(distinct, counts.tolist(), strict=True):
            wanted, given = split(self.problem, target)
            predicted = self.surrogate(joined(pool, given.expand(len(pool), -1)))
            nearest = known_error(predicted, wanted).topk(min(count, len(pool)), largest=False).indices
            starts.append(repeated(pool[nearest][None], count)[0])
        return torch.cat(starts)

    def reached(self, z: Tensor) -> Tensor:
        """What the surrogate says of the designs that come out of a search: discrete columns are searched straight
        through.

        Args:
            z: designs with their conditions `(n, x_dim + c)`, standardised.
        """
        x, given = parted(self.problem, z)
        return self.surrogate(joined(straight(self.problem, x), given))

    def localise(self, y: Tensor, starts: Tensor, generator: Generator) -> tuple[Tensor, int]:
        """Designs `(rows, x_dim)` that the surrogate maps to y, and how many searches they took.

        Args:
            y: a target for each row `(rows, y_dim)`, standardised.
            starts: designs `(rows, x_dim)`, standardised.
            generator: gives the fresh starts of Levenberg-Marquardt.
        """
        options, problem = self.options, self.problem
        wanted, given = split(problem, y)
        starts = joined(starts, given)
        if options.solver == "adam":
            weight = options.boundary_weight if options.boundary_loss else 0.0
            z, _ = adam(
                self.reached,
                wanted,
                starts,
                box(problem, problem.bounds),
                steps=options.steps,
                rate=options.rate,
                boundary=weight,
                stay=options.stay,
            )
            return parted(problem, z)[0], len(z)
        # A hard box takes the place of the boundary loss; without it the search is free.
        low, high = problem.bounds
        limits = problem.bounds if options.boundary_loss else torch.stack([low - torch.inf, high + torch.inf])
        linearised = linearise(self.reached)
        tolerance = attainable(options.tolerance, float(self.surrogate_error), problem.x_dim, wanted.shape[1])

        def solve(targets: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
            return levenberg_marquardt(
                linearised, targets, x, box(problem, limits), steps=options.steps, tolerance=options.tolerance * 1e-4
            )

        def draw(rows: Tensor) -> Tensor:
            return joined(self.draw_starts(y, generator), given)[rows]

        z, error = solve(wanted, starts)
        z, _, searches = restart(solve, wanted, z, error, draw, rounds=options.restarts, tolerance=tolerance)
        return parted(problem, z)[0], searches


class NeuralAdjointNear(NeuralAdjoint):
    """Neural-Adjoint that starts at the draws which the surrogate maps nearest to y, and stays near them.

    A search over hundreds of dimensions ends where the surrogate is wrong: on the pixels of `architecture` it believes
    errors of 1e-13 where the forward model finds 0.1. Draws from the design distribution are where the surrogate was
    trained, and some of them are close to any y already.
    """

    groups: ClassVar[tuple[str, ...]] = ("variants",)
    defaults: ClassVar[dict[str, Any]] = {
        "starts": "nearest",
        "stay": 1e-3,
        "boundary_weight": 1.0,
        "steps": 10,
        "rate": 0.02,
    }


class NeuralAdjointLM(NeuralAdjoint):
    """Neural-Adjoint with a batched Levenberg-Marquardt search and restarts in place of Adam and ranking.

    Once restarts have removed the rows that got stuck, surrogate residuals are rounding noise, and ranking by them
    would rank noise; proposals are therefore exchangeable.
    """

    groups: ClassVar[tuple[str, ...]] = ("variants",)
    defaults: ClassVar[dict[str, Any]] = {"solver": "lm", "steps": 10, "rank": False}
