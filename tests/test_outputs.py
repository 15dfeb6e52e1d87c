"""What a method returns is checked in one place, with one message for each thing that can be wrong."""

import math

import pytest
import torch

import harness
from harness.contracts import Method, Proposals
from harness.errors import ContractError
from harness.outputs import candidates, check, distinct
from tests.toys import Waves

X = torch.arange(12.0).view(2, 3, 2)
ROWS = torch.tensor([[0, 1, 2], [2, 3, 9]])


def good(**changes):
    fields = {"x": X, "believed": torch.zeros(2, 3), "generated": 6}
    return Proposals(**fields | changes)


def spoilt(value: float, *place: int) -> torch.Tensor:
    tensor = torch.zeros(2, 3)
    tensor[place] = value
    return tensor


KNOWN = torch.zeros(10, 2)
KNOWN[[0, 1, 2, 3, 9]] = torch.stack([X[0, 0], X[0, 1], X[0, 2], X[1, 1], X[1, 2]])
ROWS[1] = torch.tensor([0, 3, 9])
SAME = torch.cat([X[:1], torch.stack([X[0, 0], X[1, 1], X[1, 2]])[None]])
"""The designs of `ROWS`."""


def held(answer: object, dtype: torch.dtype = torch.float32) -> None:
    check(answer, targets=2, n=3, x_dim=2, dtype=dtype, known=10, designs=lambda rows: KNOWN[rows])


def test_proposals_as_they_must_be() -> None:
    held(good())
    held(good(x=SAME, rows=ROWS))
    held(Proposals(X.double()), torch.float64)
    lost = X.clone()
    lost[1, 2] = math.nan
    held(good(x=lost, believed=spoilt(math.nan, 1, 2)))
    held(good(x=lost, believed=spoilt(math.nan, 1, 2), ranked=True))
    held(good(x=X[:, :1].repeat(1, 3, 1), generated=2))
    held(good(believed=torch.tensor([[0.0, 0.5, 0.5], [1.0, 2.0, 3.0]]), ranked=True))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (X, "propose returns Tensor; return Proposals"),
        (good(x=X[0]), r"x of 3 proposals for 2 targets has shape \(3, 2\); return \(2, 3, 2\)"),
        (good(x=X.tolist()), "is list; return a tensor"),
        (good(x=X.long()), "x of 3 proposals for 2 targets is torch.int64; return real numbers"),
        (good(x=X.to(torch.complex64)), "is torch.complex64; return real numbers"),
        (good(x=X.half()), "proposals are torch.float16; return the method's dtype, torch.float32"),
        (good(x=X.bfloat16()), "proposals are torch.bfloat16; return"),
        (good(x=X.clone().requires_grad_()), "carry a gradient; detach them"),
        (good(ranked="yes"), "ranked is 'yes'; give True or False"),
        (good(believed=torch.zeros(2)), r"believed of .* has shape \(2,\); return \(2, 3\)"),
        (good(believed=torch.zeros(2, 3).long()), "believed of .* is torch.int64"),
        (good(believed=spoilt(-0.5, 0, 1)), "negative entries, such as -0.5"),
        (good(believed=spoilt(math.inf, 0, 1)), "believed is infinite for some designs"),
        (good(believed=spoilt(math.nan, 1, 2)), "believed is NaN for designs that are not"),
        (good(believed=spoilt(0.5, 0, 1), ranked=True), "ranked but their believed error decreases"),
        (good(generated=5), "generated is 5, but 6 different designs are returned"),
        (good(generated=-1), "generated is -1, but 6 different designs are returned"),
        (good(generated=6.0), r"generated is 6\.0; give a whole number"),
        (good(generated=10**400), "generated is too great to be true; give a whole number"),
        (good(rows=ROWS.tolist()), "rows of the proposals is list; return a tensor"),
        (good(rows=ROWS[0]), r"rows of the proposals has shape \(3,\)"),
        (good(rows=ROWS.int()), "rows are torch.int32"),
        (good(rows=ROWS + 1), "rows are between 1 and 10, but there are 10 training designs"),
        (good(rows=ROWS), "17% of the proposals are not the training designs"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_is_named(answer: object, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        held(answer)


class Counting(Method):
    said: object = 0

    def candidates(self, n: int) -> object:
        return self.said


@pytest.mark.parametrize("said", [4, 0, 5.0, True, None])
def test_a_method_counts_at_least_the_candidates_that_it_returns(said: object) -> None:
    method = Counting()
    method.said = said
    with pytest.raises(ContractError, match=rf"candidates\(5\) is {said}; count every candidate, at least the 5"):
        candidates(method, 5)
    method.said = 5
    assert candidates(method, 5) == 5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_distinct_designs_are_counted_exactly(dtype: torch.dtype) -> None:
    x = torch.randint(3, (4, 50, 2), generator=torch.Generator().manual_seed(0)).to(dtype)
    assert distinct(x) == sum(len(rows.unique(dim=0)) for rows in x)


class Fickle(Method):
    """Ranks its proposals in every other call, and believes something in every other."""

    trainable = False

    def fit(self, train, valid, run) -> None:
        self.calls = 0

    def candidates(self, n: int) -> int:
        return 20_000

    def propose(self, y, n, generator) -> Proposals:
        self.calls += 1
        believed = torch.zeros(len(y), n) if self.what == "believed" and self.calls % 2 else None
        x = torch.zeros(len(y), n, 2)
        return Proposals(x, ranked=self.what == "ranked" and bool(self.calls % 2), believed=believed)


@pytest.mark.parametrize("what", ["ranked", "believed"])
def test_what_a_method_gives_does_not_change_from_call_to_call(what: str) -> None:
    class Chosen(Fickle):
        pass

    Chosen.what = what
    solver = harness.fit(Chosen, Waves(2, 1), preset="smoke")
    assert len(solver.propose(0.1, 3)) == 3
    with pytest.raises(ContractError, match="ranked and believed change from call to call"):
        solver.propose([0.1, 0.2], 3)
