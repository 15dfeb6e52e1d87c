"""What is known of a task's prior: its density, from the task or from a test of its draws."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import torch
from scipy import stats
from torch import Generator, Tensor

from harness.contracts import Task
from harness.kinds import discrete

DRAWS = 100_000
"""Prior draws that are tested: enough to tell a density that differs from a uniform one by 1 % anywhere."""
LEVEL = 1e-6
"""Of each test. With up to a hundred tests a task, a prior that is what it looks like fails once in 10 000 times."""
QUANTILE = 1.959963984540054
"""Of the standard normal at 97.5 %: `Task.bounds` is the central 95 % interval where the prior has no bounds."""


@dataclass(frozen=True)
class Density:
    """The density of a prior, up to a constant, and a Gaussian or flat shape of each coordinate."""

    log: Callable[[Tensor], Tensor]
    """The logarithms `(n,)` for designs `(n, x_dim)`; -inf outside the support."""
    low: Tensor
    """`(x_dim,)`, -inf where there is no bound."""
    high: Tensor
    centre: Tensor
    """`(x_dim,)`, physical."""
    width: Tensor
    """Standard deviations `(x_dim,)`, physical."""
    normal: Tensor
    """Mask `(x_dim,)` of the coordinates that are normal, with these centres and widths."""
    volume: float
    """What is added to `log` for a density in units of the prior, u = (x - centre) / width, of integral one."""
    words: str
    """What is known of the prior, and from where."""


def density(task: Task, generator: Generator) -> Density | str:
    """The density of a task's prior; where it is not known, why."""
    if bool(discrete(task.kinds, task.x_dim).any()):
        return "x has whole numbers or choices, so that its solutions cannot be followed by their gradients"
    x = task.sample_prior(DRAWS, generator)
    given = getattr(task, "log_prior", None)
    low, high = task.bounds.cpu()
    if given is not None:
        infinite = torch.full_like(low, torch.inf)
        none = torch.zeros_like(low, dtype=torch.bool)
        volume = float(x.std(0).log().sum())
        return Density(
            given, -infinite, infinite, x.mean(0), x.std(0), none, volume, "the task gives its prior's density"
        )
    uniform, normal = _shapes(x, low, high)
    if not bool((uniform | normal).all()):
        return "the prior is neither uniform nor normal in every coordinate, and the task has no `log_prior`"
    if not _independent(x):
        return "the coordinates of the prior depend on each other, and the task has no `log_prior`"
    return _product(low, high, normal)


def _shapes(x: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Masks `(x_dim,)` of the coordinates that are uniform in the box, and of those of which it is the 95 % interval of
    a normal distribution, by Kolmogorov-Smirnov tests of draws `(n, x_dim)`.
    """
    found = []
    for values, least, most in zip(x.T.numpy(), low.tolist(), high.tolist(), strict=True):
        inside = least <= values.min() and values.max() <= most
        uniform = inside and stats.kstest(values, "uniform", (least, most - least)).pvalue > LEVEL
        middle, spread = (least + most) / 2, (most - least) / 2 / QUANTILE
        normal = not uniform and stats.kstest(values, "norm", (middle, spread)).pvalue > LEVEL
        found.append((bool(uniform), bool(normal)))
    uniforms, normals = zip(*found, strict=True)
    return torch.tensor(uniforms), torch.tensor(normals)


def _independent(x: Tensor) -> bool:
    """Whether ranks, and distances of ranks from the middle one, of any two coordinates show no correlation.

    The second finds pairs that depend on each other but have no correlation, such as points of a ring.
    """
    ranks = x.argsort(0).argsort(0).double()
    ranks = ranks - ranks.mean(0)
    folded = ranks.abs() - ranks.abs().mean(0)
    most = stats.norm.isf(LEVEL / 2) / math.sqrt(len(x))
    for values in (ranks, folded):
        unit = values / values.norm(dim=0)
        if any(abs(float(unit[:, a] @ unit[:, b])) > most for a, b in combinations(range(x.shape[1]), 2)):
            return False
    return True


def _product(low: Tensor, high: Tensor, normal: Tensor) -> Density:
    """Independent coordinates, each uniform in the box or normal with it as the 95 % interval."""
    centre = (low + high) / 2
    width = (high - low) / torch.where(normal, 2 * QUANTILE, math.sqrt(12))
    least, most = low.where(~normal, -torch.inf), high.where(~normal, torch.inf)

    def log(x: Tensor) -> Tensor:
        squares = ((x - centre) / width).square().where(normal, 0.0).sum(-1)
        return (-squares / 2).where(((x >= least) & (x <= most)).all(-1), -torch.inf)

    kinds = "uniform in its box" if not normal.any() else "normal" if normal.all() else "uniform or normal"
    volume = -float(torch.where(normal, math.log(math.sqrt(2 * math.pi)), math.log(math.sqrt(12))).sum())
    words = f"prior {kinds} in each coordinate, as tests of {DRAWS} draws say"
    return Density(log, least, most, centre, width, normal, volume, words)
