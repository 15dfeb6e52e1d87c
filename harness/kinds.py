"""What the columns of x are, `Task.kinds`: which are scaled, what designs look like, and the nearest valid design.

Numbers, whole ones included, are standardised: a network trains well on columns of like size, and whole numbers are
ordered as real ones are. A categorical group stays 0 and 1: its columns have one scale already, and dividing each by
its own deviation would make a rare category weigh more than a common one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from harness.contracts import Kind

SMALL = 20  # range up to which whole numbers are taken for integers, such as months
OFTEN = 20  # rows for each of its values from which on a wider column of whole numbers is
NUMBERS = 1 << 18  # that are held at once beside the designs


def scaled(kinds: Sequence[Kind], x_dim: int) -> Tensor:
    """Mask `(x_dim,)` of the columns that are standardised: all but the categorical ones.

    Args:
        kinds: of the columns of x; none for continuous ones alone.
        x_dim: columns of x.

    Raises:
        ValueError: the kinds are of another number of columns.

    >>> scaled([Kind("categorical", 2), Kind("continuous")], 3).tolist()
    [False, False, True]
    """
    return ~_mask(kinds, x_dim, "categorical")


def discrete(kinds: Sequence[Kind], x_dim: int) -> Tensor:
    """Mask `(x_dim,)` of the integer and categorical columns.

    Args:
        kinds: of the columns of x; none for continuous ones alone.
        x_dim: columns of x.

    Raises:
        ValueError: the kinds are of another number of columns.

    >>> discrete([Kind("integer"), Kind("continuous")], 2).tolist()
    [True, False]
    """
    return _mask(kinds, x_dim, "integer", "categorical")


def groups(kinds: Sequence[Kind], x_dim: int) -> list[tuple[int, int]]:
    """First column and end of each categorical group.

    Args:
        kinds: of the columns of x; none for continuous ones alone.
        x_dim: columns of x.

    Raises:
        ValueError: the kinds are of another number of columns.

    >>> groups([Kind("continuous"), Kind("categorical", 3)], 4)
    [(1, 4)]
    """
    return [(start, stop) for kind, start, stop in _located(kinds, x_dim) if kind.name == "categorical"]


def snap(x: Tensor, kinds: Sequence[Kind], bounds: Tensor) -> Tensor:
    """The designs of which x are approximations: what a method proposes, or a continuous prior draws.

    An integer column becomes the nearest whole number inside the bounds, a categorical group the one-hot row of its
    largest entry (of the first, where several are largest). Continuous columns and rows that are not finite stay.

    Args:
        x: `(..., x_dim)`, physical and float64; it is not changed, and returned itself where no column is discrete.
        kinds: those of the task.
        bounds: `(2, x_dim)`: the least and greatest value of each integer column.

    Raises:
        ValueError: the kinds are of another number of columns.
    """
    x_dim = x.shape[-1]
    hot, whole = groups(kinds, x_dim), _runs(_mask(kinds, x_dim, "integer"))
    if not hot and not whole:
        return x
    low, high = bounds.to(x)
    snapped = x.clone(memory_format=torch.contiguous_format)
    for rows in snapped.view(-1, x_dim).split(max(1, NUMBERS // x_dim)):
        finite = rows.isfinite().all(1, keepdim=True)
        for start, stop in whole:
            part, least, most = (value[..., start:stop] for value in (rows, low, high))
            nearest = part.round().clamp_(least.ceil(), most.floor()).add_(0.0)  # -0.0, other bytes, becomes 0.0
            part.copy_(torch.where(finite, nearest, part))
        for start, stop in hot:
            part = rows[:, start:stop]
            chosen = torch.zeros_like(part).scatter_(1, part.argmax(1, keepdim=True), 1.0)
            part.copy_(torch.where(finite, chosen, part))
    return snapped


def detect(x: Tensor) -> tuple[Kind, ...]:
    """The kinds that designs look like; a guess, which a user may overrule.

    Adjacent columns of 0 and 1 that sum to one in every row are categorical. Other columns of whole numbers are integer
    if their range is small, or if each value occurs often; whole millimetres, say, may be rounded real numbers.

    Args:
        x: `(n, x_dim)`, physical.

    >>> detect(torch.tensor([[0.0, 1.0, 0.37], [1.0, 0.0, 0.52]]))
    (Kind(name='categorical', columns=2), Kind(name='continuous', columns=1))
    """
    found: list[Kind] = []
    start, x_dim = 0, x.shape[1]
    while start < x_dim:
        width = _one_hot(x[:, start:])
        found.append(Kind("categorical", width) if width else Kind("integer" if _whole(x[:, start]) else "continuous"))
        start += found[-1].columns
    return merged(found)


def merged(kinds: Iterable[Kind]) -> tuple[Kind, ...]:
    """The same kinds, adjacent numbers of one kind as one run.

    Args:
        kinds: in the order of the columns.

    >>> merged([Kind("integer"), Kind("integer", 2)])
    (Kind(name='integer', columns=3),)
    """
    found: list[Kind] = []
    for kind in kinds:
        if found and found[-1].name == kind.name != "categorical":
            found[-1] = Kind(kind.name, found[-1].columns + kind.columns)
        else:
            found.append(kind)
    return tuple(found)


def code(kinds: Sequence[Kind]) -> str:
    """Kinds as an author writes them: `(Kind("categorical", 3), Kind("integer"))`.

    Args:
        kinds: in the order of the columns.

    >>> code([Kind("categorical", 3), Kind("integer")])
    '(Kind("categorical", 3), Kind("integer"))'
    """
    each = [f'Kind("{kind.name}")' if kind.columns == 1 else f'Kind("{kind.name}", {kind.columns})' for kind in kinds]
    return f"({', '.join(each)}{',' * (len(each) == 1)})"


def _one_hot(x: Tensor) -> int:
    """Of how many columns the categorical group is that begins with the first; 0 where there is none."""
    total = torch.zeros_like(x[:, 0])
    for width, column in enumerate(x.T, 1):
        total = total + column
        if not ((column == 0) | (column == 1)).all() or (total > 1).any():
            return 0
        if width > 1 and (total == 1).all():
            return width
    return 0


def _whole(column: Tensor) -> bool:
    """Whether a column is taken for an integer one."""
    if not bool(torch.equal(column, column.round())):
        return False
    return bool(column.max() - column.min() <= SMALL) or len(column.unique()) * OFTEN <= len(column)


def _runs(mask: Tensor) -> list[tuple[int, int]]:
    """First place and end of each run of a mask: slices are far faster than indices."""
    edges = torch.nn.functional.pad(mask.int(), (1, 1)).diff()
    return list(zip((edges == 1).nonzero()[:, 0].tolist(), (edges == -1).nonzero()[:, 0].tolist(), strict=True))


def _mask(kinds: Sequence[Kind], x_dim: int, *names: str) -> Tensor:
    """Mask `(x_dim,)` of the columns of some kinds."""
    mask = torch.zeros(x_dim, dtype=torch.bool)
    for kind, start, stop in _located(kinds, x_dim):
        mask[start:stop] = kind.name in names
    return mask


def _located(kinds: Sequence[Kind], x_dim: int) -> Iterator[tuple[Kind, int, int]]:
    """Each kind with its first column and its end; nothing where no kinds are declared."""
    total = sum(kind.columns for kind in kinds)
    if kinds and total != x_dim:
        raise ValueError(
            f"The kinds are of {total} columns, but x has {x_dim}. Give every column one kind, such as "
            f'Kind("continuous", {x_dim}), in their order.'
        )
    start = 0
    for kind in kinds:
        yield kind, start, start + kind.columns
        start += kind.columns
