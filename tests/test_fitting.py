"""A trained method is stored and brought back: tied weights, buffers that training has sized, and their ties."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from harness import fitting
from harness.contracts import Method, Problem
from harness.data import draw
from harness.fitting import Lesson, lesson
from harness.settings import DataSettings, Schedule
from tests.toys import Waves


class Tied(Method):
    """The last layer is the transpose of none but the second itself; a buffer stands under two names."""

    def build(self, problem: Problem, width: int) -> None:
        first, second, third = nn.Linear(problem.y_dim, width), nn.Linear(width, width), nn.Linear(width, width)
        third.weight = second.weight
        self.net = nn.Sequential(first, nn.Tanh(), second, nn.Tanh(), third, nn.Linear(width, problem.x_dim))
        self.register_buffer("known", torch.empty(0))

    def loss(self, x, y, progress):
        return (self.net(y) - x).square().mean()

    def fit(self, train, valid, run):
        super().fit(train, valid, run)
        self.known = train.x
        self.register_buffer("same", train.x)


def given() -> Lesson:
    task = Waves(2, 1)
    dataset = draw(task, DataSettings(targets=4, n_train=100))
    return lesson(task, dataset, budget=3000, schedule=Schedule(epochs=2, batch=32, validate_every=1), seed=0)


def test_tied_weights_are_stored_once_and_are_tied_again(tmp_path: Path) -> None:
    class Plain(Tied):
        def fit(self, train, valid, run):
            Method.fit(self, train, valid, run)
            self.known = train.x

    method, _ = fitting.build(given(), Plain)
    fitting.fit(given(), method, lambda *_: None)
    fitting.store(method, tmp_path / "model")
    again = fitting.rebuild(given(), Plain, tmp_path / "model")
    assert again.net[4].weight is again.net[2].weight
    state = method.state_dict()
    assert state.keys() == again.state_dict().keys()
    assert all(torch.equal(state[name], tensor) for name, tensor in again.state_dict().items())
    assert again.known.shape == (80, 2)


def test_a_tensor_that_training_gives_two_names_comes_back_under_both(tmp_path: Path) -> None:
    method, _ = fitting.build(given(), Tied)
    fitting.fit(given(), method, lambda *_: None)
    fitting.store(method, tmp_path / "model")
    found = fitting.stored(tmp_path / "model", "cpu")
    assert found.keys() == method.state_dict().keys()
    assert torch.equal(found["same"], method.known) and torch.equal(found["known"], method.known)
