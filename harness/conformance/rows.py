"""The property of a method that returns training designs as they are: they are the rows that it names."""

from __future__ import annotations

from harness import outputs
from harness.conformance.findings import ViolationError, require
from harness.conformance.trial import Trial


def named_rows(trial: Trial) -> None:
    """`Proposals.rows`, where a method gives it, are numbers of training rows, and x are these rows bit for bit.

    Raises:
        ViolationError: they are not.
    """
    proposals, known = trial.proposals, trial.train.x
    if proposals.rows is None:
        return
    rows = proposals.rows
    shape = dict(zip(("targets", "n", "x_dim"), proposals.x.shape, strict=True))
    try:
        outputs.check(proposals, **shape, known=len(known))
    except ValueError as error:
        raise ViolationError(str(error)) from error
    same = float((proposals.x == known[rows]).all(-1).double().mean())
    require(
        same == 1,
        f"{1 - same:.0%} of the proposals are not the training designs that `rows` names, for which the harness takes "
        "them; return x = train.x[rows], or no rows.",
    )
