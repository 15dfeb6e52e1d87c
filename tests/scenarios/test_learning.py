"""Scenarios that change what is learned from: few pairs, lone rows, wrong rows, other tasks, other forward models."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch

from harness import data, fitting
from harness.contracts import Level, Pairs, Task
from harness.errors import UsageError
from harness.plan import refusal, specification
from harness.registry import build_scenario, build_task
from harness.scenarios.fidelity import Fidelity
from harness.scenarios.outliers import without_outliers
from harness.scenarios.residual import correction
from harness.selection import select
from harness.settings import DataSettings, Schedule
from harness.store import Store
from methods.baselines import Lookup
from tests.scenarios.made import Levers
from tests.stored import cells, run
from tests.toys import Waves

SETTINGS = DataSettings(n_train=500, targets=20, data_seed=1)
WITH_LEVELS = ("ballistics", "robotic_arm", "stack", "shell", "architecture", "metamaterial")


def named(scenario: str):
    return specification(*select("scenarios", scenario))


def drawn(task: str | Task, scenario: str = "base") -> data.Dataset:
    built = build_task(specification(*select("tasks", task)), named(scenario)) if isinstance(task, str) else task
    return data.draw(built, SETTINGS, build_scenario(named(scenario)))


def pairs_among(part: Pairs, whole: Pairs) -> bool:
    rows = {row.tobytes() for row in torch.cat([whole.x, whole.y], 1).numpy()}
    return all(row.tobytes() in rows for row in torch.cat([part.x, part.y], 1).numpy())


# As many steps, whatever the number of rows.


@pytest.mark.parametrize("scenario", ["pairs[n=50]", "unpaired[n=50,rows=300]", "corrupted[share=0.5,trim=0.4]"])
def test_a_method_trains_for_as_many_steps_in_a_scenario_as_without_it(scenario, tmp_path):
    steps = {}
    for name in ("base", scenario):
        (cell,) = cells("joint", "robotic_arm", scenarios=name)
        run(cell, tmp_path)
        model = Store(tmp_path).read(cell).model
        steps[name] = sum(phase.steps for phase in model.phases)
    assert steps[scenario] == pytest.approx(steps["base"], rel=0.5, abs=1)


def test_few_rows_are_passed_over_more_often():
    task, schedule = Waves(2, 1), Schedule(epochs=10, batch=32)
    parts = (drawn(task, name) for name in ("pairs[n=50]", "base"))
    few, all_ = (fitting.lesson(task, part, budget=100, schedule=schedule, seed=0) for part in parts)
    steps = [given.schedule.epochs * (len(given.train.x) // 32) for given in (few, all_)]
    assert len(few.train.x) < len(all_.train.x) and steps[0] == pytest.approx(steps[1], rel=0.1)
    assert all_.schedule == schedule


# unpaired


def test_lone_rows_are_of_other_designs_and_no_two_of_them_belong_together():
    seen, base = drawn("robotic_arm", "unpaired[n=50,rows=200]"), drawn("robotic_arm")
    x, y = seen.train.x, seen.train.y
    pairs = x.isfinite().all(1) & y.isfinite().all(1)
    lone_x, lone_y = x.isfinite().all(1) & y.isnan().all(1), x.isnan().all(1) & y.isfinite().all(1)
    assert (int(pairs.sum()) + len(seen.valid.x), int(lone_x.sum()), int(lone_y.sum())) == (50, 200, 200)
    assert pairs_among(Pairs(x[pairs], y[pairs]), base.train) and pairs_among(seen.valid, base.valid)
    reached = build_task(specification(*select("tasks", "robotic_arm"))).simulate(x[lone_x])
    assert torch.cdist(reached, y[lone_y]).min() > 1e-6
    assert torch.equal(seen.targets.y, base.targets.y)


def test_lone_rows_stay_the_same_beside_others_and_nothing_else_changes():
    kinds = ("both", "x", "y", "none")
    both, x, y, none = (drawn("robotic_arm", f"unpaired[n=50,rows=200,lone={lone}]") for lone in kinds)
    pairs = len(none.train.x)
    assert torch.equal(x.train.x[pairs:], both.train.x[pairs : pairs + 200])
    assert torch.equal(y.train.y[pairs:], both.train.y[pairs + 200 :])
    for seen in (both, x, y):
        assert torch.equal(seen.train.x[:pairs], none.train.x) and torch.equal(seen.valid.x, none.valid.x)


def test_the_distribution_of_designs_is_not_in_reach():
    task = build_task(specification(*select("tasks", "robotic_arm")))
    seen = drawn("robotic_arm", "unpaired[n=50,rows=200,lone=x]")
    sampled = seen.x_scale.undo(data.pose(task, seen).sample_prior(500, torch.Generator().manual_seed(0)))
    assert torch.cdist(sampled, seen.train.x).min(1).values.max() < 1e-6
    known = drawn("robotic_arm")
    free = known.x_scale.undo(data.pose(task, known).sample_prior(500, torch.Generator().manual_seed(0)))
    assert torch.cdist(free, known.train.x).min(1).values.median() > 1e-3


def test_only_methods_that_can_use_lone_rows_take_part():
    task = build_task(specification(*select("tasks", "robotic_arm")))
    able_by_name = {"tandem": True, "joint": True, "inn[loss=mmd]": True, "inn": False, "mdn": False, "na": False}
    for method, able in able_by_name.items():
        chosen = specification(*select("methods", method))
        assert bool(refusal(chosen, named("unpaired"), task)) is not able
        assert not refusal(chosen, named("unpaired[lone=none]"), task)


# corrupted


@pytest.mark.parametrize("how", ["permuted", "shifted", "rounded"])
def test_a_share_of_the_rows_is_wrong_and_the_rest_and_the_targets_are_not(how):
    seen, base = drawn("robotic_arm", f"corrupted[share=0.2,how={how}]"), drawn("robotic_arm")
    for part, own in ((seen.train, base.train), (seen.valid, base.valid)):
        assert torch.equal(part.x, own.x)
        wrong = (part.y != own.y).any(1)
        assert float(wrong.double().mean()) == pytest.approx(0.2, abs=0.01)
        if how == "permuted":
            assert sorted(part.y[:, 0].tolist()) == sorted(own.y[:, 0].tolist())
        if how == "shifted":
            off = ((part.y - own.y) / base.train.y.std(0))[wrong]
            assert ((off.abs() > 1e-9).sum(1) == 1).all() and off.sum(1).allclose(torch.tensor(10.0).double())
        if how == "rounded":
            units = part.y[wrong] / base.train.y.std(0)
            assert (units - units.round()).abs().max() < 1e-9
    assert torch.equal(seen.targets.y, base.targets.y) and torch.equal(seen.known_y, base.known_y)


def test_a_single_wrong_row_has_the_y_of_another():
    base = drawn("robotic_arm")
    share = 1 / len(base.valid.y)
    seen = drawn("robotic_arm", f"corrupted[share={share}]")
    (place,) = (seen.valid.y != base.valid.y).any(1).nonzero()[:, 0].tolist()
    others = torch.cat([base.valid.y[:place], base.valid.y[place + 1 :]])
    assert (others == seen.valid.y[place]).all(1).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("share=1e-6", "share = 1e-06 of .* rows is none. Allowed: 0, or"),
        ("trim=1e-6", "trim = 1e-06 of .* rows is none. Allowed: 0, or"),
        ("trim=0.9999", "trim = 0.9999 leaves less"),
    ],
)
def test_shares_of_no_row_and_of_all_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        drawn("robotic_arm", f"corrupted[{options}]")


def test_without_wrong_rows_and_trimming_everything_is_as_without_the_scenario():
    seen, base = drawn("robotic_arm", "corrupted[share=0]"), drawn("robotic_arm")
    assert seen.hashes() == base.hashes() and not build_scenario(named("corrupted[share=0]")).learns


def test_trimming_leaves_out_wrong_rows_first():
    seen, base = drawn("ballistics", "corrupted[share=0.05,how=shifted,trim=0.05]"), drawn("ballistics")
    assert len(seen.train.x) == len(base.train.x) - round(0.05 * len(base.train.x))
    assert pairs_among(seen.train, base.train), "all that are left are right"


def test_rows_that_go_with_their_neighbours_stay():
    x = torch.rand(400, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    pairs = Pairs(x, torch.stack([x.sum(1), x[:, 0]], 1))
    pairs.y[[3, 77, 200], 1] += 4.0
    kept = without_outliers(pairs, pairs, 3 / 400, 2)
    assert len(kept.x) == 397 and (kept.y[:, 1] - kept.x[:, 0]).abs().max() < 1e-12
    assert without_outliers(pairs, pairs, 0.0, 2) is pairs


# transfer


@pytest.mark.parametrize("task", ["ballistics", "robotic_arm", "shell"])
@pytest.mark.parametrize("place", ["hole", "beyond"])
def test_the_new_task_is_none_that_the_family_has(task, place):
    seen = drawn(task, f"transfer[n=40,place={place}]")
    built = build_task(specification(*select("tasks", task)), named("transfer"))
    low, high = built.conditions
    count = low.shape[0]
    new = torch.cat([part.y[:, -count:] for part in (seen.train, seen.valid)] + [seen.targets.shown[:, -count:]])
    assert (new == new[0]).all() and len(seen.train.x) + len(seen.valid.x) == 40
    assert new[0, 1:].tolist() == [given.value for given in built.given][1:]
    share = float((new[0, 0] - low[0]) / (high[0] - low[0]))
    family = (seen.before[0].y[:, -count] - low[0]) / (high[0] - low[0])
    assert share == pytest.approx({"hole": 0.25, "beyond": 0.9}[place])
    assert not (((family >= 0.1) & (family < 0.4)) | (family >= 0.8)).any()
    assert seen.targets.y[:, -count:].isnan().all()


def test_the_targets_of_the_new_task_are_the_same_whatever_is_known_of_it():
    every = [drawn("ballistics", f"transfer[{options}]") for options in ("n=0", "n=30", "n=30,source=none", "n=400")]
    assert len({seen.hashes()["targets"] for seen in every}) == 1
    none, alone = every[0], every[2]
    assert none.before is None and alone.before is None and torch.equal(alone.train.x, every[1].train.x)
    assert torch.equal(none.train.x, every[1].before[0].x)


def test_what_is_learned_first_is_learned_first_and_kept_where_the_rest_says_the_same(tmp_path):
    """A method goes on from what the family has taught it: with a rate of nothing it would be the family's model."""
    (tuned,), (family,) = (cells("na", "robotic_arm", scenarios=f"transfer[n={n}]") for n in (40, 0))
    names = {}
    for cell in (tuned, family):
        run(cell, tmp_path)
        names[cell] = [phase.name for phase in Store(tmp_path).read(cell).model.phases]
    assert names[family] == ["surrogate"] and names[tuned] == ["before: surrogate", "surrogate"]


def test_methods_that_do_not_train_are_given_both_at_once():
    seen = drawn("robotic_arm", "transfer[n=40]")
    built = build_task(specification(*select("tasks", "robotic_arm")), named("transfer"))
    given = fitting.lesson(built, seen, budget=100, schedule=Schedule(epochs=1), seed=0, method=Lookup())
    method, _ = fitting.build(given, Lookup)
    fitting.fit(given, method)
    assert len(method.x) == len(seen.before[0].x) + len(seen.train.x)
    own = (given.train.y[:, None] == seen.train.y).all(-1).any(1)
    half = len(own) // 2
    assert own.sum() == len(seen.train.x) and own[:half].any() and own[half:].any(), "mixed, as some rows are a sample"


def test_a_task_with_conditions_of_its_own_has_no_family_to_learn_before():
    reason = refusal(specification(*select("methods", "tandem")), named("transfer"), Levers())
    assert reason.startswith("the task has no family") and "conditions" in reason


@pytest.mark.parametrize(
    ("options", "reason"),
    [("n=5", "too few pairs: n = 5; allowed"), ("n=0,source=none", "too few pairs: n = 0; allowed")],
)
def test_too_few_pairs_of_a_new_task_are_refused(options, reason):
    task = build_task(specification(*select("tasks", "ballistics")))
    assert reason in refusal(specification(*select("methods", "na")), named(f"transfer[{options}]"), task)
    assert "no conditions" in refusal(specification(*select("methods", "na")), named("transfer"), Waves(2, 1))


@pytest.mark.parametrize("place", ["hole", "beyond"])
def test_few_pairs_tell_which_task_of_the_family_they_are_of(place):
    seen = drawn("ballistics", f"transfer[n=20,given=inferred,place={place}]")
    known = drawn("ballistics", f"transfer[n=20,place={place}]")
    (line,) = seen.report
    said, true = (float(part) for part in re.findall(r"at (\d+\.\d+)", line))
    assert true == pytest.approx(float(known.train.y[0, 1]), rel=1e-3) and said == pytest.approx(true, rel=0.1)
    assert not known.report and known.targets.actual is None


def test_what_is_inferred_is_shown_and_what_holds_is_simulated():
    seen = drawn("ballistics", "transfer[n=20,given=inferred]")
    known = drawn("ballistics", "transfer[n=20]")
    said = seen.targets.shown[0, 1]
    for y in (seen.train.y, seen.valid.y, seen.targets.shown):
        assert (y[:, 1] == said).all()
    assert torch.equal(seen.targets.under, known.targets.shown)
    assert known.targets.under is known.targets.shown
    others = [0, 2]
    assert torch.equal(seen.targets.shown[:, others], known.targets.shown[:, others])
    assert torch.equal(seen.train.x, known.train.x) and torch.equal(seen.before[0].y, known.before[0].y)


def test_the_report_says_how_many_pairs_there_are_and_not_how_many_were_asked_for():
    seen = drawn("robotic_arm", "transfer[n=5000,given=inferred]")
    there = len(seen.train.x) + len(seen.valid.x)
    assert there <= SETTINGS.n_train and seen.report[0].startswith(f"{there} pairs of the new task")


# fidelity


class Twice(Waves):
    """A task with a cheaper model that is the same one, and one that is off by a smooth function."""

    @property
    def levels(self):
        same = Level(self.simulate, 0.5, "the same")
        return {"same": same, "off": Level(lambda x: self.simulate(x) + 0.3 * x.sum(1, keepdim=True), 0.1, "off")}


def spent(use: str, level: str = "same", budget: int = 200, share: float = 0.5) -> data.Dataset:
    scenario = Fidelity(Fidelity.Options(budget=budget, share=share, use=use, level=level))
    task = scenario.task(Twice(2, 1))
    return data.draw(task, SETTINGS, scenario)


def test_a_budget_buys_so_many_of_each():
    sizes = {use: sum(len(part.x) for part in (spent(use).train, spent(use).valid)) for use in ("top", "low", "both")}
    assert sizes == {"top": 200, "low": 400, "both": 100 + 200}
    corrected = spent("corrected")
    asked = 100 + 0.5 * (100 + sum(len(part.x) for part in (corrected.train, corrected.valid)) - 100)
    assert asked == 200, "of both models for the designs from which the difference is learned"
    tuned = spent("tuned")
    assert len(tuned.train.x) + len(tuned.valid.x) == 100 and sum(len(part.x) for part in tuned.before) == 200


@pytest.mark.parametrize("use", ["both", "condition", "tuned", "corrected"])
def test_a_budget_that_cannot_be_spent_is_none(use):
    """So that a share of a budget that was not spent is not taken for what the rest of it has reached."""
    with pytest.raises(UsageError, match=r"budget of 1000 asks for 900 pairs .* and there are 500\. Give a smaller"):
        spent(use, budget=1000, share=0.1)
    top = spent("top", budget=1000)
    assert len(top.train.x) + len(top.valid.x) == 500


def test_equal_models_are_more_pairs_of_one():
    """Known answer: with a cheap model that is the same, its pairs obey the task's own, corrected or not."""
    task = Twice(2, 1)
    for use in ("low", "both", "corrected"):
        seen = spent(use)
        torch.testing.assert_close(seen.train.y, task.simulate(seen.train.x), atol=1e-6, rtol=1e-6)


def test_a_smooth_difference_is_learned_from_few_pairs():
    seen, task = spent("corrected", "off"), Twice(2, 1)
    cheap = spent("low", "off")
    wrong = (cheap.train.y - task.simulate(cheap.train.x)).square().mean()
    left = (seen.train.y - task.simulate(seen.train.x)).square().mean()
    assert left < 1e-4 * wrong


def test_the_difference_of_several_y_is_learned_too():
    x = torch.rand(80, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = torch.stack([x[:, 0], x[:, 1] * x[:, 2], x.sum(1)], 1)
    off = torch.stack([x[:, 0] ** 2, 1 - x[:, 1], x[:, 2]], 1)
    known = Pairs(x[:30], y[:30] + off[:30]), Pairs(x[30:40], y[30:40] + off[30:40])
    found = correction(known, lambda r: torch.stack([r[:, 0], r[:, 1] * r[:, 2], r.sum(1)], 1))(Pairs(x, y))
    assert (found.y - y - off).abs().max() < 1e-2 and torch.equal(found.x, x)


def test_as_a_condition_each_pair_says_which_model_it_is_of_and_targets_are_of_the_tasks_own():
    seen, task = spent("condition", "off"), Twice(2, 1)
    whole = seen.train.y[:, -1] == 1
    assert set(seen.train.y[:, -1].tolist()) == {0.0, 1.0}
    torch.testing.assert_close(seen.train.y[whole, :1], task.simulate(seen.train.x[whole]))
    torch.testing.assert_close(seen.train.y[~whole, :1], task.levels["off"].simulate(seen.train.x[~whole]))
    assert (seen.targets.shown[:, -1] == 1).all() and seen.targets.y[:, -1].isnan().all()
    torch.testing.assert_close(seen.targets.shown[:, :1], data.draw(task, SETTINGS).targets.y)


@pytest.mark.parametrize("name", WITH_LEVELS)
def test_cheaper_models_are_cheaper_and_near_the_tasks_own(name):
    task = build_task(specification(*select("tasks", name)))
    x = task.sample_prior(60, torch.Generator().manual_seed(0))
    y = task.simulate(x)
    assert task.levels
    costs = [level.cost for level in task.levels.values()]
    assert costs == sorted(costs) and costs[0] > 0 and costs[-1] < 1
    for level in task.levels.values():
        cheap = level.simulate(x)
        both = y.isfinite().all(1) & cheap.isfinite().all(1)
        assert cheap.shape == y.shape and float(both.double().mean()) > 0.9 and level.says
        alike = [np.corrcoef(one, other)[0, 1] for one, other in zip(y[both].T, cheap[both].T, strict=True)]
        assert np.mean(alike) > 0.6
        assert not torch.equal(cheap[both], y[both])
        outside = torch.full((1, task.x_dim), math.nan, dtype=torch.float64)
        assert level.simulate(outside).isnan().all()


def test_a_throw_without_drag_is_the_limit_of_one_with_little():
    task = build_task(specification(*select("tasks", "ballistics")))
    x = task.sample_prior(200, torch.Generator().manual_seed(0))
    thin = task.family.simulate(x, torch.tensor([[9.81, 1e-4]], dtype=torch.float64).expand(200, -1))
    free = task.levels["drag-free"].simulate(x)
    both = thin.isfinite() & free.isfinite()
    assert both.double().mean() > 0.95
    torch.testing.assert_close(free[both], thin[both], rtol=5e-3, atol=2e-2)


@pytest.mark.parametrize(
    ("scenario", "task", "reason"),
    [
        ("transfer[n=0,given=inferred]", "ballistics", "nothing can be inferred of it"),
        ("fidelity", "sinewave", "no cheaper forward model"),
        ("fidelity[level=best]", "ballistics", "level=best is not one of drag-free, grid"),
        ("fidelity[budget=20]", "ballistics", "too few pairs of the task's own model: 2; spend"),
        ("fidelity[share=0.001]", "ballistics", "too few pairs of the cheaper model: 3; give a larger share"),
        (
            "fidelity[share=0.05,use=corrected]",
            "robotic_arm",
            "too few pairs of the cheaper model, besides those that correct it: 0",
        ),
        (
            "fidelity[budget=5000]",
            "ballistics",
            "45000 pairs of the cheaper model are more than the 10000 that are made",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_words(scenario, task, reason):
    built = build_task(specification(*select("tasks", task)))
    assert reason in refusal(specification(*select("methods", "na")), named(scenario), built)
