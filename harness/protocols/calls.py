"""What records say where the simulator may be called for each target: the best search, and whether learning pays."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from harness import comparing
from harness.protocols.evidence import Evidence, Known, Missing, Place, asked_for, leaders, written
from harness.protocols.metered import LEARNS_NOTHING, UNLEARNED, Metered, Scores, pays
from harness.protocols.traces import kept
from harness.reporting.apart import needed, of_row
from harness.reporting.groups import Group
from harness.reporting.numbers import numbered, printed
from harness.reporting.table import Raw
from harness.searching import ENOUGH

IN_TURN = "none"
"""The search that looks at proposals in turn."""
NMSE = "nmse"
LEAST = 10
"""Calls that the scenario takes at least."""


def of_calls(known: Known, calls: int) -> Iterator[Evidence | Missing]:
    """The best search within so many calls for each target, from proposals or from draws of the prior.

    Behind it what is missing, where fewer calls were tried.

    Args:
        known: of a task.
        calls: that can be afforded for each target.
    """
    able = [(max(counts), group) for group in known.groups if (counts := _counts(group, calls))]
    more = f"metered[calls={max(LEAST, calls)}]"
    if not able:
        yield Missing("no records of calls to the simulator", more)
        return
    count, group = max(able, key=lambda item: (item[0], asked_for(item[1])))
    (table,) = Metered().tables()["metered"].build([group], None, False)
    complete = (raw for raw in table.rows if raw["status"] == "ok" and _error(raw, count) is not None)
    found = sorted(complete, key=lambda raw: _order(raw, count, _least(group)))
    asked, records = f"{numbered(calls, 'call')} a target", f"{written(group, 'calls')}, {numbered(count, 'call')}"
    if not found:
        yield Missing(f"no method has numbers in {records}")
        return
    raw, places = _raw(found, count, asked, records, group), tuple(_places(found, count, group))
    said = (_pays(found, min(calls, _most(group)), group), *_ended_at(found, count))
    yield Evidence(asked, records, raw, places, _least(group), (group,), median=True, notes=said)
    if calls > _most(group):
        yield Missing(f"no more than {_most(group)} calls a target were tried", more, makes="tries more", read=True)


def _counts(group: Group, calls: int) -> list[int]:
    """The numbers of calls, up to so many, at which errors are kept."""
    first: Scores | None = group.score(Metered)
    return [count for count in first.prior[IN_TURN].calls if count <= calls] if first else []


def _most(group: Group) -> int:
    """The calls that were allowed for each target."""
    first: Scores = group.score(Metered)
    return first.prior[IN_TURN].calls[-1]


def _least(group: Group) -> float:
    """The error below which searches are alike: they end there, or the forward model itself is no better."""
    return max(ENOUGH, group.floor(NMSE))


def _error(raw: Raw, count: int) -> float | None:
    found: float | None = raw.get(f"median_{count}")
    return found


def _order(raw: Raw, count: int, least: float) -> tuple[float, float, float]:
    """Searches end where a target is reached: below that the calls until then tell more than the error."""
    error, needed = _error(raw, count) or 0.0, raw["needed"]
    return max(error, least), float("inf") if needed is None else needed, error


def _label(raw: Raw) -> str:
    return str(raw["method"]) if raw["search"] == IN_TURN else f"{raw['method']} ({raw['search']})"


def _raw(found: Sequence[Raw], count: int, asked: str, records: str, group: Group) -> dict[str, Any]:
    """The row of the table; beside a baseline stands the best method that learns."""
    best, others = found[0], list(found[1:])
    if best["baseline"]:
        others = [raw for raw in others if not raw["baseline"]] or others
    following = others[0] if others else None
    return {
        "asked": asked,
        "records": records,
        "method": _label(best),
        "status": best["status"],
        "baseline": best["baseline"],
        "error": _error(best, count),
        "next": _label(following) if following else None,
        "next_error": _error(following, count) if following else None,
        "floor": group.floor(NMSE),
        **(_sure(best, following, count, group) if following else {"sure": None, "needed": ""}),
    }


def _compared(best: Raw, other: Raw, count: int, group: Group) -> comparing.Comparison | None:
    """Of the errors of two searches for the same targets; None where these are not kept."""
    one, another = (_drawn(raw, count, group) for raw in (best, other))
    if one is None or another is None or len(one.of_targets) != len(another.of_targets):
        return None
    return comparing.comparison(one, another, beats=math.nan)


def _drawn(raw: Raw, count: int, group: Group) -> comparing.Drawn | None:
    rows = {row.label: row for row in group.rows if row.score(Metered)}
    unlearned = raw["method"] == UNLEARNED  # its searches are the same in all records
    row = next(iter(rows.values())) if unlearned else rows[str(raw["method"])]
    return of_row(row, Metered.name, kept(str(raw["search"]), count, unlearned), ENOUGH)


def _apart(best: Raw, other: Raw, count: int, group: Group) -> bool | None:
    """Whether the second is worse for sure; where both have reached a target they are alike."""
    if _ended(other, count, _least(group)):
        return False
    found = _compared(best, other, count, group)
    return None if found is None else found.separated and found.log_ratio < 0


def _sure(best: Raw, following: Raw, count: int, group: Group) -> dict[str, Any]:
    if _ended(following, count, group.floor(NMSE)):
        return {"sure": None, "needed": ""}
    sure = _apart(best, following, count, group)
    found = None if sure or _ended(following, count, ENOUGH) else _compared(best, following, count, group)
    if found and found.separated:
        return {"sure": sure, "needed": f"{_label(following)} by the ratio"}
    return {"sure": sure, "needed": needed(found) if found else ""}


def _ended(raw: Raw, count: int, least: float) -> bool:
    return (_error(raw, count) or 0.0) <= least


def _places(found: Sequence[Raw], count: int, group: Group) -> Iterator[Place]:
    apart = partial(_apart, count=count, group=group)
    leading, learning = (leaders(some, apart) for some in (found, [raw for raw in found if not raw["baseline"]]))
    for raw in found:
        leads = [any(raw is each for each in some) for some in (leading, learning)]
        yield Place(str(raw["method"]), _label(raw), _error(raw, count) or 0.0, bool(raw["baseline"]), *leads)


def _pays(found: Sequence[Raw], calls: int, group: Group) -> str:
    """In a sentence, from how many targets on learning pays, where so many calls can be afforded for each."""
    first: Scores = group.score(Metered)
    able = sorted((raw for raw in found if (raw["needed"] or calls + 1) <= calls), key=lambda raw: float(raw["needed"]))
    every = [raw for raw in able if raw["method"] != LEARNS_NOTHING]
    own, prior = ([raw for raw in every if (raw["method"] == UNLEARNED) is unlearned] for unlearned in (False, True))
    within = numbered(calls, "call")
    goal = f"an nmse of {printed(first.accuracy)} for half of the targets"
    if not able:
        return f"within {within} no search reaches {goal}"
    if not own:
        return f"learning does not pay: within {within} no method reaches {goal}, and {_needs(prior[0])}"
    if not prior:
        return f"without learning no search reaches {goal} within {within}; {_needs(own[0])}"
    paying = [raw for raw in own if raw["pays"] is not None]
    if not paying:
        doubt = any(raw["doubt"] or raw["pays_low"] is not None for raw in own)
        said = (
            f"{numbered(first.targets, 'target')} cannot tell whether learning pays"
            if doubt
            else "learning does not pay"
        )
        return f"{said}: to reach {goal}, {_needs(prior[0])}, and {_needs(own[0])}"
    best, data = min(paying, key=lambda raw: float(raw["pays"])), group.first.data
    pairs = f" for each and {data.n_train + data.n_valid} pairs" if data else ""
    return f"learning pays from {pays(best)} targets on: to reach {goal}, {_needs(best)}{pairs}, and {_needs(prior[0])}"


def _ended_at(found: Sequence[Raw], count: int) -> Iterator[str]:
    """What stands first of several searches that have reached their end."""
    if sum(_ended(raw, count, ENOUGH) for raw in found) > 1:
        yield (
            f"a search ends at an nmse of {ENOUGH:g}, so that smaller errors are alike: of these, the search that "
            "needs the fewest calls stands first"
        )


def _needs(raw: Raw) -> str:
    return f"{_label(raw)} needs {numbered(raw['needed'], 'call')}"
