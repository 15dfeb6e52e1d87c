"""Invertible networks: affine couplings from FrEIA, rational-quadratic spline couplings on nflows.

Both have one interface: `flow(x, condition)` gives the latent and log|det J|, `flow.inverse(z, condition)` the design.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from FrEIA.framework import SequenceINN
from FrEIA.modules import AllInOneBlock
from nflows.transforms import CompositeTransform, PiecewiseRationalQuadraticCouplingTransform
from nflows.transforms.base import Transform
from nflows.transforms.splines.rational_quadratic import DEFAULT_MIN_DERIVATIVE
from torch import Tensor, nn

from methods.networks import mlp
from methods.splines import rational_quadratic_spline

TAIL = 4.0  # splines act on [-4, 4], in standard deviations, and are the identity outside
UNIT_SLOPE = math.log(math.expm1(1 - DEFAULT_MIN_DERIVATIVE))  # the parameter of slope 1 in nflows
SOFT_PERMUTATION = 64  # dimensions up to which blocks are joined by rotations instead of permutations


class Subnet(nn.Module):
    """The network inside a coupling; the condition is an input of every one.

    Args:
        inputs: columns of the network's input, those of the condition included.
        outputs: parameters of the coupling.
        width: of the hidden layers.
        depth: hidden layers.
    """

    def __init__(self, inputs: int, outputs: int, width: int, depth: int) -> None:
        super().__init__()
        self.layers = mlp(inputs, outputs, width, depth, zero=True)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """The coupling's parameters `(n, outputs)`.

        Args:
            x: the dimensions that the coupling leaves as they are `(n, d)`; FrEIA gives them with the condition behind.
            condition: `(n, condition)`, where x does not hold it yet.
        """
        out: Tensor = self.layers(x if condition is None else torch.cat([x, condition], 1))
        return out


class AffineFlow(nn.Module):
    """Real-NVP couplings, each followed by a global affine map and a fixed random rotation (FrEIA's AllInOneBlock).

    Args:
        dim: dimensions of x and of z, 2 or more.
        condition: dimensions of the condition, 0 for none.
        blocks: couplings.
        width: of the hidden layers of each coupling's network.
        depth: hidden layers of each coupling's network.
    """

    def __init__(self, dim: int, condition: int, blocks: int, width: int, depth: int) -> None:
        super().__init__()
        self.sequence = SequenceINN(dim)
        for _ in range(blocks):
            self.sequence.append(
                AllInOneBlock if dim <= SOFT_PERMUTATION else PermutedCoupling,
                cond=0 if condition else None,
                cond_shape=(condition,) if condition else None,
                subnet_constructor=lambda inputs, outputs: nn.Sequential(
                    Subnet(inputs, outputs, width, depth), _Gain()
                ),
                permute_soft=dim <= SOFT_PERMUTATION,
            )

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """X `(n, dim)` to z `(n, dim)` and log|det dz/dx| `(n,)`.

        Args:
            x: `(n, dim)`, standardised.
            condition: `(n, condition)`; None in a flow without one.
        """
        z, log_det = self.sequence(x, c=None if condition is None else [condition])
        return z, log_det

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Z `(n, dim)` to x `(n, dim)`.

        Args:
            z: latents `(n, dim)`.
            condition: `(n, condition)`; None in a flow without one.
        """
        x, _ = self.sequence(z, c=None if condition is None else [condition], rev=True, jac=False)
        return x


class PermutedCoupling(AllInOneBlock):
    """An AllInOneBlock whose permutation picks columns: in 1024 dimensions its matrix would be most of the work.

    Args:
        *arguments: those of AllInOneBlock.
        **options: those of AllInOneBlock, with a hard permutation.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        order, back = self.w_perm.argmax(1), self.w_perm_inv.argmax(1)
        del self.w_perm, self.w_perm_inv
        self.register_buffer("w_perm", order)
        self.register_buffer("w_perm_inv", back)
        self.permute_function = _pick


def _pick(x: Tensor, columns: Tensor) -> Tensor:
    return x.index_select(1, columns)


class _Gain(nn.Module):
    """Undoes the factor 0.1 by which AllInOneBlock shrinks its subnet's output, which slows training down."""

    def forward(self, out: Tensor) -> Tensor:
        return out * 10.0


class SplineFlow(nn.Module):
    """Rational-quadratic spline couplings (Durkan et al. 2019), joined by fixed rotations or permutations.

    Args:
        dim: dimensions of x and of z, 2 or more.
        condition: dimensions of the condition, 0 for none.
        blocks: couplings.
        width: of the hidden layers of each coupling's network.
        depth: hidden layers of each coupling's network.
        bins: of each spline.
        rotate: join pairs of couplings by fixed rotations; otherwise by permutations, and not at all in two dimensions.
    """

    def __init__(
        self, dim: int, condition: int, blocks: int, width: int, depth: int, *, bins: int, rotate: bool
    ) -> None:
        super().__init__()
        transforms: list[Transform] = []
        for block in range(blocks):
            mask = torch.arange(dim) >= dim // 2 if block % 2 == 0 else torch.arange(dim) < dim // 2
            transforms.append(
                SplineCoupling(
                    mask.int(),
                    lambda inputs, outputs: Subnet(inputs + condition, outputs, width, depth),
                    num_bins=bins,
                    tails="linear",
                    tail_bound=TAIL,
                )
            )
            if block % 2 == 1 and block < blocks - 1 and (rotate or dim > 2):
                transforms.append(FixedRotation(_orthogonal(dim) if rotate else torch.eye(dim)[torch.randperm(dim)]))
        self.transform = CompositeTransform(transforms)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """X `(n, dim)` to z `(n, dim)` and log|det dz/dx| `(n,)`.

        Args:
            x: `(n, dim)`, standardised.
            condition: `(n, condition)`; None in a flow without one.
        """
        z, log_det = self.transform(x, condition)
        return z, log_det

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Z `(n, dim)` to x `(n, dim)`.

        Args:
            z: latents `(n, dim)`.
            condition: `(n, condition)`; None in a flow without one.
        """
        x, _ = self.transform.inverse(z, condition)
        return x


class SplineCoupling(PiecewiseRationalQuadraticCouplingTransform):
    """nflows' coupling with our spline, started at the identity.

    At zero parameters nflows gives the inner knots the slope 0.69 between bins of slope 1: eight such waves in a row
    are a start from which training is slow.
    """

    def _piecewise_cdf(self, inputs: Tensor, transform_params: Tensor, inverse: bool = False) -> tuple[Tensor, Tensor]:
        sizes, slopes = transform_params.movedim(-1, 0).split([2 * self.num_bins, self.num_bins - 1])
        inner = slopes + UNIT_SLOPE
        end = torch.full_like(inner[:1], UNIT_SLOPE)
        outputs, log_slope = rational_quadratic_spline(
            inputs.clamp(-self.tail_bound, self.tail_bound),
            sizes.unflatten(0, (2, self.num_bins)),
            torch.cat([end, inner, end]),
            self.tail_bound,
            inverse=inverse,
        )
        inside = inputs.abs() <= self.tail_bound
        return torch.where(inside, outputs, inputs), torch.where(inside, log_slope, 0.0)


class FixedRotation(Transform):
    """Multiplication by a fixed orthogonal matrix.

    Args:
        matrix: orthogonal `(dim, dim)`.
    """

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.register_buffer("matrix", matrix)

    def forward(self, inputs: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The rows times the matrix `(n, dim)`, and log|det J| `(n,)`, which is 0.

        Args:
            inputs: `(n, dim)`.
            context: not used.
        """
        return inputs @ self.matrix, inputs.new_zeros(len(inputs))

    def inverse(self, inputs: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The rows times the transposed matrix `(n, dim)`, and log|det J| `(n,)`, which is 0.

        Args:
            inputs: `(n, dim)`.
            context: not used.
        """
        return inputs @ self.matrix.T, inputs.new_zeros(len(inputs))


def _orthogonal(dim: int) -> Tensor:
    return torch.linalg.qr(torch.randn(dim, dim, dtype=torch.float64)).Q.float()


def build_flow(
    coupling: str, dim: int, condition: int, *, blocks: int, width: int, depth: int, bins: int, rotate: bool
) -> AffineFlow | SplineFlow:
    """A flow on `dim` dimensions, given a condition or none.

    Args:
        coupling: `affine` or `spline`.
        dim: dimensions of x and of z, 2 or more.
        condition: dimensions of the condition, 0 for none.
        blocks: couplings.
        width: of the hidden layers of each coupling's network.
        depth: hidden layers of each coupling's network.
        bins: of each spline; nothing for affine couplings.
        rotate: as of `SplineFlow`; nothing for affine couplings.
    """
    if coupling == "affine":
        return AffineFlow(dim, condition, blocks, width, depth)
    return SplineFlow(dim, condition, blocks, width, depth, bins=bins, rotate=rotate)
