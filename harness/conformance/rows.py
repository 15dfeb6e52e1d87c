"""The property of a method that returns training designs as they are: they are the rows that it names."""

from __future__ import annotations

import torch

from harness.conformance.findings import require, require_shape
from harness.conformance.trial import Trial


def named_rows(trial: Trial) -> None:
    """`Proposals.rows`, where a method gives it, are numbers of training rows, and x are these rows bit for bit.

    Raises:
        ViolationError: they are not.
    """
    proposals, known = trial.proposals, trial.train.x
    if proposals.rows is None:
        return
    rows, count = proposals.rows, len(known)
    require_shape("rows of the proposals", rows, tuple(proposals.x.shape[:2]))
    require(rows.dtype == torch.int64, f"rows are {rows.dtype}; return numbers of training rows as torch.int64.")
    least, most = int(rows.min()), int(rows.max())
    require(
        least >= 0 and most < count,
        f"rows are between {least} and {most}, but there are {count} training designs; number them from 0 in the order "
        "of `train` in `fit`.",
    )
    same = float((proposals.x == known[rows]).all(-1).double().mean())
    require(
        same == 1,
        f"{1 - same:.0%} of the proposals are not the training designs that `rows` names, for which the harness takes "
        "them; return x = train.x[rows], or no rows.",
    )
