"""Tandem network: an inverse network trained through a frozen forward model (Liu et al., ACS Photonics 2018)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from harness.contracts import Method, Phase, Problem, Proposals
from harness.settings import setting
from methods.levels import nearest
from methods.localisation import boundary_loss
from methods.networks import mlp
from methods.straight_through import straight
from methods.surrogate import ROBUST, Surrogate


@dataclass(frozen=True)
class TandemOptions:
    """Options of the Tandem network."""

    boundary_loss: bool = setting(True, help="keep designs in the range of the training designs")
    boundary_weight: float = setting(1.0, help="weight of the boundary loss beside the squared error", least=0)
    depth: int = setting(4, help="hidden layers of each network", least=1)
    surrogate_share: float = setting(0.5, help="share of the passes that fits the forward model", above=0, below=1)
    huber: float = setting(0.0, help=ROBUST, least=0, later=True)


class Tandem(Method):
    """Tandem: the inverse network g minimises |f(g(y)) - y|^2 plus the boundary loss of g(y).

    f is the forward model in its best validated state and is frozen while g trains, from every y that is known, with or
    without its design. Discrete columns of g(y), such as pixels, reach f as the values that a design can have, and g
    learns straight through them. The map is deterministic: every proposal for a target is the same design.

    References: Liu et al., "Training deep neural networks for the inverse design of nanophotonic structures", 2018.
    """

    groups: ClassVar[tuple[str, ...]] = ("paper",)
    references: ClassVar[tuple[str, ...]] = ("Liu et al. 2018, arXiv:1710.04724", "Ren, Padilla, Malof 2020")
    handles: ClassVar[frozenset[str]] = frozenset({"lone", "conditions"})
    finer: ClassVar[tuple[str, ...]] = ("depth",)
    Options: ClassVar[type] = TandemOptions

    def build(self, problem: Problem, width: int) -> None:
        self.problem, self.bounds = problem, problem.bounds
        self.surrogate = Surrogate(problem, width, self.options.depth, self.options.huber)
        self.inverse = mlp(problem.y_dim, problem.x_dim, width, self.options.depth)

    def inverse_loss(self, x: Tensor, y: Tensor, progress: float) -> Tensor:
        """Squared error after the frozen forward model, plus the boundary loss.

        Args:
            x: not used; NaN where a row has no design.
            y: targets `(b, y_dim)`, standardised.
            progress: not used.
        """
        proposed = self.inverse(y)
        loss = self.surrogate.error(straight(self.problem, proposed), y)
        if self.options.boundary_loss:
            loss = loss + self.options.boundary_weight * boundary_loss(proposed, self.bounds)
        return loss.mean()

    def phases(self) -> Iterator[Phase]:
        share, squared = self.options.surrogate_share, not self.options.huber
        yield Phase("surrogate", self.surrogate, self.surrogate.loss, share=share, forward=squared)
        yield Phase("inverse", self.inverse, self.inverse_loss, share=1 - share, rows="y")

    @torch.no_grad()
    def propose(self, y: Tensor, n: int, generator: Generator) -> Proposals:
        with self.stage("generation"):
            x = nearest(self.problem, self.inverse(y))
        believed = self.surrogate.error(x, y)
        return Proposals(x[:, None].repeat(1, n, 1), believed=believed[:, None].repeat(1, n))
