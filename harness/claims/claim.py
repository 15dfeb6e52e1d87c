"""A claim as its file says it, and what its checks need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from harness.claims import files
from harness.claims.statistic import Statistic, statistic
from harness.errors import UsageError, unknown

GROUP = "harness.claims"
Kind = Literal["lower", "higher", "within", "at_least", "at_most", "order"]
NEEDED: Mapping[str, tuple[str, ...]] = {
    "lower": (),
    "higher": (),
    "within": ("least", "most"),
    "at_least": ("value",),
    "at_most": ("value",),
    "order": ("against",),
}
"""The fields without a default that a check of each kind needs."""
TAKEN: Mapping[str, tuple[str, ...]] = {
    "lower": ("than", "against", "factor", "by", "enough"),
    "higher": ("than", "against", "factor", "by", "enough"),
    "within": ("than", "against", "by", "enough"),
    "at_least": ("enough",),
    "at_most": ("enough",),
    "order": ("by",),
}
"""The further ones that it may have."""


@dataclass(frozen=True)
class Check:
    """Something that records can bear out or not, on each task for itself."""

    kind: Kind
    statistic: str
    """A number, as `harness.claims.statistic` reads it."""
    method: tuple[str, ...]
    """Labels such as `name[option=value]`."""
    tasks: tuple[str, ...] = ()
    """Names; those of the claim where there are none."""
    than: tuple[str, ...] = ()
    """The labels that each method is compared with; itself where `against` is another statistic."""
    against: str = ""
    """The statistic of `than`, where it is another one; of `order`, by which the methods may stand otherwise."""
    factor: float = 1.0
    """How many times the number of `than` it is compared with."""
    least: float | None = None
    most: float | None = None
    """The ends within which the ratio lies."""
    value: float | None = None
    """What the number is compared with."""
    by: Literal["both", "mean", "ratio"] = "both"
    """Means over targets, ratios target by target, or both, which then must agree."""
    enough: Literal["every", "any"] = "every"
    """How many of the methods must do it."""


@dataclass(frozen=True)
class Claim:
    """A sentence with its source and what would bear it out."""

    name: str
    claim: str
    """The sentence."""
    source: str
    """Paper with table, figure or section."""
    published: str = ""
    """The numbers behind it."""
    note: str = ""
    """What a reader must know of how it is tested."""
    untested: str = ""
    """Why there is no check."""
    tasks: tuple[str, ...] = ()
    check: tuple[Check, ...] = ()

    def needs(self) -> dict[str, tuple[str, ...]]:
        """The methods whose cells the checks need, by task."""
        found: dict[str, dict[str, None]] = {}
        for check in self.check:
            for task in check.tasks:
                found.setdefault(task, {}).update(dict.fromkeys((*check.method, *check.than)))
        return {task: tuple(labels) for task, labels in found.items()}

    def compared(self) -> list[Statistic]:
        """What the checks look at."""
        texts = dict.fromkeys(text for one in self.check for text in (one.statistic, one.against) if text)
        return [statistic(text, self.name) for text in texts]

    def on(self, tasks: Sequence[str]) -> Claim:
        """The claim on some tasks alone; checks without any of them are left out."""
        kept = (replace(one, tasks=tuple(task for task in one.tasks if task in tasks)) for one in self.check)
        return replace(self, check=tuple(one for one in kept if one.tasks))


def made(name: str, content: Mapping[str, Any], where: str) -> Claim:
    """A claim from the content of its file.

    Raises:
        UsageError: a field or a value that is not allowed; it names both, and the file.
    """
    given = {key: value for key, value in content.items() if key != "check"}
    if "name" in given:
        raise UsageError(f"{where}: a claim is named by its file. Remove the field 'name'.")
    found = files.filled(Claim, {"name": name, **given}, where)
    tables = content.get("check", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise UsageError(f"{where}: check = {tables!r} is not allowed. Allowed: tables, each below [[check]].")
    if bool(tables) == bool(found.untested):
        has = "both a [[check]] and 'untested'" if tables else "neither a [[check]] nor 'untested'"
        raise UsageError(f"{where} has {has}. Give one of them.")
    if not found.claim.strip():
        raise UsageError(f"{where}: claim = '' is not allowed. Write the sentence.")
    checks = [_check(table, found, f"{where}, check {number}") for number, table in enumerate(tables, 1)]
    return replace(found, check=tuple(checks))


def _check(table: Mapping[str, Any], claim: Claim, where: str) -> Check:
    found = files.filled(Check, {"tasks": list(claim.tasks), **table}, where)
    allowed = ("kind", "statistic", "method", "tasks", *NEEDED[found.kind], *TAKEN[found.kind])
    for name in table:
        if name not in allowed:
            raise unknown(f"field of {where}, kind {found.kind!r}:", name, allowed)
    lacking = [name for name in NEEDED[found.kind] if name not in table]
    if found.kind in ("lower", "higher", "within") and not (found.than or found.against):
        lacking.append("than")
    lacking += [name for name in ("method", "tasks") if not getattr(found, name)]
    if lacking:
        raise UsageError(f"{where} has no field {lacking[0]!r}. A check of kind {found.kind!r} needs it.")
    for name in ("factor", "least", "most"):
        if (end := getattr(found, name)) is not None and end <= 0:
            raise UsageError(f"{where}: {name} = {end:g} is not allowed. Allowed: more than 0, as of any ratio.")
    _sensible(found, where)
    statistic(found.statistic, f"{where}: statistic")
    if found.against:
        statistic(found.against, f"{where}: against")
    return found


def _sensible(check: Check, where: str) -> None:
    """Refuse a check whose verdict would mean nothing.

    Raises:
        UsageError: an empty range, a method that is compared with itself, or a name that is there twice.
    """
    if check.least is not None and check.most is not None and check.least >= check.most:
        raise UsageError(
            f"{where}: nothing lies within least = {check.least:g} and most = {check.most:g}. Give a greater 'most'."
        )
    if check.kind == "order" and len(check.method) < 2:
        raise UsageError(f"{where}: method = {check.method[0]!r} has no order. Give two methods or more.")
    for name in ("method", "tasks", "than"):
        labels = getattr(check, name)
        twice = next((label for label in labels if labels.count(label) > 1), None)
        if twice is not None:
            raise UsageError(f"{where}: {name} names {twice!r} twice. Name it once.")
    same = next((label for label in check.method if label in check.than), None)
    if same is not None and check.against in ("", check.statistic):
        raise UsageError(f"{where} compares {same!r} with itself. Name another in 'than', or a statistic in 'against'.")


def delivered() -> dict[str, Claim]:
    """The claims of all installed packages, by name."""
    return files.delivered(GROUP, made)
