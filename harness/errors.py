"""The error that a user's input can cause, and the one that a plug-in can."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class UsageError(ValueError):
    """Input that cannot be used. The command line prints its text and ends with exit code 2."""


class ContractError(ValueError):
    """A plug-in does not keep to its contract. The text says what is wrong and what to do."""


TRAINING = ("torch", "FrEIA", "nflows")
"""Packages without which results can be read, but nothing is trained, simulated or proposed."""


def not_installed(package: str) -> str:
    """What to do about a package of `TRAINING` that is not there."""
    return (
        f"{package} is not installed: results can be read here, but nothing can be trained, simulated or proposed. "
        "Install the package with all that it depends on: pip install inverse-harness, or pip install . in its folder."
    )


def numbered(number: float, noun: str) -> str:
    """A number of things, in errors and everywhere else; of a whole number all digits.

    Args:
        number: how many.
        noun: one of them, whose plural has an s.

    >>> numbered(1, "call"), numbered(1.5, "call"), numbered(2_000_000, "call")
    ('1 call', '1.5 calls', '2000000 calls')
    """
    text = str(number) if isinstance(number, int) else f"{number:g}"
    return f"{text} {noun}{'s' * (number != 1)}"


SHOWN = 50
"""Allowed values that an error names."""


def unknown(kind: str, value: str, allowed: Iterable[str]) -> UsageError:
    """An error that names the value, its close matches and what was allowed: all of it, unless that is very much."""
    choices = sorted(allowed)
    close = get_close_matches(value, choices, n=3)
    hint = f" Did you mean {' or '.join(close)}?" if close else ""
    more = f", and {len(choices) - SHOWN} more" if len(choices) > SHOWN else ""
    return UsageError(f"Unknown {kind} {value!r}.{hint} Allowed: {', '.join(choices[:SHOWN]) or 'none'}{more}.")
