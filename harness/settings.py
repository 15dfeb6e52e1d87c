"""Settings as frozen dataclasses: a field carries its bounds and its help, which flags, presets and checks read.

@dataclass(frozen=True)
class Options:
    bootstrap: int = setting(1000, help="resamples behind an interval", least=1)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

from harness.options import check, convert

__all__ = ["DataSettings", "Schedule", "Sizes", "check", "override", "setting"]

T = TypeVar("T")


def setting(
    default: Any,
    *,
    help: str = "",
    least: float | None = None,
    above: float | None = None,
    below: float | None = None,
    most: float | None = None,
    later: bool = False,
) -> Any:
    """A dataclass field with a default, a help text and bounds that `check` holds it to; None is always inside.

    Args:
        default: the value where none is given.
        help: what the setting means, for readers of flags and options.
        least: the least value that is allowed.
        above: what the value must be greater than.
        below: what the value must be less than.
        most: the greatest value that is allowed.
        later: whether the option came when there were results already, which its default leaves as they are.
    """
    given = {"least": least, "above": above, "below": below, "most": most}
    bounds = {name: bound for name, bound in given.items() if bound is not None}
    return field(default=default, metadata={"help": help, "bounds": bounds, "later": later})


def override(settings: T, values: Mapping[str, Any], owner: str) -> T:
    """The settings with some fields replaced.

    Args:
        settings: a frozen dataclass.
        values: new values by the names of fields.
        owner: whose settings they are, for an error.

    Raises:
        UsageError: an unknown field, or a value of the wrong type.
    """
    changed: Any = settings
    return replace(changed, **convert(type(changed), values, owner))


@dataclass(frozen=True)
class Schedule:
    """The training schedule, the same for every method."""

    epochs: int = setting(150, help="passes over the training data, shared among the phases of a method", least=1)
    batch: int = setting(256, help="rows of one step", least=1)
    optimiser: Literal["adam", "adamw"] = setting("adamw", help="with the weight decay that a method asks for")
    learning_rate: float = setting(2e-3, help="of the first step", above=0)
    decay: Literal["cosine", "plateau"] = setting(
        "cosine",
        help="cosine: 5 % linear warm-up, then a cosine to 1e-3 of the rate; plateau: halved on plateau (Ren et al.)",
    )
    average: float = setting(
        0.998,
        help="decay of the exponential moving average of the weights that is validated and kept; 0 turns it off",
        least=0,
        below=1,
    )
    validate_every: int = setting(5, help="epochs between validations", least=1)


@dataclass(frozen=True)
class DataSettings:
    """What is drawn from a task, before any method is asked."""

    # An eighth pair is the first that leaves more than one for validation.
    n_train: int | None = setting(None, help="training pairs; none takes the task's own number", least=8)
    targets: int = setting(1000, help="number of targets", least=1)
    targets_from: Literal["test", "validation"] = setting(
        "test", help="test: fresh prior draws; validation: the validation part's y, for choosing options"
    )
    data_seed: int = setting(0, help="seed of pairs and targets")


@dataclass(frozen=True)
class Sizes:
    """How many designs the questions that most protocols share ask for."""

    proposals: int = setting(200, help="proposals for each target", least=1)
    repeats: int = setting(50, help="how often proposals are drawn anew", least=1)
    fixed_proposals: int = setting(1000, help="proposals for the fixed target y* in each repeat", least=1)
