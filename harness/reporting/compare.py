"""Two methods beside each other: which has the smaller error on the same targets, by how much, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from harness.comparing import EXACT, SEEDS, Comparison, compare, overall
from harness.errors import UsageError, unknown
from harness.metrics import METRICS
from harness.reporting import notes
from harness.reporting.apart import needed
from harness.reporting.build import several
from harness.reporting.groups import Group
from harness.reporting.numbers import interval, share
from harness.reporting.table import Column, Raw, Table

PROTOCOL = "multi-target"
"""Whose errors of the targets are compared: those of one proposal each."""
ALL_TASKS = "all of these"


def comparison(groups: Sequence[Group], pair: Sequence[str], metric: str | None) -> list[Table]:
    """Tables of two methods, one for the tasks that share their settings.

    Args:
        groups: of the tasks to compare on.
        pair: the labels of the two methods.
        metric: whose errors; nmse where None.

    Raises:
        UsageError: not two methods, an unknown one, or none of the targets' errors of both on any task.
    """
    metric = metric or "nmse"
    if metric not in METRICS:
        raise unknown("metric", metric, METRICS)
    labels = list(dict.fromkeys(row.label for item in groups for row in item.rows))
    if len(pair) != 2 or pair[0] == pair[1]:
        raise UsageError(
            f"compare takes two methods, not {', '.join(pair) or 'none'}. Write: table compare METHOD METHOD."
        )
    for label in pair:
        if label not in labels:
            raise unknown("method", label, labels)
    tables = [table for together in several(groups) for table in _tables(together, pair, metric)]
    if not tables:
        raise UsageError(
            f"No task here has errors of both {pair[0]} and {pair[1]} on the same targets: {_why(groups, pair)}."
        )
    return tables


def _why(groups: Sequence[Group], pair: Sequence[str]) -> str:
    """Why two methods cannot be compared."""
    done = [{row.label for row in item.rows if row.done} & {*pair} for item in groups]
    for label in pair:
        if not any(label in labels for labels in done):
            return f"{label} has no scores on any of them (`python -m harness list results` says why)"
    if not any(len(labels) == 2 for labels in done):
        return "they were asked for other targets, or on other tasks. Run both with the same preset and options"
    return "older records do not have them; `python -m harness rescore` makes them where the answers are stored"


def _tables(groups: Sequence[Group], pair: Sequence[str], metric: str) -> Iterator[Table]:
    """The table of groups that share their settings; none where no task has both methods."""
    found: dict[str, Comparison] = {}
    used = []
    for item in groups:
        errors = [row.of_targets(PROTOCOL, metric) for label in pair for row in item.rows if row.label == label]
        if len(errors) == 2 and all(len(each) and np.isfinite(each).all() for each in errors):
            found[item.task] = compare(*errors, least=item.negligible(metric))
            used.append(item)
    if not found:
        return
    rows = [_raw(task, one, pair) for task, one in found.items()]
    if len(found) > 1:
        rows.append(_raw(ALL_TASKS, overall(list(found.values())), pair))
    title = f"{pair[0]} and {pair[1]} on the same targets ({groups[0].heading})"
    facts = notes.of_several(used[0], "Comparison", metric)
    rows_of = [row for item in used for row in item.rows if row.label in pair]
    said = [*notes.failures(rows_of), *(note for item in used for note in _untrained(item, pair, metric))]
    closing = [*_notes(list(found.values()), pair, metric), *said, *notes.settings(used)]
    yield Table("compare", title, facts, _columns(pair), tuple(rows), tuple(closing))


def _untrained(item: Group, pair: Sequence[str], metric: str) -> Iterator[str]:
    """Which of the two have learned nothing yet."""
    rows = [row for row in item.rows if row.label in pair]
    errors = {row.label: float(row.of_targets(PROTOCOL, metric).mean()) for row in rows}
    return notes.untrained(item, metric, errors)


def _columns(pair: Sequence[str]) -> tuple[Column, ...]:
    return (
        Column("task", lambda raw: str(raw["task"]), status=None),
        Column(f"{pair[0]} / {pair[1]}", _ratio, status=None),
        Column(f"{pair[0]} beats {pair[1]}", lambda raw: share(raw["beats"]), status=None),
        Column("smaller error", lambda raw: str(raw["better"] or "not known"), status=None),
        Column("needed to decide", _needed, status=None),
    )


def _raw(task: str, found: Comparison, pair: Sequence[str]) -> dict[str, Any]:
    better = (pair[0] if found.log_ratio < 0 else pair[1]) if found.separated else None
    return {
        **{"task": task, "ratio": 10**found.log_ratio, "low": 10**found.low, "high": 10**found.high},
        **{"beats": found.beats, "better": better, "seeds": list(found.seeds), "target_count": found.targets},
        "targets_needed": None if found.separated or task == ALL_TASKS else found.targets_needed,
        "seeds_needed": None if task == ALL_TASKS else found.seeds_needed,
        "needed": "" if task == ALL_TASKS else needed(found),
    }


def _ratio(raw: Raw) -> str:
    return interval(raw["ratio"], raw["low"], raw["high"])


def _needed(raw: Raw) -> str:
    if raw["better"]:
        return ""
    if raw["needed"]:
        return str(raw["needed"])
    return "more seeds or targets" if max(raw["seeds"]) > 1 else "–"


def _notes(found: Sequence[Comparison], pair: Sequence[str], metric: str) -> Iterator[str]:
    yield (
        f"{pair[0]} / {pair[1]}: geometric mean over targets of the ratio of their {metric} (95 % interval); below 1 "
        f"{pair[0]} has the smaller error. Errors below {EXACT:g} of that of answering with the mean, or below that of "
        "the forward model itself, count as those"
    )
    yield METRICS[metric].words
    yield f"{pair[0]} beats {pair[1]}: how often its error on a target is the smaller one; ties count half"
    yield (
        "smaller error: where the interval leaves no doubt; needed to decide: how many targets, or seeds, would leave "
        "none, if the ratio stays as it is"
    )
    if any(item.of_targets_only for item in found):
        yield (
            f"The intervals speak of other targets only, not of other trainings: for that, run {SEEDS} seeds or more "
            "of each method (--seeds 0-2)"
        )
