"""Conditional flow matching (Lipman et al. 2023; Dax et al. 2023 for inverse problems), alone and with a search."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor

from harness.contracts import Phase, Problem, Proposals
from harness.settings import setting
from methods.conditioned import box, joined, parted, split
from methods.levels import nearest
from methods.localisation import distinct_searches, levenberg_marquardt, linearise, repeated
from methods.networks import repeat_targets
from methods.path import travel, usual_end
from methods.straight_through import straight
from methods.surrogate import ROBUST, Surrogate
from methods.transport import Transport, TransportOptions

TOLERANCE = 1e-11  # squared error, mean over standardised y, at which a row is done; as in na-lm


@dataclass(frozen=True)
class CFMOptions(TransportOptions):
    """Options of conditional flow matching."""

    nfe: int = setting(16, help="evaluations of the network for a design; each step takes two", least=2)
    floor: float = setting(
        0.05, help="the loss counts errors of x in units of 1 - t, which is not taken below this", above=0
    )


class CFM(Transport):
    """Conditional flow matching (CFM), for inverse problems also known as FMPE.

    A design is on its way at x_t = (1 - t) e + t x, with noise e that is independent of it: the optimal-transport path
    of Lipman et al. with sigma_min = 0, and t uniform in [0, 1]. The network predicts where the way ends,
    E[x | x_t, y], as a correction of what that is for normal designs and a y that tells nothing; it gives the velocity
    (E[x | x_t, y] - x_t) / (1 - t). The midpoint rule takes steps that end at t = 1 - (1 - i / n)^2, dense where the
    design is nearly there.

    References: Lipman et al., "Flow matching for generative modeling", 2023; Dax et al., "Flow matching for scalable
    simulation-based inference", 2023.
    """

    references: ClassVar[tuple[str, ...]] = (
        "Lipman et al. 2023 (ICLR), arXiv:2210.02747",
        "Dax et al. 2023 (NeurIPS), arXiv:2305.17161",
    )
    time_waves: ClassVar[int] = 4
    Options: ClassVar[type] = CFMOptions

    def field_loss(self, x: Tensor, embedded: Tensor) -> Tensor:
        t, noise = torch.rand_like(x[:, :1]), torch.randn_like(x)
        error = self.end(torch.lerp(noise, x, t), t, embedded) - x
        return (error / (1 - t).clamp_min(self.options.floor)).square().mean()

    def end(self, x: Tensor, t: Tensor, embedded: Tensor) -> Tensor:
        """E[x | x_t, y], `(n, x_dim)`.

        Args:
            x: designs on their way, x_t, `(n, x_dim)`.
            t: of each `(n, 1)`, or of all `(1, 1)`.
            embedded: what the network makes of their targets `(n, width)`.
        """
        return usual_end(x, t) + self.field(x, t, embedded)

    def carry(self, noise: Tensor, embedded: Tensor) -> Tensor:
        return travel(noise, lambda x, t: self.end(x, t, embedded), self.options.nfe)


@dataclass(frozen=True)
class CFMLMOptions(CFMOptions):
    """Options of conditional flow matching with a search."""

    steps: int = setting(5, help="Levenberg-Marquardt steps from each draw, at most", least=0)
    searches: int = setting(
        0,
        help="draws for a target that are improved, and repeated as proposals; 0: one for each proposal, or five where "
        "y has more dimensions than x",
        least=0,
    )
    surrogate_depth: int = setting(4, help="hidden layers of the surrogate", least=1)
    surrogate_share: float = setting(0.5, help="share of the passes that fits the surrogate", above=0, below=1)
    huber: float = setting(0.0, help=ROBUST, least=0, later=True)


class CFMLM(CFM):
    """Conditional flow matching whose draws are improved by a few Levenberg-Marquardt steps on a surrogate.

    The surrogate is a network of its own within the same budget and the same passes over the data, as in `ipage-lm`.
    The steps leave what the flow knows, which of the many solutions are likely, nearly as it is. The combination is
    ours.
    """

    finer: ClassVar[tuple[str, ...]] = ("depth", "surrogate_depth")
    Options: ClassVar[type] = CFMLMOptions
    defaults: ClassVar[Mapping[str, Any]] = {"depth": 4, "nfe": 8}

    def build(self, problem: Problem, width: int) -> None:
        super().build(problem, width)
        self.surrogate = Surrogate(problem, width, self.options.surrogate_depth, self.options.huber)

    def phases(self) -> Iterator[Phase]:
        share, squared = self.options.surrogate_share, not self.options.huber
        yield Phase("surrogate", self.surrogate, self.surrogate.loss, share=share, forward=squared)
        yield Phase("field", self.field, self.loss, share=1 - share)

    def propose(self, y: Tensor, n: int, generator: Generator) -> Proposals:
        to_reach = self.problem.y_dim - self.problem.condition_dim
        pool = distinct_searches(self.options.searches, n, self.problem.x_dim, to_reach)
        targets = repeat_targets(y, pool)
        with self.stage("generation"):
            starts, drawn = self.draw(y, pool, generator)
        with self.stage("localisation"):
            x = self.improve(starts, targets)
        with torch.no_grad():
            believed = self.surrogate.error(x, targets)
        x, believed = x.view(len(y), pool, -1), believed.view(len(y), pool)
        return Proposals(repeated(x, n), believed=repeated(believed, n), generated=drawn)

    def improve(self, x: Tensor, y: Tensor) -> Tensor:
        """Designs `(n, x_dim)` near these that the surrogate maps closer to their targets.

        Args:
            x: designs `(n, x_dim)`, standardised.
            y: a target for each `(n, y_dim)`, standardised.
        """
        problem, (wanted, given) = self.problem, split(self.problem, y)

        def reached(z: Tensor) -> Tensor:
            designs, conditions = parted(problem, z)
            return self.surrogate(joined(straight(problem, designs), conditions))

        limits, steps = box(problem, problem.bounds), self.options.steps
        z, _ = levenberg_marquardt(
            linearise(reached), wanted, joined(x, given), limits, steps=steps, tolerance=TOLERANCE
        )
        return nearest(problem, parted(problem, z)[0])
