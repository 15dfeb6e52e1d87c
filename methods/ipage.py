"""iPage: invertible network for the prior, gradient localisation for the design (Bi, Fung, Zhang; AAAI 2023)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Generator, Tensor

from harness.contracts import Method, Pairs, Phase, Problem, Proposals
from harness.settings import setting
from methods.conditioned import box, joined, parted, split
from methods.discrepancies import bidirectional_loss
from methods.inn import Bijection, BijectionOptions
from methods.latent import Sampling, latent_samples
from methods.levels import nearest
from methods.localisation import (
    Forward,
    adam,
    attainable,
    distinct_searches,
    levenberg_marquardt,
    linearise,
    repeated,
    restart,
)
from methods.networks import normal, repeat_targets
from methods.straight_through import straight
from methods.surrogate import Surrogate


@dataclass(frozen=True)
class IPageOptions(BijectionOptions):
    """Options of iPage."""

    padding: int = setting(2, help="dimensions added to x, without which f_y has no critical point", least=0)
    forward_share: float = setting(
        0.75,
        help="share of the network's passes that fits y alone; the rest is bidirectional",
        above=0,
        below=1,
    )
    sampling: Sampling = setting(
        "maximin", help="of the latent: simple random, Latin hypercube, maximin Latin hypercube, or Sobol"
    )
    screened: int = setting(
        2,
        help="latent samples for each proposal; the one that the forward model likes best is localised",
        least=1,
    )
    localise: Literal["adam", "lm"] = setting("adam", help="Adam, or Levenberg-Marquardt")
    steps: int = setting(20, help="steps of the localisation", least=0)
    rate: float = setting(0.2, help="Adam only: first step, in standardised x", above=0)
    boundary_weight: float = setting(1.0, help="Adam only: weight of the boundary loss", least=0)
    restarts: int = setting(
        10, help="Levenberg-Marquardt only: rounds in which rows that did not converge start anew", least=0
    )
    tolerance: float = setting(
        1e-7,
        help="Levenberg-Marquardt only: squared error, in standardised y, at which a row has converged; where y has "
        "more dimensions than x, not less than the forward model's validation error",
        above=0,
    )
    searches: int = setting(
        0,
        help="Levenberg-Marquardt only: distinct searches for a target, which the proposals repeat; 0: one for each, "
        "or five where y has more dimensions than x",
        least=0,
    )
    forward_state: Literal["best", "last"] = setting(
        "best",
        help="own forward model only: the state of the network that validated best, or that at the end of training",
    )
    surrogate: Literal["own", "mlp"] = setting(
        "own", help="forward model of the localisation: the INN's own f_y, or a network of its own within the budget"
    )
    surrogate_depth: int = setting(4, help="hidden layers of the separate forward model", least=1)
    surrogate_share: float = setting(
        0.5, help="share of the passes that fits the separate forward model", above=0, below=1
    )
    fit_floor: float = setting(
        0.05,
        help="smallest lambda_y, relative to its first value; with 0, as printed, the network unlearns y at the end",
        least=0,
    )


class IPage(Method):
    """iPage (Algorithm 1): dynamic bidirectional training, posterior samples, localisation through the forward model.

    Training first fits y alone, for `forward_share` of the passes; then lambda_y falls as max(floor, exp(-5 r)) while
    lambda_z = lambda_x = r rise, r in [0, 1]. The forward model is the network in the state of its best validated f_y.
    Latent samples give starting designs f^-1(y, z); gradient steps move those that f_y likes best (`screened`, as in
    the released code) to f_y(x) = y.

    References: Bi, Fung, Zhang, "Accelerating inverse learning via intelligent localization with exploratory sampling",
    AAAI 2023, arXiv:2212.01016.
    """

    groups: ClassVar[tuple[str, ...]] = ("paper",)
    references: ClassVar[tuple[str, ...]] = ("Bi, Fung, Zhang 2023 (AAAI), arXiv:2212.01016",)
    handles: ClassVar[frozenset[str]] = frozenset({"conditions"})
    finer: ClassVar[tuple[str, ...]] = ("blocks", "surrogate_depth")
    Options: ClassVar[type] = IPageOptions
    surrogate_error: Tensor

    def build(self, problem: Problem, width: int) -> None:
        options = self.options
        self.problem, self.bounds = problem, problem.bounds
        self.network = Bijection(problem, width, options)
        self.separate = Surrogate(problem, width, options.surrogate_depth) if self._has_mlp else None
        # A frozen copy: the state of the same network in which f_y validated best (Algorithm 1), not a second network.
        self.forward_model = None if self._has_mlp else Bijection(problem, width, options).requires_grad_(False)
        self.best_fit = math.inf
        self.register_buffer("surrogate_error", torch.zeros(()))

    @property
    def _has_mlp(self) -> bool:
        return bool(self.options.surrogate == "mlp")

    @property
    def forward_map(self) -> Forward:
        """The forward model that localisation goes through: to y, or to the weighted components of y.

        It takes designs with their conditions `(n, x_dim + c)`, and is given the designs that come out of them:
        discrete columns are searched straight through.
        """
        separate, network, problem = self.separate, self.forward_model, self.problem

        def predicted(z: Tensor) -> Tensor:
            x, given = parted(problem, z)
            x = straight(problem, x)
            if separate is not None:
                return separate(joined(x, given))
            assert network is not None
            return network.code.weighted(network.predict(x, given))

        return predicted

    def goal(self, y: Tensor) -> Tensor:
        """What the forward model is to reach: y without its conditions, or the weighted components `(n, u_dim)`.

        Args:
            y: targets `(n, y_dim)`, standardised.
        """
        wanted, code = split(self.problem, y)[0], self.network.code
        return wanted if self.separate is not None else code.weighted(code(wanted))

    def error(self, x: Tensor, y: Tensor) -> Tensor:
        """Squared error of designs by the forward model, mean over what is to be reached, `(n,)`.

        Args:
            x: designs `(n, x_dim)`, standardised.
            y: targets `(n, y_dim)`, standardised.
        """
        if self.separate is not None:
            return self.separate.error(x, y)
        assert self.forward_model is not None
        return self.forward_model.error(x, y)

    def fit(self, train: Pairs, valid: Pairs, run: Callable[[Phase], float]) -> None:
        """Find the components of y, then train; keep the validation error of the forward model.

        Args:
            train: pairs `(n, x_dim)` and `(n, y_dim)`, standardised.
            valid: pairs that are held back, likewise.
            run: trains a phase and returns its best validation value.
        """
        self.network.code.fit(split(self.problem, train.y)[0])
        found = [run(phase) for phase in self.phases()]
        if self.separate is not None:
            self.surrogate_error.fill_(found[0])
            return
        if self.options.forward_state == "last":
            with torch.no_grad():
                self._take(self.fit_error(valid.x, valid.y).item())
        self.surrogate_error.fill_(self.best_fit)

    def _take(self, error: float) -> None:
        """Make the network, as it is, the forward model, which has this validation error."""
        assert self.forward_model is not None
        self.best_fit = error
        self.forward_model.load_state_dict(self.network.state_dict())

    def phases(self) -> Iterator[Phase]:
        decay = self.options.weight_decay
        share = 1.0
        if self.separate is not None:
            share = 1 - self.options.surrogate_share
            yield Phase("surrogate", self.separate, self.separate.loss, share=1 - share, forward=True)
        settings: dict[str, Any] = {"validate": self.validate_fit, "weight_decay": decay, "clip": 5.0}
        yield Phase(
            "forward", self.network, self.fit_loss, share=share * self.options.forward_share, forward=True, **settings
        )
        yield Phase(
            "bidirectional",
            self.network,
            self.scheduled_loss,
            share=share * (1 - self.options.forward_share),
            keep="last",
            stationary=False,
            forward=True,
            **settings,
        )

    def fit_loss(self, x: Tensor, y: Tensor, progress: float) -> Tensor:
        """Squared error of f_y: the first half of the schedule, lambda = (1, 0, 0).

        Args:
            x: designs `(b, x_dim)`, standardised.
            y: their targets `(b, y_dim)`, standardised.
            progress: not used.
        """
        return bidirectional_loss(self.network, x, y, (1.0, 0.0, 0.0))

    def scheduled_loss(self, x: Tensor, y: Tensor, progress: float) -> Tensor:
        """The bidirectional loss with the weights of the second half of the schedule.

        Args:
            x: designs `(b, x_dim)`, standardised.
            y: their targets `(b, y_dim)`, standardised.
            progress: r, from 0 to 1.
        """
        fit = max(self.options.fit_floor, math.exp(-5 * progress))
        return bidirectional_loss(self.network, x, y, (fit, progress, progress))

    def fit_error(self, x: Tensor, y: Tensor) -> Tensor:
        """Error of f_y, mean over pairs.

        Args:
            x: designs `(n, x_dim)`, standardised.
            y: their targets `(n, y_dim)`, standardised.
        """
        return self.network.error(x, y).mean()

    def validate_fit(self, x: Tensor, y: Tensor, progress: float) -> Tensor:
        """Validation error of f_y; the best state so far becomes the forward model.

        Args:
            x: designs of the validation part `(n, x_dim)`, standardised.
            y: their targets `(n, y_dim)`, standardised.
            progress: not used.
        """
        error = self.fit_error(x, y)
        if self.forward_model is not None and error.item() < self.best_fit:
            self._take(error.item())
        return error

    def candidates(self, n: int) -> int:
        return n * self.options.screened

    def propose(self, y: Tensor, n: int, generator: Generator) -> Proposals:
        lm = self.options.localise == "lm"
        to_reach = self.problem.y_dim - self.problem.condition_dim
        pool = distinct_searches(self.options.searches, n, self.problem.x_dim, to_reach) if lm else n
        targets = repeat_targets(y, pool)
        with self.stage("generation"):
            starts = self.posterior(y, pool, generator)
        with self.stage("localisation"):
            x, searches = self.localise(targets, starts, generator)
            x = nearest(self.problem, x)
        with torch.no_grad():
            believed = self.error(x, targets)
        x, believed = x.view(len(y), pool, -1), believed.view(len(y), pool)
        screened = len(y) * pool * (self.options.screened - 1)
        return Proposals(repeated(x, n), believed=repeated(believed, n), generated=searches + screened)

    @torch.no_grad()
    def posterior(self, y: Tensor, n: int, generator: Generator) -> Tensor:
        """Starting designs `(b * n, x_dim)`: the inverse of latent samples, in the box, screened by the forward model.

        Outside the box the forward model has learned nothing, and few steps do not lead back.

        Args:
            y: targets `(b, y_dim)`, standardised.
            n: starts for each.
            generator: all randomness comes from it.
        """
        drawn = n * self.options.screened
        z = latent_samples(self.options.sampling, len(y), drawn, self.network.z_dim, generator, y)
        targets = repeat_targets(y, drawn)
        u, given = self.network.targets(targets)
        x = self.network.inverse(u, z.flatten(0, 1), given)[0]
        x = x.clamp(self.bounds[0], self.bounds[1])
        if drawn == n:
            return x
        error = self.error(nearest(self.problem, x), targets).view(len(y), drawn)
        kept = error.topk(n, largest=False).indices.sort(1).values
        return x.view(len(y), drawn, -1).gather(1, kept[..., None].expand(-1, -1, x.shape[1])).flatten(0, 1)

    def localise(self, targets: Tensor, starts: Tensor, generator: Generator) -> tuple[Tensor, int]:
        """Designs `(b * n, x_dim)` near the starts that the forward model maps to their targets, and the searches.

        Args:
            targets: `(b * n, y_dim)`, standardised.
            starts: a design for each of them `(b * n, x_dim)`, standardised.
            generator: gives the fresh starts of Levenberg-Marquardt.
        """
        options, problem = self.options, self.problem
        (u, given), goal = self.network.targets(targets), self.goal(targets)
        starts, limits = joined(starts, given), box(problem, self.bounds)
        if options.localise == "adam":
            weight = options.boundary_weight
            found, _ = adam(
                self.forward_map, goal, starts, limits, steps=options.steps, rate=options.rate, boundary=weight
            )
            return parted(problem, found)[0], len(found)
        linearised = linearise(self.forward_map)
        tolerance = attainable(options.tolerance, float(self.surrogate_error), problem.x_dim, goal.shape[1])

        def solve(rows: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
            stop = options.tolerance * 1e-4
            return levenberg_marquardt(linearised, rows, x, limits, steps=options.steps, tolerance=stop)

        @torch.no_grad()
        def draw(rows: Tensor) -> Tensor:
            z = normal(len(goal), self.network.z_dim, generator, goal)
            return joined(self.network.inverse(u[rows], z[rows], given[rows])[0], given[rows])

        found, error = solve(goal, starts)
        found, _, searches = restart(solve, goal, found, error, draw, rounds=options.restarts, tolerance=tolerance)
        return parted(problem, found)[0], searches


class IPageLM(IPage):
    """iPage with a forward network of its own and Levenberg-Marquardt, within the same parameter budget."""

    groups: ClassVar[tuple[str, ...]] = ("variants",)
    defaults: ClassVar[dict[str, Any]] = {
        "surrogate": "mlp",
        "localise": "lm",
        "steps": 5,
        "forward_share": 0.5,
        "screened": 1,
    }
