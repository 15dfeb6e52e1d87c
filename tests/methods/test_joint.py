"""The joint model: masks mean what they say, and every conditional of a normal distribution comes out right."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import pytest
import torch
from torch import Generator, Tensor
from toys import trained, untrained

from harness.contracts import Pairs, Problem
from harness.seeds import seeded
from harness.settings import Schedule
from harness.training import train
from methods.joint import Joint, JointOptions
from methods.masked_field import BLOCKS, MaskedField
from methods.masks import States, draw_states, hidden

MATRIX = torch.tensor([[1.0, 0.5], [0.3, 0.8]])
NOISE = 0.3  # standard deviation of y given x
WITHIN = 0.06  # 5 %, and what 4000 draws leave open


@dataclass(frozen=True)
class Gaussian:
    """X ~ N(0, I) and y = A x + 0.3 n, standardised, and a method that has learned from draws of them."""

    method: Joint
    x: Tensor
    y: Tensor
    scale: Tensor
    """Standard deviation of y."""

    @property
    def forward(self) -> Tensor:
        """Of standardised y, `(y_dim, x_dim)`."""
        return MATRIX / self.scale[:, None]

    @property
    def noise(self) -> Tensor:
        """Its standard deviations, likewise."""
        return NOISE / self.scale

    def posterior(self, observed: list[int]) -> tuple[Tensor, Tensor]:
        """The matrix that gives the mean of p(x | y of these places), and the covariance."""
        forward, precision = self.forward[observed], torch.diag(self.noise[observed] ** -2)
        covariance = torch.linalg.inv(torch.eye(2) + forward.T @ precision @ forward)
        return covariance @ forward.T @ precision, covariance


def problem(x_dim: int, y_dim: int) -> Problem:
    bounds = torch.tensor([[-6.0] * x_dim, [6.0] * x_dim])
    return Problem(x_dim, y_dim, bounds, lambda n, generator: torch.randn(n, x_dim, generator=generator))


def fitted(pairs: Pairs, width: int, epochs: int, **options: float) -> Joint:
    """The method after a training on these pairs, of which the first tenth validates."""
    method, held = Joint(JointOptions(**options)), len(pairs.x) // 10
    schedule = Schedule(epochs=epochs, batch=256, learning_rate=5e-3, validate_every=10)
    with seeded("joint"):
        method.build(problem(pairs.x.shape[1], pairs.y.shape[1]), width)
        (phase,) = method.phases()
        parts = Pairs(pairs.x[held:], pairs.y[held:]), Pairs(pairs.x[:held], pairs.y[:held])
        train(method, phase, *parts, schedule, 0, lambda *_: None)
    return method


@cache
def gaussian() -> Gaussian:
    generator = Generator().manual_seed(0)
    x, noise = torch.randn(2, 22_000, 2, generator=generator)
    y = x @ MATRIX.T + NOISE * noise
    scale = (MATRIX.square().sum(1) + NOISE**2).sqrt()
    return Gaussian(fitted(Pairs(x, y / scale), 64, 80), x, y / scale, scale)


def off(draws: Tensor, mean: Tensor, covariance: Tensor) -> tuple[float, float]:
    """How far draws `(b, n, d)` are off: of the mean, root of the mean square over targets in standard deviations; of
    the covariance, the largest entry, likewise."""
    deviation = covariance.diagonal().sqrt()
    found = torch.stack([torch.cov(part.T) for part in draws]).mean(0)
    shift = ((draws.mean(1) - mean) / deviation).square().mean().sqrt()
    return float(shift), float(((found - covariance) / torch.outer(deviation, deviation)).abs().max())


@pytest.mark.parametrize("observed", [[0, 1], [0], [1], []], ids=["both", "first", "second", "none"])
def test_the_posterior_given_any_part_of_y_is_that_of_the_normal_distribution(observed: list[int]) -> None:
    made = gaussian()
    targets = torch.full_like(made.y[:50], math.nan)
    targets[:, observed] = made.y[:50, observed]
    draws = made.method.propose(targets, 4000, Generator().manual_seed(1)).x
    gain, covariance = made.posterior(observed)
    shift, spread = off(draws, made.y[:50, observed] @ gain.T, covariance)
    assert shift < WITHIN and spread < WITHIN


def test_y_given_x_is_that_of_the_normal_distribution() -> None:
    made = gaussian()
    draws = made.method.outcomes(made.x[:50], 4000, Generator().manual_seed(1))
    shift, spread = off(draws, made.x[:50] @ made.forward.T, torch.diag(made.noise**2))
    assert shift < WITHIN and spread < WITHIN


def test_rows_of_x_alone_teach_what_is_likely_before_any_target() -> None:
    generator = Generator().manual_seed(0)
    sign = torch.randn(2400, 1, generator=generator).sign()
    x = sign + 0.2 * torch.randn(2400, 1, generator=generator)  # two modes, of which pairs show one
    shown = x[sign[:, 0] > 0][:300].repeat(8, 1)
    both = torch.cat([shown, x]), torch.cat([shown, torch.full_like(x, math.nan)])
    order = torch.randperm(4800, generator=generator)
    below = []
    for given in (Pairs(shown, shown), Pairs(both[0][order], both[1][order])):
        method = fitted(given, 32, 30)
        draws = method.propose(torch.tensor([[math.nan]]), 1000, Generator().manual_seed(0)).x
        below.append(float((draws < 0).double().mean()))
        answers = method.propose(torch.ones(1, 1), 200, Generator().manual_seed(0)).x
        assert (answers - 1).abs().mean() < 0.1
    assert below[0] < 0.02 and 0.45 < below[1] < 0.55


def test_every_question_is_drawn_as_often_as_its_weight_says() -> None:
    with seeded("masks"):
        states = draw_states(torch.ones(20_000, 5).bool(), 2, (4.0, 3.0, 2.0, 1.0))
    x, y = states.latent[:, :2], states.latent[:, 2:]
    assert not (states.given & states.latent).any() and (x[:, 0] == x[:, 1]).all()
    questions = {
        "posterior": x[:, 0] & states.given[:, 2:].all(1),
        "gaps": x[:, 0] & y.any(1) & (states.given | states.latent).all(1),
        "likelihood": states.given[:, :2].all(1) & y.all(1),
        "prior": x[:, 0] & ~(states.given | states.latent)[:, 2:].any(1),
    }
    shares = [float(rows.double().mean()) for rows in questions.values()]
    assert shares == pytest.approx([0.4, 0.3, 0.2, 0.1], abs=0.02)


def test_what_is_not_known_is_never_given_nor_asked_for_and_something_always_is() -> None:
    known = torch.rand(4000, 5, generator=Generator().manual_seed(0)) > 0.4
    known[:, 0] |= ~known.any(1)
    with seeded("masks"):
        states = draw_states(known, 2, (1.0, 1.0, 1.0, 1.0))
    assert not ((states.given | states.latent) & ~known).any()
    assert states.latent.any(1).all()


def test_hidden_entries_are_one_to_all_side_by_side_or_scattered() -> None:
    with seeded("masks"):
        masks = hidden(8000, 6, torch.device("cpu"))
    counts = masks.sum(1).bincount(minlength=7) / len(masks)
    assert counts[0] == 0 and torch.allclose(counts[1:], torch.tensor(1 / 6), atol=0.02)
    runs = (masks.int().diff(dim=1, prepend=torch.zeros(len(masks), 1).int()) == 1).sum(1)
    two = masks.sum(1) == 2
    assert float((runs[two] == 1).double().mean()) == pytest.approx(0.5 + 0.5 / 3, abs=0.04)


def test_where_x_alone_is_asked_for_the_loss_does_not_see_y() -> None:
    made = untrained("joint[posterior=1e-9,gaps=0,likelihood=0]", 3, 2)
    with torch.no_grad():
        made.method.field.last.weight.normal_(generator=Generator().manual_seed(0))
    losses = []
    for shift in (0.0, 1.0):
        with seeded("loss"):
            losses.append(made.method.loss(made.train.x, made.train.y + shift, 0.0).item())
    assert losses[0] == losses[1] > 0


def test_a_clock_is_one_where_given_and_zero_where_absent() -> None:
    states = States(torch.tensor([[True, False, False]]), torch.tensor([[False, True, False]]))
    assert states.clock(torch.tensor([[0.25]])).tolist() == [[1.0, 0.25, 0.0]]


@pytest.mark.parametrize("y_dim", [1, 9, BLOCKS, 40, 301])
def test_every_entry_of_y_counts_for_one_block_and_every_block_is_the_mean_of_its_times(y_dim: int) -> None:
    share = MaskedField(3, y_dim, 8, 2, 0).share
    assert torch.allclose(share.sum(0), torch.ones(1 + min(y_dim, BLOCKS)))
    assert ((share > 0).sum(1) == 1).all() and (share.argmax(1).diff() >= 0).all()


def test_before_training_draws_are_standard_normal_and_given_values_are_their_own_ends() -> None:
    made = untrained("joint[nfe=64,inside=off]", 3, 2)
    x = made.propose(4000).x.flatten(0, 1)
    assert x.mean(0).abs().max() < 0.05 and (x.std(0) - 1).abs().max() < 0.05
    values = torch.randn(5, 5)
    assert torch.equal(made.method.field(values, torch.ones(5, 5)), values)


def test_more_evaluations_change_little_and_given_entries_stay() -> None:
    made = gaussian()
    values, noise = torch.cat([made.x[:20], made.y[:20]], 1), torch.randn(20, 4, generator=Generator().manual_seed(0))
    latent = torch.tensor([True, True, False, True]).expand(20, 4)
    ends = []
    for nfe in (16, 128):
        method = Joint(JointOptions(nfe=nfe))
        method.field, method.x_dim, method.y_dim = made.method.field, 2, 2
        with torch.no_grad():
            ends.append(method.generate(values, States(~latent, latent), noise))
        assert torch.equal(ends[-1][:, 2], values[:, 2])
    assert (ends[0] - ends[1]).square().mean().sqrt() < 0.05


def test_one_network_predicts_y_of_designs_and_their_draws_follow_the_generator() -> None:
    made = trained("joint", 3, 2, epochs=60, n_train=400, width=32)
    x, y = made.valid.x, made.valid.y
    draws = made.method.outcomes(x, 3, Generator().manual_seed(0))
    assert draws.shape == (len(x), 3, 2)
    assert float((draws.mean(1) - y).square().mean()) < 0.3
    assert torch.equal(draws, made.method.outcomes(x, 3, Generator().manual_seed(0)))
