"""A forward model that counts its calls for one target, and refuses the one after the last."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from harness.searching import ENOUGH
from harness.statistics import Array

INVALID = 10.0
"""Deviations of y by which a design that cannot be simulated is taken to be off in every entry."""


class Spent(Exception):
    """All calls have been made, or the target is reached as closely as it need be."""


class Meter:
    """The residuals of designs as solutions of one target, and the errors of all that were asked for.

    Args:
        simulate: f(x) of `(n, x_dim)`, physical; NaN where a design is invalid.
        target: y `(y_dim,)`, physical; an entry that is NaN does not count.
        scale: the deviation of each y `(y_dim,)`.
        calls: that may be made.
    """

    def __init__(self, simulate: Callable[[Tensor], Tensor], target: Tensor, scale: Tensor, calls: int) -> None:
        self._simulate, self._calls = simulate, calls
        self._known = target.isfinite()
        self._target, self._scale = target[self._known], scale[self._known]
        self.errors: list[float] = []
        """The nmse of each design, in the order of the calls."""

    @property
    def left(self) -> int:
        """Calls that may still be made."""
        return self._calls - len(self.errors)

    def residuals(self, x: Array) -> Array:
        """How far designs `(n, x_dim)` are off in each known entry of y, in its deviations `(n, k)`; n calls.

        Where there are fewer calls left, the first designs take them.

        Raises:
            Spent: no call is left, or not one for each design; or one of them, or one before, is as good as exact.
        """
        able = x[: max(0, self.left)]
        found = np.empty((0, len(self._target)))
        if len(able):
            y = self._simulate(torch.from_numpy(np.ascontiguousarray(able, dtype=float)))[:, self._known]
            off = ((y - self._target) / self._scale).numpy()
            found = np.where(np.isfinite(off).all(1, keepdims=True), off, INVALID)
            self.errors += (found**2).mean(1).tolist()
        if len(able) < len(x) or min(self.errors, default=1.0) <= ENOUGH:
            raise Spent
        return found

    def best(self, calls: int) -> float:
        """The least nmse of the first calls, or of all where there were fewer.

        Args:
            calls: one or more.
        """
        return min(self.errors[:calls])
