"""The invertible networks: round trip, log-determinant, and splines against those of nflows."""

import pytest
import torch
from FrEIA.modules import AllInOneBlock
from nflows.transforms.splines.rational_quadratic import rational_quadratic_spline as nflows_spline
from torch import Tensor

from harness.seeds import seeded
from methods.flows import PermutedCoupling, Subnet, build_flow
from methods.splines import rational_quadratic_spline

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


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize(("bins", "shape"), [(2, (200,)), (8, (100, 3))])
def test_the_spline_is_that_of_nflows(bins: int, shape: tuple[int, ...], inverse: bool) -> None:
    with seeded("spline"):
        inside = (4 * (2 * torch.rand(shape) - 1)).double()
        x = inside.index_fill(0, torch.tensor([0, 1]), 4.0).requires_grad_()
        parameters = (2 * torch.randn(*shape, 3 * bins + 1)).double().requires_grad_()
    widths, heights, slopes = parameters.split([bins, bins, bins + 1], -1)
    ends = {"left": -4.0, "right": 4.0, "bottom": -4.0, "top": 4.0}
    expected = nflows_spline(x, widths, heights, slopes, inverse=inverse, **ends)
    first = parameters.movedim(-1, 0)
    found = rational_quadratic_spline(
        x, first[: 2 * bins].unflatten(0, (2, bins)), first[2 * bins :], 4.0, inverse=inverse
    )
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)
    gradients = [torch.autograd.grad(value.sum() + log.sum(), [x, parameters]) for value, log in (found, expected)]
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)


def test_float32_splines_invert_where_slopes_differ_by_thousands() -> None:
    with seeded("steep spline"):
        sizes, slopes = 8 * torch.randn(2, 8, 20_000), 8 * torch.randn(9, 20_000)
        x = 4 * (2 * torch.rand(20_000) - 1)
    back, _ = rational_quadratic_spline(x, sizes, slopes, 4.0, inverse=True)
    assert torch.isfinite(back).all() and back.abs().max() < 4.001
    again, _ = rational_quadratic_spline(back.clamp(-4, 4), sizes, slopes, 4.0, inverse=False)
    assert float((again - x).abs().quantile(0.99)) < 1e-3


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
