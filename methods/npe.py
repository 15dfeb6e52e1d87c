"""Neural posterior estimation with an autoregressive neural spline flow of the library zuko."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import zuko
from torch import Generator, Tensor, nn

from harness.contracts import Method, Phase, Problem, Proposals
from harness.settings import setting
from methods.levels import blurred, loosened
from methods.networks import REDRAWS, keep_inside, mlp, normal, repeat_targets

FEW = 32  # dimensions of x up to which each has splines and is drawn on its own, in as many passes
NUMBERS = 2**16  # in the designs that are drawn at once: the splines of all would take gigabytes


@dataclass(frozen=True)
class NPEOptions:
    """Options of neural posterior estimation."""

    univariate: Literal["auto", "spline", "affine"] = setting(
        "auto", help="rational-quadratic splines, or shift and scale; auto: splines for up to 32 dimensions of x"
    )
    transforms: int = setting(5, help="transforms one after another, each in the reverse order of columns", least=1)
    bins: int = setting(8, help="bins of a spline", least=2)
    depth: int = setting(2, help="hidden layers of each transform's network", least=1)
    passes: int = setting(
        0,
        help="groups of columns that a transform draws one after another, 2 being a coupling; 0: each column on its "
        "own, and a coupling for more than 32 dimensions of x",
        least=0,
    )
    embedding: int = setting(32, help="numbers that a network makes of a y with more entries; 0: y as it is", least=0)
    weight_decay: float = setting(1e-5, help="of the optimiser", least=0)
    inside: bool = setting(True, help="draw a design again that falls outside the range of the training designs")


class NPE(Method):
    """Neural posterior estimation: an autoregressive flow of splines given y, fitted by maximum likelihood.

    Pairs come from the prior, so that the density fitted to them is the posterior itself: the first round of the
    sequential methods, which needs no correction. The flow is zuko's `NSF`, or its `MAF`.

    References: Papamakarios and Murray, "Fast epsilon-free inference of simulation models with Bayesian conditional
    density estimation", 2016; Greenberg, Nonnenmacher, Macke, "Automatic posterior transformation for likelihood-free
    inference", 2019; Durkan et al., "Neural spline flows", 2019.
    """

    groups: ClassVar[tuple[str, ...]] = ("modern",)
    handles: ClassVar[frozenset[str]] = frozenset({"conditions"})
    references: ClassVar[tuple[str, ...]] = (
        "Papamakarios, Murray 2016, arXiv:1605.06376",
        "Greenberg et al. 2019, arXiv:1905.07488",
        "Durkan et al. 2019, arXiv:1906.04032",
    )
    finer: ClassVar[tuple[str, ...]] = ("transforms", "bins")
    Options: ClassVar[type] = NPEOptions

    def build(self, problem: Problem, width: int) -> None:
        options = self.options
        self.x_dim, self.step, self.bounds = problem.x_dim, problem.step, loosened(problem)
        condition = problem.y_dim
        self.embedding: nn.Module = nn.Identity()
        if 0 < options.embedding < problem.y_dim:
            condition = options.embedding
            self.embedding = mlp(problem.y_dim, condition, width, options.depth)
        few = problem.x_dim <= FEW
        shape = {
            "transforms": options.transforms,
            "passes": options.passes or (problem.x_dim if few else 2),
            "hidden_features": [width] * options.depth,
        }
        if options.univariate == "spline" or (options.univariate == "auto" and few):
            self.flow = zuko.flows.NSF(problem.x_dim, condition, bins=options.bins, **shape)
        else:
            self.flow = zuko.flows.MAF(problem.x_dim, condition, **shape)

    def loss(self, x: Tensor, y: Tensor, progress: float) -> Tensor:
        """-log p(x | y), mean over the batch.

        Args:
            x: designs `(b, x_dim)`, standardised.
            y: their targets `(b, y_dim)`, standardised.
            progress: not used.
        """
        density = self.flow(self.embedding(y))
        return -density.log_prob(blurred(x, self.step)).mean()

    def phases(self) -> Iterator[Phase]:
        yield Phase("density", self, self.loss, weight_decay=self.options.weight_decay, clip=5.0)

    @torch.no_grad()
    def propose(self, y: Tensor, n: int, generator: Generator) -> Proposals:
        with self.stage("generation"):
            conditions, at_once = repeat_targets(self.embedding(y), n), max(1, NUMBERS // self.x_dim)

            def draw(rows: Tensor | slice) -> Tensor:
                z = normal(len(conditions), self.x_dim, generator, y)[rows]
                parts = zip(z.split(at_once), conditions[rows].split(at_once), strict=True)
                return torch.cat([self.flow(condition).transform.inv(part) for part, condition in parts])

            x, drawn = keep_inside(draw(slice(None)), self.bounds, draw, rounds=REDRAWS * self.options.inside)
        return Proposals(x.view(len(y), n, -1), generated=drawn)
