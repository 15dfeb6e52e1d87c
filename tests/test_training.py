"""The training loop: what it minimises, what it keeps, what it leaves alone."""

import pytest
import torch
from torch import Tensor, nn

from harness.contracts import Method, Pairs, Phase
from harness.seeds import seeded
from harness.settings import Schedule
from harness.training import Diverged, train

SCHEDULE = Schedule(epochs=40, batch=32, learning_rate=3e-2, validate_every=2)


class Line(Method):
    """y = a x, with a second network that no phase trains."""

    def __init__(self) -> None:
        super().__init__()
        with seeded("line"):
            self.fitted, self.other = nn.Linear(2, 1), nn.Linear(2, 1)

    def loss(self, x: Tensor, y: Tensor, progress: float) -> Tensor:
        return (self.fitted(x) + 0 * self.other(x) - y).square().mean()


def pairs(n: int, seed: int) -> Pairs:
    x = torch.randn(n, 2, generator=torch.Generator().manual_seed(seed))
    return Pairs(x, x @ torch.tensor([[1.0], [-2.0]]) + 0.5)


def silent(*_: object) -> None:
    pass


def test_the_loop_fits_a_line_and_reports_every_epoch() -> None:
    method, told = Line(), []
    phase = Phase("fit", method.fitted, method.loss)
    log = train(method, phase, pairs(320, 0), pairs(80, 1), SCHEDULE, 0, lambda *a: told.append(a))
    assert log.best < 1e-3
    assert log.steps == 40 * 10
    assert [done for _, done, _, _ in told] == list(range(1, 41))


def test_only_the_phase_module_changes_and_what_was_frozen_is_thawed() -> None:
    method = Line()
    before = [p.detach().clone() for p in method.other.parameters()]
    train(method, Phase("fit", method.fitted, method.loss), pairs(320, 0), pairs(80, 1), SCHEDULE, 0, silent)
    assert all(torch.equal(a, b) for a, b in zip(before, method.other.parameters(), strict=True))
    assert all(parameter.requires_grad for parameter in method.parameters())


def test_the_kept_state_is_the_best_validated_one() -> None:
    method, values = Line(), []

    def validate(x: Tensor, y: Tensor, progress: float) -> Tensor:
        values.append(torch.cat([p.flatten() for p in method.fitted.parameters()]).clone())
        return torch.tensor(abs(len(values) - 5.0))  # the fifth validation is best

    phase = Phase("fit", method.fitted, method.loss, validate=validate)
    train(method, phase, pairs(320, 0), pairs(80, 1), SCHEDULE, 0, silent)
    kept = torch.cat([p.flatten() for p in method.fitted.parameters()])
    assert torch.equal(kept, values[4])
    assert not torch.equal(kept, values[-1])


def test_keep_last_takes_the_last_state_whatever_its_validation() -> None:
    method, values = Line(), []

    def validate(x: Tensor, y: Tensor, progress: float) -> Tensor:
        values.append(torch.cat([p.flatten() for p in method.fitted.parameters()]).clone())
        return torch.tensor(float(len(values)))

    phase = Phase("fit", method.fitted, method.loss, validate=validate, keep="last")
    train(method, phase, pairs(320, 0), pairs(80, 1), SCHEDULE, 0, silent)
    assert torch.equal(torch.cat([p.flatten() for p in method.fitted.parameters()]), values[-1])


def test_validation_draws_the_same_noise_every_time_and_leaves_the_training_stream_alone() -> None:
    method, noise = Line(), []

    def validate(x: Tensor, y: Tensor, progress: float) -> Tensor:
        noise.append(torch.randn(3))
        return noise[-1].sum()

    states = []
    for phase in (
        Phase("fit", method.fitted, method.loss),
        Phase("fit", method.fitted, method.loss, validate=validate),
    ):
        with seeded("train"):
            train(method, phase, pairs(320, 0), pairs(80, 1), SCHEDULE, 0, silent)
            states.append(torch.get_rng_state())
    assert all(torch.equal(noise[0], other) for other in noise)
    assert torch.equal(states[0], states[1])


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_is_divergence(bad: float) -> None:
    method = Line()
    phase = Phase("fit", method.fitted, lambda x, y, progress: method.loss(x, y, progress) + bad)
    with pytest.raises(Diverged, match=r"fit: the training loss is (nan|inf) in epoch 1 of 40"):
        train(method, phase, pairs(320, 0), pairs(80, 1), SCHEDULE, 0, silent)


def test_shares_split_the_passes_over_the_data() -> None:
    method = Line()
    logs = [
        train(
            method,
            Phase(name, method.fitted, method.loss, share=share),
            pairs(320, 0),
            pairs(80, 1),
            SCHEDULE,
            0,
            silent,
        )
        for name, share in (("a", 0.25), ("b", 0.75))
    ]
    assert [log.epochs for log in logs] == [10, 30]


def test_plateau_halves_the_rate_when_the_training_loss_stands_still() -> None:
    method, rates = Line(), []
    schedule = Schedule(epochs=40, batch=320, decay="plateau", optimiser="adam", average=0.0)
    constant = Phase("fit", method.fitted, lambda x, y, progress: 0 * method.loss(x, y, progress) + 1.0)
    with pytest.MonkeyPatch.context() as patch:
        original = torch.optim.Adam.step

        def step(self, *args, **kwargs):
            rates.append(self.param_groups[0]["lr"])
            return original(self, *args, **kwargs)

        patch.setattr(torch.optim.Adam, "step", step)
        train(method, constant, pairs(320, 0), pairs(80, 1), schedule, 0, silent)
    assert rates[0] == pytest.approx(2e-3)
    assert rates[-1] == pytest.approx(2e-3 / 2**3)
