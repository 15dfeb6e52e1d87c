"""What a preset's settings may be, checked before anything is trained."""

from __future__ import annotations

from typing import Any

from harness.errors import UsageError, unknown
from harness.presets import Preset, Protocol

CHOICES = {
    "schedule.optimiser": ("adam", "adamw"),
    "schedule.decay": ("cosine", "plateau"),
    "protocol.targets_from": ("test", "validation"),
}


def check(preset: Preset) -> None:
    """Refuse settings that no cell could be run with.

    Raises:
        UsageError: naming the setting, its value and what is allowed.
    """
    values = {
        "budget": preset.budget,
        **{f"schedule.{name}": value for name, value in vars(preset.schedule).items()},
        **{f"protocol.{name}": value for name, value in vars(preset.protocol).items()},
    }
    for name, allowed in CHOICES.items():
        if values[name] not in allowed:
            raise unknown(name, values[name], allowed)
    for name, value in values.items():
        reason = _refusal(name, value)
        if reason:
            raise UsageError(f"{name} = {value!r} is not allowed. Allowed: {reason}.")
    _check_trials(preset.protocol)


def _refusal(name: str, value: Any) -> str | None:
    """What would have been allowed instead of this value; None where it is allowed."""
    if name == "schedule.average":
        return None if 0 <= value < 1 else "0 (off) or a decay below 1"
    if name == "schedule.learning_rate":
        return None if value > 0 else "a number above 0"
    if name == "protocol.data_seed" or name == "protocol.trials" or name in CHOICES:
        return None
    if name == "protocol.n_train":
        # An eighth pair is the first that leaves more than one for validation.
        return None if value is None or (isinstance(value, int) and value >= 8) else "8 or more"
    return None if isinstance(value, int) and value >= 1 else "1 or more"


def _check_trials(protocol: Protocol) -> None:
    trials = protocol.trials
    whole = all(isinstance(value, int) for value in trials)
    if not trials or not whole or min(trials) < 1 or max(trials) > protocol.proposals:
        raise UsageError(
            f"protocol.trials = {list(trials)} is not allowed. Allowed: numbers from 1 to protocol.proposals = "
            f"{protocol.proposals}; change one of the two in the run file."
        )
