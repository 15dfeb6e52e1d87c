"""What the author of a protocol reads: questions to a trained method, their score, and its numbers and tables.

A protocol is a plug-in of the entry-point group `harness.protocols`. `run` puts its questions to every method, or to
the stored models of earlier runs, scores the answers, keeps the scores in the record, and shows them in its tables.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeAlias, TypeVar

from harness.metrics import METRICS, counted_errors
from harness.no_options import NoOptions
from harness.questions import Question

if TYPE_CHECKING:
    from torch import Tensor

    from harness.answers import Answer
    from harness.contracts import Method, Task
    from harness.data import Dataset
    from harness.reporting.figure import Figure
    from harness.reporting.groups import Group
    from harness.reporting.rows import Row
    from harness.reporting.table import Table
    from harness.scenarios.contract import Targets
    from harness.settings import Sizes
    from harness.statistics import Array

__all__ = ["Answered", "Material", "Number", "Protocol", "Question", "Shown"]

Number: TypeAlias = tuple[str | None, str, float | None] | tuple[str | None, str, float | None, int]
"""Metric or None, statistic, value, and T where it is of the best of T proposals: what `frame` shows as one row."""


@dataclass(frozen=True)
class Answered:
    """The answer to a question, re-simulated by the true forward model."""

    question: Question
    answer: Answer
    targets: Targets
    data: Dataset
    simulate: Callable[[Tensor, Tensor], Tensor]
    """The true forward model: designs `(rows, n, x_dim)`, targets `(rows or 1, y_dim)` to f(x); NaN where invalid."""

    @cached_property
    def reached(self) -> Tensor:
        """What all designs reach, f(x) `(rows, n, y_dim)`, NaN where invalid. A row is a target, or a repeat of one."""
        return self.simulate(self.answer.x, self.targets.under)

    @cached_property
    def _known(self) -> dict[tuple[str, int], tuple[Tensor, Tensor, Array]]:
        """By metric and identity of y: y, so that no other takes its identity, and what `errors` and `counted` give."""
        return {}

    def errors(self, metric: str, y: Tensor | None = None) -> Tensor:
        """The error of each design `(rows, n)`, NaN where it is invalid.

        Args:
            metric: `sse`, `mse` or `nmse`.
            y: targets `(rows or 1, y_dim)`, physical, NaN where one does not count; the question's where omitted.
        """
        return self._both(metric, y)[0]

    def counted(self, metric: str, y: Tensor | None = None) -> Array:
        """As `errors`, but an invalid design has the mean error of a draw from the prior `(rows, n)`.

        Args:
            metric: `sse`, `mse` or `nmse`.
            y: as of `errors`.
        """
        return self._both(metric, y)[1]

    def _both(self, metric: str, y: Tensor | None) -> tuple[Tensor, Array]:
        wanted = self.targets.y if y is None else y
        if (metric, id(wanted)) not in self._known:
            both = counted_errors(METRICS[metric], self.reached, wanted, self.data.known_y, self.data.y_variance)
            self._known[metric, id(wanted)] = wanted, *both
        return self._known[metric, id(wanted)][1:]

    @cached_property
    def valid(self) -> float:
        """The share of the designs that are valid."""
        return float(self.reached.isfinite().all(-1).double().mean())


@dataclass(frozen=True)
class Material:
    """All that a score is computed from."""

    task: Task
    data: Dataset
    answers: Mapping[str, Answered]
    """The answers to the protocol's questions, by its names for them."""
    sizes: Sizes
    seed: int
    """For draws that the score itself needs, such as resamples; the same for all methods."""


Block = TypeVar("Block")  # a table or a figure


@dataclass(frozen=True)
class Shown(Generic[Block]):
    """A named table or figure of a protocol."""

    build: Callable[[Sequence[Group], str | None, bool], list[Block]]
    """`(groups, metric, published)`: rows that may be compared, the metric to show, whether with the papers' values."""
    place: int
    """Where it stands among all tables, or figures, smaller first."""
    metrics: tuple[str, ...] = ()
    """The metrics that it can show, its own first; none where it shows no error."""
    takes: Callable[[Group], Sequence[Row]] | None = None
    """The rows of a group that it shows in place of the others, such as the settings of an ablation."""
    every: bool = False
    """Whether it is given the rows that others take."""
    reads: tuple[str, ...] | None = None
    """The other protocols whose scores it reads: those of the rest are not kept in memory for it. None: any may be."""
    plain: bool | Callable[[Group, Group], bool] = False
    """Whether it leaves out what was run in a scenario beside the task without one; a function is given both."""
    needs: str = ""
    """What must have been run for it, in words that follow "It needs"; for an error where there is nothing to show."""
    files_only: bool = False
    """Whether a report leaves it out, as a figure of many panels with hundreds of points each."""


class Protocol(ABC):
    """Questions, their score, and how it is shown. `Options` are its settings, `score_type` is what it returns."""

    name: ClassVar[str]
    version: ClassVar[str] = "1"
    groups: ClassVar[tuple[str, ...]] = ()
    references: ClassVar[tuple[str, ...]] = ()
    Options: ClassVar[type] = NoOptions
    score_type: ClassVar[type] = NoOptions
    """A dataclass of numbers, texts, lists, dictionaries and further dataclasses: what a record keeps."""
    measures: ClassVar[bool] = False
    """True for a protocol that measures the trained method itself, such as its speed: it has `measure`, not `score`."""

    def __init__(self, options: Any = None) -> None:
        self.options = options if options is not None else self.Options()

    def questions(self, sizes: Sizes) -> dict[str, Question]:
        """The questions, by the names under which `score` gets the answers.

        Args:
            sizes: numbers of proposals and repeats.
        """
        return {}

    def score(self, material: Material) -> Any:
        """The scores, a `score_type`, from answers, re-simulation and data alone; None where there are none.

        Args:
            material: all that a score may depend on.
        """
        return None

    def by_target(self, material: Material) -> Mapping[str, Array]:
        """Numbers of each target `(targets,)` by name, such as a metric's, to be kept in a file beside the record.

        Args:
            material: as of `score`.
        """
        return {}

    def measure(self, method: Method, y: Tensor, seed: int, exclusive: bool) -> Any:
        """The scores, a `score_type`, of a trained method itself, such as times.

        Args:
            method: ready to propose.
            y: y* `(1, y_dim)`, standardised as the method sees it.
            seed: of the cell.
            exclusive: whether nothing else runs on the machine.
        """
        return None

    def numbers(self, scores: Any) -> Iterator[Number]:
        """The scores as tidy rows; none of a protocol that shows what others have found.

        Args:
            scores: what `score` or `measure` has returned.
        """
        return iter(())

    def tables(self) -> dict[str, Shown[Table]]:
        """The tables by name; none where another's show its scores, or figures alone."""
        return {}

    def figures(self) -> dict[str, Shown[Figure]]:
        """The figures by name."""
        return {}
