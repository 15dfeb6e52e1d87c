"""The trivial baselines that no paper shows: without them, no error can be judged."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Generator, Tensor

from harness.contracts import Method, Pairs, Phase, Problem, Proposals

ROWS = 256  # targets compared with all training targets at once


class _Stored(Method):
    """A baseline that keeps the training pairs and learns nothing."""

    groups: ClassVar[tuple[str, ...]] = ("baselines",)
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
    """Look the answer up: the training designs whose y is nearest to the target, nearest first."""

    dtype: ClassVar[torch.dtype] = torch.float64  # single precision cannot tell y apart that are closer than 1e-7

    def propose(self, y: Tensor, n: int, generator: Generator) -> Proposals:
        """Names the nearest designs several times where n exceeds the number of training designs."""
        with self.stage("generation"):
            found = [self._nearest(part, n) for part in y.split(ROWS)]
        believed = torch.cat([part[0] for part in found])
        rows = torch.cat([part[1] for part in found])
        return Proposals(self.x[rows], ranked=True, believed=believed, rows=rows)

    def _nearest(self, y: Tensor, n: int) -> tuple[Tensor, Tensor]:
        # The fast form of cdist loses the small distances that tell the nearest from its neighbours.
        error = torch.cdist(y, self.y, compute_mode="donot_use_mm_for_euclid_dist").square() / y.shape[1]
        values, rows = error.topk(min(n, len(self.y)), largest=False)
        copies = -(-n // rows.shape[1])
        return values.repeat_interleave(copies, 1)[:, :n], rows.repeat_interleave(copies, 1)[:, :n]
