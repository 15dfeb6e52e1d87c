"""The verb `advise`: which method to use, within budgets or in a user's situation."""

from __future__ import annotations

import math
import re
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from harness.config import SIZES, flag
from harness.errors import UsageError, unknown
from harness.meanings import in_words
from harness.metrics import METRICS
from harness.options import value_of
from harness.presets import BUILT_IN
from harness.protocols.advice import SECONDS, SIMULATIONS, advice
from harness.protocols.situation import Situation, advised, quoted
from harness.registry import discover
from harness.reporting import grouped, usual
from harness.reporting.formats import FORMATS
from harness.reporting.groups import Group
from harness.settings import check
from harness.show import existing

NMSE = "nmse"
KINDS: Mapping[str, type] = {"pairs": int, "calls": int, "gaps": float, "noise": float}
"""The flags that say something of the situation."""
EXAMPLES = {"pairs": "300", "calls": "100", "gaps": "0.3", "noise": "0.05"}
CHANGED = re.compile(rf"-(?:({'|'.join(SIZES)})(\d+)|(validation))$")
"""What a flag adds to the name of a preset."""


def advise(arguments: Namespace) -> int:
    """Say which method to use for each task, within budgets or in your situation."""
    seconds = _positive(arguments.seconds, "--seconds", float, SECONDS)
    simulations = _positive(arguments.simulations, "--simulations", int, SIMULATIONS)
    if arguments.metric not in METRICS:
        raise unknown("metric", arguments.metric, METRICS)
    situation = _situation(arguments, seconds, simulations)
    groups = usual(grouped(existing(arguments.out), arguments.tasks))
    if situation is not None:
        tables, missing = advised(groups, arguments.metric, situation, again, arguments.out)
        if missing and not tables:
            raise UsageError(" ".join(f"{sentence}." for sentence in missing))
    else:
        tables = advice(groups, arguments.metric, seconds or SECONDS, simulations or SIMULATIONS)
    if not tables:
        raise UsageError(
            f"No record below {arguments.out!r} has an r_T curve: no cell is ok (`python -m harness list results` says "
            "why), or none was scored by r_T."
        )
    print(FORMATS["markdown"](tables).rstrip("\n"))
    return 0


def _situation(
    arguments: Namespace, seconds: Sequence[float] | None, simulations: Sequence[int] | None
) -> Situation | None:
    """What the flags say of the user's situation; None where they say nothing."""
    given: dict[str, Any] = {}
    for item in fields(Situation):
        text, kind = getattr(arguments, item.name), KINDS.get(item.name)
        if text is None or kind is None:
            continue
        try:
            given[item.name] = value_of(text, kind, item.name)
            check(Situation(**given), item.name, only=item.name)
        except UsageError as error:
            allowed = f"{in_words(item, kind)}, such as {EXAMPLES[item.name]}"
            raise UsageError(f"{flag(item.name)} = {text!r} is not allowed. Allowed: {allowed}.") from error
    if not given:
        return None
    for name in ("calls", "noise"):
        if name in given and arguments.metric != NMSE:
            raise UsageError(f"--metric = {arguments.metric!r} is not allowed with {flag(name)}. Allowed: {NMSE}.")
    return Situation(**given, seconds=tuple(seconds or ()), simulations=tuple(simulations or ()))


def _positive(text: str | None, name: str, kind: type, examples: Sequence[Any]) -> Sequence[Any] | None:
    """Numbers above 0 from a comma list; None where none is given."""
    if text is None:
        return None
    try:
        found = [kind(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or not all(0 < value < math.inf for value in found):
        raise UsageError(
            f"{name} = {text!r} is not allowed. Allowed: {'whole ' * (kind is int)}numbers above 0, such as "
            f"{examples[0]:g},{examples[1]:g}."
        )
    return found


def again(groups: Sequence[Group], only: Sequence[str] = ()) -> tuple[str, str]:
    """The flags of `run` with which methods are run as groups were, and what must be known of the flags.

    Args:
        groups: of one task, in which the same is learned.
        only: the methods; those of the groups where empty.
    """
    preset, flags, remark = groups[0].first.preset, list[str](), ""
    while found := CHANGED.search(preset):
        preset = preset[: found.start()]
        flags.insert(0, f"{flag(found[1])} {found[2]}" if found[1] else flag(found[3]))
    if preset not in BUILT_IN:
        preset += ".toml"
        remark = f"; {preset} stands for the file of the preset"
    labels = list(only) or list(dict.fromkeys(row.first.label.method for group in groups for row in group.rows))
    every = {*discover("methods")} <= {*labels}
    methods = "" if every else f" --methods {quoted(','.join(labels))}"
    return " ".join((f"--preset {preset}", *flags)) + methods, remark
