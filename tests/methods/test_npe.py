"""Neural posterior estimation finds posteriors that are known, and draws one design as it draws many."""

import pytest
import torch
from torch import Generator, Tensor

from harness.contracts import Problem
from harness.seeds import seeded
from methods import npe
from methods.npe import NPE, NPEOptions

MIXING = torch.tensor([[1.0, 0.5], [0.3, 0.8]])
NOISE = 0.5
STEPS, BATCH = 1200, 512


def problem(x_dim: int, y_dim: int) -> Problem:
    bounds = torch.stack([-5 * torch.ones(x_dim), 5 * torch.ones(x_dim)])
    return Problem(x_dim, y_dim, bounds, lambda n, generator: torch.randn(n, x_dim, generator=generator))


def built(x_dim: int, y_dim: int, width: int = 8, **options: object) -> NPE:
    with seeded("build"):
        method = NPE(NPEOptions(**options))
        method.build(problem(x_dim, y_dim), width)
    return method


def learned(mixing: Tensor) -> NPE:
    """The method after a short training on x ~ N(0, I) and y = x A^T + noise."""
    method = built(2, 2, 32, transforms=2, inside=False)
    optimiser = torch.optim.Adam(method.parameters(), 5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    generator = Generator().manual_seed(0)
    for step in range(STEPS):
        x, noise = torch.randn(2, BATCH, 2, generator=generator)
        optimiser.zero_grad()
        method.loss(x, x @ mixing.T + NOISE * noise, step / STEPS).backward()
        optimiser.step()
        schedule.step()
    return method


@pytest.mark.parametrize("mixing", [MIXING, torch.zeros(2, 2)], ids=["linear", "without information"])
def test_the_posterior_of_a_linear_model_is_found(mixing: Tensor) -> None:
    """It is N(C A^T y / s^2, C) with C = (I + A^T A / s^2)^-1, and the prior where A is 0."""
    y = torch.tensor([[0.0, 0.0], [1.0, 0.5], [-0.8, -1.0]])
    covariance = torch.linalg.inv(torch.eye(2) + mixing.T @ mixing / NOISE**2)
    mean = y @ mixing @ covariance / NOISE**2
    x = learned(mixing).propose(y, 20_000, Generator().manual_seed(1)).x
    size = covariance.diagonal().mean()
    assert float((x.mean(1) - mean).abs().max() / size.sqrt()) < 0.05
    assert float((torch.stack([each.T.cov() for each in x]).mean(0) - covariance).abs().max() / size) < 0.05


def test_a_design_is_the_same_alone_and_among_many(monkeypatch: pytest.MonkeyPatch) -> None:
    method, y = built(3, 2), torch.randn(4, 2, generator=Generator().manual_seed(0))
    many = method.propose(y, 10, Generator().manual_seed(1)).x
    monkeypatch.setattr(npe, "NUMBERS", 22)
    assert torch.allclose(method.propose(y, 10, Generator().manual_seed(1)).x, many, atol=1e-5)
    assert many.flatten(0, 1).unique(dim=0).shape == (40, 3)


@pytest.mark.parametrize(
    ("x_dim", "options", "passes", "numbers"),
    [
        (32, {}, 32, 3 * 8 - 1),
        (33, {}, 2, 2),
        (33, {"passes": 5, "univariate": "spline"}, 5, 3 * 8 - 1),
        (3, {"passes": 2, "univariate": "affine"}, 2, 2),
    ],
)
def test_few_columns_are_drawn_one_by_one_and_many_by_halves(
    x_dim: int, options: dict[str, object], passes: int, numbers: int
) -> None:
    """A spline of 8 bins is given by their widths, their heights and the slopes between them."""
    method = built(x_dim, 1, transforms=1, **options)
    (transform,) = method.flow.transform.transforms
    assert (transform.passes, transform.total) == (passes, numbers)
    x = method.propose(torch.zeros(2, 1), 5, Generator().manual_seed(0)).x
    assert x.shape == (2, 5, x_dim) and x.isfinite().all()


@pytest.mark.parametrize(("y_dim", "embedding", "entries"), [(32, 32, 32), (33, 32, 32), (33, 0, 33), (33, 40, 33)])
def test_a_long_y_is_embedded(y_dim: int, embedding: int, entries: int) -> None:
    method = built(2, y_dim, embedding=embedding)
    y = torch.randn(6, y_dim)
    assert method.embedding(y).shape == (6, entries)
    assert (method.embedding(y) is y) == (entries == y_dim)
