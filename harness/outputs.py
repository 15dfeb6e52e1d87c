"""What a method's proposals must be: one check, for every answer and for conformance alike."""

from __future__ import annotations

import torch
from torch import Tensor

from harness.contracts import Proposals


def check(proposals: Proposals, *, targets: int, n: int, x_dim: int, known: int) -> None:
    """Hold what `propose` returned to its contract.

    Args:
        proposals: the answer, on any device.
        targets: how many targets were given, b.
        n: how many designs were asked for each.
        x_dim: dimensions of a design.
        known: how many training designs there are.

    Raises:
        ValueError: a type, shape or value is not as it must be; the text says what to return.
    """
    if not isinstance(proposals, Proposals):
        raise ValueError(f"propose returns {type(proposals).__name__}; return Proposals.")
    asked = f"{n} proposals for {targets} targets"
    _tensor(f"x of {asked}", proposals.x, (targets, n, x_dim))
    if proposals.believed is not None:
        _tensor(f"believed of {asked}", proposals.believed, (targets, n))
        _believed(proposals.believed, proposals.x)
    if proposals.rows is not None:
        _rows(proposals.rows, (targets, n), known)
    if proposals.generated is not None:
        _generated(proposals.generated, proposals.x)


def _tensor(what: str, tensor: Tensor, shape: tuple[int, ...]) -> None:
    if not isinstance(tensor, Tensor):
        raise ValueError(f"{what} is {type(tensor).__name__}; return a tensor.")
    if tuple(tensor.shape) != shape:
        raise ValueError(f"{what} has shape {tuple(tensor.shape)}; return {shape}.")
    if not tensor.is_floating_point():
        raise ValueError(f"{what} is {tensor.dtype}; return real numbers, torch.float32 or torch.float64.")


def _believed(believed: Tensor, x: Tensor) -> None:
    least = float(believed.nan_to_num(nan=0.0).min()) if believed.numel() else 0.0
    if least < 0:
        raise ValueError(f"believed has negative entries, such as {least:.3g}; give squared errors.")
    unknown = believed.isnan()
    if bool(unknown.any()) and not bool(x.isnan().any(-1)[unknown.to(x.device)].all()):
        raise ValueError("believed is NaN for designs that are not; give their squared errors, or make x NaN too.")


def _rows(rows: Tensor, shape: tuple[int, ...], known: int) -> None:
    if tuple(rows.shape) != shape:
        raise ValueError(f"rows of the proposals has shape {tuple(rows.shape)}; return {shape}.")
    if rows.dtype != torch.int64:
        raise ValueError(f"rows are {rows.dtype}; return numbers of training rows as torch.int64.")
    least, most = int(rows.min()), int(rows.max())
    if least < 0 or most >= known:
        raise ValueError(
            f"rows are between {least} and {most}, but there are {known} training designs; number them from 0 in the "
            "order of `train` in `fit`."
        )


def _generated(generated: int, x: Tensor) -> None:
    if isinstance(generated, bool) or not isinstance(generated, int):
        raise ValueError(f"generated is {generated!r}; give a whole number, of all candidates for the batch.")
    if generated < x.shape[0] * x.shape[1] and generated < (found := distinct(x)):
        raise ValueError(
            f"generated is {generated}, but {found} different designs are returned; count every candidate that was "
            "drawn or optimised for the batch."
        )


def distinct(x: Tensor) -> int:
    """How many different designs x `(b, n, x_dim)` holds, those of each target counted apart."""
    bits = x.detach().contiguous().view({2: torch.int16, 4: torch.int32, 8: torch.int64}[x.element_size()])
    weights = torch.randint(2**62, (x.shape[2],), generator=torch.Generator().manual_seed(0)).to(x.device)
    mixed = bits.long() ^ (bits.long() >> 29)  # the last bits of round numbers are all 0
    keys = (mixed * (2 * weights + 1)).sum(-1)  # whole numbers, which wrap around: equal designs, equal keys
    return len(keys) + int((keys.sort(1).values.diff(dim=1) != 0).sum())
