"""What flow matching and diffusion share: a network learns where noise is to go, and steps along it end at designs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from harness.contracts import Method, Phase, Problem, Proposals
from harness.settings import setting
from methods.field import Field
from methods.levels import blurred, loosened
from methods.localisation import ROWS_AT_ONCE, ROWS_ELSEWHERE
from methods.networks import REDRAWS, keep_inside, normal


@dataclass(frozen=True)
class TransportOptions:
    """Options of every such sampler."""

    depth: int = setting(6, help="hidden layers of the network", least=1)
    waves: int = setting(
        0, help="Fourier features: sines and cosines of each x, of 1, 2, 4, ... radians per deviation", least=0
    )
    draws: int = setting(
        4, help="noise levels and noises for each pair of a batch, which make the gradient less noisy", least=1
    )
    inside: bool = setting(True, help="draw a design again that falls outside the range of the training designs")


class Transport(Method):
    """A sampler of p(x | y) that carries normal noise to designs; a subclass has `field_loss` and `carry`."""

    groups: ClassVar[tuple[str, ...]] = ("modern",)
    handles: ClassVar[frozenset[str]] = frozenset({"conditions"})
    finer: ClassVar[tuple[str, ...]] = ("depth",)
    time_waves: ClassVar[int] = 0
    """Fourier features of the time."""
    Options: ClassVar[type] = TransportOptions

    def build(self, problem: Problem, width: int) -> None:
        options = self.options
        self.problem, self.bounds = problem, loosened(problem)
        self.field = Field(
            problem.x_dim, problem.y_dim, width, options.depth, waves=options.waves, time_waves=self.time_waves
        )

    def loss(self, x: Tensor, y: Tensor, progress: float) -> Tensor:
        """The loss of the network, with several draws of the noise for each pair.

        Args:
            x: designs `(b, x_dim)`, standardised.
            y: their targets `(b, y_dim)`, standardised.
            progress: not used.
        """
        embedded, draws = self.field.embed(y), self.options.draws
        return self.field_loss(blurred(x.repeat(draws, 1), self.problem.step), embedded.repeat(draws, 1))

    def field_loss(self, x: Tensor, embedded: Tensor) -> Tensor:
        """What the network is trained for, mean over designs, with noise from the global random state.

        Args:
            x: designs `(n, x_dim)`, standardised.
            embedded: what the network makes of their targets `(n, width)`.
        """
        raise NotImplementedError

    def carry(self, noise: Tensor, embedded: Tensor) -> Tensor:
        """Designs `(n, x_dim)`, standardised: where the noise comes to.

        Args:
            noise: standard normal `(n, x_dim)`.
            embedded: what the network makes of their targets `(n, width)`.
        """
        raise NotImplementedError

    def phases(self) -> Iterator[Phase]:
        yield Phase("field", self.field, self.loss)

    @torch.no_grad()
    def draw(self, y: Tensor, n: int, generator: Generator) -> tuple[Tensor, int]:
        """Designs `(b * n, x_dim)`, n for each target, and how many were drawn in all.

        Args:
            y: targets `(b, y_dim)`, standardised.
            n: designs for each.
            generator: all randomness comes from it.
        """
        embedded = self.field.embed(y)
        target = torch.arange(len(y), device=y.device).repeat_interleave(n)
        at_once = ROWS_AT_ONCE.get(y.device.type, ROWS_ELSEWHERE)

        def drawn(rows: Tensor | slice) -> Tensor:
            noise = normal(len(target), self.problem.x_dim, generator, y)[rows]
            chunks = zip(noise.split(at_once), target[rows].split(at_once), strict=True)
            return torch.cat([self.carry(part, embedded[places]) for part, places in chunks])

        return keep_inside(drawn(slice(None)), self.bounds, drawn, rounds=REDRAWS * self.options.inside)

    def propose(self, y: Tensor, n: int, generator: Generator) -> Proposals:
        with self.stage("generation"):
            x, drawn = self.draw(y, n, generator)
        return Proposals(x.view(len(y), n, -1), generated=drawn)
