"""The trivial baselines that no paper shows: without them, no error can be judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import ClassVar

import torch
from torch import Generator, Tensor

from harness.contracts import Method, Pairs, Phase, Problem, Proposals

ROWS, PAIRS = 256, 1 << 17  # targets, and training targets, that are compared at once: 270 MB


class _Stored(Method):
    """A baseline that keeps the training pairs and learns nothing."""

    groups: ClassVar[tuple[str, ...]] = ("baselines",)
    handles: ClassVar[frozenset[str]] = frozenset({"gaps", "partial", "conditions"})
    trainable: ClassVar[bool] = False

    def build(self, problem: Problem, width: int) -> None:
        self.register_buffer("x", torch.empty(0, problem.x_dim))
        self.register_buffer("y", torch.empty(0, problem.y_dim))

    def fit(self, train: Pairs, valid: Pairs, run: Callable[[Phase], float]) -> None:
        self.x, self.y = train.x, train.y


class Prior(_Stored):
    """Ignore the target: draw designs from the training x, with replacement. Any method must beat this."""

    def propose(self, y: Tensor, n: int, generator: Generator) -> Proposals:
        with self.stage("generation"):
            rows = torch.randint(len(self.x), (len(y), n), generator=generator).to(self.x.device)
            return Proposals(self.x[rows], rows=rows)


class Lookup(_Stored):
    """Look the answer up: the training designs whose y is nearest to the target, nearest first.

    Where entries of a target or of a training y are not known, nearest in the others, mean over them.
    """

    dtype: ClassVar[torch.dtype] = torch.float64  # single precision cannot tell y apart that are closer than 1e-7

    def propose(self, y: Tensor, n: int, generator: Generator) -> Proposals:
        """Names the nearest designs several times where n exceeds the number of training designs.

        Args:
            y: targets `(b, y_dim)`, standardised; an entry that is NaN is not known.
            n: designs for each.
            generator: not used.
        """
        with self.stage("generation"):
            believed, rows = y.new_empty(len(y), n), torch.empty(len(y), n, dtype=torch.int64, device=y.device)
            for known, targets in _patterns(y):
                for part in targets.split(ROWS):
                    believed[part], rows[part] = self._nearest(y[part], n, known)
        return Proposals(self.x[rows], ranked=True, believed=believed, rows=rows)

    def _nearest(self, y: Tensor, n: int, known: Tensor) -> tuple[Tensor, Tensor]:
        """Errors and numbers `(b, n)` of the rows nearest in the entries of a mask `(y_dim,)`."""
        if bool(known.all()):
            targets, others = y, self.y
        else:
            targets, others = y[:, known], self.y[:, known]
        values, rows = y.new_empty(len(y), 0), torch.empty(len(y), 0, dtype=torch.int64, device=y.device)
        for number, some in enumerate(others.split(PAIRS)):
            found = _distance(targets, some).topk(min(n, len(some)), largest=False)
            together = torch.cat([values, found.values], 1), torch.cat([rows, found.indices + number * PAIRS], 1)
            values, kept = together[0].topk(min(n, together[0].shape[1]), largest=False)
            rows = together[1].gather(1, kept)
        copies = -(-n // rows.shape[1])
        return values.repeat_interleave(copies, 1)[:, :n], rows.repeat_interleave(copies, 1)[:, :n]


def _distance(y: Tensor, others: Tensor) -> Tensor:
    """Squared distances `(b, n)` of known y `(b, d)` to others `(n, d)`, mean over the entries that these know too."""
    there = ~others.isnan()
    if bool(there.all()):
        # The fast form of cdist loses the small distances that tell the nearest from its neighbours.
        return torch.cdist(y, others, compute_mode="donot_use_mm_for_euclid_dist").square() / max(1, y.shape[1])
    values = others.nan_to_num()
    squares = torch.stack([((row - values).square() * there).sum(1) for row in y])
    return (squares / there.sum(1)).nan_to_num(nan=torch.inf)


def _patterns(y: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Each mask `(y_dim,)` of the entries that are known, with the numbers of the targets that have it."""
    masks, which = (~y.isnan()).unique(dim=0, return_inverse=True)
    for number, mask in enumerate(masks):
        yield mask, (which == number).nonzero()[:, 0]
