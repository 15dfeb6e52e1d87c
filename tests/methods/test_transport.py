"""Flow matching and diffusion: their steps where the posterior is known, their network, and the search of cfm-lm."""

from __future__ import annotations

import pytest
import torch
from torch import Generator, Tensor, nn
from toys import same, trained, untrained

from methods.edm import EDM
from methods.field import Field
from methods.flow_matching import CFM
from methods.networks import squared_error


class Exact(nn.Module):
    """What the network of a method would be where designs are N(0, s^2), whatever the target."""

    def __init__(self, method: CFM | EDM, deviation: float) -> None:
        super().__init__()
        self.flow, self.variance = isinstance(method, CFM), deviation**2

    def embed(self, y: Tensor) -> Tensor:
        return y

    def forward(self, x: Tensor, time: Tensor, embedded: Tensor) -> Tensor:
        if self.flow:
            left = (1 - time).square()
            return x * time * (self.variance / (left + time**2 * self.variance) - 1 / (left + time**2))
        sigma = (4 * time).exp()
        scale = (1 + sigma**2).sqrt()
        return x * scale / sigma * (scale * self.variance / (self.variance + sigma**2) - 1 / scale)


def test_the_features_of_an_angle_double_their_frequency() -> None:
    x = torch.randn(5, 3)
    field = Field(3, 2, 8, 2, waves=3, time_waves=0)
    assert field.design.in_features == 3 * 7 and field.time.in_features == 1
    seen: list[Tensor] = []
    field.design.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    field(x, torch.zeros(1, 1), field.embed(torch.zeros(5, 2)))
    expected = [x, *((k * x).sin() for k in (1, 2, 4)), *((k * x).cos() for k in (1, 2, 4))]
    assert torch.allclose(seen[0], torch.cat(expected, 1))


@pytest.mark.parametrize("name", ["cfm", "edm"])
def test_the_target_is_embedded_once_for_all_steps_and_designs(name: str) -> None:
    made = trained(name, 3, 2)
    rows: list[int] = []
    hook = made.method.field.embed.register_forward_hook(lambda module, inputs, output: rows.append(len(inputs[0])))
    try:
        made.propose(50)
    finally:
        hook.remove()
    assert rows == [len(made.targets)]


@pytest.mark.parametrize("name", ["cfm", "edm"])
def test_an_untrained_network_draws_from_the_prior_of_standardised_designs(name: str) -> None:
    made = untrained(f"{name}[inside=off]", 3, 1)
    x = made.propose(5000).x.flatten(0, 1)
    assert torch.allclose(x.mean(0), torch.zeros(3), atol=0.03)
    assert torch.allclose(torch.cov(x.T), torch.eye(3), atol=0.04)


@pytest.mark.parametrize(("name", "least", "most"), [("cfm", 0.93, 1.0), ("edm", 1.0, 1.04)])
@pytest.mark.parametrize("deviation", [1.0, 0.3, 0.1, 0.03])
def test_the_steps_give_the_variance_of_a_normal_posterior(
    name: str, least: float, most: float, deviation: float
) -> None:
    method = untrained(name, 1, 1).method
    method.field = Exact(method, deviation)
    noise = torch.randn(50, 1, generator=Generator().manual_seed(0), dtype=torch.float64)
    share = (method.carry(noise, noise) / noise / deviation).square()
    assert torch.allclose(share, share[:1].expand_as(share))
    assert least < float(share[0]) <= most


def test_more_draws_of_the_noise_make_the_loss_less_noisy_and_do_not_move_it() -> None:
    losses = {}
    for draws in (1, 16):
        made = trained(f"cfm[draws={draws}]", 3, 1)
        made.method.load_state_dict(trained("cfm[draws=1]", 3, 1).method.state_dict())
        torch.manual_seed(0)
        with torch.no_grad():
            losses[draws] = torch.stack([made.method.loss(made.train.x, made.train.y, 0.0) for _ in range(200)])
    assert float(losses[16].std()) < 0.4 * float(losses[1].std())
    assert abs(float(losses[16].mean() - losses[1].mean())) < 4 * float(losses[1].std()) / 200**0.5


def test_cfm_lm_trains_a_surrogate_and_a_flow_with_half_of_the_passes_each() -> None:
    made = trained("cfm-lm", 3, 1)
    assert [(log.name, log.epochs) for log in made.logs] == [("surrogate", 2), ("field", 2)]
    first, second = made.states
    assert same(first, second, "surrogate") and not same(first, second, "field")


def test_cfm_lm_starts_at_draws_of_its_flow_and_says_the_error_of_its_surrogate() -> None:
    still, moved = trained("cfm-lm[steps=0]", 3, 1), trained("cfm-lm", 3, 1)
    draws, _ = still.method.draw(still.targets, 5, Generator().manual_seed(0))
    assert torch.allclose(still.propose(5).x.flatten(0, 1), draws.clamp(*still.problem.bounds))
    found = moved.propose(5)
    error = squared_error(moved.method.surrogate(found.x), moved.targets[:, None])
    assert torch.allclose(found.believed, error, atol=1e-6)
