"""One network for p(x, y) and its conditionals, by flow matching with masks (the idea of Gloeckler et al. 2024)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from harness.contracts import Method, Phase, Problem, Proposals
from harness.settings import setting
from methods.levels import blurred, loosened
from methods.localisation import ROWS_AT_ONCE, ROWS_ELSEWHERE
from methods.masked_field import MaskedField
from methods.masks import States, draw_states
from methods.networks import REDRAWS, keep_inside, normal, repeat_targets
from methods.path import travel

PAIRS = 0.5
"""The least share of pairs in a batch: rows of x or y alone do not say which x belong to a y."""


@dataclass(frozen=True)
class JointOptions:
    """Options of the joint model."""

    depth: int = setting(4, help="hidden layers of the network", least=1)
    waves: int = setting(0, help="Fourier features of each value, of 1, 2, 4, ... radians per deviation", least=0)
    draws: int = setting(4, help="masks, times and noises for each row of a batch", least=1)
    floor: float = setting(0.1, help="time that is left below which the loss weighs an error no more", above=0)
    posterior: float = setting(0.5, help="weight of the question for x given y", above=0)
    gaps: float = setting(0.3, help="weight of the question for x and hidden y given the other y", least=0)
    likelihood: float = setting(0.15, help="weight of the question for y given x", least=0)
    prior: float = setting(0.05, help="weight of the question for x alone", least=0)
    nfe: int = setting(16, help="evaluations of the network for a proposal; a midpoint step takes two", least=2)
    inside: bool = setting(True, help="draw a design again that falls outside the range of the training designs")


class Joint(Method):
    """Flow matching of [x, y] in which any part may be given: inverse, forward and gaps from one network.

    An entry is given, latent or absent. Latent ones go from noise e to their value v along t v + (1 - t) e; the network
    says where they end. The loss is the mean over the latent entries of x plus that over those of y, for every row with
    a mask of its own. The gaps of a target are generated together with x; where nothing of it is known, x is drawn from
    what the network takes for the prior. A row of x alone or of y alone teaches what is likely without the other.
    Gloeckler et al. use score matching and a transformer; here it is an MLP.

    References: Gloeckler et al., "All-in-one simulation-based inference", 2024; the path: Lipman et al., "Flow
    matching for generative modeling", 2023.
    """

    groups: ClassVar[tuple[str, ...]] = ("modern",)
    references: ClassVar[tuple[str, ...]] = (
        "Gloeckler et al. 2024, arXiv:2404.09636",
        "Lipman et al. 2023, arXiv:2210.02747",
    )
    handles: ClassVar[frozenset[str]] = frozenset({"gaps", "partial", "lone", "conditions"})
    finer: ClassVar[tuple[str, ...]] = ("depth",)
    Options: ClassVar[type] = JointOptions

    def build(self, problem: Problem, width: int) -> None:
        options = self.options
        self.x_dim, self.y_dim = problem.x_dim, problem.y_dim
        self.step, self.bounds = problem.step, loosened(problem)
        self.field = MaskedField(problem.x_dim, problem.y_dim, width, options.depth, options.waves)

    def phases(self) -> Iterator[Phase]:
        yield Phase("joint", self.field, self.loss, rows="any", pairs=PAIRS, clip=5.0)

    def loss(self, x: Tensor, y: Tensor, progress: float) -> Tensor:
        """Weighted squared error of the ends of the latent entries: that of x plus that of y, mean over rows.

        Args:
            x: designs `(b, x_dim)`, standardised; NaN is not known.
            y: their targets `(b, y_dim)`, likewise.
            progress: not used.
        """
        options = self.options
        values = torch.cat([x, y], 1).repeat(options.draws, 1)
        weights = options.posterior, options.gaps, options.likelihood, options.prior
        states = draw_states(values.isfinite(), self.x_dim, weights)
        values = values.nan_to_num()
        # Latent discrete columns are blurred; given ones are exact, as they are when y is asked for.
        goal = torch.cat([blurred(values[:, : self.x_dim], self.step), values[:, self.x_dim :]], 1)
        time = torch.rand(len(values), 1, dtype=values.dtype, device=values.device)
        moving = torch.where(states.latent, torch.lerp(torch.randn_like(goal), goal, time), values * states.given)
        error = (self.field(moving, states.clock(time)) - goal) / (1 - time).clamp_min(options.floor)
        square = error.square() * states.latent
        count = states.latent.to(values.dtype)
        of_x, of_y = (
            square[:, part].sum(1) / count[:, part].sum(1).clamp_min(1)
            for part in (slice(self.x_dim), slice(self.x_dim, None))
        )
        return (of_x + of_y).mean()

    def generate(self, values: Tensor, states: States, noise: Tensor) -> Tensor:
        """The values `(n, x_dim + y_dim)`, with those of latent entries generated.

        Args:
            values: `(n, x_dim + y_dim)`, standardised; read where they are given.
            states: of each entry.
            noise: standard normal, likewise; read where they are latent.
        """
        at_once = ROWS_AT_ONCE.get(values.device.type, ROWS_ELSEWHERE)
        start = torch.where(states.latent, noise, torch.where(states.given, values, 0.0))
        parts = zip(start.split(at_once), states.given.split(at_once), states.latent.split(at_once), strict=True)
        return torch.cat([self._carried(rows, States(given, latent)) for rows, given, latent in parts])

    def _carried(self, values: Tensor, states: States) -> Tensor:

        def end(values: Tensor, time: Tensor) -> Tensor:
            return torch.where(states.latent, self.field(values, states.clock(time)), values)

        return travel(values, end, self.options.nfe)

    @torch.no_grad()
    def propose(self, y: Tensor, n: int, generator: Generator) -> Proposals:
        with self.stage("generation"):
            targets = repeat_targets(y, n)
            values = torch.cat([targets.new_full((len(targets), self.x_dim), torch.nan), targets], 1)
            unknown = targets.isnan().all(1, keepdim=True)
            of_x = torch.arange(values.shape[1], device=y.device) < self.x_dim
            states = States(values.isfinite(), values.isnan() & (of_x | ~unknown))

            def draw(rows: Tensor | slice) -> Tensor:
                noise = normal(len(values), values.shape[1], generator, y)[rows]
                return self.generate(values[rows], States(*(mask[rows] for mask in states)), noise)[:, : self.x_dim]

            x, drawn = keep_inside(draw(slice(None)), self.bounds, draw, rounds=REDRAWS * self.options.inside)
        return Proposals(x.reshape(len(y), n, self.x_dim), generated=drawn)

    @torch.no_grad()
    def outcomes(self, x: Tensor, n: int, generator: Generator) -> Tensor:
        """Draws from p(y | x), n for each design: `(b, n, y_dim)`, standardised.

        Args:
            x: designs `(b, x_dim)`, standardised.
            n: draws for each.
            generator: all randomness comes from it.
        """
        designs = repeat_targets(x, n)
        values = torch.cat([designs, designs.new_zeros(len(designs), self.y_dim)], 1)
        of_y = torch.arange(values.shape[1], device=x.device) >= self.x_dim
        states = States(~of_y.expand(values.shape), of_y.expand(values.shape))
        noise = normal(len(values), values.shape[1], generator, x)
        made = self.generate(values, states, noise)
        return made[:, self.x_dim :].reshape(len(x), n, self.y_dim)
