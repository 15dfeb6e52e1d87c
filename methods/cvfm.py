"""Conditional variable flow matching (Generale et al. 2024): draws of one population are carried to another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import torch
from scipy.optimize import linear_sum_assignment
from torch import Generator, Tensor

from harness.contracts import Pairs, Phase, Problem
from harness.settings import setting
from methods.conditioned import split
from methods.field import Field
from methods.flow_matching import CFM, CFMOptions
from methods.levels import blurred
from methods.networks import repeat_targets
from methods.path import travel

Populations: TypeAlias = tuple[Pairs, Pairs]
MATCHED = 128
"""Rows of each population that are matched at once, at most."""


@dataclass(frozen=True)
class CVFMOptions(CFMOptions):
    """Options of conditional variable flow matching."""

    carrier_depth: int = setting(4, help="hidden layers of the network between the populations", least=1)
    carrier_share: float = setting(0.5, help="share of the passes that trains it", above=0, below=1)
    match_y: float = setting(5.0, help="weight of the squared distance of y beside that of x in the matching", least=0)
    kernel: float = setting(
        0.3, help="deviation of the weight by which rows whose matched y differ count less, in standardised y", above=0
    )


class CVFM(CFM):
    """Flow matching where pairs come from two populations, such as two forward models, told apart by one condition.

    Draws of the population with more pairs are carried to the other one, along a flow between the two, for which no
    design has to be known in both. Batches of both are matched by optimal transport, by the squared distance of x and
    `match_y` times that of y; x and y then move on straight lines together, and pairs whose y differ count less, by a
    normal kernel. Where there are not two populations it is `cfm`, without the carrier's share of the passes. In the
    place of noise on the lines (their sigma of 0.1) the batches are matched anew in every step.

    References: Generale, Robertson, Kalidindi, "Conditional variable flow matching", 2024.
    """

    groups: ClassVar[tuple[str, ...]] = ("special",)
    references: ClassVar[tuple[str, ...]] = (*CFM.references, "Generale, Robertson, Kalidindi 2024, arXiv:2411.08314")
    finer: ClassVar[tuple[str, ...]] = ("depth", "carrier_depth")
    Options: ClassVar[type] = CVFMOptions
    values: Tensor
    """The condition in the population with more pairs, and in the other one; the same where there are not two."""

    def build(self, problem: Problem, width: int) -> None:
        super().build(problem, width)
        depth = self.options.carrier_depth
        self.carrier = Field(problem.x_dim, problem.y_dim, width, depth, waves=0, time_waves=self.time_waves)
        self.register_buffer("values", torch.zeros(2))
        self.known: tuple[Populations, Populations] | None = None

    def fit(self, train: Pairs, valid: Pairs, run: Callable[[Phase], float]) -> None:
        """Tell the populations apart, then train.

        Args:
            train: pairs `(n, x_dim)` and `(n, y_dim)`, standardised.
            valid: pairs that are held back, likewise.
            run: trains a phase.
        """
        found = populations(self.problem, train)
        if found is not None:
            self.values.copy_(torch.stack([part.y[0, -1] for part in found]))
            self.known = found, populations(self.problem, valid) or found
        super().fit(train, valid, run)
        self.known = None

    def phases(self) -> Iterator[Phase]:
        share = self.options.carrier_share if self.known else 0.0
        yield Phase("field", self.field, self.loss, share=1 - share)
        if self.known:
            yield Phase("between", self.carrier, self.between_loss, share=share, validate=self.between_error)

    def between_loss(self, x: Tensor, y: Tensor, progress: float) -> Tensor:
        """The loss of the network between the populations, on training pairs of both.

        Args:
            x: designs `(b, x_dim)`, standardised; only their number counts.
            y: their targets; not used.
            progress: not used.
        """
        assert self.known is not None
        return self._apart(self.known[0], len(x))

    def between_error(self, x: Tensor, y: Tensor, progress: float) -> Tensor:
        """The same on validation pairs.

        Args:
            x: as of `between_loss`.
            y: not used.
            progress: not used.
        """
        assert self.known is not None
        return self._apart(self.known[1], len(x))

    def _apart(self, known: Populations, count: int) -> Tensor:
        options, problem = self.options, self.problem
        one, other = (some(part, min(count, MATCHED)) for part in known)
        y0, y1 = (split(problem, part.y)[0] for part in (one, other))
        mates = matched(one.x, other.x, y0, y1, options.match_y)
        x0, x1, y1 = blurred(one.x, problem.step), blurred(other.x[mates], problem.step), y1[mates]
        t = torch.rand_like(x0[:, :1])
        y = torch.cat([torch.lerp(y0, y1, t), self.values[1].expand(len(t), 1)], 1)
        error = (self._end(torch.lerp(x0, x1, t), t, self.carrier.embed(y)) - x1) / (1 - t).clamp_min(options.floor)
        weight = (-(y1 - y0).square().mean(1) / (2 * options.kernel**2)).exp()
        return (weight * error.square().mean(1)).mean()

    def _end(self, x: Tensor, t: Tensor, embedded: Tensor) -> Tensor:
        """Where designs on their way between the populations end; before training, where they are."""
        return x + self.carrier(x, t, embedded)

    @torch.no_grad()
    def draw(self, y: Tensor, n: int, generator: Generator) -> tuple[Tensor, int]:
        if bool(self.values[0] == self.values[1]):
            return super().draw(y, n, generator)
        carried = (y[:, -1] - self.values[1]).abs() < (y[:, -1] - self.values[0]).abs()
        begun = torch.cat([y[:, :-1], torch.where(carried, self.values[0], y[:, -1])[:, None]], 1)
        x, drawn = super().draw(begun, n, generator)
        rows = carried.repeat_interleave(n)
        embedded = self.carrier.embed(repeat_targets(y, n)[rows])
        x[rows] = travel(x[rows], lambda x, t: self._end(x, t, embedded), self.options.nfe)
        return x, drawn


def populations(problem: Problem, pairs: Pairs) -> Populations | None:
    """The pairs of two populations, the one with more pairs first; None where one condition does not tell two apart.

    Args:
        problem: how many conditions there are.
        pairs: `(n, x_dim)` and `(n, y_dim)`, standardised.
    """
    values = pairs.y[:, -1].unique() if problem.condition_dim == 1 else pairs.y[:0, 0]
    if len(values) != 2:
        return None
    parts = [Pairs(pairs.x[rows], pairs.y[rows]) for rows in (pairs.y[:, -1] == value for value in values)]
    first, second = sorted(parts, key=lambda part: len(part.x), reverse=True)
    return first, second


def some(pairs: Pairs, count: int) -> Pairs:
    """So many of the pairs at random, each once as far as there are enough.

    Args:
        pairs: `(n, x_dim)` and `(n, y_dim)`.
        count: how many.
    """
    rows = torch.cat([torch.randperm(len(pairs.x)) for _ in range(-(-count // len(pairs.x)))])[:count]
    rows = rows.to(pairs.x.device)
    return Pairs(pairs.x[rows], pairs.y[rows])


def matched(x0: Tensor, x1: Tensor, y0: Tensor, y1: Tensor, weight: float) -> Tensor:
    """For each row the one of the other population that it is matched with, `(n,)`: optimal transport between the two.

    Args:
        x0: designs `(n, x_dim)`.
        x1: of the other population, likewise.
        y0: their y `(n, d)`.
        y1: likewise.
        weight: of the squared distance of y beside that of x.

    >>> y = torch.tensor([[0.0], [1.0]])
    >>> matched(torch.zeros(2, 1), torch.zeros(2, 1), y, y.flip(0), 1.0).tolist()
    [1, 0]
    """
    cost = torch.cdist(x0, x1).square() + weight * torch.cdist(y0, y1).square()
    _, mates = linear_sum_assignment(cost.detach().cpu().numpy())
    return torch.from_numpy(mates).to(x0.device)
