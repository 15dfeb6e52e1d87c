"""A method: what learns from pairs to propose designs x for a target y, and what it exchanges with the harness.

It sees standardised x and y only: the harness standardises on the training split and undoes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

import torch
from torch import Generator, Tensor, nn

from harness.contracts.task import Kind, Pairs
from harness.no_options import NoOptions

Loss: TypeAlias = Callable[[Tensor, Tensor, float], Tensor]


@dataclass(frozen=True)
class Problem:
    """All that a method may know of a task besides the training pairs; x is standardised."""

    x_dim: int
    y_dim: int
    bounds: Tensor
    """Range of the training designs `(2, x_dim)`, in the method's dtype."""
    sample_prior: Callable[[int, Generator], Tensor]
    """Draws `(n, x_dim)` fresh designs from the design distribution, in the method's dtype."""
    kinds: tuple[Kind, ...] = ()
    """What the columns of x are, in their order; all are continuous where empty. Categorical ones are not standardised.
    A method may propose any numbers: the harness takes the nearest whole number of an integer column, and the largest
    entry of a categorical group for its choice."""
    step: Tensor | None = None
    """`(x_dim,)`, in the method's dtype: from one value of an integer or categorical column to the next, in
    standardised x; 0 where x is continuous, and None where all of it is."""
    condition_dim: int = 0
    """How many of the last entries of y are conditions: values that are given with a target, not to be reached."""


@dataclass(frozen=True)
class Proposals:
    """Designs proposed for a batch of b targets, n for each."""

    x: Tensor
    """`(b, n, x_dim)`, standardised. A row that could not be computed is NaN and counts as invalid."""
    ranked: bool = False
    """True where the n designs come best first, by the method's own estimate."""
    believed: Tensor | None = None
    """`(b, n)`: the squared error that the method's own surrogate predicts, mean over standardised y. Where the designs
    are ranked it must not decrease along n."""
    generated: int | None = None
    """All candidates that were drawn or optimised for the batch; b x `candidates(n)` where omitted."""
    rows: Tensor | None = None
    """`(b, n)`, integers: the numbers, in the training part, of designs that are returned as they are, x among them;
    None from a method that makes its own. The harness then records these designs, in the task's precision."""


@dataclass(frozen=True)
class Phase:
    """One training phase: the harness minimises `loss` over the parameters of `module`, all others frozen."""

    name: str
    module: nn.Module
    loss: Loss
    """`loss(x, y, progress)`: a scalar for a batch; progress in [0, 1] runs through the phase."""
    share: float = 1.0
    """Share of the schedule's passes over the data; the shares of a method add up to one."""
    validate: Loss | None = None
    """What decides the best state, evaluated on the validation part; `loss` where omitted."""
    keep: Literal["best", "last"] = "best"
    weight_decay: float = 0.0
    clip: float | None = None
    """Bound on the gradient norm; None leaves gradients as they are."""
    stationary: bool = True
    """False where the loss itself depends on progress; the learning rate is then not halved on plateau."""
    forward: bool = False
    """True where the validation value is the error of a forward model, mean over standardised y."""
    rows: Literal["pairs", "partial", "x", "y", "any"] = "pairs"
    """Which rows it learns from: those with x and y complete; those with x and at least one entry of y; those with x;
    those with y; or all."""
    pairs: float = 0.0
    """The least share of pairs in a batch, also where there are many more rows of x or of y alone: pairs are then
    passed over more often than those."""


class Method(nn.Module):
    """A torch module that learns to propose designs x for a target y.

    A subclass implements `build`, `loss` (or `phases`, or `fit`) and `propose`; global random states are seeded there.
    """

    version: ClassVar[str] = "1"
    groups: ClassVar[tuple[str, ...]] = ()
    references: ClassVar[tuple[str, ...]] = ()
    dtype: ClassVar[torch.dtype] = torch.float32
    """The precision in which the method is given data and returns designs."""
    handles: ClassVar[frozenset[str]] = frozenset()
    """What it can use beyond complete pairs: `gaps` (NaN in the y that it is asked for), `partial` (NaN in the y that
    it learns from), `lone` (rows of x or y alone), `conditions`. A scenario that needs more leaves it out."""
    trainable: ClassVar[bool] = True
    """False exempts a method without trainable parameters from the parameter budget."""
    restorable: ClassVar[bool] = True
    """False where what training finds lives in memory alone: no state is stored, and a later question trains anew."""
    finer: ClassVar[tuple[str, ...]] = ()
    """Options, whole numbers, that the harness may lower where no width comes near enough to the budget."""
    Options: ClassVar[type] = NoOptions
    defaults: ClassVar[Mapping[str, Any]] = {}
    """Values that differ from the defaults of `Options`, for a method registered under a second name."""

    @property
    def handled(self) -> frozenset[str]:
        """`handles` with the options that it has; overridden where these decide about it."""
        return self.handles

    def __init__(self, options: Any = None) -> None:
        super().__init__()
        self.options = options if options is not None else self.Options(**self.defaults)
        self.stage: Callable[[str], AbstractContextManager[Any]] = lambda name: nullcontext()
        """`with self.stage("localisation"):` lets the harness time a part of `propose` on its own."""

    def build(self, problem: Problem, width: int) -> None:
        """Create the networks; called again and again, for the harness searches the width that meets the budget.

        Args:
            problem: dimensions, kinds and box of the task, standardised.
            width: such as of hidden layers, 1 or more.
        """

    def loss(self, x: Tensor, y: Tensor, progress: float) -> Tensor:
        """Training loss of one batch, a scalar, for a method with a single phase.

        Args:
            x: designs `(b, x_dim)`, standardised.
            y: their targets `(b, y_dim)`, standardised.
            progress: how far training is, from 0 to 1.
        """
        raise NotImplementedError(f"{type(self).__name__} needs `loss`, `phases` or `fit`")

    def phases(self) -> Iterable[Phase]:
        """The training phases in order. A generator may act between them: the code after a `yield` runs after it."""
        yield Phase("training", self, self.loss)

    def fit(self, train: Pairs, valid: Pairs, run: Callable[[Phase], float]) -> None:
        """Train: `run(phase)` is the harness' training loop and returns the phase's best validation value.

        Args:
            train: pairs `(n, x_dim)` and `(n, y_dim)`, standardised.
            valid: pairs that are held back, likewise.
            run: trains a phase.
        """
        for phase in self.phases():
            run(phase)

    def candidates(self, n: int) -> int:
        """The least number of candidates that are drawn or optimised for one target to return n proposals.

        Args:
            n: how many proposals.
        """
        return n

    def propose(self, y: Tensor, n: int, generator: Generator) -> Proposals:
        """N designs for each target.

        Args:
            y: targets `(b, y_dim)`, standardised.
            n: designs for each, one or more.
            generator: all randomness comes from it.
        """
        raise NotImplementedError(f"{type(self).__name__} needs `propose`")
