"""Scenarios: neutral ones change nothing, and what they hide never reaches a method."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from harness import data, fitting
from harness.answers import Asker
from harness.contracts import Method, Proposals, Task
from harness.errors import UsageError
from harness.fitting import Lesson
from harness.options import hints
from harness.plan import refusal, specification
from harness.protocols.contract import Question
from harness.registry import build_scenario, build_task, discover
from harness.scenarios.contract import Scenario
from harness.scenarios.gaps import Gaps, filled
from harness.scenarios.noise import Noise
from harness.scenarios.pairs import FewerPairs
from harness.selection import select
from harness.settings import Schedule
from harness.store import Store
from tests import results
from tests.scenarios.made import CHANGING, SETTINGS, Levers, Sums

NEUTRAL = ("noise[sd=0]", "gaps[share=0]", "gaps[share=0,fill=native]", "shift[tail=1,beyond=0]", "pairs[n=100000]")


class Recorder(Method):
    """Keeps all that it is given, in every call, and answers with training designs."""

    trainable, dtype = False, torch.float64
    handles = frozenset({"gaps"})

    def __init__(self, options=None):
        super().__init__()
        self.given: list[Tensor] = []

    def build(self, problem, width):
        self.given.append(problem.bounds)

    def fit(self, train, valid, run):
        self.given += [train.x, train.y, valid.x, valid.y]
        self.x = train.x

    def propose(self, y, n, generator):
        self.given.append(y)
        rows = torch.randint(len(self.x), (len(y), n), generator=generator)
        return Proposals(self.x[rows], rows=rows)


def given(lesson: Lesson) -> list[Tensor]:
    """All that a method is given of a lesson, from its building to its last answer."""
    (method, _), questions = fitting.build(lesson, Recorder), (Question("targets", 3), Question("fixed", 2, 2))
    fitting.fit(lesson, method, lambda *_: None)
    for question in questions:
        Asker(method, lesson)(question)
    return method.given


def lesson(task: Task, dataset: data.Dataset) -> Lesson:
    return fitting.lesson(task, dataset, budget=100, schedule=Schedule(), seed=0)


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return len(one) == len(other) and all(
        torch.equal(a.nan_to_num(12345.0), b.nan_to_num(12345.0)) for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("name", NEUTRAL)
def test_neutral_options_give_the_data_of_the_base_to_the_last_bit(name):
    (cell,) = results.cells("prior", "robotic_arm", name)
    if "gaps" in name and cell.refusal:
        cell = replace(cell, refusal="")
    task = build_task(cell.task)
    base, neutral = data.draw(task, cell.data), data.draw(task, cell.data, build_scenario(cell.scenario))
    assert base.hashes() == neutral.hashes()
    for one, other in ((base.targets, neutral.targets), (base.fixed, neutral.fixed)):
        assert torch.equal(one.y, other.y) and torch.equal(one.shown, other.shown) and not other.views
    for one, other in ((base.x_scale, neutral.x_scale), (base.y_scale, neutral.y_scale)):
        assert torch.equal(one.mean, other.mean) and torch.equal(one.scale, other.scale)
    assert same(given(lesson(task, base)), given(lesson(task, neutral)))


def test_neutral_options_give_the_answers_of_the_base(tmp_path):
    results.run(tmp_path, results.cells("lookup,mdn", "robotic_arm", "base,noise[sd=0],shift[tail=1,beyond=0]"))
    found: dict[str, list[bytes]] = {}
    for record in Store(tmp_path).records():
        folder = tmp_path / "robotic_arm" / record.declared.method.name / record.key[:16]
        files = sorted(record.answers.values(), key=lambda answer: answer.of)
        found.setdefault(record.label.method, []).append(
            b"".join(np.load(folder / answer.file)["x"].tobytes() for answer in files)
        )
    for answers in found.values():
        assert len(answers) == 3 and len({*answers}) == 1


def test_fewer_pairs_are_among_the_more_and_the_targets_stay_the_same():
    drawn = {n: data.draw(Sums(), SETTINGS, FewerPairs(FewerPairs.Options(n=n))) for n in (10, 40, 99, 100)}
    whole = data.draw(Sums(), SETTINGS)
    assert torch.equal(drawn[100].train.y, whole.train.y) and torch.equal(drawn[100].valid.x, whole.valid.x)
    for n, found in drawn.items():
        assert len(found.train.x) + len(found.valid.x) == n and len(found.valid.x) >= 2
        assert torch.equal(found.targets.y, whole.targets.y) and torch.equal(found.known_y, whole.known_y)
    for less, more in ((10, 40), (40, 99), (99, 100)):
        for part in ("train", "valid"):
            few, many = ({*map(tuple, getattr(drawn[n], part).x.tolist())} for n in (less, more))
            assert few <= many


class Otherwise(Sums):
    """The same task, with other y at the places of the targets that a scenario hides."""

    hidden: Tensor | None = None

    def draw(self, n, generator):
        pairs = super().draw(n, generator)
        if self.hidden is None or n != SETTINGS.targets:
            return pairs
        return replace(pairs, y=pairs.y.where(~self.hidden, pairs.y + 100.0))


@pytest.mark.parametrize("hide", ["window", "random"])
@pytest.mark.parametrize("fill", ["nearest", "mean", "native"])
def test_hidden_entries_reach_a_method_in_no_call(fill, hide):
    scenario = Gaps(Gaps.Options(share=0.5, fill=fill, hide=hide))
    task = Otherwise()
    dataset = data.draw(task, SETTINGS, scenario)
    task.hidden = dataset.targets.y.isnan()
    assert task.hidden.sum(1).eq(2).all()
    other = data.draw(task, SETTINGS, scenario)
    hidden = (item.targets.views["hidden y"].y.nan_to_num() for item in (dataset, other))
    assert not torch.equal(*hidden), "the hidden entries are others"
    assert same(given(lesson(task, dataset)), given(lesson(task, other)))


def test_what_is_hidden_is_not_filled_with_itself_where_targets_are_of_the_validation_part():
    settings = replace(SETTINGS, targets_from="validation")
    dataset = data.draw(Sums(), settings, CHANGING["gaps"])
    hidden = dataset.targets.y.isnan()
    true = dataset.targets.views["hidden y"].y
    assert not (dataset.targets.shown[hidden] == true[hidden]).any()


def test_gaps_are_side_by_side_of_the_size_that_is_asked_and_all_else_is_shown():
    base, dataset = data.draw(Sums(), SETTINGS), data.draw(Sums(), SETTINGS, CHANGING["native gaps"])
    hidden = dataset.targets.shown.isnan()
    assert (hidden.sum(1) == 2).all() and (hidden.int().diff(dim=1).abs().sum(1) <= 2).all()
    assert torch.equal(dataset.targets.shown[~hidden], base.targets.y[~hidden])
    assert len(hidden.unique(dim=0)) == 3, "at random places"
    assert base.hashes()["split"] == dataset.hashes()["split"], "the training pairs are complete"


def test_random_gaps_are_anywhere_and_those_of_a_saturated_detector_where_y_is_large():
    many = replace(SETTINGS, targets=300, n_train=2000)
    base = data.draw(Sums(), many)
    scattered = data.draw(Sums(), many, Gaps(Gaps.Options(share=0.5, hide="random", fill="native"))).targets.shown
    assert (scattered.isnan().sum(1) == 2).all() and len(scattered.isnan().unique(dim=0)) == 6
    limit = base.train.y.quantile(0.8, 0)
    seen = data.draw(Sums(), many, Gaps(Gaps.Options(share=0.2, hide="saturated", fill="native"))).targets.shown
    above = base.targets.y > limit
    assert (seen.isnan() <= above).all() and seen.isfinite().any(1).all()
    all_above = above.all(1)
    assert torch.equal(seen.isnan()[~all_above], above[~all_above]) and all_above.any()
    assert (seen[all_above].isfinite().sum(1) == 1).all(), "the one that is least above the limit stays"


def test_what_would_hide_all_of_y_is_refused():
    for hide, refused in (("window", True), ("random", True), ("saturated", False)):
        scenario = Gaps(Gaps.Options(share=0.95, hide=hide))
        assert (scenario.refusal(Sums()) is not None) == refused
        assert "y has 1 entry" in scenario.refusal(build_task(specification(select("tasks", "sinewave")[0])))


@pytest.mark.parametrize("hide", ["window", "random", "saturated"])
def test_with_gaps_in_training_a_method_sees_no_hidden_entry_of_the_pairs(hide):
    settings = replace(SETTINGS, n_train=400)
    options = {"share": 0.5, "hide": hide, "training": True}
    base = data.draw(Sums(), settings)
    native = data.draw(Sums(), settings, Gaps(Gaps.Options(**options, fill="native")))
    hidden = native.train.y.isnan()
    assert hidden.any(0).all() and not hidden.all(1).any() and native.valid.y.isnan().any()
    assert torch.equal(native.train.y[~hidden], base.train.y[~hidden]) and torch.equal(native.known_y, base.known_y)
    for fill in ("nearest", "mean"):
        seen = data.draw(Sums(), settings, Gaps(Gaps.Options(**options, fill=fill)))
        assert seen.train.y.isfinite().all() and seen.valid.y.isfinite().all() and seen.targets.shown.isfinite().all()
        assert torch.equal(seen.train.y[~hidden], base.train.y[~hidden])
        assert not torch.isin(base.train.y[hidden], seen.train.y).any(), "neither in the pairs"
        assert not torch.isin(base.train.y[hidden], seen.targets.shown).any(), "nor in what targets are filled with"
    assert torch.allclose(seen.train.y[hidden], native.train.y.nanmean(0).expand_as(hidden)[hidden]), "the mean"


def test_of_incomplete_rows_the_nearest_that_has_an_entry_fills_it():
    nan = math.nan
    known = torch.tensor([[1.0, nan, 3.0], [1.2, 2.0, nan], [9.0, 8.0, 7.0], [nan, 9.0, 7.0]], dtype=torch.float64)
    found = filled(torch.tensor([[1.0, nan, nan]], dtype=torch.float64), known)
    assert found.tolist() == [[1.0, 2.0, 3.0]]


def test_a_fill_does_not_depend_on_where_y_has_its_zero():
    generator = torch.Generator().manual_seed(0)
    known = torch.randn(200, 5, generator=generator, dtype=torch.float64)
    y = torch.randn(50, 5, generator=generator, dtype=torch.float64).index_fill_(1, torch.tensor([1, 3]), math.nan)
    offset = 2.0**27
    known, y = (known + offset) - offset, (y + offset) - offset
    assert torch.equal(filled(y + offset, known + offset) - offset, filled(y, known))


def test_a_fill_is_the_rest_of_the_training_y_that_is_nearest_in_what_is_observed():
    base, dataset = data.draw(Sums(), SETTINGS), data.draw(Sums(), SETTINGS, CHANGING["gaps"])
    scale = base.train.y.std(0)
    for y, shown in zip(dataset.targets.y, dataset.targets.shown, strict=True):
        seen = y.isfinite()
        nearest = ((base.train.y - y) / scale)[:, seen].square().sum(1).argmin()
        assert torch.equal(shown, y.where(seen, base.train.y[nearest]))


def test_the_true_y_behind_noise_is_never_given():
    base, dataset = data.draw(Sums(), SETTINGS), data.draw(Sums(), SETTINGS, CHANGING["noise"])
    seen = torch.cat([item.flatten() for item in given(lesson(Sums(), dataset))])
    undone = torch.cat(
        [
            seen,
            *(
                dataset.y_scale.undo(part).flatten()
                for part in given(lesson(Sums(), dataset))[2::2]
                if part.shape[-1] == 4
            ),
        ]
    )
    for true in (base.targets.y, base.fixed.y, base.train.y, base.valid.y):
        distance = (undone[:, None] - true.flatten()).abs()
        assert not torch.isin(true.flatten(), undone).any() and distance.min() > 0
    assert torch.equal(dataset.targets.views["true y"].y, base.targets.y)
    assert torch.equal(dataset.targets.y, dataset.targets.shown)
    ratio = (dataset.train.y - base.train.y).std(0) / base.train.y.std(0)
    assert ((ratio - 0.1).abs() < 0.03).all()


def test_gaps_in_a_single_y_cannot_be_and_need_no_process(tmp_path):
    """The exit code is that of success: nothing went wrong."""
    wanted = "gaps,gaps[fill=native]"
    command = [sys.executable, "-m", "harness", "run", "--preset", "smoke", "--quiet", "--methods", "lookup"]
    command += ["--tasks", "sinewave", "--scenarios", wanted, "--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    records = results.load(tmp_path / "out")
    assert {record.status for record in records.values()} == {"cannot"}
    for record in records.values():
        assert record.stamp is None and not record.files and record.data is None
    assert "lookup on sinewave, gaps, seed 0: cannot (y has 1 entry, of which 1 would be hidden)" in done.stdout
    assert "lookup on sinewave, gaps[fill=native], seed 0: cannot (y has 1 entry" in done.stdout


@pytest.mark.parametrize(
    "scenario", ["noise[sd=0.5]", "shift", "pairs[n=50]", "gaps[share=0.5]", "gaps[share=0.5,training=true]"]
)
def test_conditions_of_a_task_that_has_some_stay_as_they_are(scenario):
    task, plain_ = Levers(), data.draw(Levers(), SETTINGS)
    selected = specification(*select("scenarios", scenario))
    assert not refusal(specification(*select("methods", "lookup")), selected, task)
    seen = data.draw(task, SETTINGS, build_scenario(selected))
    rows = [(seen.targets.shown[:, 2], plain_.targets.shown[:, 2]), (seen.train.y[:, 2], plain_.train.y[:, 2])]
    for conditions, known in rows:
        assert conditions.isfinite().all() and torch.isin(conditions, known).all()
    assert seen.targets.y[:, 2].isnan().all(), "they are not to be reached"
    for view in seen.targets.views.values():
        assert view.y[:, 2].isnan().all() and view.best_known is None


def test_a_scenario_that_does_not_know_of_conditions_is_refused_where_there_are_some(monkeypatch):
    assert not Scenario.leaves_conditions
    monkeypatch.delattr(Noise, "leaves_conditions")
    selected = specification(*select("scenarios", "noise"))
    found = refusal(specification(*select("methods", "lookup")), selected, Levers())
    assert found == "noise does not know which entries of y are conditions, and the task has some"
    assert not refusal(specification(*select("methods", "lookup")), selected, Sums())


@pytest.mark.parametrize("name", sorted(discover("scenarios")))
def test_a_number_that_is_too_large_for_anything_is_refused_in_words(name):
    """What a library says of such a number, or of the memory that it asks for, would help nobody."""
    options = discover("scenarios")[name].load().Options
    for key, kind in hints(options).items():
        if kind in (int, float):
            text = str(10**23) if kind is int else "1e300"
            with pytest.raises(
                UsageError, match=f"{name}.{key} = .* is not allowed. Allowed: .* (or less|less than 1)"
            ):
                specification(*select("scenarios", f"{name}[{key}={text}]"))


def test_the_base_is_a_scenario_that_leaves_no_trace():
    (plain,), (base,) = results.cells("mdn", "sinewave"), results.cells("mdn", "sinewave", "base")
    assert plain.key == base.key and plain.scenario is None and "scenario" not in plain.label
    assert isinstance(build_scenario(None), Scenario)
