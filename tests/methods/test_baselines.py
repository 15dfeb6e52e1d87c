"""The trivial baselines, against brute force."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Generator
from toys import trained

from harness.contracts import Pairs, Problem
from methods import baselines
from methods.baselines import Lookup


def test_prior_ignores_the_target_and_proposes_training_designs() -> None:
    made = trained("prior", 3, 1)
    x = made.propose(50).x
    assert torch.equal(x, made.propose(50, y=made.targets + 5).x)
    known = {tuple(row) for row in made.train.x.tolist()}
    assert {tuple(row) for row in x.flatten(0, 1).tolist()} <= known
    assert len({tuple(row) for row in x[0].tolist()}) > 20


def test_lookup_returns_the_training_designs_whose_targets_are_nearest() -> None:
    generator = Generator().manual_seed(0)
    for y_dim in (1, 3):
        # As many as a task has: with few, a distance that loses its small values would not be found out.
        x, y = torch.randn(8000, 2, generator=generator), torch.randn(8000, y_dim, generator=generator)
        targets = torch.randn(400, y_dim, generator=generator)
        method = Lookup()
        method.build(Problem(2, y_dim, torch.stack([x.min(0).values, x.max(0).values]), torch.randn), 1)
        method.fit(Pairs(x, y), Pairs(x[:0], y[:0]), lambda phase: 0.0)
        proposals = method.propose(targets, 3, Generator())
        error = (targets.double()[:, None] - y.double()).square().mean(-1)
        least = error.sort(1).values[:, :3]
        rows = torch.cdist(proposals.x, x, compute_mode="donot_use_mm_for_euclid_dist").argmin(-1)
        assert torch.equal(proposals.x, x[rows])
        assert torch.allclose(error.gather(1, rows), least, rtol=1e-4, atol=1e-14)
        assert torch.allclose(proposals.believed.double(), least, rtol=1e-4, atol=1e-14)


def test_lookup_repeats_designs_when_it_has_too_few() -> None:
    made = trained("lookup", 3, 1)
    proposals = made.propose(300)
    assert proposals.x.shape == (6, 300, 3)
    assert (proposals.believed.diff(dim=1) >= 0).all()
    assert len({tuple(row) for row in proposals.x[0].tolist()}) > 60


def test_lookup_looks_in_the_entries_that_are_known() -> None:
    generator = Generator().manual_seed(0)
    x, y = (torch.randn(900, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    targets = torch.randn(300, 3, generator=generator, dtype=torch.float64)
    targets[::2, 1] = targets[1::4, 0] = math.nan
    method = Lookup()
    method.build(Problem(3, 3, torch.stack([x.amin(0), x.amax(0)]), torch.randn), 1)
    method.fit(Pairs(x, y), Pairs(x[:0], y[:0]), lambda phase: 0.0)
    found = method.propose(targets, 5, Generator())
    error = (targets[:, None] - y).square().nanmean(-1)
    assert torch.allclose(found.believed, error.sort(1).values[:, :5])
    assert torch.allclose(error.gather(1, found.rows), found.believed)
    assert torch.equal(found.x, x[found.rows])
    whole = method.propose(targets[3::4], 5, Generator())
    assert torch.equal(whole.rows, found.rows[3::4])


def test_the_prior_does_not_mind_what_is_hidden() -> None:
    made = trained("prior", 3, 2)
    hidden = made.targets.clone()
    hidden[:, 0] = math.nan
    assert torch.equal(made.propose(y=hidden).x, made.propose().x)


def test_the_nearest_do_not_depend_on_how_many_are_compared_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = Generator().manual_seed(0)
    x, y, targets = (torch.randn(n, 2, generator=generator, dtype=torch.float64) for n in (500, 500, 40))
    method = Lookup()
    method.fit(Pairs(x, y), Pairs(x[:0], y[:0]), lambda phase: 0.0)
    whole = method.propose(targets, 90, generator)
    monkeypatch.setattr(baselines, "PAIRS", 70)
    parts = method.propose(targets, 90, generator)
    assert torch.equal(whole.rows, parts.rows) and torch.equal(whole.believed, parts.believed)
    assert (parts.believed.diff(dim=1) >= 0).all()
