"""The tables of claims: one line a claim with its verdict, and all evidence of one claim."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from harness.claims.checks import NO, OPEN, YES, Finding, Interval, Pair
from harness.claims.claim import Check, Claim
from harness.claims.judging import VERDICTS, Judged, judge
from harness.claims.rows import by_task
from harness.claims.statistic import statistic
from harness.comparing import SEEDS
from harness.reporting.groups import Group
from harness.reporting.notes import FEW_STEPS
from harness.reporting.numbers import interval, number, numbered
from harness.reporting.table import Column, Raw, Table

TITLE = "What papers say, and what holds here"
COLUMNS = ("name", "claim", "source", "verdict", "evidence")
NAMED = 2
"""Missing cells that a line names."""
MANY = 3
"""Methods from which on a line does not name them."""


def claims_table(groups: Sequence[Group], claims: Sequence[Claim]) -> list[Table]:
    """One line a claim, a table for each preset."""
    return [_table(preset, [judge(claim, tasks) for claim in claims], tasks) for preset, tasks in by_task(groups)]


def tested_table(groups: Sequence[Group], claims: Sequence[Claim]) -> list[Table]:
    """The same of the claims of which anything is known, with the number of the others; none where there are none."""
    found = []
    for preset, tasks in by_task(groups):
        judged = [judge(claim, tasks) for claim in claims]
        known = [one for one in judged if any(finding.pairs for finding in one.findings)]
        if known:
            table = _table(preset, known, tasks)
            left = f"{len(judged) - len(known)} further claims need cells that were not run: see `claims`"
            found.append(table.noting(left) if len(known) < len(judged) else table)
    return found


def evidence_tables(groups: Sequence[Group], claim: Claim) -> list[Table]:
    """All evidence of one claim, a table for each preset."""
    return [_evidence(preset, judge(claim, tasks)) for preset, tasks in by_task(groups)]


def _table(preset: str, judged: Sequence[Judged], tasks: Mapping[str, Group]) -> Table:
    columns = tuple(Column(name, partial(_text, key=name), status=None) for name in COLUMNS)
    rows = tuple(_raw(one) for one in judged)
    facts = {"task": None, "metric": None, "preset": preset, "budget": None, "split": None, "targets": None}
    return Table(
        "claims", f"{TITLE} ({preset})", {"title": TITLE, **facts}, columns, rows, tuple(_notes(judged, tasks))
    )


def _text(raw: Raw, key: str) -> str:
    return str(raw[key])


def _raw(one: Judged) -> dict[str, Any]:
    methods = dict.fromkeys(label for check in one.claim.check for label in check.method)
    return {
        **{"method": ", ".join(methods), "status": "ok", "baseline": False, "name": one.claim.name},
        "claim": one.claim.claim,
        "source": one.claim.source,
        "published": one.claim.published,
        "verdict": one.verdict,
        "evidence": ". ".join(_in_short(one)),
        "missing": list(one.missing),
    }


def _in_short(one: Judged) -> Iterator[str]:
    """What each check finds, in a few words."""
    if one.claim.untested:
        yield one.claim.untested
    for check in one.claim.check:
        own = [finding for finding in one.findings if finding.check is check and not finding.missing]
        told = {says: [_deciding(finding) for finding in own if finding.says == says] for says in (YES, NO, OPEN)}
        texts = [f"{says}: {', '.join(each)}" for says, each in told.items() if each]
        if texts:
            yield f"{subject(check)}? {'; '.join(texts)}"
    if one.missing:
        more = f" and {len(one.missing) - NAMED} more" * (len(one.missing) > NAMED)
        yield f"missing: {', '.join(one.missing[:NAMED])}{more}"


def subject(check: Check) -> str:
    """What a check compares, in short: `r_200: one / the next < 1`."""
    name = statistic(check.statistic, "statistic").short
    methods = ", ".join(check.method) if len(check.method) < MANY else "any" if check.enough == "any" else "each"
    if check.kind == "order":
        return f"another order by {name} than by {statistic(check.against, 'against').short}"
    if check.kind in ("at_least", "at_most"):
        return f"{name}: {methods} {wanted(check)}"
    other = [statistic(check.against, "against").short] if check.against else []
    than = [", ".join(check.than) if len(check.than) < MANY else "the next"] if check.than else []
    return f"{name}: {methods} / {' of '.join(other + than)} {wanted(check)}"


def wanted(check: Check) -> str:
    """What a check wants of a ratio or a number."""
    if check.kind == "within":
        return f"in {check.least:g}–{check.most:g}"
    if check.kind == "order":
        return "another order"
    if check.kind in ("at_least", "at_most"):
        return f"{'≥' if check.kind == 'at_least' else '≤'} {check.value:g}"
    return f"{'<' if check.kind == 'lower' else '>'} {check.factor:g}"


def _deciding(finding: Finding) -> str:
    """A task with the comparison that decides: its interval, and whose it is where there were several."""
    if finding.check.kind == "order":
        names = [f"{pair.method} / {pair.than}" for pair in finding.pairs[:1]]
        return " ".join([finding.task, *names, ", then ".join(ranged(pair.shown) for pair in finding.pairs)])
    pair = finding.nearest
    assert pair is not None
    own = [pair.method] if len(finding.check.method) > 1 else []
    beside = ["to", pair.than] if len(finding.check.than) > 1 else []
    of_means = ["of means"] * (pair.ratio is None and finding.check.by == "mean")
    means = ["but", ranged(pair.mean), "of means"] if pair.apart else of_means
    return " ".join([finding.task, *own, ranged(pair.shown), *means, *beside])


def ranged(found: Interval) -> str:
    """A value with its interval; the value alone where that is not known."""
    value, low, high = found
    if math.isnan(low):
        return number(value)
    return interval(value, low, high) if value > 0 and low > 0 else f"{number(value)} ({number(low)} to {number(high)})"


def _evidence(preset: str, one: Judged) -> Table:
    rows = tuple(raw for finding in one.findings for raw in _lines(finding))
    columns = (
        Column("check", lambda raw: str(raw["check"]), status=None),
        Column("task", lambda raw: str(raw["task"]), status=None),
        Column("says", lambda raw: str(raw["says"]), status=None),
        Column("method", lambda raw: str(raw["method"]), status=None),
        Column("beside", lambda raw: str(raw["than"]), status=None),
        Column("of means", lambda raw: _ranged(raw, "mean"), status=None),
        Column("target by target", lambda raw: _ranged(raw, "ratio"), status=None),
        Column("seeds", lambda raw: str(raw["seeds"] or "–"), status=None),
    )
    facts = {"task": None, "metric": None, "preset": preset, "budget": None, "split": None, "targets": None}
    heading = f"{one.claim.name}: {one.verdict} ({preset})"
    said = [one.claim.claim, f"source: {one.claim.source}"]
    said += [f"published: {one.claim.published}"] * bool(one.claim.published)
    said += [text for text in (one.claim.note, one.claim.untested) if text]
    said += [f"missing: {', '.join(one.missing)}. {HOW_TO_RUN}"] * bool(one.missing)
    return Table("evidence", heading, {"title": one.claim.name, **facts}, columns, rows, (*said, *EVIDENCE))


def _lines(finding: Finding) -> Iterator[dict[str, Any]]:
    check = finding.check
    own = {"check": f"{check.statistic} {wanted(check)}", "task": finding.task, "on_task": finding.says}
    empty = {"method": ", ".join(check.method), "than": ", ".join(check.than), "says": finding.says, "seeds": None}
    for place, pair in enumerate(finding.pairs):
        second = check.kind == "order" and place == 1
        yield {**own, **({"check": f"{check.against} {wanted(check)}"} if second else {}), **_numbers(check, pair)}
    if not finding.pairs:
        yield {**own, **empty}


def _numbers(check: Check, pair: Pair) -> dict[str, Any]:
    than = f"{check.against} of {pair.than}" if check.against and check.kind != "order" else pair.than
    raw: dict[str, Any] = {"method": pair.method, "than": than, "says": pair.says, "seeds": pair.seeds}
    for name, found in (("mean", pair.mean), ("ratio", pair.ratio)):
        keys = (name, f"{name}_low", f"{name}_high")
        raw.update(zip(keys, (None if math.isnan(each) else each for each in found or (math.nan,) * 3), strict=True))
    return raw


def _ranged(raw: Mapping[str, Any], key: str) -> str:
    value, low, high = (raw.get(name) for name in (key, f"{key}_low", f"{key}_high"))
    return number(None) if value is None else ranged((value, math.nan if low is None else low, high or math.nan))


HOW_TO_RUN = "`python -m harness claims NAME --run` runs what is missing"
EVIDENCE = (
    "of means: the ratio of the two numbers, each a mean over targets or repeats, or the number itself; target by "
    "target: the geometric mean of the ratio over targets; both with 95 % intervals",
    "says: yes or no where the intervals leave no doubt; not told apart where they do",
)


def _notes(judged: Sequence[Judged], tasks: Mapping[str, Group]) -> Iterator[str]:
    if few := [task for task, group in tasks.items() if 0 < group.steps < FEW_STEPS]:
        yield f"trained for less than {FEW_STEPS} steps, too little to judge any method: {', '.join(few)}"
    counts = {verdict: sum(one.verdict == verdict for one in judged) for verdict in VERDICTS}
    said = ", ".join(f"{verdict} {count}" for verdict, count in counts.items() if count)
    yield f"of {numbered(len(judged), 'claim')}: {said}"
    yield (
        "holds: every check says yes on every task; does not hold: none does, and at least one says no; holds in part: "
        "all else, such as yes on some tasks and no on others; not decided: nothing can be told apart; not tested: a "
        "cell or a statistic is missing"
    )
    yield (
        "evidence: for each task the ratio that decides, with its 95 % interval and, of several, whose it is; target "
        "by target where errors of single targets are kept. `python -m harness claims NAME` shows all of one claim"
    )
    pairs = [pair for one in judged for finding in one.findings for pair in finding.pairs]
    if any(pair.of_targets_only for pair in pairs):
        yield (
            f"Fewer than {SEEDS} trainings of a method: its intervals speak of other targets or repeats only, not of "
            f"other trainings. For that, run --seeds 0-{SEEDS - 1}"
        )
