"""The protocol that compares proposals with a reference posterior, on problems with known answers."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
import torch
from torch import Generator

from harness import data
from harness.cache_folder import VARIABLE
from harness.contracts import Proposals, Task
from harness.posterior.results import Scores
from harness.protocols.contract import Material
from harness.protocols.posterior import ITSELF, PRIOR, Posterior
from harness.protocols.posterior_figures import PosteriorFigures
from harness.reporting import drawn, grouped, render
from harness.reporting.report import page
from harness.scenarios.gaps import Gaps
from harness.scenarios.noise import Noise
from harness.scenarios.shift import Shift
from harness.settings import DataSettings, Sizes
from tasks.sinewave import Sinewave
from tests import results
from tests.protocols.common import SCALE, SIZES, Scales, Shifted, Toy, nowhere
from tests.test_conditions import Lever

SETTINGS = DataSettings(targets=30, n_train=400, data_seed=3)
WHOLE = Sizes(proposals=40, repeats=2, fixed_proposals=200)


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(tmp_path_factory.mktemp("cache")))
        yield


class Plane(Sinewave):
    """The sinewave with the means to answer: exact draws of its posterior, by rejection."""

    def solutions(self, y, n, generator, width=0.02):
        found = []
        for target in y[:, 0]:
            x = self.sample_prior(40_000, generator)
            likely = torch.exp(-((self.simulate(x)[:, 0] - target) ** 2) / (2 * width**2))
            x = x[torch.rand(len(x), generator=generator) < likely][:n]
            found.append(x[torch.arange(n) % len(x)])
        return torch.stack(found)


class Solver(Shifted):
    """Answers as it is told to: by a function of y in physical units, n, and a generator."""

    def propose(self, y, n, generator):
        x = self.shift(self.given.scales[1].undo(y), n, generator)
        return Proposals(self.given.scales[0].apply(x), ranked=self.ranked)


@pytest.fixture(scope="module")
def toy(cache):
    return Toy(Plane(), SETTINGS)


def score(toy, propose, ranked=False, sizes=WHOLE) -> Scores:
    return toy.score(Posterior(), Solver(toy.lesson(), propose, ranked=ranked), sizes)


@pytest.fixture(scope="module")
def of_exact(toy):
    return score(toy, toy.task.solutions)


@pytest.fixture(scope="module")
def of_one(toy):
    return score(toy, lambda y, n, generator: toy.task.solutions(y, 1, generator).expand(-1, n, -1).clone())


def test_exact_draws_are_at_the_floor_and_the_prior_is_not(of_exact):
    found = of_exact
    assert found.T == [25, 50, 100, 200] and found.valid == 1 and not found.refusal
    assert found.own.mmd < 2 * found.floor.mmd and found.own.mmd_targets < 2 * found.floor.mmd_targets
    assert found.prior.mmd > 2 * found.floor.mmd and found.prior.mmd_targets > 2 * found.floor.mmd_targets
    assert found.own.c2st == pytest.approx(0.5, abs=0.12) and found.own.c2st_targets == pytest.approx(0.5, abs=0.06)
    assert found.prior.c2st > 0.75 and found.itself.c2st_targets == pytest.approx(0.5, abs=0.06)
    assert found.own.above < 0.2 < found.prior.above
    assert all(value == pytest.approx(0.95, abs=0.05) for value in found.own.recall)
    assert found.own.diversity == pytest.approx(1, abs=0.1)
    assert found.own.mmd_biased == pytest.approx(found.own.mmd + 6 / 200, abs=0.01)


def test_all_nine_curves_are_found_by_exact_draws_and_one_by_a_single_design(of_exact, of_one):
    modes = of_exact.own.modes
    assert modes[0] == pytest.approx(1 - (8 / 9) ** 25, abs=0.03) and modes[-1] > 0.99
    assert of_one.own.modes == pytest.approx([1 / 9] * 4)


def test_one_design_again_and_again_reaches_next_to_nothing(of_one):
    found = of_one
    assert found.own.mmd > 1 and found.own.c2st > 0.95
    assert found.own.recall[-1] < 0.05 and found.own.diversity == pytest.approx(0, abs=1e-6)
    assert found.calibration.ks > 1.5 * found.calibration.ks_chance and found.calibration.width < -0.1


def test_calibration_is_of_draws_alone(toy, of_exact):
    calibrated = of_exact
    assert calibrated.calibration.ks < 1.3 * calibrated.calibration.ks_chance and not calibrated.uncalibrated
    ranked = score(toy, toy.task.solutions, ranked=True)
    assert ranked.calibration is None and "ranked" in ranked.uncalibrated and ranked.own.mmd is not None


def test_invalid_proposals_are_left_out_and_where_few_are_left_there_is_no_number(toy):
    def half(y, n, generator):
        x = toy.task.solutions(y, n, generator)
        x[:, ::2] = math.nan
        return x

    found = score(toy, half)
    assert found.valid == 0.5 and found.own.mmd < 0.02 and found.own.modes is not None
    none = score(toy, lambda y, n, generator: toy.task.solutions(y, n, generator) * math.nan)
    assert none.valid == 0 and none.own.mmd is None and none.own.recall[-1] is None and none.own.modes is None


def test_the_designs_behind_the_targets_are_kept(toy):
    assert torch.equal(toy.task.simulate(toy.data.targets.designs), toy.data.targets.y)
    held = replace(SETTINGS, targets_from="validation")
    validation = data.draw(toy.task, held)
    assert torch.equal(validation.targets.designs, validation.valid.x[:30]) and toy.data.fixed.designs is None
    other = Toy(toy.task, SETTINGS)
    other.data = replace(toy.data, targets=replace(toy.data.targets, designs=None))
    assert "not known" in score(other, toy.task.solutions).uncalibrated


def test_the_score_does_not_depend_on_what_was_kept(toy, of_exact, tmp_path, monkeypatch):
    before = of_exact
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert score(toy, toy.task.solutions) == before


def test_a_pool_is_compared_by_halves(toy):
    answered = Posterior().questions(WHOLE)
    toy_method = Solver(toy.lesson(), toy.task.solutions, ranked=True, pool=200)
    material = {name: toy.answered(toy_method, question) for name, question in answered.items()}
    assert material["fixed"].answer.pooled
    found = Posterior().score(Material(toy.task, toy.data, material, WHOLE, 0))
    assert found.reference.n == 200 and found.own.mmd < 0.02


def test_small_sizes_are_scored_as_far_as_they_go():
    small = Toy(Plane(), SETTINGS)
    found = score(small, small.task.solutions, sizes=Sizes(proposals=8, repeats=2, fixed_proposals=12))
    assert found.T == [] and found.own.mmd is not None and found.own.mmd_targets is None
    tiny = score(small, small.task.solutions, sizes=Sizes(proposals=4, repeats=2, fixed_proposals=4))
    assert "too few" in tiny.refusal and tiny.own is None


def test_a_scenario_that_asks_something_else_has_no_scores(toy):
    other = Toy(toy.task, SETTINGS)
    other.data = data.draw(toy.task, SETTINGS, Shift())
    assert score(other, exactly(other)) is None


class Even(Task):
    """y = x, evenly spread between 0 and 1."""

    x_dim, y_dim, fixed_target = 1, 1, (0.5,)
    bounds = torch.tensor([[0.0], [1.0]], dtype=torch.float64)

    def sample_prior(self, n, generator):
        return torch.rand(n, 1, generator=generator, dtype=torch.float64)

    def simulate(self, x):
        return x.clone()

    def in_support(self, x):
        return ((x >= 0) & (x <= 1)).all(-1)


@pytest.mark.parametrize("width", [0.2, 1.0, 3.0])
def test_the_posterior_of_noisy_targets_is_as_wide_as_their_noise(width):
    """With y = x it is normal about the noisy y, cut off where the prior is."""
    settings = replace(SETTINGS, targets=1000)
    noisy = Toy(Even(), settings)
    noisy.data = data.draw(noisy.task, settings, Noise(Noise.Options(sd=0.3)))
    deviation = width * 0.3 * float(noisy.data.known_y.std())

    def solutions(y, n, generator):
        low, high = (torch.special.ndtr((limit - y) / deviation) for limit in (0.0, 1.0))
        share = low + (high - low) * torch.rand(len(y), n, generator=generator, dtype=torch.float64)
        return (y + deviation * torch.special.ndtri(share)).clamp(0, 1)[..., None]

    found = score(noisy, solutions)
    assert found.reference.tolerance == 0.3 and not found.uncalibrated
    if width == 1:
        assert found.own.mmd < 2 * found.floor.mmd and found.own.c2st_targets == pytest.approx(0.5, abs=0.06)
        assert found.calibration.ks < 1.3 * found.calibration.ks_chance and found.calibration.error < 0.02
    else:
        assert found.own.mmd > 2 * found.floor.mmd and found.own.c2st_targets > 0.6
        assert found.calibration.ks > 1.3 * found.calibration.ks_chance and found.calibration.error > 0.03


@pytest.mark.parametrize("fill", ["native", "nearest"])
@pytest.mark.parametrize("width", [0.3, 1.0])
def test_the_posterior_of_what_was_observed_is_the_prior_in_what_was_not(width, fill):
    """With y = (x0, 10 x1) and a normal prior, whatever a scenario gives in place of what it hides."""
    settings = replace(SETTINGS, targets=300)
    toy = Toy(Scales(), settings)
    toy.data = data.draw(toy.task, settings, Gaps(Gaps.Options(share=0.5, fill=fill)))
    deviation, asked = 0.02 * toy.data.y_variance.sqrt(), (toy.data.targets, toy.data.fixed)
    shown, known = (torch.cat([getattr(each, name) for each in asked]) for name in ("shown", "y"))

    def solutions(y, n, generator):
        observed = known[torch.cdist(y.nan_to_num(), shown.nan_to_num()).argmin(1)][:, None]
        drawn = torch.randn(len(y), n, 2, generator=generator, dtype=torch.float64)
        return torch.where(observed.isnan(), width * drawn, observed / SCALE + drawn * deviation / SCALE)

    found = score(toy, solutions)
    assert found.reference.observed and not found.uncalibrated
    if width == 1:
        assert found.own.mmd < 2 * found.floor.mmd and found.own.mmd_targets < 2 * found.floor.mmd_targets
        assert found.own.c2st_targets == pytest.approx(0.5, abs=0.06) and found.calibration.error < 0.03
    else:
        assert found.own.mmd_targets > 2 * found.floor.mmd_targets and found.own.c2st_targets > 0.6
        assert found.calibration.error > 0.05 and found.calibration.width < -0.05


def test_a_task_with_conditions_says_why_it_has_none():
    toy = Toy(Lever(), DataSettings(targets=7, n_train=100))
    found = toy.score(Posterior(), toy.shifted(nowhere), SIZES)
    assert "conditions" in found.refusal


def test_without_draws_for_the_fixed_target_there_is_a_reason():
    class Beyond(Plane):
        fixed_target, cost = (50.0,), 0.6

        def sample_prior(self, n, generator: Generator):
            return super().sample_prior(n, generator) ** 3

    toy = Toy(Beyond(), SETTINGS)
    found = score(toy, exactly(toy))
    assert "neither uniform nor normal" in found.refusal


def exactly(toy):
    return lambda y, n, generator: toy.task.sample_prior(len(y) * n, generator).unflatten(0, (len(y), n))


def test_what_is_drawn_is_of_the_reference_that_the_scores_are_of(toy, of_exact, monkeypatch):
    monkeypatch.setattr("harness.posterior.stored.make", lambda posing: pytest.fail("the reference is made again"))
    found = toy.score(PosteriorFigures(), Solver(toy.lesson(), toy.task.solutions), WHOLE)
    assert len(found.reference) == len(found.proposals) == 200 and found.labels == ["x1 [1]", "x2 [1]"]
    reached = toy.task.simulate(torch.tensor(found.reference, dtype=torch.float64))
    assert float((reached - toy.task.fixed_target[0]).abs().mean()) < 0.05
    other = Toy(Lever(), DataSettings(targets=7, n_train=100))
    assert other.score(PosteriorFigures(), other.shifted(nowhere), SIZES) is None


def test_numbers_are_tidy(of_exact):
    found = {name: value for _, name, value in Posterior().numbers(of_exact)}
    assert {"mmd", "prior_mmd", "itself_c2st", "recall_200", "modes_25", "floor_mmd", "calibration_ks"} <= found.keys()


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    return results.shared(tmp_path_factory)


def test_the_table_has_a_row_for_each_method_for_the_reference_and_for_the_prior(ran):
    (table, *_) = json.loads(render("posterior", ran, tasks="sinewave", format="json"))
    assert [row["method"] for row in table["rows"]] == [
        *(r.label for r in grouped(ran, "sinewave")[0].rows),
        ITSELF,
        PRIOR,
    ]
    assert table["rows"][0]["published"] == 0.03, "Ren Table 4"
    assert "Ren Table 4" in " ".join(table["notes"])
    text = render("posterior", ran, tasks="sinewave")
    assert "[0.03]" in text and "effective sample size" not in text and "accepted" in text
    assert "[0.03]" not in render("posterior", ran, tasks="sinewave", published=False)


def test_the_figures_show_the_reference_behind_the_proposals_and_coverage(ran):
    assert set(PosteriorFigures().figures()) == {"posterior"} and set(Posterior().figures()) == {"coverage"}
    one, *_ = drawn(["posterior"], ran, tasks="sinewave")
    assert one.panels[0].guides[0].kind == "points" and len(one.panels) == len(results.METHODS)
    arm = drawn(["posterior"], ran, tasks="robotic_arm")[0]
    assert arm.across == 3 and len(arm.panels) == 3 * len(results.METHODS)
    (coverage,) = drawn(["coverage"], ran)
    assert {series.label for panel in coverage.panels for series in panel.series} <= {"mdn", "prior"}
    assert "Distance to the posterior" in page(ran)
