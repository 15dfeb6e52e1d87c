"""What a method returns is checked in one place, with one message for each thing that can be wrong."""

import math

import pytest
import torch

from harness.contracts import Proposals
from harness.outputs import check, distinct

X = torch.arange(12.0).view(2, 3, 2)
ROWS = torch.tensor([[0, 1, 2], [2, 3, 9]])


def good(**changes):
    fields = {"x": X, "believed": torch.zeros(2, 3), "generated": 6, "rows": ROWS}
    return Proposals(**fields | changes)


def spoilt(value: float, *place: int) -> torch.Tensor:
    tensor = torch.zeros(2, 3)
    tensor[place] = value
    return tensor


def test_proposals_as_they_must_be() -> None:
    check(good(), targets=2, n=3, x_dim=2, known=10)
    check(Proposals(X.double()), targets=2, n=3, x_dim=2, known=0)
    lost = X.clone()
    lost[1, 2] = math.nan
    check(good(x=lost, believed=spoilt(math.nan, 1, 2)), targets=2, n=3, x_dim=2, known=10)
    check(good(x=X[:, :1].repeat(1, 3, 1), generated=2), targets=2, n=3, x_dim=2, known=10)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (X, "propose returns Tensor; return Proposals"),
        (good(x=X[0]), r"x of 3 proposals for 2 targets has shape \(3, 2\); return \(2, 3, 2\)"),
        (good(x=X.tolist()), "is list; return a tensor"),
        (good(x=X.long()), "x of 3 proposals for 2 targets is torch.int64; return real numbers"),
        (good(x=X.to(torch.complex64)), "is torch.complex64; return real numbers"),
        (good(believed=torch.zeros(2)), r"believed of .* has shape \(2,\); return \(2, 3\)"),
        (good(believed=torch.zeros(2, 3).long()), "believed of .* is torch.int64"),
        (good(believed=spoilt(-0.5, 0, 1)), "negative entries, such as -0.5"),
        (good(believed=spoilt(math.nan, 1, 2)), "believed is NaN for designs that are not"),
        (good(generated=5), "generated is 5, but 6 different designs are returned"),
        (good(generated=6.0), r"generated is 6\.0; give a whole number"),
        (good(rows=ROWS[0]), r"rows of the proposals has shape \(3,\)"),
        (good(rows=ROWS.int()), "rows are torch.int32"),
        (good(rows=ROWS + 1), "rows are between 1 and 10, but there are 10 training designs"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_is_named(answer, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check(answer, targets=2, n=3, x_dim=2, known=10)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_distinct_designs_are_counted_exactly(dtype: torch.dtype) -> None:
    x = torch.randint(3, (4, 50, 2), generator=torch.Generator().manual_seed(0)).to(dtype)
    assert distinct(x) == sum(len(rows.unique(dim=0)) for rows in x)
