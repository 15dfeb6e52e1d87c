"""The invertible networks: round trip, log-determinant, and an inverse that survives a bad row."""

import pytest
import torch
from FrEIA.modules import AllInOneBlock
from nflows.transforms.base import InputOutsideDomain
from torch import Tensor

from harness.seeds import seeded
from methods.flows import PermutedCoupling, Subnet, build_flow, guarded

CASES = [
    *(("affine", dim, condition) for dim, condition in ((2, 0), (4, 1), (5, 2), (70, 1))),
    *(("spline", dim, condition) for dim, condition in ((2, 1), (4, 0), (5, 3))),
]


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{case[1]}-{case[2]}")
def flow_and_inputs(request: pytest.FixtureRequest) -> tuple[torch.nn.Module, Tensor, Tensor | None]:
    coupling, dim, condition = request.param
    with seeded("flow test"):
        flow = build_flow(coupling, dim, condition, blocks=4, width=16, depth=2, bins=6, rotate=dim == 4).double()
        for module in flow.modules():  # away from the identity at which a flow starts
            if isinstance(module, Subnet):
                torch.nn.init.normal_(module.layers[-1].weight, std=0.3)
        x = torch.randn(64, dim).double()
        return flow, x, torch.randn(64, condition).double() if condition else None


def test_the_inverse_undoes_the_flow(flow_and_inputs: tuple[torch.nn.Module, Tensor, Tensor | None]) -> None:
    flow, x, condition = flow_and_inputs
    z, _ = flow(x, condition)
    # The fixed rotations are orthogonal to float32 rounding, in whatever precision they are used.
    assert torch.allclose(flow.inverse(z, condition), x, atol=1e-5)
    assert not torch.allclose(z, x, atol=1e-2)


def test_log_det_is_that_of_the_jacobian(flow_and_inputs: tuple[torch.nn.Module, Tensor, Tensor | None]) -> None:
    flow, x, condition = flow_and_inputs
    _, log_det = flow(x, condition)
    for row in range(3):
        given = None if condition is None else condition[row : row + 1]
        jacobian = torch.autograd.functional.jacobian(lambda v, given=given: flow(v[None], given)[0][0], x[row])
        assert log_det[row].item() == pytest.approx(torch.linalg.slogdet(jacobian).logabsdet.item(), abs=1e-5)


@pytest.mark.parametrize("error", [AssertionError, InputOutsideDomain])
def test_one_failing_row_becomes_nan_and_all_others_are_inverted(error: type[Exception]) -> None:
    calls = 0

    def inverse(z: Tensor, condition: Tensor | None) -> Tensor:
        nonlocal calls
        calls += 1
        assert condition is not None
        if (z[:, 0] > 90).any():
            raise error
        return 2 * z + condition

    z, condition = torch.arange(100.0)[:, None], torch.ones(100, 1)
    x = guarded(inverse, z, condition)
    bad = z[:, 0] > 90
    assert torch.isnan(x[bad]).all()
    assert torch.equal(x[~bad], 2 * z[~bad] + 1)
    assert calls < 60


@pytest.mark.parametrize("back", [False, True])
def test_picking_columns_is_multiplying_by_the_permutation_matrix(back: bool) -> None:
    results = []
    for kind in (AllInOneBlock, PermutedCoupling):
        with seeded("permutation"):
            block = kind([(80,)], subnet_constructor=lambda inputs, outputs: Subnet(inputs, outputs, 16, 2))
            torch.nn.init.normal_(block.subnet.layers[-1].weight)
            x = torch.randn(32, 80, requires_grad=True)
        (z,), log_det = block((x,), rev=back)
        trained = [parameter for parameter in block.parameters() if parameter.requires_grad]
        gradients = torch.autograd.grad(z.square().sum() + log_det.sum(), [x, *trained])
        results.append([z, log_det, *gradients])
    assert not torch.equal(results[0][0], x)
    for ours, theirs in zip(*results, strict=True):
        assert torch.equal(ours, theirs)
