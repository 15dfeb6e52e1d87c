"""Families of tasks, and one model for all conditions of a family: interpolation, extrapolation, what is known."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from torch import Generator

from harness import data, fitting
from harness.answers import Asker
from harness.contracts import Condition, Family, Task
from harness.metrics import METRICS, errors
from harness.plan import specification
from harness.questions import Question
from harness.registry import build_method, build_scenario, build_task, discover, get
from harness.resimulation import resimulate
from harness.scenarios.conditions import BEYOND, FIXED, HOLE, REGIONS, SEEN, Conditions
from harness.selection import select
from harness.settings import DataSettings, Schedule
from tasks.architecture import Architecture
from tasks.ballistics import MASS, Ballistics, BallisticsOptions
from tasks.robotic_arm import RoboticArm, RoboticArmOptions
from tasks.shell import SILICA, Shell, permittivities, scattering_efficiency

SETTINGS = DataSettings(n_train=600, targets=40, data_seed=2)


def spec(kind, text):
    (chosen,) = select(kind, text)
    return specification(chosen)


FAMILIES = {
    "ballistics": Ballistics(),
    "ballistics by the grid": Ballistics(BallisticsOptions(simulator="grid")),
    "robotic_arm": RoboticArm(),
    "shell": Shell(),
    "architecture": Architecture(),
    "robotic_arm of Kruse": RoboticArm(RoboticArmOptions(convention="kruse")),
}


def designs(task: Task, n: int = 200):
    return task.sample_prior(n, Generator().manual_seed(5))


@pytest.mark.parametrize("task", FAMILIES.values(), ids=FAMILIES)
def test_with_the_fixed_values_a_family_is_the_task(task):
    family = task.family
    x = designs(task)
    fixed = torch.tensor([[condition.value for condition in family.given]], dtype=torch.float64)
    torch.testing.assert_close(family.simulate(x, fixed.expand(len(x), -1)), task.simulate(x), equal_nan=True)
    assert family.fixed_target == (*task.fixed_target, *fixed[0].tolist())
    assert torch.equal(family.sample_prior(7, Generator().manual_seed(1)), designs_of(task))
    low, high = family.conditions
    assert bool(((low <= fixed) & (fixed <= high)).all())


def designs_of(task: Task):
    return task.sample_prior(7, Generator().manual_seed(1))


@pytest.mark.parametrize(("gravity", "drag"), [(3.7, 0.05), (9.81, 0.5), (12.0, 0.1)])
def test_throws_under_other_conditions_land_where_their_trajectory_crosses_the_ground(gravity, drag):
    x = designs(Ballistics(), 50)
    found = Ballistics().family.simulate(x, torch.tensor([[gravity, drag]], dtype=torch.float64).expand(50, -1))
    for (start, height, angle, speed), (y,) in zip(x.tolist(), found.tolist(), strict=True):
        up, along = speed * math.sin(angle), speed * math.cos(angle)

        def fall(t, height=height, up=up):
            decay = math.expm1(-drag * t / MASS)
            return height - MASS / drag**2 * ((gravity * MASS + up * drag) * decay + gravity * t * drag)

        top = MASS / drag * math.log1p(drag * up / (MASS * gravity))
        duration = brentq(fall, top, top + 1e3) if fall(top) > 0 else 0.0
        assert y == pytest.approx(start - along * MASS / drag * math.expm1(-drag * duration / MASS), abs=1e-9)


def test_an_arm_with_other_links_reaches_where_they_lead():
    x, lengths = designs(RoboticArm()), torch.tensor([[0.3, 0.7, 1.3]], dtype=torch.float64)
    found = RoboticArm().family.simulate(x, lengths.expand(len(x), -1))
    base, first, second, third = x.T.numpy()
    angles = np.stack([first, second - first, third - second - first], 1)
    expected = np.stack(
        [(lengths.numpy() * np.cos(angles)).sum(1), base + (lengths.numpy() * np.sin(angles)).sum(1)], 1
    )
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)


def test_a_shell_in_another_medium_scatters_as_with_its_permittivity_around():
    x = designs(Shell(), 30)
    found = Shell().family.simulate(x, torch.tensor([[1.0], [1.4284], [1.5]], dtype=torch.float64).repeat(10, 1))
    wavelength = torch.tensor(Shell.y_axis[1], dtype=torch.float64)
    for number, permittivity in enumerate((1.0, 1.4284**2, 2.25)):
        layers = permittivities(wavelength)
        layers[-1] = permittivity
        expected = scattering_efficiency(x[number::3], wavelength, layers)
        torch.testing.assert_close(found[number::3], expected)
    silica = torch.full((1, len(wavelength)), SILICA, dtype=torch.float64)
    vanished = scattering_efficiency(x[:2, :1], wavelength, torch.cat([silica, silica]))
    assert float(vanished.abs().max()) < 1e-20, "a sphere of its medium does not scatter"


class Lever(Task):
    """y = x0 + x1 of a lever whose length is 1, and a x0 + x1 of one of length a."""

    x_dim, y_dim, fixed_target = 2, 1, (0.5,)
    bounds = torch.tensor([[0.0, 0.0], [1.0, 1.0]], dtype=torch.float64)

    @property
    def family(self):
        given = (Condition("length [m]", 1.0, -2.0, 2.0),)
        return Family(self, given, lambda x, conditions: x[:, :1] * conditions + x[:, 1:])

    def sample_prior(self, n, generator):
        return torch.rand(n, 2, generator=generator, dtype=torch.float64)

    def simulate(self, x):
        return x.sum(1, keepdim=True)


def share_of(y):
    return (y[:, -1] + 2) / 4


def test_nothing_is_learned_of_the_hole_and_beyond_and_each_region_is_asked_for():
    scenario = Conditions(Conditions.Options(hole=0.2, width=0.3, beyond=0.7))
    seen = data.draw(scenario.task(Lever()), SETTINGS, scenario)
    share = share_of(torch.cat([seen.train.y, seen.valid.y]))
    assert len(share) == 600 and not bool(((share >= 0.2) & (share < 0.5)).any()) and float(share.max()) < 0.7
    assert float((share < 0.2).double().mean()) == pytest.approx(0.5, abs=0.08), "uniform over both parts"
    torch.testing.assert_close(seen.train.y[:, 0], seen.train.x[:, 0] * seen.train.y[:, 1] + seen.train.x[:, 1])
    asked = {name: view.y[:, 0].isfinite() for name, view in seen.targets.views.items()}
    assert list(asked) == list(REGIONS) and all(int(rows.sum()) == 10 for rows in asked.values())
    share = share_of(seen.targets.shown)
    assert bool((share[asked[FIXED]] == 0.75).all()) and bool((share[asked[BEYOND]] >= 0.7).all())
    assert bool(((share[asked[HOLE]] >= 0.2) & (share[asked[HOLE]] < 0.5)).all())
    assert bool((((share < 0.2) | (share >= 0.5)) & (share < 0.7))[asked[SEEN]].all())
    assert seen.fixed.shown.tolist() == [[0.5, 1.0]] and seen.targets.y[:, 1].isnan().all()


def test_without_a_hole_and_an_end_the_pairs_are_those_of_the_family():
    scenario = Conditions(Conditions.Options(width=0, beyond=1))
    own, seen = data.draw(Lever().family, SETTINGS), data.draw(Lever().family, SETTINGS, scenario)
    assert torch.equal(own.train.y, seen.train.y) and torch.equal(own.valid.x, seen.valid.x)


def test_of_a_task_that_has_conditions_of_its_own_pairs_are_left_out():
    class Own(Lever):
        x_dim, y_dim, fixed_target = 2, 2, (0.5, 1.0)
        conditions = torch.tensor([[-2.0], [2.0]], dtype=torch.float64)

        def simulate(self, x, conditions):
            return x[:, :1] * conditions + x[:, 1:]

    scenario = Conditions()
    own, seen = data.draw(Own(), SETTINGS), data.draw(scenario.task(Own()), SETTINGS, scenario)
    kept = (share_of(own.train.y) < 0.8) & ((share_of(own.train.y) < 0.1) | (share_of(own.train.y) >= 0.4))
    assert torch.equal(seen.train.y, own.train.y[kept]) and torch.equal(seen.targets.shown, own.targets.shown)
    assert FIXED not in seen.targets.views and set(seen.targets.views) == {SEEN, HOLE, BEYOND}


def test_a_task_without_conditions_and_a_hole_behind_the_end_are_refused_in_words():
    assert "no conditions" in Conditions().refusal(build_task(spec("tasks", "sinewave")))
    assert "0.9" in Conditions(Conditions.Options(hole=0.6)).refusal(Lever())
    assert Conditions().refusal(Lever()) is None


HANDLING = sorted(name for name in discover("methods") if "conditions" in get("methods", name).load().handles)
VARIANTS = ["inn[coupling=spline,padding=1]", "inn[loss=mmd]", "mdn[augment=surrogate]", "ipage[surrogate=mlp]"]


def test_all_methods_of_ours_handle_conditions():
    ours = {name for name, plugin in discover("methods").items() if plugin.distribution == "inverse-harness"}
    assert set(HANDLING) >= ours


@pytest.mark.parametrize("name", [*(name for name in HANDLING if name != "prior"), *VARIANTS])
def test_a_method_that_handles_conditions_heeds_them(name):
    scenario = build_scenario(spec("scenarios", "conditions[width=0,beyond=1]"))
    task = scenario.task(Lever())
    seen = data.draw(task, DataSettings(n_train=2000, targets=40), scenario)
    given = fitting.lesson(task, seen, budget=6000, schedule=Schedule(epochs=60, batch=64), seed=0)
    method, _ = fitting.build(given, partial(build_method, spec("methods", name)))
    fitting.fit(given, method)
    x = Asker(method, given)(Question("targets", 3)).x
    right = error(task, seen, x, seen.targets.shown)
    swapped = seen.targets.shown.roll(1, 0)
    swapped[:, 0] = seen.targets.shown[:, 0]
    assert right < 0.08 and right < 0.2 * error(task, seen, x, swapped), "of other lengths the designs miss"


def error(task, seen, x, shown):
    reached = resimulate(task, x, shown)
    return float(errors(METRICS["nmse"], reached, seen.targets.y[:, None], seen.y_variance).mean())
