"""The protocols that are about more than errors, each on a small task with known answers."""

from __future__ import annotations

import math

import pytest
import torch

from harness.contracts import Proposals
from harness.errors import UsageError
from harness.protocols.diagnosis import Diagnosis
from harness.protocols.inference_time import InferenceTime
from harness.protocols.novelty import Novelty
from harness.protocols.operators import Operators
from harness.protocols.recall import Recall
from harness.protocols.solutions import Solutions, _spectra
from harness.protocols.summary import Summary
from harness.protocols.views import Views
from harness.scenarios.contract import Targets, View
from tests.protocols.common import SIZES, Scales, Shifted, Toy, counting, exact, nowhere


class Rich(Scales):
    """Has another forward model, which is off by (0, 3), numbers of its own, and four images of a design."""

    @property
    def operators(self):
        return {"full": lambda x: self.simulate(x) + torch.tensor([0.0, 3.0])}

    def diagnose(self, x):
        return {"first [m]": x[:, 0]}


class Even(Scales):
    """y = (x0², x1²): four designs of each y."""

    fixed_target = (1.0, 0.25)

    def simulate(self, x):
        return x.square()

    def images(self, x):
        signs = torch.tensor([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]], dtype=torch.float64)
        return signs[:, None] * x


class Roots(Shifted):
    """Proposes the roots of the target, their signs by the number of the proposal modulo `images`."""

    images = 4

    def propose(self, y, n, generator):
        root = self.given.scales[1].undo(y).sqrt()
        kinds = torch.arange(n) % self.images
        signs = torch.stack([1 - 2 * (kinds % 2), 1 - 2 * (kinds // 2)], 1)
        return Proposals(self.given.scales[0].apply(signs * root[:, None]))


class Copies(Shifted):
    """Names training designs, and has those in single precision before its eyes."""

    dtype = torch.float32

    def propose(self, y, n, generator):
        rows = torch.randint(len(self.given.train.x), (len(y), n), generator=generator)
        return Proposals(self.given.scales[0].apply(self.given.train.x[rows]).float(), rows=rows)


@pytest.fixture(scope="module")
def toy():
    return Toy()


def test_an_operator_is_compared_on_the_same_designs_with_the_targets_and_with_the_task_itself():
    toy = Toy(Rich())
    found = toy.score(Operators(Operators.Options(operator="full", designs=4)), toy.shifted(counting))
    for of, own in (("targets", 1 / 2), ("fixed", (1 + 4 + 9 + 16) / 4 / 2)):
        compared = found.compared[of]
        assert (compared.designs, compared.valid) == (4, 1.0)
        assert compared.mse_own == pytest.approx(own)
        assert compared.mse_between == pytest.approx(9 / 2)
        assert compared.mse == pytest.approx(own + 9 / 2)
    numbers = {name: value for _, name, value in Operators().numbers(found)}
    assert numbers["full_fixed_mse_between"] == pytest.approx(4.5)


def test_the_own_forward_model_is_asked_for_the_compared_designs_alone():
    class Counted(Rich):
        asked = 0

        def simulate(self, x):
            self.asked += len(x)
            return super().simulate(x)

    toy = Toy(Counted())
    before = toy.task.asked
    with pytest.raises(UsageError, match="Unknown operator 'ful'"):
        toy.score(Operators(Operators.Options(operator="ful")), toy.shifted(exact))
    assert toy.task.asked == before
    toy.score(Operators(Operators.Options(operator="full", designs=4)), toy.shifted(exact))
    assert toy.task.asked - before <= 2 * 4 * 2, "4 designs of the targets and of y*, by both forward models"


def test_an_operator_that_is_not_asked_for_asks_nothing_and_an_unknown_one_is_an_error(toy):
    assert Operators().questions(SIZES) == {} and toy.score(Operators(), toy.shifted(exact)) is None
    with pytest.raises(UsageError, match="no operator 'full'"):
        toy.score(Operators(Operators.Options(operator="full")), toy.shifted(exact))
    with pytest.raises(UsageError, match="Did you mean full"):
        Toy(Rich()).score(Operators(Operators.Options(operator="ful")), toy.shifted(exact))


def test_designs_that_are_invalid_leave_nothing_to_compare():
    toy = Toy(Rich())
    found = toy.score(Operators(Operators.Options(operator="full")), toy.shifted(nowhere))
    for compared in found.compared.values():
        assert (compared.valid, compared.mse, compared.mse_between) == (0.0, None, None)


def test_a_diagnosis_is_of_valid_designs_for_the_fixed_target(toy):
    def half(exact, n, generator):
        out = torch.arange(float(n)).double().expand(len(exact), n).clone()
        out[:, 3:] = math.nan
        return out

    rich = Toy(Rich())
    (found,) = rich.score(Diagnosis(Diagnosis.Options(designs=6)), rich.shifted(half)).found.items()
    assert found[0] == "first [m]" and found[1].designs == 3
    assert (found[1].mean, found[1].median) == (pytest.approx(2.0), pytest.approx(2.0))
    (nothing,) = rich.score(Diagnosis(), rich.shifted(nowhere)).found.values()
    assert (nothing.designs, nothing.mean, nothing.median) == (0, None, None)
    assert toy.score(Diagnosis(), toy.shifted(exact)) is None


@pytest.mark.parametrize("images", [1, 2, 4])
def test_recall_is_the_share_of_the_images_that_are_found(images):
    toy = Toy(Even())
    method = Roots(toy.lesson(), exact)
    method.images = images
    found = toy.score(Recall(Recall.Options(trials=(1, 30, 1000))), method)
    assert (found.images, found.T) == (4, [1, 30])
    assert found.found == pytest.approx([1 / 4, images / 4])


def test_recall_does_not_apply_without_images_and_is_nothing_without_accurate_designs(toy):
    assert toy.score(Recall(), toy.shifted(exact)) is None
    even = Toy(Even())
    assert even.score(Recall(Recall.Options(trials=(1,))), even.shifted(nowhere)).found == [0.0]


def test_designs_named_by_their_row_are_copies_to_the_last_bit(toy):
    found = toy.score(Novelty(), Copies(toy.lesson(), exact))
    assert (found.copies, found.nearest, found.valid) == (1.0, 0.0, 1.0)


def test_novelty_tells_accurate_designs_from_copies_and_from_each_other(toy):
    found = toy.score(Novelty(), toy.shifted(exact))
    assert (found.copies, found.accurate) == (0.0, 1.0)
    assert found.diversity == pytest.approx(0.0, abs=1e-6) and found.nearest > 0
    assert found.median == pytest.approx({"sse": 0, "mse": 0, "nmse": 0}, abs=1e-20)
    none = toy.score(Novelty(), toy.shifted(nowhere))
    assert (none.nearest, none.copies, none.accurate, none.valid) == (None, None, 0.0, 0.0)


class Timed(Shifted):
    """Returns two different designs over and over, out of three times as many candidates."""

    def propose(self, y, n, generator):
        with self.stage("generation"):
            x = (torch.arange(n) % 2)[None, :, None].expand(len(y), n, 2).double() @ torch.eye(2).double()
        self.asked.append((len(y), n))
        return Proposals(x, generated=3 * n)


def test_inference_time_counts_what_is_different_and_what_was_generated(toy):
    method, y = Timed(toy.lesson(), exact), torch.zeros(1, 2, dtype=torch.float64)
    found = InferenceTime(InferenceTime.Options(proposals=10, rounds=4)).measure(method, y, 0, exclusive=True)
    assert (found.proposals, found.distinct, found.generated, found.rounds, found.exclusive) == (10, 2, 30.0, 4, True)
    assert method.asked == [(1, 10)] * 5, "one round warms up"
    assert found.operations == 2 * 10 * 2 * 2, "a multiplication and an addition for each entry of each row"
    assert found.seconds > 0 and found.stages.keys() == {"generation"} and found.noise_floor >= 0
    assert found.stages["generation"] <= found.seconds


def test_a_view_scores_first_proposals_against_its_own_y_over_the_targets_that_it_has(toy):
    seen = Toy()
    y = seen.data.targets.y
    other = y.clone()
    other[:, 0] += 2.0
    some = other.clone()
    some[3:] = math.nan
    views = {"other": View(other, level=0.5), "some": View(some, best_known=some + torch.tensor([1.0, 0.0]))}
    object.__setattr__(seen.data, "targets", Targets(y, y, views))
    found = seen.score(Views(), seen.shifted(exact))
    one = 4 / 2 / float(seen.data.y_variance[0])
    assert found.views["other"].mean == pytest.approx(one) and found.views["other"].targets == 7
    assert found.views["some"].median == pytest.approx(one * (1 - 1 / 4)) and found.views["some"].targets == 3
    assert (found.views["other"].level, found.views["other"].excess, found.views["some"].excess) == (0.5, False, True)
    assert {name for _, name, _ in Views().numbers(found)} == {
        f"{view}_{statistic}" for view in views for statistic in ("mean", "median")
    }
    assert toy.score(Views(), toy.shifted(exact)) is None


class Spectrum(Scales):
    """As it is, with y five times over, along an axis where there is one."""

    y_dim, fixed_target = 10, (1.0, -5.0) * 5

    def simulate(self, x):
        return super().simulate(x).repeat(1, 5)


class Along(Spectrum):
    y_axis = ("wavelength [nm]", tuple(400.0 + 100 * place / 3 for place in range(10)))


@pytest.mark.parametrize(
    ("task", "label", "places"),
    [(Spectrum, "place in y, of 10", [1.0, 2.0]), (Along, "wavelength [nm]", [400.0, 433.33])],
)
def test_a_spectrum_is_drawn_along_the_axis_that_the_task_names(task, label, places):
    toy = Toy(task())
    method = toy.shifted(exact)
    scores = toy.score(Solutions(), method)
    panel = _spectra("a task", [("a method", scores)])
    assert panel.x.title == label
    assert list(panel.series[0].x[:2]) == list(panel.guides[0].points[i][0] for i in (0, 1)) == places


def test_the_summary_asks_and_scores_nothing(toy):
    assert Summary().questions(SIZES) == {} and toy.score(Summary(), toy.shifted(exact)) is None
