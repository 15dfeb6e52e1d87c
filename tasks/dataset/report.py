"""What a reader of results should know of a user's data, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from harness import kinds
from harness.contracts import Kind
from tasks.dataset.columns import Columns
from tasks.dataset.options import DatasetOptions
from tasks.dataset.rows import Rows

FEW = 10  # different values, up to which a column of x is said to be discrete
RARE = 10  # rows in which a column differs from all others, below which it is said to hardly vary
LISTED = 3  # columns and numbers that a line names
PRIORS = {
    "density": "a density fitted to the rows, folded into their box",
    "hull": "convex combinations of neighbouring rows",
    "box": "uniform in the bounding box of the rows",
}


@dataclass(frozen=True)
class Description:
    """What there is to say of a user's data."""

    file: str
    rows: Rows
    own: int
    """Rows that methods learn from."""
    columns: Columns
    kinds: Sequence[Kind]
    """Of the designs with their conditions."""
    target: Sequence[float]
    options: DatasetOptions
    left_out: int = 0
    """Rows of the file that are none of `rows`, for want of a number."""
    complete: int = 0
    """Rows that methods learn from and whose y is known in every entry."""

    def lines(self) -> Iterator[str]:
        """Lines on rows, repeated designs, kinds of columns, masses of y, the split, the prior and y*."""
        rows, y = self.rows, self.columns.y
        named = f"x = {_listed(self.columns.x)}, y = {_listed(y)}"
        named += f", given = {_listed(self.columns.given)}" if self.columns.given else ""
        yield f"Data: {self.file}, {len(rows) + rows.repeated} rows, {named}."
        if self.left_out:
            more = f"{self.left_out} more row{'s' * (self.left_out > 1)}"
            where = "in a cell of x or y" if self.options.missing == "drop" else "in a cell of x or in all of y"
            yield f"Left out are {more} without a number {where} (missing={self.options.missing})."
        if self.complete < self.own:
            yield (
                f"{self.own - self.complete} of the {self.own} designs that methods learn from lack a number in y "
                "(missing=keep): methods that handle `partial` learn from all of them, the others from the "
                f"{self.complete} that are complete. Targets and errors are of complete rows."
            )
        if rows.repeated:
            yield (
                f"{rows.repeated} rows repeat the design of another. Each design counts once, with the mean of its y, "
                f"which differ by {rows.scatter**0.5:.3g} (root mean square within a design)."
            )
        yield from self._kinds()
        yield from self._hardly()
        for mass in rows.masses():
            yield (
                f"{y[mass.column]} is exactly {mass.value:g} for {mass.share:.0%} of the designs, and for as many "
                "targets: any design that reaches it is without error there. The proxy takes it exactly if it is the "
                "least or the greatest y."
            )
        yield self._split()
        yield f"Designs are drawn from: {PRIORS[self.options.prior]} (prior={self.options.prior})."
        yield from self._target()

    def _kinds(self) -> Iterator[str]:
        """Lines on columns of whole numbers, on choices, and on other columns of few values."""
        x = self.columns.inputs
        discrete = kinds.discrete(self.kinds, len(x))
        whole = [name for name, one in zip(x, discrete & kinds.scaled(self.kinds, len(x)), strict=True) if one]
        found = [f"whole numbers in {_listed(whole)}"] if whole else []
        found += [f"one choice among {_listed(x[start:stop])}" for start, stop in kinds.groups(self.kinds, len(x))]
        if found:
            yield (
                f"Designs have {', '.join(found)} (kinds={self.options.kinds}); kinds=continuous lets them have others."
            )
        few = [len(column.unique()) <= FEW for column in self.rows.x.T]
        between = [name for name, some, one in zip(x, few, discrete.tolist(), strict=True) if some and not one]
        if between:
            yield (
                f"At most {FEW} different values: {_listed(between)}. Designs between them are drawn and proposed, too."
            )

    def _hardly(self) -> Iterator[str]:
        """Warnings of columns that are the same in almost all rows, whichever part of the data the others are in."""
        names, values = [*self.columns.inputs, *self.columns.y], torch.cat([self.rows.x, self.rows.y], 1)
        often = values.nanmedian(0).values
        others = ((values != often) & values.isfinite()).sum(0)
        found = [place for place, count in enumerate(others.tolist()) if count < RARE]
        for place in found[:LISTED]:
            count, name = int(others[place]), names[place]
            yield (
                f"Warning: {name} is {often[place]:.6g} in all but {count} of {len(values)} designs, too few to learn "
                f"from: results hang on which part of the data has {'them' if count > 1 else 'it'}, and many proposals "
                f"may be invalid. Leave {name} out, or give more rows in which it differs."
            )
        if len(found) > LISTED:
            yield f"Warning: so are {len(found) - LISTED} more columns, such as {names[found[LISTED]]}."

    def _split(self) -> str:
        if self.own == len(self.rows):
            return f"Methods learn from all {self.own} designs."
        return f"Methods learn from {self.own} of {len(self.rows)} designs; no other side of a split has one of them."

    def _target(self) -> Iterator[str]:
        """Lines on y*, with a warning where no row comes near it."""
        names = [*self.columns.y, *self.columns.given]
        more = ", ..." if len(names) > LISTED else ""
        yield f"y* = {', '.join(f'{value:.6g}' for value in self.target[:LISTED])}{more}"
        given = self.rows.x[:, len(self.columns.x) :]
        columns = zip(names, self.target, torch.cat([self.rows.y, given], 1).T, strict=True)
        known = [(name, value, column[column.isfinite()]) for name, value, column in columns]
        outside = [item for item in known if not item[2].min() <= item[1] <= item[2].max()]
        for name, value, column in outside[:LISTED]:
            yield (
                f"Warning: y* = {value:.6g} of {name} lies outside the data, whose {name} is {column.min():.6g} to "
                f"{column.max():.6g}. Methods have learned nothing there, and perhaps no design reaches it."
            )
        if len(outside) > LISTED:
            yield f"Warning: so does y* of {len(outside) - LISTED} more columns of y."


def _listed(names: Sequence[str]) -> str:
    if len(names) <= 2 * LISTED:
        return ", ".join(names)
    return f"{names[0]}, {names[1]}, ..., {names[-1]} ({len(names)} columns)"
