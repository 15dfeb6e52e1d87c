"""Methods that search a surrogate: what is ranked, what stays in the box, which network is asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Generator, Tensor
from toys import Trained, same, snapshot, trained, untrained

from harness.contracts import Phase
from harness.seeds import seeded
from harness.settings import Schedule
from harness.training import train
from methods.kernel import LENGTHS, RIDGES, Kernel
from methods.networks import squared_error


def outside(x: Tensor, bounds: Tensor) -> float:
    return float(((x < bounds[0] - 0.05) | (x > bounds[1] + 0.05)).any(-1).double().mean())


def test_the_first_of_the_ranked_proposals_is_the_best_of_all_candidates() -> None:
    made = trained("na[candidates=30]", 3, 1)
    ranked = made.propose(5)
    options = made.method.options
    try:
        made.method.options = replace(options, rank=False)
        pool = made.propose(30)
    finally:
        made.method.options = options
    assert pool.believed is not None
    assert not pool.ranked
    best = pool.believed.argsort(stable=True, dim=1)[:, :5]
    assert torch.equal(ranked.x, pool.x.gather(1, best[..., None].expand(-1, -1, 3)))
    assert torch.equal(ranked.believed[:, 0], pool.believed.min(1).values)


@pytest.mark.parametrize("name", ["na", "na-lm"])
def test_what_na_believes_is_the_error_of_its_surrogate_without_the_boundary_loss(name: str) -> None:
    made = trained(name, 3, 1, box=0.2)
    proposals = made.propose()
    error = squared_error(made.method.surrogate(proposals.x), made.targets[:, None])
    assert torch.allclose(proposals.believed, error, atol=1e-6)


@pytest.mark.parametrize("solver", ["adam", "lm"])
def test_the_boundary_keeps_designs_in_the_box(solver: str) -> None:
    shares = {}
    for switch in ("on", "off"):
        made = trained(f"na[boundary_loss={switch},rank=off,solver={solver}]", 3, 1, epochs=10, n_train=300, box=0.5)
        shares[switch] = outside(made.propose(50, y=0.3 * made.targets).x, made.problem.bounds)
    assert shares["off"] > 0.2
    assert shares["on"] < 0.25 * shares["off"] if solver == "adam" else shares["on"] == 0


def test_uniform_starts_fill_the_box_and_those_from_the_prior_do_not_keep_to_it() -> None:
    uniform, prior = (untrained(f"na[starts={starts}]", box=0.5) for starts in ("uniform", "prior"))
    drawn = uniform.method.draw_starts(torch.zeros(4000, 1), Generator().manual_seed(0))
    low, high = uniform.problem.bounds
    unit = (drawn - low) / (high - low)
    assert (unit.min(0).values >= 0).all()
    assert (unit.max(0).values <= 1).all()
    assert torch.allclose(unit.mean(0), torch.tensor(0.5), atol=0.03)
    assert torch.allclose(unit.std(0), torch.tensor(12**-0.5), atol=0.02)
    assert (
        outside(prior.method.draw_starts(torch.zeros(4000, 1), Generator().manual_seed(0)), prior.problem.bounds) > 0.2
    )


def test_nearest_starts_are_the_draws_that_the_surrogate_maps_nearest_to_each_target() -> None:
    made = trained("na[starts=nearest,screened=40,steps=0,rank=off]", 3, 1)
    pool = made.problem.sample_prior(40, Generator().manual_seed(0))
    errors = squared_error(made.method.surrogate(pool)[None], made.targets[:, None]).detach()
    wanted = pool[errors.argsort(1)[:, :5]]
    assert torch.equal(made.propose(5).x, wanted)
    more = made.propose(50).x
    assert torch.equal(more[:, 40:], more[:, :10])


def test_the_weight_of_staying_trades_the_error_for_the_distance_from_the_start() -> None:
    distances, errors = [], []
    for stay in (0.0, 0.1, 10.0):
        made = trained(f"na[stay={stay},rank=off,boundary_loss=off]", 3, 1)
        starts = made.problem.sample_prior(30, Generator().manual_seed(0))
        found = made.propose(5)
        distances.append(float((found.x.view(30, 3) - starts).norm(dim=1).mean()))
        errors.append(float(found.believed.mean()))
    assert distances[0] > distances[1] > 3 * distances[2] > 0
    assert errors[0] < errors[1] < errors[2]


@pytest.mark.parametrize(
    "name", ["na-lm[searches=2]", "ipage-lm[searches=2]", "cfm-lm[searches=2]", "kernel[searches=2]"]
)
def test_the_results_of_few_searches_are_repeated(name: str) -> None:
    found = trained(name, 3, 1).propose(5)
    assert found.x.shape == (6, 5, 3) and found.generated >= 12
    assert torch.equal(found.x[:, :2], found.x[:, 2:4]) and torch.equal(found.x[:, 0], found.x[:, 4])
    assert not torch.equal(found.x[:, 0], found.x[:, 1])
    assert torch.equal(found.believed[:, :2], found.believed[:, 2:4])


@pytest.mark.parametrize("name", ["na-lm", "ipage-lm", "kernel"])
def test_where_y_has_more_dimensions_a_search_is_done_at_the_error_of_the_surrogate(name: str) -> None:
    one, many = trained(name, 2, 1), trained(f"{name}[searches=20]", 2, 5)
    repeats = many.propose(20, y=many.valid.y[:5])
    assert repeats.generated < 11 * 100, "every row was started again in every round"
    assert one.propose(20).generated >= 6 * 20
    few = trained(name, 2, 5).propose(20).x
    assert torch.equal(few[:, :5], few[:, 15:]) and not torch.equal(few[:, 0], few[:, 1])


def test_the_tandem_gives_one_design_for_a_target_from_whatever_generator() -> None:
    made = trained("tandem", 3, 1)
    x = made.propose(6, seed=1).x
    assert torch.equal(x, x[:, :1].expand_as(x))
    assert torch.equal(x, made.propose(6, seed=2).x)


def test_the_tandem_trains_its_inverse_through_a_surrogate_that_no_longer_changes() -> None:
    made = trained("tandem", 3, 1)
    before = snapshot(untrained("tandem", 3, 1).method)
    first, second = made.states
    assert [log.name for log in made.logs] == ["surrogate", "inverse"]
    assert not same(before, first, "surrogate")
    assert same(before, first, "inverse")
    assert same(first, second, "surrogate")
    assert not same(first, second, "inverse")


def test_the_surrogate_of_the_tandem_is_its_best_validated_state() -> None:
    made = trained("tandem", 3, 1, epochs=20)
    error = squared_error(made.method.surrogate(made.valid.x), made.valid.y).mean()
    assert error.item() == pytest.approx(min(value for _, _, value in made.logs[0].curve), rel=1e-5)


def fitted(selection: str) -> tuple[Trained, list[tuple[float, dict[str, Tensor]]]]:
    """An iPage after training, and the validation errors of f_y with the state of the network at each."""
    made = untrained(selection, 3, 1)
    method, seen = made.method, []
    original = method.validate_fit

    def watched(x: Tensor, y: Tensor, progress: float) -> Tensor:
        error = original(x, y, progress)
        seen.append((error.item(), snapshot(method.network)))
        return error

    method.validate_fit = watched
    schedule = Schedule(epochs=12, batch=32, learning_rate=2e-2, validate_every=1)

    def run(phase: Phase) -> float:
        return train(method, phase, made.train, made.valid, schedule, 0, lambda *_: None).best

    with seeded("train"):
        method.fit(made.train, made.valid, run)
    return made, seen


def test_the_forward_model_of_ipage_is_the_network_at_its_best_validated_f_y() -> None:
    made, seen = fitted("ipage[fit_floor=0.0]")
    errors = [error for error, _ in seen]
    assert len(errors) == 12
    best = min(range(len(errors)), key=errors.__getitem__)
    assert same(seen[best][1], made.method.forward_model.state_dict())
    assert made.method.best_fit == errors[best]
    assert same(seen[-1][1], made.method.network.state_dict())
    assert best < len(errors) - 1, "with no floor the last state has unlearned y, and the test would show nothing"
    reached = squared_error(made.method.forward_map(made.valid.x), made.valid.y).mean()
    assert float(reached.detach()) == pytest.approx(errors[best], rel=1e-5)


def test_the_forward_model_of_ipage_with_a_network_of_its_own_is_that_network() -> None:
    made = trained("ipage-lm", 3, 1)
    assert [log.name for log in made.logs] == ["surrogate", "forward", "bidirectional"]
    assert made.method.forward_model is None
    assert torch.equal(made.method.forward_map(made.train.x), made.method.separate(made.train.x))
    assert same(made.states[0], made.states[-1], "separate")


@pytest.mark.parametrize("name", ["ipage", "ipage-lm"])
def test_ipage_starts_its_search_at_the_inverse_of_latent_samples(name: str) -> None:
    made = trained(f"{name}[steps=0,restarts=0,sampling=srs,screened=1]", 3, 1)
    z = torch.randn(6, 5, made.method.network.z_dim, generator=Generator().manual_seed(0))
    starts = made.method.network.inverse(made.targets.repeat_interleave(5, 0), z.flatten(0, 1), z.flatten(0, 1)[:, :0])[
        0
    ].detach()
    starts = starts.clamp(*made.problem.bounds)
    assert torch.allclose(made.propose(5).x, starts.view(6, 5, 3), atol=1e-6)


@pytest.mark.parametrize("name", ["ipage", "ipage-lm"])
def test_ipage_localises_the_latent_samples_that_its_forward_model_likes_best(name: str) -> None:
    made = trained(f"{name}[steps=0,restarts=0,sampling=srs,screened=3]", 3, 1)
    z = torch.randn(6, 15, made.method.network.z_dim, generator=Generator().manual_seed(0))
    targets = made.targets.repeat_interleave(15, 0)
    starts = (
        made.method.network.inverse(targets, z.flatten(0, 1), targets[:, :0])[0].detach().clamp(*made.problem.bounds)
    )
    error = made.method.error(starts, targets).view(6, 15)
    found = made.propose(5)
    assert torch.allclose(found.believed.sort(1).values, error.sort(1).values[:, :5], atol=1e-5)
    assert not torch.equal(found.believed, found.believed.sort(1).values), "in the order in which they were drawn"
    assert found.generated == 6 * 15 == 6 * made.method.candidates(5)


def test_three_quarters_of_the_passes_of_ipage_may_fit_y_alone() -> None:
    shares = [phase.share for phase in untrained("ipage[forward_share=0.75]", 3, 1).method.phases()]
    assert shares == [0.75, 0.25]


def numpy_kernel(x: np.ndarray, centres: np.ndarray, length: float) -> np.ndarray:
    return np.exp(-((x[:, None] - centres[None]) ** 2).sum(-1) / (2 * length**2))


def test_the_kernel_matches_a_direct_solve(monkeypatch: pytest.MonkeyPatch) -> None:
    length, ridge = 1.3, 1e-4
    monkeypatch.setattr(Kernel, "_choose", lambda *_: (0.0, length, ridge))
    made = untrained("kernel[centres=60]", 3, 2)
    made.method.fit(made.train, made.valid, lambda phase: 0.0)
    x, y, new = made.train.x[:60].numpy(), made.train.y[:60].numpy(), made.valid.x.numpy()
    weights = np.linalg.solve(numpy_kernel(x, x, length) + ridge * np.eye(60), y)
    value, _ = made.method.linearised(made.valid.x)
    np.testing.assert_allclose(value.numpy(), numpy_kernel(new, x, length) @ weights, atol=1e-9)


def test_the_kernel_is_chosen_by_its_validation_error() -> None:
    made = trained("kernel", 3, 2)
    x, y, new, target = (part.numpy() for part in (made.train.x, made.train.y, made.valid.x, made.valid.y))
    errors = []
    for length in LENGTHS:
        for ridge in RIDGES[2:]:  # smaller ones are at the mercy of rounding
            weights = np.linalg.solve(numpy_kernel(x, x, length) + ridge * np.eye(len(x)), y)
            errors.append(float(((numpy_kernel(new, x, length) @ weights - target) ** 2).mean()))
    reached = float(squared_error(made.method.linearised(made.valid.x)[0], made.valid.y).mean())
    assert reached <= min(errors) * 1.01


@pytest.mark.parametrize("dims", [(3, 1), (2, 5), (1, 1)])
def test_the_jacobian_of_the_kernel_matches_automatic_differentiation(dims: tuple[int, int]) -> None:
    method = trained("kernel", *dims).method
    x = torch.randn(7, dims[0], dtype=torch.float64, generator=Generator().manual_seed(0))
    value, jacobian = method.linearised(x)
    expected = torch.stack(
        [torch.autograd.functional.jacobian(lambda v: method.linearised(v[None])[0][0], row) for row in x]
    )
    assert value.shape == (7, dims[1])
    assert torch.allclose(jacobian, expected, rtol=1e-6, atol=1e-8 * float(expected.abs().max()))


@pytest.mark.parametrize("state", ["best", "last"])
def test_ipage_searches_on_the_state_that_it_was_told_to(state):
    made = trained(f"ipage[forward_state={state},fit_floor=0.0]", epochs=12)
    last, kept = made.method.network.state_dict(), made.method.forward_model.state_dict()
    assert all(torch.equal(last[name], kept[name]) for name in last) == (state == "last")
    model = made.method.forward_model
    with torch.no_grad():
        error = model.error(made.valid.x, made.valid.y).mean()
    assert float(made.method.surrogate_error) == pytest.approx(float(error), rel=1e-4)
