"""Draws from posteriors by rejection: exact, from prior draws and simulations alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from harness.posterior.likelihood import Likelihood

CHUNK = 50_000
"""Prior draws that are held at once."""
NUMBERS = 1 << 23
"""Numbers of y that are held at once: 64 MB."""
NEGLIGIBLE = -40.0
"""Log likelihood below which a draw is not looked at: it would be accepted with a probability of 4e-18."""
PARTS, BEST = 8, 3
"""Parts of a chunk, and the likeliest draws of each that are kept."""
DOUBT = 4.0
"""Standard deviations above what is expected at which rejection is given up."""


@dataclass(frozen=True)
class Rejected:
    """What rejection found for each target."""

    x: list[Tensor]
    """The accepted draws `(accepted, x_dim)`, in the order in which they were drawn."""
    acceptance: list[float]
    """The share of the prior draws that was accepted."""
    drawn: list[int]
    """How many prior draws were looked at."""
    nearest: Tensor
    """The likeliest draws of each part of the prior draws `(m, k, x_dim)`."""


def reject(
    sample: Callable[[int, Generator], Tensor],
    simulate: Callable[[Tensor], Tensor],
    likelihood: Likelihood,
    wanted: Sequence[int],
    budget: int,
    generator: Generator,
    *,
    least: Sequence[int] = (),
    chunk: int = CHUNK,
) -> Rejected:
    """Draws from the posteriors of several targets, which share the prior draws.

    A prior draw is accepted with a probability of its likelihood. A target that has what is wanted looks at no more;
    nor does one that will not have the least number within the budget.

    Args:
        sample: draws from the prior `(n, x_dim)`.
        simulate: f(x) of `(n, x_dim)`, NaN where a design is invalid.
        likelihood: of m targets.
        wanted: draws for each target.
        budget: prior draws.
        generator: all randomness comes from it.
        least: draws without which those of a target are of no use.
        chunk: prior draws at once.
    """
    targets = len(likelihood.targets)
    least = least or [1] * targets
    chunk = max(1, min(chunk, budget, NUMBERS // likelihood.targets.shape[1]))
    found: list[list[Tensor]] = [[] for _ in range(targets)]
    counts, drawn, nearest = [0] * targets, [0] * targets, []
    active, done = list(range(targets)), 0
    while active and done < budget:
        x = sample(min(chunk, budget - done), generator)
        log = likelihood.log(simulate(x))
        nearest += [
            part[each.topk(min(BEST, len(part)), dim=0).indices]
            for part, each in zip(x.tensor_split(PARTS), log.tensor_split(PARTS), strict=True)
        ]
        done += len(x)
        rows, columns = (log > NEGLIGIBLE).nonzero(as_tuple=True)
        luck = torch.rand(len(rows), generator=generator, dtype=torch.float64).log()
        accepted = luck < log[rows, columns]
        for number in active:
            mine = x[rows[accepted & (columns == number)]]
            found[number].append(mine)
            counts[number] += len(mine)
            drawn[number] = done
        active = [number for number in active if counts[number] < wanted[number]]
        active = [number for number in active if _hopeful(counts[number], done, budget, least[number])]
    kept = [torch.cat(parts)[:most] for parts, most in zip(found, wanted, strict=True)]
    rates = [count / looked for count, looked in zip(counts, drawn, strict=True)]
    return Rejected(kept, rates, drawn, torch.cat(nearest).transpose(0, 1))


def _hopeful(found: int, done: int, budget: int, least: int) -> bool:
    """Whether there may be the least number within the budget, given how many there are after some of it."""
    return (found + DOUBT * (found + DOUBT) ** 0.5) * budget / done >= least
