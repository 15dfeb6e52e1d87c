"""The property of a task that its designs survive the way to a method and back."""

from __future__ import annotations

import torch
from torch import Tensor

from harness import kinds
from harness.conformance.findings import ViolationError, require
from harness.contracts import Kind, Task
from harness.data import Standardisation

LOST = 0.01  # share of the draws, such as those at an edge of the domain, that rounding may push out of it


def declared_kinds(task: Task) -> None:
    """The kinds are of the columns of x.

    Raises:
        ViolationError: they are not.
    """
    odd = [kind for kind in task.kinds if not isinstance(kind, Kind)]
    require(not odd, f"kinds holds {odd[:1]}; give values of harness.contracts.Kind.")
    try:
        kinds.scaled(task.kinds, task.x_dim)
    except ValueError as error:
        raise ViolationError(str(error)) from error


def round_trip(task: Task, x: Tensor) -> None:
    """Prior draws x `(n, x_dim)` that a method returns in single precision are the same discrete values, and valid.

    Raises:
        ViolationError: some are not; the text says which kinds to declare.
    """
    returned = _returned(task, x)
    _same_values(task, x, returned)
    valid = _valid(task, x)
    lost = float((valid & ~_valid(task, returned)).double().sum() / valid.double().sum().clamp(min=1))
    if lost <= LOST:
        return
    guess = kinds.detect(x)
    advice = (
        f"The draws look like kinds = {kinds.code(guess)}: declare that, and the harness moves what methods propose to "
        "such values."
        if guess != (kinds.merged(task.kinds) or (Kind("continuous", task.x_dim),))
        else "Let in_support and simulate take designs that differ by 1e-7 of their range, or declare the columns that "
        "take certain values only as kinds."
    )
    raise ViolationError(
        f"{lost:.0%} of the prior draws are invalid after the way to a method and back: standardised, rounded to "
        f"float32 and undone, they differ by up to {float((returned - x).abs().max()):.0e}. No method could propose a "
        f"valid design. {advice}"
    )


def _returned(task: Task, x: Tensor) -> Tensor:
    """The designs as the harness has them back from a method of single precision that returns what it was given."""
    scale = Standardisation.of(x).only(kinds.scaled(task.kinds, task.x_dim))
    return kinds.snap(scale.undo(scale.apply(x).float().double()), task.kinds, task.bounds.cpu())


def _same_values(task: Task, x: Tensor, returned: Tensor) -> None:
    """Integer and categorical columns are what they were."""
    wrong = (returned != x) & kinds.discrete(task.kinds, task.x_dim)
    if not wrong.any():
        return
    row, column = wrong.nonzero()[0].tolist()
    low, high = task.bounds[:, column].tolist()
    raise ViolationError(
        f"sample_prior draws {x[row, column].item():.9g} for column {column} of x, which the harness takes for "
        f"{returned[row, column].item():.9g} (kinds = {kinds.code(task.kinds)}, bounds [{low:g}, {high:g}]). Draw "
        "whole numbers from the least to the greatest of the bounds in an integer column, a single 1 in a categorical "
        "group, or declare the column continuous."
    )


def _valid(task: Task, x: Tensor) -> Tensor:
    """Mask `(n,)` of the designs in the hard domain that can be simulated."""
    return task.in_support(x.clone()) & torch.isfinite(task.simulate(x.clone())).all(-1)
