"""The losses of an invertible network that compare distributions, by their maximum mean discrepancy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from harness.contracts import Pairs
from methods.conditioned import joined, split
from methods.networks import squared_error

if TYPE_CHECKING:
    from methods.inn import Bijection

MMD_WIDTHS = (0.2, 0.5, 1.0, 2.0)


def mmd(a: Tensor, b: Tensor) -> Tensor:
    """Squared maximum mean discrepancy (biased), a scalar, with inverse multi-quadratic kernels of `MMD_WIDTHS`.

    Args:
        a: samples `(n, d)`.
        b: samples of the other distribution `(m, d)`.
    """
    return _mean_kernel(a, a) + _mean_kernel(b, b) - 2 * _mean_kernel(a, b)


def _mean_kernel(left: Tensor, right: Tensor) -> Tensor:
    """Mean over all pairs of the sum of w^2 / (w^2 + d^2) over the widths w."""
    cross = left @ right.T
    distances = (left.square().sum(1)[:, None] + right.square().sum(1) - 2 * cross).clamp_min(0)
    sums = [width**2 * (distances + width**2).reciprocal().sum() for width in MMD_WIDTHS]
    return torch.stack(sums).sum() / distances.numel()


def bidirectional_loss(network: Bijection, x: Tensor, y: Tensor, weights: tuple[float, float, float]) -> Tensor:
    """lambda_y |f_y(x) - y|^2 + lambda_z MMD([f_y, f_z], [y, z]) + lambda_x MMD(f^-1(y, z), x) (Ardizzone et al.).

    Under conditions both discrepancies are of the joint distributions with them.

    Args:
        network: the bijection f.
        x: designs `(b, x_dim)`, standardised.
        y: their targets `(b, y_dim)`, standardised.
        weights: lambda_y, lambda_z and lambda_x.
    """
    u, given = network.targets(y)
    predicted, inferred, _ = network(x, given)
    loss = weights[0] * _misfit(network, predicted, u)
    z = torch.randn_like(inferred)
    # Detached: this term must shape z alone and not trade the fit of y for it.
    reached = torch.cat([predicted.detach(), inferred, given], 1)
    return _with_discrepancies(loss, network, (x, given, reached), (u, z, given), weights[1:])


def unpaired_loss(
    network: Bijection, pairs: Pairs, x: Tensor, y: Tensor, weights: tuple[float, float, float]
) -> Tensor:
    """The same where not all rows are pairs: y is fitted on pairs, and the discrepancies are between all x and all y.

    Args:
        network: the bijection f.
        pairs: designs `(n, x_dim)` with their targets `(n, y_dim)`, standardised.
        x: designs `(b, x_dim)`, standardised; a row of NaN is not known.
        y: targets `(b, y_dim)`, likewise. Under conditions those of a design alone are not known, and it is left out.
        weights: lambda_y, lambda_z and lambda_x.
    """
    u, given = network.targets(pairs.y)
    loss = weights[0] * _misfit(network, network(pairs.x, given)[0], u)
    conditions = split(network.problem, y)[1]
    known = x.isfinite().all(1) & conditions.isfinite().all(1)
    u, given = network.targets(y[y.isfinite().all(1)])
    if not (len(u) and bool(known.any())):
        return loss
    designs, beside = x[known], conditions[known]
    z = torch.randn(len(u), network.z_dim, dtype=u.dtype, device=u.device)
    predicted, inferred, _ = network(designs, beside)
    reached = torch.cat([predicted.detach(), inferred, beside], 1)
    return _with_discrepancies(loss, network, (designs, beside, reached), (u, z, given), weights[1:])


def _misfit(network: Bijection, predicted: Tensor, u: Tensor) -> Tensor:
    """Squared error of predicted components, mean over them and over the rows."""
    weighted = network.code.weighted
    return squared_error(weighted(predicted), weighted(u)).mean()


def _with_discrepancies(
    loss: Tensor,
    network: Bijection,
    designs: tuple[Tensor, Tensor, Tensor],
    targets: tuple[Tensor, Tensor, Tensor],
    weights: tuple[float, float],
) -> Tensor:
    """A loss with both discrepancies added, in this order: sums of floating-point numbers depend on it.

    Args:
        loss: a scalar.
        network: the bijection f.
        designs: x `(n, x_dim)`, their conditions `(n, c)`, and [f_y, f_z] with these `(n, u_dim + z_dim + c)`.
        targets: u `(m, u_dim)`, z `(m, z_dim)` and conditions `(m, c)`.
        weights: lambda_z and lambda_x.
    """
    (x, beside, reached), (u, z, given), (latent, design) = designs, targets, weights
    if latent:
        loss = loss + latent * mmd(reached, torch.cat([u, z, given], 1))
    if design:
        sampled, padding = network.inverse(u, z, given)
        apart = mmd(joined(sampled, given), joined(x, beside))
        loss = loss + design * (apart + (padding.square().mean() if padding.shape[1] else 0.0))
    return loss
