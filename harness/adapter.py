"""Makes a method of a plain function."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import asdict, field, make_dataclass
from typing import Any, ClassVar, TypeAlias, get_type_hints

from torch import Generator, Tensor

from harness.contracts import Method, Pairs, Phase, Problem, Proposals

Propose: TypeAlias = Callable[[Tensor, int, Generator], Tensor]
FACTS = ("bounds", "sample_prior", "x_valid", "y_valid", "device")
"""What a function may ask for by keyword-only parameters without a default."""


def from_function(function: Callable[..., Propose], name: str) -> type[Method]:
    """A method class around `function(x_train, y_train) -> propose(y, n, generator) -> x (b, n, x_dim)`.

    The function sees standardised data. Of its keyword-only parameters, those without a default are facts that it asks
    for: `bounds` of the training designs `(2, x_dim)`, `sample_prior(n, generator)`, `x_valid` and `y_valid`, and the
    `device`; those with a type and a default are its options. It trains no parameters, and is exempt from the budget.
    Its result lives as long as the process: there is no state to store, so `time` cannot measure it again.

    Args:
        function: gives a function of targets `(b, y_dim)`, from designs `(n, x_dim)` and their y `(n, y_dim)`.
        name: what the class is called.

    Raises:
        TypeError: it asks for something else.
    """
    asked, options = _asked(function, name)

    class FunctionMethod(Method):
        __doc__ = function.__doc__
        trainable: ClassVar[bool] = False
        restorable: ClassVar[bool] = False
        Options: ClassVar[type] = options

        def build(self, problem: Problem, width: int) -> None:
            self.problem = problem

        def fit(self, train: Pairs, valid: Pairs, run: Callable[[Phase], float]) -> None:
            facts = {
                "bounds": self.problem.bounds,
                "sample_prior": self.problem.sample_prior,
                "x_valid": valid.x,
                "y_valid": valid.y,
                "device": train.x.device,
            }
            given = {fact: facts[fact] for fact in asked}
            self.answer = function(train.x, train.y, **given, **asdict(self.options))

        def propose(self, y: Tensor, n: int, generator: Generator) -> Proposals:
            with self.stage("generation"):
                return Proposals(self.answer(y, n, generator))

    FunctionMethod.__name__ = FunctionMethod.__qualname__ = name
    FunctionMethod.__module__ = function.__module__
    return FunctionMethod


def _asked(function: Callable[..., Propose], name: str) -> tuple[tuple[str, ...], type]:
    """The facts that a function asks for, and a dataclass of its options."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # of some functions written in C
        parameters = ()  # type: ignore[assignment]
    named = [item for item in parameters if item.kind is item.KEYWORD_ONLY]
    facts = tuple(item.name for item in named if item.default is item.empty)
    odd = [fact for fact in facts if fact not in FACTS]
    if odd:
        raise TypeError(f"{name} asks for {odd[0]}; a function may ask for {', '.join(FACTS)}. Give options a default")
    types: dict[str, Any] = get_type_hints(function) if named else {}
    fields = [
        (item.name, types.get(item.name, str), field(default=item.default)) for item in named if item.name not in facts
    ]
    untyped = [option for option, _, _ in fields if option not in types]
    if untyped:
        raise TypeError(f"{name} has the option {untyped[0]} without a type; write {untyped[0]}: int = 5, or another")
    return facts, make_dataclass("Options", fields, frozen=True)
