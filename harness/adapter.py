"""Makes a method of a plain function."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, TypeAlias

from torch import Generator, Tensor

from harness.contracts import Method, Pairs, Phase, Proposals

Propose: TypeAlias = Callable[[Tensor, int, Generator], Tensor]


def from_function(function: Callable[[Tensor, Tensor], Propose], name: str) -> type[Method]:
    """A method class around `function(x_train, y_train) -> propose(y, n, generator) -> x (b, n, x_dim)`.

    The function sees standardised data and is exempt from the parameter budget. Its result lives as long as the
    process: there is no state to store, so `time` cannot measure it again.
    """

    class FunctionMethod(Method):
        __doc__ = function.__doc__
        trainable: ClassVar[bool] = False

        def fit(self, train: Pairs, valid: Pairs, run: Callable[[Phase], float]) -> None:
            self.answer = function(train.x, train.y)

        def propose(self, y: Tensor, n: int, generator: Generator) -> Proposals:
            with self.stage("generation"):
                return Proposals(self.answer(y, n, generator))

    FunctionMethod.__name__ = FunctionMethod.__qualname__ = name
    FunctionMethod.__module__ = function.__module__
    return FunctionMethod
