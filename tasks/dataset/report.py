"""What a reader of results should know of a user's data, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness import kinds

if TYPE_CHECKING:
    from tasks.dataset.task import DatasetTask

FEW = 10  # different values, up to which a column of x is said to be discrete
LISTED = 3  # columns and numbers that a line names
PRIORS = {
    "density": "a density fitted to the rows, folded into their box",
    "hull": "convex combinations of neighbouring rows",
    "box": "uniform in the bounding box of the rows",
}


def report(task: DatasetTask) -> Iterator[str]:
    """Lines on rows, repeated designs, kinds of columns, masses of y, the split, the prior and y*."""
    rows, (x, y) = task.rows, task.names
    yield f"Data: {task.path.name}, {len(rows) + rows.repeated} rows, x = {_listed(x)}, y = {_listed(y)}."
    if rows.repeated:
        yield (
            f"{rows.repeated} rows repeat the design of another. Each design counts once, with the mean of its y, "
            f"which differ by {rows.scatter**0.5:.3g} (root mean square within a design)."
        )
    yield from _kinds(task)
    for mass in rows.masses():
        yield (
            f"{y[mass.column]} is exactly {mass.value:g} for {mass.share:.0%} of the designs, and for as many targets: "
            "any design that reaches it is without error there. The proxy takes it exactly if it is the least or the "
            "greatest y."
        )
    yield _split(task)
    yield f"Designs are drawn from: {PRIORS[task.options.prior]} (prior={task.options.prior})."
    yield from _target(task)


def _kinds(task: DatasetTask) -> Iterator[str]:
    """Lines on columns of whole numbers, on choices, and on other columns of few values."""
    names, hot = task.x_labels, kinds.groups(task.kinds, task.x_dim)
    discrete, scaled = kinds.discrete(task.kinds, task.x_dim), kinds.scaled(task.kinds, task.x_dim)
    whole = [name for name, one in zip(names, discrete & scaled, strict=True) if one]
    found = [f"whole numbers in {_listed(whole)}"] if whole else []
    found += [f"one choice among {_listed(list(names[start:stop]))}" for start, stop in hot]
    if found:
        yield f"Designs have {', '.join(found)} (kinds={task.options.kinds}); kinds=continuous lets them have others."
    few = [len(column.unique()) <= FEW for column in task.rows.x.T]
    between = [name for name, some, one in zip(names, few, discrete.tolist(), strict=True) if some and not one]
    if between:
        yield f"At most {FEW} different values: {_listed(between)}. Designs between them are drawn and proposed, too."


def _target(task: DatasetTask) -> Iterator[str]:
    """Lines on y*, with a warning where no row comes near it."""
    more = ", ..." if task.y_dim > LISTED else ""
    yield f"y* = {', '.join(f'{value:.6g}' for value in task.fixed_target[:LISTED])}{more}"
    columns = zip(task.y_labels, task.fixed_target, task.rows.y.T, strict=True)
    outside = [item for item in columns if not item[2].min() <= item[1] <= item[2].max()]
    for name, value, column in outside[:LISTED]:
        yield (
            f"Warning: y* = {value:.6g} of {name} lies outside the data, whose {name} is {column.min():.6g} to "
            f"{column.max():.6g}. Methods have learned nothing there, and perhaps no design reaches it."
        )
    if len(outside) > LISTED:
        yield f"Warning: so does y* of {len(outside) - LISTED} more columns of y."


def _split(task: DatasetTask) -> str:
    own, all_ = len(task.own), len(task.rows)
    if own == all_:
        return f"Methods learn from all {own} designs."
    return f"Methods learn from {own} of {all_} designs; no other side of a split has one of them."


def _listed(names: list[str]) -> str:
    if len(names) <= 2 * LISTED:
        return ", ".join(names)
    return f"{names[0]}, {names[1]}, ..., {names[-1]} ({len(names)} columns)"
