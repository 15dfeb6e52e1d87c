"""The training loop: what it minimises, what it keeps, what it leaves alone."""

import math

import pytest
import torch
from torch import Tensor, nn
from toys import trained, untrained

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


class Normalised(Method):
    """A network with batch normalisation, dropout, and a part that its author keeps in evaluation mode."""

    def __init__(self) -> None:
        super().__init__()
        with seeded("normalised"):
            self.net = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1))
        self.net.register_buffer("mask", torch.tensor([0.0, -torch.inf]))
        self.fixed = nn.BatchNorm1d(2).eval()
        self.seen: list[tuple[dict[str, Tensor], list[bool]]] = []

    def loss(self, x: Tensor, y: Tensor, progress: float) -> Tensor:
        return (self.net(self.fixed(x)) - y).square().mean()

    def validate(self, x: Tensor, y: Tensor, progress: float) -> Tensor:
        state = {name: tensor.clone() for name, tensor in self.net.state_dict().items()}
        self.seen.append((state, [module.training for module in self.modules()]))
        return self.loss(x, y, progress)


@pytest.mark.parametrize("average", [0.0, 0.9])
@pytest.mark.parametrize("keep", ["best", "last"])
def test_the_whole_state_is_kept_and_validated_in_evaluation_mode(average: float, keep: str) -> None:
    method = Normalised()
    before = [module.training for module in method.modules()]
    phase = Phase("fit", method.net, method.loss, validate=method.validate, keep=keep)
    schedule = Schedule(epochs=20, batch=32, learning_rate=3e-2, validate_every=1, average=average)
    log = train(method, phase, pairs(320, 0), pairs(80, 1), schedule, 0, silent)
    values = [value for _, _, value in log.curve]
    chosen = values.index(min(values)) if keep == "best" else -1
    state, _ = method.seen[chosen]
    assert all(torch.equal(state[name], tensor) for name, tensor in method.net.state_dict().items())
    assert not any(mode for _, modes in method.seen for mode in modes)
    assert [module.training for module in method.modules()] == before and False in before and True in before
    with torch.no_grad():
        valid = pairs(80, 1)
        assert float(method.eval().loss(valid.x, valid.y, 1.0)) == values[chosen]


def test_averaged_weights_have_the_statistics_of_their_own_activations() -> None:
    method = Normalised()
    schedule = Schedule(epochs=30, batch=32, learning_rate=1e-2, validate_every=30, average=0.99)
    train(method, Phase("fit", method.net, method.loss), pairs(320, 0), pairs(80, 1), schedule, 0, silent)
    with torch.no_grad():
        found = method.net[0](method.fixed(pairs(320, 0).x))
    assert torch.allclose(found.mean(0), method.net[1].running_mean, atol=0.1)
    assert torch.allclose(found.var(0), method.net[1].running_var, rtol=0.1)
    assert method.net.mask.tolist() == [0.0, -math.inf]


def gappy(n: int, seed: int) -> Pairs:
    """Of every four pairs one without x, one without y, and one with a gap in x."""
    whole = pairs(n, seed)
    x, y = whole.x.clone(), whole.y.clone()
    x[::4], y[1::4], x[2::4, 0] = math.nan, math.nan, math.nan
    return Pairs(x, y)


@pytest.mark.parametrize(("rows", "wanted"), [("pairs", {3}), ("x", {1, 3}), ("y", {0, 2, 3}), ("any", {0, 1, 2, 3})])
def test_a_phase_is_given_the_rows_that_it_asks_for(rows: str, wanted: set[int]) -> None:
    method, given, parts = Line(), [], (gappy(320, 0), gappy(80, 1))

    def loss(x: Tensor, y: Tensor, progress: float) -> Tensor:
        given.append(torch.cat([x, y], 1).nan_to_num(nan=9.0))
        return (method.fitted(x.nan_to_num()) - y.nan_to_num()).square().mean()

    phase = Phase("fit", method.fitted, loss, rows=rows)
    log = train(method, phase, *parts, Schedule(epochs=1, batch=80, validate_every=9), 0, silent)
    assert log.steps in (3, 4), "as many as over all rows, as near as whole passes come"
    for part, found in zip(parts, (torch.cat(given[:-1]), given[-1]), strict=True):
        number = torch.arange(len(part.x)) % 4
        expected = torch.cat([part.x, part.y], 1)[sum(number == kind for kind in wanted) > 0].nan_to_num(nan=9.0)
        assert set(map(tuple, found.tolist())) == set(map(tuple, expected.tolist()))


@pytest.mark.parametrize(("least", "paired"), [(0.0, None), (0.25, 8), (0.5, 16)])
def test_a_batch_has_its_share_of_pairs_also_where_most_rows_stand_alone(least: float, paired: int | None) -> None:
    """Of 160 rows 8 are pairs; every row is passed over, and rows of a kind are as often as others of it."""
    method, whole = Line(), pairs(160, 0)
    x, y, given = whole.x.clone(), whole.y.clone(), []
    x[8:80], y[80:] = math.nan, math.nan

    def loss(x: Tensor, y: Tensor, progress: float) -> Tensor:
        given.append((~(x.isnan().any(1) | y.isnan().any(1)), x.nan_to_num().sum(1) + y.nan_to_num().sum(1)))
        return (method.fitted(x.nan_to_num()) - y.nan_to_num()).square().mean()

    phase = Phase("fit", method.fitted, loss, rows="any", pairs=least)
    log = train(method, phase, Pairs(x, y), pairs(8, 1), Schedule(epochs=19, batch=32, validate_every=99), 0, silent)
    assert log.steps == 95, "as many as without"
    known = [int(both.sum()) for both, _ in given[:-1]]
    assert known == [paired] * 95 if paired else sum(known) == 19 * 8
    for wanted in (True, False):
        rows = torch.cat([values[both == wanted] for both, values in given[:-1]])
        counts = rows.unique(return_counts=True)[1]
        assert len(counts) == (8 if wanted else 152)
        assert int(counts.max() - counts.min()) <= 19


def test_enough_pairs_are_passed_over_as_without_a_share() -> None:
    found = []
    for least in (0.0, 0.5):
        method = Line()
        phase = Phase("fit", method.fitted, method.loss, rows="any", pairs=least)
        train(method, phase, pairs(64, 0), pairs(8, 1), SCHEDULE, 0, silent)
        found.append([parameter.detach().clone() for parameter in method.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_a_phase_without_any_row_says_what_it_wanted() -> None:
    method, lone = Line(), Pairs(torch.full((8, 2), math.nan), torch.zeros(8, 1))
    with pytest.raises(ValueError, match=r"fit learns from rows in which x and y are known .* the 8 training rows"):
        train(method, Phase("fit", method.fitted, method.loss), lone, pairs(8, 0), SCHEDULE, 0, silent)


def test_the_tandem_learns_from_lone_targets() -> None:
    """Half of the rows are pairs, which its surrogate passes over twice as often: as many steps as over all rows."""
    made = untrained("tandem", 2, 1)
    kept = len(made.train.x) // 2
    x, y = made.train.x.clone(), made.train.y
    x[kept:] = math.nan
    one, other = tandem(Pairs(x[:kept], y[:kept]), epochs=8), tandem(Pairs(x, y), epochs=4)
    same = {name: torch.equal(one[name], other[name]) for name in one}
    assert all(equal for name, equal in same.items() if name.startswith("surrogate"))
    assert not any(equal for name, equal in same.items() if name.startswith("inverse"))
    assert all(tensor.isfinite().all() for tensor in other.values())
    assert "lone" in type(trained("tandem").method).handles


def tandem(given: Pairs, epochs: int) -> dict[str, Tensor]:
    made = untrained("tandem", 2, 1)
    schedule = Schedule(epochs=epochs, batch=32, learning_rate=1e-2, validate_every=1)
    with seeded("train"):
        made.method.fit(
            given, made.valid, lambda phase: train(made.method, phase, given, made.valid, schedule, 0, silent).best
        )
    return made.method.state_dict()
