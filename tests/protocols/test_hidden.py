"""What proposals say of y that was hidden: exact draws, narrow ones, and designs that are far off."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness import data
from harness.cache_folder import VARIABLE
from harness.contracts import Proposals
from harness.protocols.hidden import INSIDE, Hidden, crps
from harness.scenarios.gaps import Gaps
from harness.scenarios.noise import Noise
from harness.settings import DataSettings, Sizes
from tests.protocols.common import SCALE, Scales, Shifted, Toy, exact

SETTINGS = DataSettings(targets=300, n_train=2000, data_seed=3)
WIDE = Sizes(proposals=200, repeats=2, fixed_proposals=20)


class Guessing(Shifted):
    """Right where y is known; where it is hidden, normal draws of a width, off by a step."""

    def __init__(self, given, width=1.0, step=0.0):
        super().__init__(given, exact)
        self.width, self.step = width, step

    def propose(self, y, n, generator):
        known = self.given.scales[1].undo(y)[:, None] / SCALE
        drawn = self.step + self.width * torch.randn(len(y), n, 2, generator=generator, dtype=torch.float64)
        return self.returned(torch.where(known.isfinite(), known, drawn))

    def returned(self, x):
        return Proposals(self.given.scales[0].apply(x))


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def toy():
    toy = Toy(Scales(), SETTINGS)
    toy.data = data.draw(toy.task, SETTINGS, Gaps(Gaps.Options(share=0.5, fill="native")))
    return toy


def score(toy, **options):
    return toy.score(Hidden(), Guessing(toy.lesson(), **options), WIDE)


def test_draws_of_what_was_hidden_hold_the_truth_as_often_as_they_should(toy):
    """y0 and y1 are independent and normal: of the hidden one nothing is known but its distribution."""
    found = score(toy)
    assert found.targets == 300
    assert found.within == pytest.approx(INSIDE, abs=0.06) and found.width == pytest.approx(1, abs=0.06)
    assert found.crps == pytest.approx(1 / np.sqrt(np.pi), rel=0.08), "of a normal y and draws like it"


@pytest.mark.parametrize(("options", "within", "width"), [({"width": 0.3}, 0.3, 0.3), ({"step": 2.0}, 0.25, 1.0)])
def test_draws_that_are_too_narrow_or_off_hold_it_less_often_and_score_worse(toy, options, within, width):
    found, right = score(toy, **options), score(toy)
    assert found.within == pytest.approx(within, abs=0.1) and found.width == pytest.approx(width, abs=0.05)
    assert found.crps > 1.1 * right.crps


def test_draws_of_the_posterior_score_as_well_as_the_reference_and_others_worse(toy):
    """Of what is hidden nothing is known: the reference are draws of the prior there."""
    found = score(toy)
    assert found.reference.targets == found.beside.targets == 50
    assert found.reference.crps == pytest.approx(1 / np.sqrt(np.pi), rel=0.2)
    assert found.reference.within == pytest.approx(INSIDE, abs=0.15)
    assert found.reference.width == pytest.approx(1, abs=0.1)
    assert found.beside.crps == pytest.approx(found.reference.crps, rel=0.05)
    off = score(toy, step=2.0)
    assert off.reference == found.reference and off.beside.crps > 1.5 * found.reference.crps


def test_the_numbers_of_each_target_are_those_of_the_means(toy):
    """Also of the few that have a reference, which decides whether a method is as good as exact draws."""
    protocol, material = Hidden(), toy.material(Hidden(), Guessing(toy.lesson(), step=2.0), WIDE)
    found, numbers = protocol.score(material), protocol.by_target(material)
    assert set(numbers) == {"crps", "reference_crps", "beside_crps"}
    assert {len(each) for each in numbers.values()} == {300}
    for name, spread in (("", found), ("reference_", found.reference), ("beside_", found.beside)):
        own = numbers[f"{name}crps"]
        assert np.isfinite(own).sum() == spread.targets and np.nanmean(own) == pytest.approx(spread.crps)


def test_there_is_no_reference_of_what_a_detector_cannot_measure(toy):
    """That a value is beyond its limit says something of it, which the posterior of the others does not know."""
    saturated = Toy(Scales(), SETTINGS)
    saturated.data = data.draw(saturated.task, SETTINGS, Gaps(Gaps.Options(share=0.3, hide="saturated", fill="native")))
    found = score(saturated)
    assert found.targets > 50 and found.crps > 0 and found.reference is None


def test_the_score_is_that_of_its_definition():
    random = np.random.default_rng(0)
    drawn, truth = random.normal(size=(30, 3)), random.normal(size=3)
    pairs = np.abs(drawn[:, None] - drawn[None]).sum((0, 1)) / (30 * 29)
    expected = np.abs(drawn - truth).mean(0) - pairs / 2
    np.testing.assert_allclose(crps(np.sort(drawn, 0), truth), expected)


def test_the_score_is_the_mean_of_those_that_are_kept_of_the_targets(toy):
    method = Guessing(toy.lesson(), width=0.5)
    kept = Hidden().by_target(toy.material(Hidden(), method, WIDE))["crps"]
    assert kept.shape == (300,) and np.mean(kept) == pytest.approx(score(toy, width=0.5).crps)
    plain = Toy(Scales(), SETTINGS)
    assert Hidden().by_target(plain.material(Hidden(), plain.shifted(exact), WIDE)) == {}


def test_where_nothing_is_hidden_or_nothing_is_valid_there_is_no_number(toy):
    plain = Toy(Scales(), SETTINGS)
    assert plain.score(Hidden(), plain.shifted(exact), WIDE) is None
    plain.data = data.draw(plain.task, SETTINGS, Noise())
    assert plain.score(Hidden(), plain.shifted(exact), WIDE) is None
    assert score(toy, step=45.0).crps is None, "what cannot be simulated"


def test_it_knows_a_filled_entry_for_hidden():
    toy = Toy(Scales(), SETTINGS)
    toy.data = data.draw(toy.task, SETTINGS, Gaps(Gaps.Options(share=0.5, fill="nearest")))
    found = toy.score(Hidden(), toy.shifted(exact), WIDE)
    assert found.targets == 300 and found.width == pytest.approx(0, abs=1e-9) and found.within < 0.05
