"""What a method's proposals must be: one check, for every answer and for conformance alike."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral

import torch
from torch import Tensor

from harness.contracts import Method, Proposals
from harness.errors import ContractError, numbered

RowsOf = Callable[[Tensor], Tensor]
"""Numbers of training designs to the designs, standardised, in the method's dtype."""
ORDERED = 1e-6  # relative decrease of a believed error that is rounding
MOST = 2**53  # candidates: the greatest whole number up to which a float64 holds all


def candidates(method: Method, n: int) -> int:
    """How many candidates a method draws or optimises for one target to return n proposals.

    Args:
        method: a built one.
        n: proposals for one target.

    Raises:
        ContractError: it says fewer than n, or no whole number.
    """
    found = method.candidates(n)
    if isinstance(found, bool) or not isinstance(found, Integral) or found < n:
        raise ContractError(f"candidates({n}) is {found!r}; count every candidate, at least the {n} returned.")
    return int(found)


def check(
    proposals: Proposals, *, targets: int, n: int, x_dim: int, dtype: torch.dtype, known: int, designs: RowsOf
) -> None:
    """Hold what `propose` returned to its contract.

    Args:
        proposals: the answer, on any device.
        targets: how many targets were given, b.
        n: how many designs were asked for each.
        x_dim: dimensions of a design.
        dtype: the method's.
        known: how many training designs there are.
        designs: gives training designs as the method was given them.

    Raises:
        ContractError: a type, shape or value is not as it must be; the text says what to return.
    """
    if not isinstance(proposals, Proposals):
        raise ContractError(f"propose returns {type(proposals).__name__}; return Proposals.")
    asked = f"{numbered(n, 'proposal')} for {numbered(targets, 'target')}"
    _tensor(f"x of {asked}", proposals.x, (targets, n, x_dim))
    if proposals.x.dtype != dtype:
        raise ContractError(f"proposals are {proposals.x.dtype}; return the method's dtype, {dtype}.")
    if proposals.x.requires_grad:
        raise ContractError("proposals carry a gradient; detach them or decorate with no_grad.")
    if type(proposals.ranked).__name__ not in ("bool", "bool_"):  # numpy's is none of Python's
        raise ContractError(f"ranked is {proposals.ranked!r}; give True or False.")
    if proposals.believed is not None:
        _tensor(f"believed of {asked}", proposals.believed, (targets, n))
        _believed(proposals.believed, proposals.x, proposals.ranked)
    if proposals.rows is not None:
        _rows(proposals.rows, proposals.x, known, designs)
    if proposals.generated is not None:
        _generated(proposals.generated, proposals.x)


def _tensor(what: str, tensor: Tensor, shape: tuple[int, ...]) -> None:
    if not isinstance(tensor, Tensor):
        raise ContractError(f"{what} is {type(tensor).__name__}; return a tensor.")
    if tuple(tensor.shape) != shape:
        raise ContractError(f"{what} has shape {tuple(tensor.shape)}; return {shape}.")
    if not tensor.is_floating_point():
        raise ContractError(f"{what} is {tensor.dtype}; return real numbers, torch.float32 or torch.float64.")


def _believed(believed: Tensor, x: Tensor, ranked: bool) -> None:
    unknown = believed.isnan()
    if bool(believed.isinf().any()):
        raise ContractError("believed is infinite for some designs; give squared errors, or make x and believed NaN.")
    if bool((believed < 0).any()):
        raise ContractError(
            f"believed has negative entries, such as {float(believed[believed < 0][0]):.3g}; give squared errors."
        )
    if bool(unknown.any()) and not bool(x.isnan().any(-1)[unknown.to(x.device)].all()):
        raise ContractError("believed is NaN for designs that are not; give their squared errors, or make x NaN too.")
    counted = believed.detach().nan_to_num(nan=torch.finfo(believed.dtype).max)
    if ranked and not bool((counted[:, 1:] >= counted[:, :-1] * (1 - ORDERED) - 1e-12).all()):
        raise ContractError("the proposals are ranked but their believed error decreases; sort best first.")


def _rows(rows: Tensor, x: Tensor, known: int, designs: RowsOf) -> None:
    if not isinstance(rows, Tensor):
        raise ContractError(f"rows of the proposals is {type(rows).__name__}; return a tensor.")
    if rows.shape != x.shape[:2]:
        raise ContractError(f"rows of the proposals has shape {tuple(rows.shape)}; return {tuple(x.shape[:2])}.")
    if rows.dtype != torch.int64:
        raise ContractError(f"rows are {rows.dtype}; return numbers of training rows as torch.int64.")
    least, most = int(rows.min()), int(rows.max())
    if least < 0 or most >= known:
        raise ContractError(
            f"rows are between {least} and {most}, but there are {known} training designs; number them from 0 in the "
            "order of `train` in `fit`."
        )
    given = designs(rows.cpu())
    same = float(((x.cpu() == given) | (x.cpu().isnan() & given.isnan())).all(-1).double().mean())
    if same < 1:
        raise ContractError(
            f"{1 - same:.0%} of the proposals are not the training designs that `rows` names, for which the harness "
            "takes them; return x = train.x[rows], or no rows."
        )


def _generated(generated: int, x: Tensor) -> None:
    if isinstance(generated, bool) or not isinstance(generated, Integral) or generated > MOST:
        said = f"{generated!r}" if not isinstance(generated, Integral) or generated <= MOST else "too great to be true"
        raise ContractError(f"generated is {said}; give a whole number, of all candidates for the batch.")
    if generated < x.shape[0] * x.shape[1] and generated < (found := distinct(x)):
        raise ContractError(
            f"generated is {generated}, but {found} different designs are returned; count every candidate that was "
            "drawn or optimised for the batch."
        )


def distinct(x: Tensor) -> int:
    """How many different designs there are, those of each target counted apart.

    Args:
        x: `(b, n, x_dim)`, float32 or float64.
    """
    bits = x.contiguous().view({4: torch.int32, 8: torch.int64}[x.element_size()])
    weights = torch.randint(2**62, (x.shape[2],), generator=torch.Generator().manual_seed(0)).to(x.device)
    mixed = bits.long() ^ (bits.long() >> 29)  # the last bits of round numbers are all 0
    keys = (mixed * (2 * weights + 1)).sum(-1)  # whole numbers, which wrap around: equal designs, equal keys
    return len(keys) + int((keys.sort(1).values.diff(dim=1) != 0).sum())
