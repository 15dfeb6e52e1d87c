"""The generative methods: samples against densities, losses against their definitions."""

import math

import numpy as np
import pytest
import torch
from torch import Generator, Tensor
from toys import trained

from harness.contracts import Pairs, Problem
from harness.plan import specification
from harness.registry import build_method
from harness.seeds import seeded
from harness.selection import select
from methods.cinn import CINN, CINNOptions
from methods.cvae import CVAE, Autoencoder, CVAEOptions
from methods.discrepancies import bidirectional_loss, mmd, unpaired_loss
from methods.inn import INN, Bijection, Components, INNOptions
from methods.mdn import MDN, MDNOptions
from methods.mixture import Mixture


def problem(x_dim: int, y_dim: int) -> Problem:
    bounds = torch.stack([-3 * torch.ones(x_dim), 3 * torch.ones(x_dim)])
    return Problem(x_dim, y_dim, bounds, lambda n, generator: torch.randn(n, x_dim, generator=generator))


@pytest.fixture(params=[True, False], ids=["full", "diagonal"])
def mixture(request: pytest.FixtureRequest) -> Mixture:
    with seeded("mixture"):
        mixture = Mixture(3, 2, components=4, width=16, depth=1, full=request.param).double()
        torch.nn.init.normal_(mixture.network[-1].weight, std=0.3)
        torch.nn.init.normal_(mixture.network[-1].bias, std=0.5)
    return mixture


@pytest.fixture
def curves() -> Tensor:
    """Standardised targets of 40 dimensions that are nearly a function of two numbers."""
    generator = Generator().manual_seed(0)
    hidden = torch.randn(500, 2, generator=generator) * torch.tensor([3.0, 1.0])
    y = hidden @ torch.randn(2, 40, generator=generator) + 0.05 * torch.randn(500, 40, generator=generator)
    return (y - y.mean(0)) / y.std(0)


def test_components_keep_the_distances_between_targets(curves: Tensor) -> None:
    code = Components(40, 2)
    code.fit(curves)
    u = code(curves)
    assert u.shape == (500, 2)
    assert torch.allclose(u.square().mean(0), torch.ones(2), rtol=1e-3)
    one, other = code.weighted(u[:250]), code.weighted(u[250:])
    assert torch.allclose((curves[:250] - curves[250:]).square().mean(1), (one - other).square().mean(1), atol=0.05)
    assert float(code.error(u, curves).mean()) < 0.01
    moved = u + torch.tensor([1.0, 0.0])
    apart = (code.weighted(moved) - code.weighted(u)).square().mean(1)
    assert torch.allclose(code.error(moved, curves) - code.error(u, curves), apart, atol=1e-3)


def test_targets_of_few_dimensions_are_their_own_components(curves: Tensor) -> None:
    code = Components(40, 40)
    code.fit(curves)
    assert code(curves) is curves and not dict(code.named_buffers())
    assert torch.allclose(code.error(0.9 * curves, curves), (0.1 * curves).square().mean(1))


@pytest.mark.parametrize(("components", "u_dim"), [(0, 3), (5, 5), (100, 40)])
def test_the_bijection_maps_to_as_many_components_as_asked_for(components: int, u_dim: int) -> None:
    network = Bijection(problem(3, 40), 8, INNOptions(components=components, padding=1))
    assert network.u_dim == u_dim and network.dim == max(4, u_dim + 1) and network.u_dim + network.z_dim == network.dim
    u, z, _ = network(torch.randn(6, 3), torch.empty(6, 0))
    assert u.shape == (6, u_dim) and z.shape == (6, network.z_dim)
    assert Bijection(problem(3, 2), 8, INNOptions()).u_dim == 2


@torch.no_grad()
def test_mixture_samples_have_the_moments_of_the_density(mixture: Mixture) -> None:
    y = torch.tensor([[0.4, -1.0], [1.5, 0.3]]).double()
    samples = mixture.sample(y, 200_000, Generator().manual_seed(0))
    weights, means, scales, entries = mixture.parameters_of(y)
    w = weights.exp()[..., None]
    mean = (w * means).sum(1)
    factor = mixture.factor(entries) if mixture.full else torch.eye(3).double()
    precision = factor.mT @ torch.diag_embed((2 * scales).exp()) @ factor
    within = (w[..., None] * torch.linalg.inv(precision)).sum(1)
    centred = means - mean[:, None]
    covariance = within + (w[..., None] * centred[..., None] * centred[..., None, :]).sum(1)
    for row in range(2):
        deviation = covariance[row].diagonal().sqrt()
        assert torch.allclose(samples[row].mean(0), mean[row], atol=float(6 * deviation.max() / math.sqrt(200_000)))
        assert torch.allclose(torch.cov(samples[row].T), covariance[row], rtol=0.03, atol=0.03)


@torch.no_grad()
def test_mixture_density_integrates_to_one(mixture: Mixture) -> None:
    y = torch.tensor([[0.4, -1.0]]).double()
    generator = Generator().manual_seed(1)
    proposals = 4 * torch.randn(400_000, 3, generator=generator).double()
    log_proposal = -0.5 * (proposals / 4).square().sum(1) - 3 * math.log(4 * math.sqrt(2 * math.pi))
    ratio = (mixture.log_density(proposals, y.expand(len(proposals), -1)) - log_proposal).exp()
    assert float(ratio.mean()) == pytest.approx(1.0, abs=5 * float(ratio.std()) / math.sqrt(len(ratio)))


def test_mixture_cost_is_linear_in_batch_times_components(mixture: Mixture) -> None:
    """The published code forms a (batch x components)^2 product; no tensor here may be larger than linear."""
    largest = 0
    original = torch.Tensor.__matmul__

    def watched(left: Tensor, right: Tensor) -> Tensor:
        nonlocal largest
        out = original(left, right)
        largest = max(largest, out.numel())
        return out

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.Tensor, "__matmul__", watched)
        mixture.log_density(torch.randn(512, 3).double(), torch.randn(512, 2).double())
    assert largest <= 512 * 4 * 3
    assert largest > 0 or not mixture.full


def test_the_kl_term_of_the_cvae_rises_while_it_warms_up() -> None:
    with seeded("warm-up"):
        method = CVAE(CVAEOptions(warm_up=0.5))
        method.build(problem(3, 2), 8)
        x, y = torch.randn(50, 3), torch.randn(50, 2)

    def loss(progress: float) -> float:
        with seeded("noise"):
            return method.loss(x, y, progress).item()

    def elbo(kl_weight: float) -> float:
        with seeded("noise"):
            return method.autoencoder.negative_elbo(x, y, kl_weight).item()

    assert elbo(0.0) < elbo(1.0)
    assert [loss(0.0), loss(0.25), loss(0.5), loss(1.0)] == pytest.approx([elbo(0.0), elbo(0.5), elbo(1.0), elbo(1.0)])
    method.options = CVAEOptions()
    assert loss(0.0) == pytest.approx(elbo(1.0))


def test_covariances_are_full_up_to_32_dimensions_unless_the_options_say_otherwise() -> None:
    for x_dim, covariance, full in (
        (32, "auto", True),
        (33, "auto", False),
        (33, "full", True),
        (4, "diagonal", False),
    ):
        method = MDN(MDNOptions(covariance=covariance, components=2, depth=1))
        method.build(problem(x_dim, 1), 4)
        assert method.mixture.full == full
        draws = method.propose(torch.zeros(2, 1), 5, Generator().manual_seed(0)).x
        assert draws.shape == (2, 5, x_dim) and draws.isfinite().all()


def test_the_likelihood_of_the_inn_is_equation_8_with_z_from_the_network() -> None:
    with seeded("inn"):
        method = INN(INNOptions(sigma=0.3, blocks=2))
        method.build(problem(3, 1), 8)
        method.double()
        for parameter in method.parameters():
            if parameter.requires_grad:
                torch.nn.init.normal_(parameter, std=0.2)
        x, y = torch.randn(16, 3).double(), torch.randn(16, 1).double()
    expected = []
    for i in range(16):
        jacobian = torch.autograd.functional.jacobian(lambda v: method.network.flow(v)[0], x[i : i + 1])[0, :, 0]
        out = method.network.flow(x[i : i + 1])[0][0].detach()
        fit = float((out[0] - y[i, 0]) ** 2) / 0.3**2
        expected.append(0.5 * (fit + float(out[1:].square().sum())) - float(torch.linalg.slogdet(jacobian).logabsdet))
        expected[-1] += np.log(0.3)  # the normalisation of y, which is left out of the equation
    assert method.loss(x, y, 0.0).item() == pytest.approx(np.mean(expected), rel=1e-6)


def test_the_latent_of_the_inn_has_a_gradient() -> None:
    """In the published code the z term is drawn noise, so that a latent of any size costs nothing."""
    with seeded("inn latent"):
        network = Bijection(problem(2, 1), 8, INNOptions(blocks=2))
        x = torch.randn(32, 2)
    _, z, _ = network(x, x[:, :0])
    z.square().sum().backward()
    gradients = [p.grad for p in network.parameters() if p.requires_grad and p.grad is not None]
    assert sum(float(g.abs().sum()) for g in gradients) > 1e-3


def test_the_bidirectional_loss_drops_the_terms_whose_weight_is_zero() -> None:
    with seeded("bidirectional"):
        network = Bijection(problem(3, 1), 8, INNOptions(blocks=2, padding=1))
        x, y = torch.randn(64, 3), torch.randn(64, 1)
    with seeded("noise"):
        fit_only = bidirectional_loss(network, x, y, (2.0, 0.0, 0.0))
    with seeded("noise"):
        predicted = network(x, x[:, :0])[0]
    assert fit_only.item() == pytest.approx(2 * (predicted - y).square().mean().item(), rel=1e-6)
    with seeded("noise"):
        everything = bidirectional_loss(network, x, y, (2.0, 1.0, 1.0))
    assert everything.item() > fit_only.item()


def test_mmd_is_near_zero_for_equal_distributions_and_large_for_others() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(1000, 2, generator=generator) for _ in range(2))
    assert float(mmd(a, a)) == pytest.approx(0.0, abs=1e-4)
    assert 0 < float(mmd(a, b)) < 0.02
    assert float(mmd(a, b + 2)) > 0.5


def test_the_kl_term_of_the_cvae_is_the_divergence_of_the_two_normals() -> None:
    with seeded("cvae"):
        autoencoder = Autoencoder(3, 2, 8, CVAEOptions(z_dim=2, depth=1))
        x, y = torch.randn(50, 3), torch.randn(50, 2)
    mean, log_variance = autoencoder.encoder(torch.cat([x, y], 1)).chunk(2, 1)
    posterior = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    divergence = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0)).sum(1).mean()
    losses = []
    for weight in (0.0, 1.0):
        with seeded("same noise"):
            losses.append(autoencoder.negative_elbo(x, y, weight).item())
    assert losses[1] - losses[0] == pytest.approx(divergence.item(), rel=1e-4)


def test_the_kl_term_of_a_learned_prior_is_in_the_mean_the_divergence_from_that_prior() -> None:
    """With one component both are normals, of which the divergence is known; the estimate takes one draw of z a row."""
    with seeded("learned prior"):
        autoencoder = Autoencoder(3, 2, 8, CVAEOptions(z_dim=2, depth=1, components=1))
        x, y = torch.randn(1, 3).repeat(20_000, 1), torch.randn(1, 2).repeat(20_000, 1)
    assert autoencoder.prior is not None
    _, means, log_precisions, _ = autoencoder.prior.parameters_of(y[:1])
    mean, log_variance = autoencoder.encoder(torch.cat([x[:1], y[:1]], 1)).chunk(2, 1)
    posterior = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    prior = torch.distributions.Normal(means[:, 0], (-log_precisions[:, 0]).exp())
    divergence = torch.distributions.kl_divergence(posterior, prior).sum().item()
    losses = []
    for weight in (0.0, 1.0):
        with seeded("same noise"):
            losses.append(autoencoder.negative_elbo(x, y, weight).item())
    assert losses[1] - losses[0] == pytest.approx(divergence, rel=0.02)


def test_latents_of_the_cvae_are_drawn_from_the_prior_that_is_trained() -> None:
    with seeded("learned prior"):
        autoencoder = Autoencoder(3, 2, 8, CVAEOptions(z_dim=2, depth=1, components=3))
    prior, y = autoencoder.prior, torch.zeros(1, 2)
    assert prior is not None
    z = autoencoder.sample_latent(y, 50_000, Generator().manual_seed(0))
    weights, means, _, _ = prior.parameters_of(y)
    assert torch.allclose(z.mean(0), (weights.exp()[..., None] * means).sum(1)[0], atol=0.03)
    assert autoencoder.sample_latent(torch.zeros(4, 2), 5, Generator().manual_seed(0)).shape == (20, 2)


def test_the_weight_of_y_is_a_factor_on_y_in_both_networks_of_the_cvae() -> None:
    x, y, z = torch.randn(50, 3), torch.randn(50, 2), torch.randn(50, 2)

    def losses(y_weight: float, y: Tensor) -> tuple[Tensor, float]:
        with seeded("same network and noise"):
            autoencoder = Autoencoder(3, 2, 8, CVAEOptions(z_dim=2, depth=1, y_weight=y_weight))
            return autoencoder.decode(z, y), autoencoder.negative_elbo(x, y, 1.0).item()

    weighted, scaled, plain = losses(4.0, y), losses(1.0, 4.0 * y), losses(1.0, y)
    assert torch.equal(weighted[0], scaled[0]) and weighted[1] == scaled[1]
    assert not torch.equal(weighted[0], plain[0]) and weighted[1] != plain[1]


def test_a_scalar_design_can_be_modelled_by_the_conditional_inn() -> None:
    with seeded("scalar"):
        method = CINN(CINNOptions(blocks=2))
        method.build(problem(1, 1), 8)
    proposals = method.propose(torch.zeros(3, 1), 5, Generator().manual_seed(0))
    assert proposals.x.shape == (3, 5, 1)


@pytest.mark.parametrize(("x_dim", "y_dim", "padding"), [(2, 1, 0), (2, 1, 2), (8, 12, 0)])
def test_the_bijection_takes_x_to_y_and_z_and_back(x_dim: int, y_dim: int, padding: int) -> None:
    options = INNOptions(blocks=2, padding=padding, padding_noise=0.0, components=y_dim)
    with seeded("bijection"):
        network = Bijection(problem(x_dim, y_dim), 8, options).double()
        x = torch.randn(20, x_dim).double()
    y, z, _ = network(x, x[:, :0])
    assert y.shape == (20, y_dim)
    assert z.shape == (20, network.z_dim)
    assert torch.equal(network.predict(x, x[:, :0]), y)
    restored, pad = network.inverse(y, z, x[:, :0])
    assert torch.allclose(restored, x, atol=1e-5)
    assert torch.allclose(pad, torch.zeros_like(pad), atol=1e-5)


def lone(pairs: Pairs) -> Pairs:
    """The pairs with a third of the rows without x, and another third without y."""
    kind = torch.arange(len(pairs.x)) % 3
    x = torch.where((kind == 1)[:, None], torch.nan, pairs.x)
    return Pairs(x, torch.where((kind == 2)[:, None], torch.nan, pairs.y))


def test_discrepancies_are_those_of_the_lone_rows_and_the_fit_is_that_of_the_pairs() -> None:
    made = trained("inn", 2, 1)
    network, pairs = made.method.network, made.train
    network.noise = 0.0
    whole = {}
    for weights in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)):
        torch.manual_seed(0)
        whole[weights] = bidirectional_loss(network, pairs.x, pairs.y, weights)
        torch.manual_seed(0)
        assert torch.allclose(unpaired_loss(network, pairs, pairs.x, pairs.y, weights), whole[weights], atol=1e-5)
    rows = lone(pairs)
    for weights in whole:
        found = unpaired_loss(network, pairs, rows.x, rows.y, weights)
        assert bool(found.isfinite())
    other = Pairs(rows.x, rows.y.roll(1, 0).nan_to_num(nan=0.0).where(rows.y.isfinite(), torch.nan))
    torch.manual_seed(0)
    fitted = unpaired_loss(network, pairs, rows.x, rows.y, (1.0, 0.0, 0.0))
    torch.manual_seed(0)
    assert torch.equal(fitted, unpaired_loss(network, pairs, other.x, other.y, (1.0, 0.0, 0.0)))
    far = Pairs(rows.x + 3.0, rows.y)
    torch.manual_seed(0)
    near = unpaired_loss(network, pairs, rows.x, rows.y, (0.0, 0.0, 1.0))
    torch.manual_seed(0)
    assert unpaired_loss(network, pairs, far.x, far.y, (0.0, 0.0, 1.0)) > near + 0.1


def test_under_mmd_an_inn_trains_on_lone_rows_and_on_pairs_as_before() -> None:
    alone, beside = (build_method(specification(*select("methods", name))) for name in ("inn", "inn[loss=mmd]"))
    assert "lone" not in alone.handled and "lone" in beside.handled
    (phase,) = trained("inn[loss=mmd]", 2, 1).method.phases()
    assert phase.rows == "any" and next(trained("inn", 2, 1).method.phases()).rows == "pairs"
