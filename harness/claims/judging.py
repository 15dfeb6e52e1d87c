"""The verdict on a claim, from what its checks find on the tasks of one preset.

- `holds`: every check says yes on every task.
- `does not hold`: none says yes, and at least one says no.
- `holds in part`: some say yes, and others say no or cannot tell.
- `not decided`: all that is needed is there, and nothing can be told apart.
- `not tested`: a cell or a statistic is missing, or nothing of the claim can be tested.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.claims.checks import MISSING, NO, YES, Finding, find_out
from harness.claims.claim import Claim
from harness.reporting.groups import Group

Verdict = Literal["holds", "holds in part", "does not hold", "not decided", "not tested"]
VERDICTS: tuple[Verdict, ...] = ("holds", "holds in part", "does not hold", "not decided", "not tested")


@dataclass(frozen=True)
class Judged:
    """A claim with what was found."""

    claim: Claim
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """Whether it holds."""
        says = {finding.says for finding in self.findings}
        if not says or MISSING in says:
            return "not tested"
        if says == {YES}:
            return "holds"
        if YES in says:
            return "holds in part"
        return "does not hold" if NO in says else "not decided"

    @property
    def missing(self) -> tuple[str, ...]:
        """What would be needed to test it."""
        return tuple(dict.fromkeys(text for finding in self.findings for text in finding.missing))


def judge(claim: Claim, groups: Mapping[str, Group]) -> Judged:
    """What records say of a claim; `groups` has the rows of each task that was run."""
    return Judged(claim, tuple(finding for check in claim.check for finding in find_out(check, groups)))


def restricted(claims: Sequence[Claim], tasks: Sequence[str]) -> list[Claim]:
    """Claims on some tasks alone, without those that have nothing to check there; all of them where none is named."""
    if not tasks:
        return list(claims)
    return [own for claim in claims if (own := claim.on(tasks)).check]
