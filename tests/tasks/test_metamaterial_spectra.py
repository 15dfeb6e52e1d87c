"""Spectra that are made and kept, and what is trained on them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from harness.cache_folder import VARIABLE
from tasks.metamaterial import few_orders, generate, train
from tasks.metamaterial.interpolation import interpolate
from tasks.metamaterial.proxy import describe, load
from tasks.metamaterial.rcwa import D4RCWA
from tests.tasks.test_metamaterial import AXIS, COARSE, TASK, draws


def test_the_generator_resumes_byte_for_byte(tmp_path):
    paths = generate.generate(tmp_path, 5, size=2, operator=COARSE, quiet=True)
    assert [path.name for path in paths] == ["chunk_0000.npz", "chunk_0001.npz", "chunk_0002.npz"]
    before = [path.read_bytes() for path in paths]
    paths[1].unlink()
    stamps = [paths[0].stat().st_mtime_ns, paths[2].stat().st_mtime_ns]
    generate.generate(tmp_path, 6, size=2, operator=COARSE, quiet=True)
    assert [path.read_bytes() for path in paths] == before
    assert [paths[0].stat().st_mtime_ns, paths[2].stat().st_mtime_ns] == stamps
    assert sorted(path.name for path in tmp_path.iterdir()) == [*(path.name for path in paths), "params.json"]


def test_what_the_generator_writes(tmp_path):
    (path,) = generate.generate(tmp_path, 2, first=7, size=2, operator=COARSE, quiet=True)
    assert path.name == "chunk_0007.npz"
    chunk = np.load(path)
    assert np.array_equal(chunk["x"], generate.designs(7, 2))
    t = COARSE(torch.from_numpy(chunk["x"]))
    assert np.array_equal(chunk["T"], t.float().numpy())
    again = interpolate(torch.from_numpy(chunk["tn"]), AXIS)
    assert (again - t).abs().max() < 1e-6
    declared = json.loads((tmp_path / "params.json").read_text())
    assert declared["M"] == 2 and declared["P"] == 216.8 and declared["eps_inf"] == 11.7


def test_the_generator_does_not_mix_spectra_of_other_parameters(tmp_path):
    generate.generate(tmp_path, 1, size=1, operator=COARSE, quiet=True)
    with pytest.raises(ValueError, match="M = 2, not 3"):
        generate.generate(tmp_path, 2, size=1, operator=D4RCWA(order=3), quiet=True)


def test_the_random_stream_of_the_spectra():
    """First and last design of chunk 0 and the first of chunk 59, as in the data that the weights were trained on."""
    first, last = generate.designs(0), generate.designs(59)
    assert [first[0, 0].item(), first[99, 7].item(), last[0, 3].item()] == [
        40.119110107421875,
        49.144535064697266,
        38.64968490600586,
    ]
    assert first.min(0).tolist() > [30.0] * 4 and (first <= [55.0] * 4 + [52.0] * 4).all()


def test_the_split_keeps_orbits_together():
    x = draws(60).float()
    copies = torch.cat([x, TASK.images(x)[2, :30], TASK.images(x)[3, :10]])
    assert torch.equal(train.orbits(copies)[60:90], train.orbits(copies)[:30])
    assert train.orbits(copies).unique().numel() == 60
    trained, held = train.split(copies, 20, seed=1)
    assert sorted([*trained.tolist(), *held.tolist()]) == list(range(100))
    assert 20 <= len(held) < 23
    assert not set(train.orbits(copies)[trained].tolist()) & set(train.orbits(copies)[held].tolist())


def test_training_learns_repeats_and_writes_what_it_measured(tmp_path):
    x = draws(700).float()
    data = train.Spectra(x, TASK.simulate(x).float())
    recipe = train.Recipe(width=64, depth=2, steps=300, batch=64)
    trained, held = (data[rows] for rows in train.split(x, 200, seed=5))
    train.release(trained, held, recipe, [5, 6], tmp_path / "w", quiet=True)
    facts = describe(tmp_path / "w")
    assert (facts["trained_on"], facts["held_out"], facts["seeds"], facts["members"]) == (500, 200, [5, 6], 2)
    error = (load(tmp_path / "w")(held.x.double()) - held.t).square().mean()
    assert error.item() == pytest.approx(facts["held_out_mse"]["mean"], rel=1e-6)
    assert error < data.t.var(0).mean() / 2
    once, twice = (train.train(data, recipe, 1, quiet=True)(x) for _ in range(2))
    assert torch.equal(once, twice)


def test_training_without_spectra_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match="generate"):
        train.read([tmp_path])


def test_spectra_of_fewer_orders_are_kept_where_they_are_many(monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    solved = []
    monkeypatch.setattr(few_orders, "MANY", 3)
    real = few_orders.FewOrders._solved
    monkeypatch.setattr(few_orders.FewOrders, "_solved", lambda self, x: (solved.append(len(x)), real(self, x))[1])
    x = draws(4, 1)
    cheap = few_orders.FewOrders(1)
    first, again = cheap(x), cheap(x)
    assert torch.equal(first, again) and solved == [4]
    torch.testing.assert_close(cheap(x[:2]), first[:2])
    assert solved == [4, 2]
    cheap(x.flip(0)), few_orders.FewOrders(2)(x)
    assert solved == [4, 2, 4, 4], "of other designs, or another order"
    monkeypatch.setattr(few_orders, "BLOCK", 2)
    longer = draws(6, 1)
    assert torch.equal(longer[:4], x)
    cheap(x)
    assert torch.equal(cheap(longer)[:4], cheap(x))
    assert solved[4:] == [2, 2, 2], "two blocks, and of a longer list only the third"
