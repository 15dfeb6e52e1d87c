"""Dimensions of few values are modelled as discrete: blurred between their levels, and drawn by rounding."""

import pytest
import torch
from torch import Generator, Tensor

from harness.contracts import Pairs, Problem
from harness.seeds import seeded
from methods.cinn import CINN, CINNOptions
from methods.cvae import CVAE, CVAEOptions
from methods.inn import INN, INNOptions
from methods.levels import Levels
from methods.mdn import MDN, MDNOptions

LEVELS = torch.tensor([-1.0, 0.5, 1.0])


def designs(n: int = 3000) -> Tensor:
    """A continuous dimension, one of two levels and one of three, unevenly spaced."""
    generator = Generator().manual_seed(0)
    two = torch.randint(2, (n,), generator=generator) * 2.0 - 0.3
    three = LEVELS[torch.randint(3, (n,), generator=generator)]
    return torch.stack([torch.randn(n, generator=generator), two, three], 1)


@pytest.fixture
def levels() -> Levels:
    found = Levels(3)
    found.fit(designs())
    return found


def test_only_dimensions_of_few_values_are_levels(levels: Levels) -> None:
    assert levels.values.isfinite().tolist() == [[False] * 3, [True, True, False], [True] * 3]
    assert levels.gaps.tolist() == pytest.approx([0.0, 2.0, 0.5])
    rare = designs()
    rare[2500, 1] = 9.0  # beyond the rows that are looked at first
    levels.fit(rare)
    assert 9.0 in levels.values[1].tolist()


def test_rounding_undoes_the_noise(levels: Levels) -> None:
    x = designs()
    with seeded("noise"):
        blurred = levels.blur(x)
    assert torch.equal(blurred[:, 0], x[:, 0])
    assert 0.9 < float((blurred - x)[:, 1].abs().max()) <= 1.0
    assert 0.2 < float((blurred - x)[:, 2].abs().max()) <= 0.25
    assert torch.equal(levels.snap(blurred), x)


def test_the_nearest_level_is_taken(levels: Levels) -> None:
    x = torch.tensor([[7.5, 100.0, -0.3], [float("nan"), -100.0, 0.8], [0.0, 0.6, 0.74]])
    snapped = levels.snap(x)
    assert snapped[:, 1].tolist() == pytest.approx([1.7, -0.3, -0.3])
    assert snapped[:, 2].tolist() == pytest.approx([-1.0, 1.0, 0.5])
    assert snapped[0, 0] == 7.5 and snapped[1, 0].isnan()


def test_designs_without_levels_are_left_alone() -> None:
    levels = Levels(2)
    x = torch.randn(50, 2)
    levels.fit(x)
    assert levels.blur(x) is x and levels.snap(x) is x


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (MDN, MDNOptions(components=3)),
        (CINN, CINNOptions(blocks=2)),
        (CVAE, CVAEOptions(z_dim=2, sample="full")),
        (INN, INNOptions(blocks=2)),
    ],
    ids=["mdn", "cinn", "cvae", "inn"],
)
def test_the_generative_methods_draw_levels(kind: type, options: object) -> None:
    x = designs()
    pairs = Pairs(x, x[:, 1:2] + x[:, 2:])
    bounds = torch.stack([x.min(0).values, x.max(0).values])
    problem = Problem(3, 1, bounds, lambda n, generator: x[torch.randint(len(x), (n,), generator=generator)])
    with seeded("build"):
        method = kind(options)
        method.build(problem, 8)
    method.fit(pairs, pairs, lambda phase: 0.0)
    drawn = method.propose(pairs.y[:5], 40, Generator().manual_seed(0)).x.flatten(0, 1)
    assert set(drawn[:, 2].tolist()) <= set(LEVELS.tolist()) and len(drawn[:, 1].unique()) <= 2
    assert len(drawn[:, 0].unique()) > 100
