"""What is given and what is asked of each entry of [x, y], drawn anew for every row of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class States(NamedTuple):
    """The state of each entry of [x, y]: given, latent, which is to be generated, or, where it is neither, absent."""

    given: Tensor
    """`(n, x_dim + y_dim)`, boolean: its value is known."""
    latent: Tensor
    """Likewise: its value is to be generated."""

    def clock(self, time: Tensor) -> Tensor:
        """The time of each entry `(n, x_dim + y_dim)`: 1 where it is given, for it has no noise; 0 where it is absent,
        for nothing is known of it; that of the row where it is latent.

        Args:
            time: of each row `(n, 1)`, or `(1, 1)` of all.
        """
        return torch.where(self.latent, time, self.given.to(time.dtype))


def draw_states(known: Tensor, x_dim: int, weights: Sequence[float]) -> States:
    """States for training, from the global random state: every row is one of four questions.

    Posterior: x, given y. Gaps: x and the hidden entries of y, which may be all, given the others. Likelihood: y, given
    x. Prior: x alone. What is not known of a row is absent; where nothing that is known would be asked, all of it is.

    Args:
        known: which values of the rows are there `(n, x_dim + y_dim)`; a lone x or y lacks the other part.
        x_dim: how many of the entries are of x.
        weights: how often each of the four is drawn, in this order; they need not add up to one.
    """
    rows, dim = known.shape
    shares = torch.tensor(weights, dtype=torch.float64, device=known.device)
    question = torch.multinomial(shares, rows, replacement=True)[:, None]
    gaps = (question == 1) & hidden(rows, dim - x_dim, known.device)
    latent = known & torch.cat([(question != 2).expand(rows, x_dim), gaps | (question == 2)], 1)
    latent |= known & ~latent.any(1, keepdim=True)
    of_x = torch.arange(dim, device=known.device) < x_dim
    return States(known & ~latent & ((question != 3) | of_x), latent)


def hidden(rows: int, y_dim: int, device: torch.device) -> Tensor:
    """Which entries of y are hidden `(rows, y_dim)`: one to all of them, side by side or scattered, equally often.

    Args:
        rows: how many rows.
        y_dim: dimensions of a target.
        device: where it is to be.
    """
    count = torch.randint(1, y_dim + 1, (rows, 1), device=device)
    scattered = torch.rand(rows, y_dim, device=device).argsort(1) < count
    start = (torch.rand(rows, 1, device=device) * (y_dim - count + 1)).floor()
    place = torch.arange(y_dim, device=device)
    window = (place >= start) & (place < start + count)
    return torch.where(torch.rand(rows, 1, device=device) < 0.5, window, scattered)
