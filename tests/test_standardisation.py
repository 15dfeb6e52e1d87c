"""Standardisation: what is a spread and what is rounding, entries that are not known, and very small numbers."""

import math

import pytest
import torch
from torch import Generator

from harness.data import Standardisation, unscaled


def columns(*each: torch.Tensor) -> torch.Tensor:
    return torch.stack(each, 1)


def normal(seed: int, n: int = 800) -> torch.Tensor:
    return torch.randn(n, dtype=torch.float64, generator=Generator().manual_seed(seed))


def test_a_column_that_differs_in_a_validation_row_alone_is_left_unscaled() -> None:
    train = columns(torch.full((800,), 0.1, dtype=torch.float64), normal(0))
    scale = Standardisation.of(train)
    assert scale.scale[0] == 1 and scale.scale[1] != 1
    assert float(scale.apply(torch.tensor([[0.9, 0.0]], dtype=torch.float64))[0, 0]) == pytest.approx(0.8)


def test_rounding_of_the_values_is_no_spread() -> None:
    flicker = torch.where(normal(1) > 0, *torch.tensor([0.3, 0.1 * 3], dtype=torch.float64))
    assert len(flicker.unique()) == 2
    assert float(Standardisation.of(flicker[:, None]).scale) == 1


@pytest.mark.parametrize("offset", [0.0, 1.7e9, -1.7e9])
def test_a_real_spread_around_a_large_number_is_scaled(offset: float) -> None:
    rows = (offset + normal(2))[:, None]
    shown = Standardisation.of(rows).apply(rows)
    assert float(shown.std()) == pytest.approx(1, rel=1e-9)
    assert unscaled(rows, ["t"]) == []


@pytest.mark.parametrize("size", [1e-300, 1e-200, 1e-46, 1e-40, 1e40, 1e200])
def test_columns_of_any_magnitude_are_finite_in_single_precision(size: float) -> None:
    rows = (size * (2 + normal(3)))[:, None]
    shown = Standardisation.of(rows).apply(rows).float()
    assert shown.isfinite().all() and float(shown.std()) == pytest.approx(1, rel=1e-5)


def test_the_deviation_is_the_usual_one() -> None:
    rows = columns(normal(4), 1e3 * normal(5), 7 + 1e-3 * normal(6))
    assert torch.allclose(Standardisation.of(rows).scale, rows.std(0), rtol=1e-13)


def test_entries_that_are_not_known_do_not_count() -> None:
    rows = columns(normal(7), normal(8), torch.full((800,), math.nan, dtype=torch.float64))
    rows[::3, 0] = math.nan
    scale, known = Standardisation.of(rows), rows[~rows[:, 0].isnan(), 0]
    assert torch.allclose(scale.mean[:2], torch.stack([known.mean(), rows[:, 1].mean()]))
    assert torch.allclose(scale.scale[:2], torch.stack([known.std(), rows[:, 1].std()]))
    assert (scale.mean[2], scale.scale[2]) == (0, 1)
    assert torch.equal(scale.apply(rows).isnan(), rows.isnan())


def test_columns_that_are_left_unscaled_are_named() -> None:
    constant = torch.full((800,), 288.0, dtype=torch.float64)
    assert unscaled(columns(normal(9), constant), ["a", "T1"]) == [
        "T1 (288) is the same in all training rows, but for rounding, and is not scaled."
    ]
    (line,) = unscaled(constant[:, None].repeat(1, 20), [f"p{i}" for i in range(20)])
    assert "p7 (288) and 12 more are the same" in line and "p8" not in line
