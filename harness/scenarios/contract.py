"""What the author of a scenario reads: another view of a task's data, and of what is asked.

A scenario changes what a method learns from (`data`), what it is asked for (`ask`), or both. It is a plug-in of the
entry-point group `harness.scenarios`, selected as in `--scenarios "noise[sd=0.05]"`. Methods see the changed data only;
the true y, hidden entries and the designs behind the targets stay with the harness.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from harness.no_options import NoOptions

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from harness.contracts import Pairs, Task


@dataclass(frozen=True)
class View:
    """One way to score the proposals for some of the targets."""

    y: Tensor
    """What designs are compared with `(m, y_dim)`. Entries that are NaN do not count; a row of NaN drops the target."""
    best_known: Tensor | None = None
    """The y `(m, y_dim)` of the best design that the harness knows for each target. Where it is there, the excess of
    the error over that design's is scored."""
    level: float = 0.0
    """The nmse of noise in this view: a mean error below it is over-fitting. 0 where there is none."""
    like_base: bool = False
    """Whether these targets are drawn as those of the task without the scenario: the ratio of the errors is shown."""


@dataclass(frozen=True)
class Targets:
    """What is asked, physical and float64."""

    y: Tensor
    """What proposals are scored against by every protocol `(m, y_dim)`; an entry that is NaN does not count."""
    shown: Tensor
    """What a method is given `(m, y_dim)`; an entry that is NaN is not known, and only for methods that handle gaps."""
    views: Mapping[str, View] = field(default_factory=dict)
    """Further ways to score, by name: the scenario's own table shows each."""
    designs: Tensor | None = None
    """The designs behind them `(m, x_dim)`, as they were drawn from the prior; None where they are not known or not
    such draws. Only the harness sees them, to tell whether proposals are calibrated."""
    noise: float = 0.0
    """The deviation of normal noise on each y, in that of the y over the known pairs: the posterior is then that of
    noisy y."""
    actual: Tensor | None = None
    """What designs are simulated under in place of `shown`, where the conditions that are shown are not those that
    hold."""
    calls: int = 0
    """How often a search may call the true forward model for each target; 0 where it may not be called."""
    at_random: bool = False
    """Whether entries that are NaN in `y` are not known for reasons that have nothing to do with their values (missing
    at random): the posterior is then that of the others."""

    @property
    def under(self) -> Tensor:
        """The targets with the conditions under which designs are simulated `(m, y_dim)`."""
        return self.shown if self.actual is None else self.actual


class Scenario:
    """Another view of a task. A subclass overrides `data`, `ask`, or both; this one changes nothing.

    Draws come from the generator alone, which depends on the data seed and on whether it is training or asking.
    """

    version: ClassVar[str] = "1"
    groups: ClassVar[tuple[str, ...]] = ()
    references: ClassVar[tuple[str, ...]] = ()
    leaves_conditions: ClassVar[bool] = False
    """Whether it can be applied to a task that has conditions, whose last entries of y then stay as they are."""
    Options: ClassVar[type] = NoOptions

    def __init__(self, options: Any = None) -> None:
        self.options = options if options is not None else self.Options()

    @property
    def needs(self) -> frozenset[str]:
        """What a method must handle (`Method.handles`): `gaps`, `partial`, `lone` or `conditions`; a method that does
        not cannot take part.
        """
        return frozenset()

    @property
    def hides_prior(self) -> bool:
        """Whether the distribution of designs is not known: methods then draw from the known designs instead."""
        return False

    @property
    def learns(self) -> bool:
        """Whether methods learn from other pairs than without the scenario. Where they do not, their models of the task
        itself are asked, and nothing is trained.
        """
        own = type(self)
        changed = [getattr(own, name) is not getattr(Scenario, name) for name in ("data", "before", "task")]
        return any(changed) or self.hides_prior

    def refusal(self, task: Task) -> str | None:
        """Why this scenario cannot be applied to a task; None where it can.

        Args:
            task: as it was selected.
        """
        return None

    def task(self, task: Task) -> Task:
        """The task that is learned and asked for in place of this one, such as one that has conditions.

        Args:
            task: as it was selected.
        """
        return task

    def data(self, task: Task, train: Pairs, valid: Pairs, generator: Generator) -> tuple[Pairs, Pairs]:
        """The training and validation pairs that methods see, from the task's own, physical and float64; a method is
        given those of their rows that it can use (`Method.handles`). However many there are, it is trained for as many
        steps as on the task's own.

        NaN means not known: an entry of x or y, or a whole x or y where the other stands alone.

        Args:
            task: whose pairs they are.
            train: `(n, x_dim)` and `(n, y_dim)`.
            valid: likewise.
            generator: all randomness comes from it.
        """
        return train, valid

    @property
    def report(self) -> tuple[str, ...]:
        """What a reader should know of the data once they are made, a line each."""
        return ()

    def before(self, task: Task, train: Pairs, valid: Pairs, generator: Generator) -> tuple[Pairs, Pairs] | None:
        """What methods learn before the pairs of `data`, such as cheap pairs; None where there is nothing before.

        A method that trains is trained on these, and goes on with those of `data` at a tenth of the learning rate; one
        that does not is given both at once.

        Args:
            task: as of `data`; so all others, with random numbers of their own.
            train: `(n, x_dim)` and `(n, y_dim)`.
            valid: likewise.
            generator: all randomness comes from it.
        """
        return None

    def ask(self, task: Task, known: Pairs, targets: Targets, generator: Generator) -> Targets:
        """What is asked instead of these targets; called for the targets and for y* alike.

        Args:
            task: the task.
            known: the training part, before `data`, without incomplete rows; the validation part may hold the designs
                behind the targets.
            targets: y `(m, y_dim)`, shown as they are.
            generator: the source of all randomness.
        """
        return targets
