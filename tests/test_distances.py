"""Distances between designs, against their definitions."""

from __future__ import annotations

import pytest
import torch

from harness import distances
from harness.distances import distinct, inside, mean_pairwise_distance, nearest_distance, nearest_y
from harness.protocols.novelty import COPY


def test_a_copy_of_a_training_design_has_distance_zero_and_others_their_nearest():
    known = torch.randn(3000, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    queries = torch.cat([known[:5], known[:5] + torch.tensor([1e-3, 0, 0, 0])])
    distance = nearest_distance(queries, known)
    assert (distance[:5] < COPY).all()
    assert torch.allclose(distance[5:], torch.tensor(1e-3, dtype=torch.float64), atol=1e-9)


def test_the_nearest_of_many_is_that_of_brute_force():
    generator = torch.Generator().manual_seed(0)
    x, known = (torch.randn(n, 3, dtype=torch.float64, generator=generator) for n in (600, 500))
    brute = torch.stack([(known - row).norm(dim=1).min() for row in x])
    torch.testing.assert_close(nearest_distance(x, known), brute, rtol=1e-12, atol=0)
    assert nearest_distance(x[:0], known).shape == (0,)


def test_the_nearest_does_not_depend_on_how_many_are_compared_at_once(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    x, known = (torch.randn(n, 3, dtype=torch.float64, generator=generator) for n in (300, 500))
    whole = nearest_distance(x, known)
    monkeypatch.setattr(distances, "KNOWN", 70)
    monkeypatch.setattr(distances, "CHUNK", 7)
    torch.testing.assert_close(nearest_distance(x, known), whole, rtol=1e-14, atol=0)


def test_a_design_that_is_not_a_number_has_no_distance():
    assert nearest_distance(torch.full((1, 2), torch.nan), torch.zeros(3, 2)).isnan().all()


def test_a_design_in_float32_does_not_leave_the_box_by_its_rounding():
    bounds = torch.tensor([[0.1, 42.0], [0.7, 52.0]]).double() + torch.tensor([0.0, 1 / 3])
    edges = torch.cartesian_prod(*bounds.T).float().double()
    assert not ((edges >= bounds[0]) & (edges <= bounds[1])).all()
    assert inside(edges, bounds).all()
    assert not inside(bounds[1] + torch.tensor([0.0, 1e-4]), bounds)


@pytest.mark.parametrize("offset", [0.0, 1e9], ids=["at zero", "far from zero"])
@pytest.mark.parametrize("share", [0.0, 0.4], ids=["complete", "with gaps"])
def test_the_nearest_y_is_that_of_brute_force_over_what_both_know(offset, share):
    """Far from zero the square of a distance is less than the rounding of the squares it is the difference of."""
    generator = torch.Generator().manual_seed(0)

    def drawn(n: int) -> torch.Tensor:
        y = offset + torch.randn(n, 6, generator=generator, dtype=torch.float64)
        return y.masked_fill(torch.rand(n, 6, generator=generator) < share, torch.nan)

    y, known = drawn(300), drawn(500)
    squares = (y[:, None] - known).square().nanmean(2).nan_to_num(nan=torch.inf)
    place, square = nearest_y(y, known)
    torch.testing.assert_close(square, squares.min(1).values, rtol=1e-12, atol=0)
    assert torch.equal(place, squares.argmin(1))


def test_a_y_that_shares_no_entry_with_any_known_one_is_infinitely_far():
    nan = torch.nan
    assert nearest_y(torch.tensor([[nan, 1.0]]), torch.tensor([[0.0, nan]]))[1].tolist() == [torch.inf]


def test_diversity_is_the_mean_distance_of_the_chosen_pairs():
    x = torch.tensor([[[0.0], [1.0], [3.0], [100.0]], [[0.0], [1.0], [2.0], [3.0]]]).double()
    chosen = torch.tensor([[True, True, True, False], [True, False, False, False]])
    distance = mean_pairwise_distance(x, chosen)
    assert float(distance[0]) == pytest.approx((1 + 3 + 2) / 3)
    assert torch.isnan(distance[1])


def test_designs_that_are_not_numbers_count_as_one():
    x = torch.tensor([[0.0, 1.0], [0.0, 1.0], [torch.nan, 1.0], [torch.nan, 1.0], [0.0, 2.0]])
    assert distinct(x) == 3
