"""The protocol that keeps proposals for y* in a plane, with the curves of all designs that reach it."""

from __future__ import annotations

import math

import torch

from harness.contracts import Proposals
from harness.protocols.contract import Question
from harness.protocols.solutions import Options, Solutions
from tests.protocols.common import SIZES, Scales, Shifted, Toy, exact


class Parabola(Scales):
    """y = x0^2, whose solutions of y* = 1 are the lines x0 = -1 and x0 = 1."""

    y_dim, fixed_target = 1, (1.0,)

    def simulate(self, x):
        return x[:, :1] ** 2


class Answers(Shifted):
    """The same designs for every target, physical."""

    designs = ((1.0, 0.5), (-1.0, 0.5), (0.0, 0.0), (1.0, -1.5), (math.nan, 0.0), (-1.0, 1.0))

    def propose(self, y, n, generator):
        x = torch.tensor(self.designs * (-(-n // len(self.designs))), dtype=torch.float64)[:n]
        return Proposals(self.given.scales[0].apply(x).expand(len(y), -1, -1), ranked=True)


def test_the_curves_are_those_of_the_plane_and_a_proposal_is_on_the_one_that_it_is_nearest_to():
    toy = Toy(Parabola())
    plane = toy.score(Solutions(), Answers(toy.lesson(), exact)).plane
    sides = [{round(x, 2) for x, _ in line} for line in plane.curves]
    assert sorted(map(tuple, sides)) == [(-1.0,), (1.0,)]
    left, right = sides.index({-1.0}), sides.index({1.0})
    assert plane.nearest == [right, left, None, right, None, left], "neither far off nor invalid ones are on a curve"
    found = {name: value for _, name, value, *_ in Solutions().numbers(toy.score(Solutions(), toy_method(toy)))}
    assert found == {"curves": 2, "found_6": 2, "few_found": 2, "few_found_std": 0}


def toy_method(toy):
    return Answers(toy.lesson(), exact)


def test_a_target_that_no_design_reaches_has_no_curve_and_no_proposal_on_one():
    class Beyond(Parabola):
        fixed_target = (25.0,)

    toy = Toy(Beyond())
    scores = toy.score(Solutions(), toy_method(toy))
    assert scores.plane.curves == [] and scores.plane.nearest == [None] * 6
    assert [value for _, name, value, *_ in Solutions().numbers(scores)] == [0, 0, 0, 0]


def test_few_proposals_are_asked_for_by_themselves_and_a_pool_gives_random_halves():
    toy = Toy(Parabola())
    protocol = Solutions(Options(few=2))
    assert protocol.questions(SIZES)["few"] == Question("fixed", 2, SIZES.repeats)
    plane = toy.score(protocol, toy_method(toy)).plane
    assert plane.asked == 2 and plane.found == [2] * SIZES.repeats, "the first two are on one line each"
    pooled = toy.score(protocol, Answers(toy.lesson(), exact, ranked=True, pool=6)).plane
    assert len(pooled.found) == SIZES.repeats and {*pooled.found} <= {0, 1, 2} and len({*pooled.found}) > 1
