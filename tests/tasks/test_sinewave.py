from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from torch import Generator

from tasks.sinewave import Sinewave

anywhere = st.floats(-1e3, 1e3)


@given(anywhere, anywhere)
def test_equation(first, second):
    expected = math.sin(3 * math.pi * first) + math.cos(3 * math.pi * second)
    y = Sinewave().simulate(torch.tensor([[first, second]], dtype=torch.float64))
    assert y.item() == pytest.approx(expected, abs=1e-11)


def test_nine_separate_regions_reach_the_fixed_target():
    """y > y* holds in one region around each maximum: x1 in {-1/2, 1/6, 5/6}, x2 in {-2/3, 0, 2/3}."""
    axis = torch.linspace(-1, 1, 801, dtype=torch.float64)
    y = Sinewave().simulate(torch.cartesian_prod(axis, axis)).view(801, 801).numpy()
    regions, count = ndimage.label(y > Sinewave.fixed_target[0])
    assert count == 9
    edge = np.concatenate([regions[0], regions[-1], regions[:, 0], regions[:, -1]])
    assert not edge.any(), "each solution curve is closed within the box"
    centres = np.array(ndimage.center_of_mass(y > 0, regions, range(1, 10))) / 400 - 1
    expected = {(a, b) for a in (-1 / 2, 1 / 6, 5 / 6) for b in (-2 / 3, 0, 2 / 3)}
    assert {tuple(row) for row in centres.round(2)} == {(round(a, 2), round(b, 2)) for a, b in expected}


def test_designs_outside_the_box_are_simulated():
    x = torch.tensor([[1.5, -3.0]], dtype=torch.float64)
    assert Sinewave().in_support(x).all() and Sinewave().simulate(x).isfinite().all()


def test_draws_are_independent_not_a_grid():
    """Moments of y as measured on the published prior: mean 0, standard deviation 1."""
    x = Sinewave().sample_prior(100_000, Generator().manual_seed(0))
    y = Sinewave().simulate(x)
    assert len(x[:, 0].unique()) > 99_000
    assert y.mean().item() == pytest.approx(0, abs=0.02)
    assert y.std().item() == pytest.approx(1, abs=0.02)
    assert ((y - 1.2).abs() < 0.05).double().mean().item() == pytest.approx(0.0204, abs=0.002)
