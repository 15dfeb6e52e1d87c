"""Surrogate gap and novelty: what a low error may hide."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from harness.reporting import notes
from harness.reporting.build import METHOD, base, chart, several
from harness.reporting.groups import Group
from harness.reporting.numbers import number, share
from harness.reporting.rows import Row, dig
from harness.reporting.table import Column, Table

SCORES = ("scores", "novelty")
FORWARD_PHASES = ("surrogate", "forward", "bidirectional")
"""Phases that validate a forward model by its nmse: a surrogate's, or iPage's, which keeps the best of its two."""


def novelty(groups: Sequence[Group], metric: str, published: bool) -> list[Table]:
    """How far the proposals are from the training designs and from each other, with the error they reach."""
    return [_novelty(group, metric) for group in groups]


def _novelty(group: Group, metric: str) -> Table:
    columns = [
        Column(f"median {metric}", lambda raw: number(raw["median"]), best="median", floor=group.floor(metric)),
        Column("nearest", lambda raw: number(raw["nearest"])),
        Column("copies", lambda raw: share(raw["copies"])),
        Column("accurate", lambda raw: share(raw["accurate"])),
        Column("diversity", lambda raw: number(raw["diversity"])),
    ]
    extra = [
        "nearest: median distance of a first proposal to the nearest training design, standardised x; copies: share "
        "nearer than 1e-5; accurate: share of all proposals with nmse below 0.01; diversity: mean distance between the "
        "accurate proposals of one target",
    ]
    images, trials = dig(group.first, "scores", "recall", "images"), dig(group.first, "scores", "recall", "T")
    if images:
        columns.append(Column(f"recall, T={trials[-1]}", lambda raw: share(raw["recall"])))
        extra.append(
            f"recall: each design has {images} images with the same y; share of the {images} places where solutions "
            f"for y* lie that {trials[-1]} random proposals reach with nmse below 0.01"
        )
    rows = [_raw(row, metric, len(trials or ())) for row in group.rows]
    return chart("novelty", "Novelty and diversity", group, columns, rows, extra, metric)


def _raw(row: Row, metric: str, trials: int) -> dict[str, Any]:
    return {
        **base(row),
        "median": row.mean("scores", "multi_target", metric, "median"),
        **{key: row.mean(*SCORES, key) for key in ("nearest", "copies", "accurate", "diversity")},
        **({"recall": row.mean("scores", "recall", "found", trials - 1)} if trials else {}),
    }


def surrogate_gap(groups: Sequence[Group], metric: str, published: bool) -> list[Table]:
    """The error that methods with a surrogate believe they reached, beside the re-simulated one."""
    return [table for together in several(groups) if (table := _gap(together)) is not None]


def _gap(groups: Sequence[Group]) -> Table | None:
    rows = [
        {"task": group.task, **base(row), **_errors(row)}
        for group in groups
        for row in group.rows
        if row.values("scores", "surrogate_gap", "believed", "median")
    ]
    if not rows:
        return None
    columns = (
        Column("task", lambda raw: str(raw["task"]), status=None),
        METHOD,
        *(Column(key.replace("_", " "), _text(key)) for key in ("believed_median", "resimulated_median")),
        *(Column(key.replace("_", " "), _text(key)) for key in ("believed_mean", "resimulated_mean")),
        Column("gap", lambda raw: _ratio(raw)),
        Column("surrogate's own", _text("surrogate")),
        Column("exploited", lambda raw: share(raw["exploited"])),
    )
    extra = (
        "believed: error of a proposal by the method's own surrogate; resimulated: by the true forward model; "
        "gap: ratio of the medians",
        "surrogate's own: its error on the validation designs, where its training is recorded; exploited: the part of "
        "the mean resimulated error that neither the believed error nor the surrogate's own explains",
        notes.METRICS["nmse"],
    )
    facts = {**notes.facts(groups[0], "nmse"), "title": "Surrogate gap", "task": None, "split": None, "targets": None}
    title = f"Surrogate gap ({groups[0].heading})"
    return Table("surrogate-gap", title, facts, columns, tuple(rows), (*extra, *notes.settings(groups)))


def _errors(row: Row) -> dict[str, Any]:
    errors = {
        f"{which}_{statistic}": row.mean("scores", "surrogate_gap", which, statistic)
        for which in ("believed", "resimulated")
        for statistic in ("median", "mean")
    }
    own, believed, reached = _surrogate_error(row), errors["believed_mean"], errors["resimulated_mean"]
    if own is None or believed is None or not reached:
        return {**errors, "surrogate": own, "exploited": None}
    return {**errors, "surrogate": own, "exploited": max(0.0, 1 - (believed + own) / reached)}


def _surrogate_error(row: Row) -> float | None:
    """Least validation error of the phases that train a forward model, mean over seeds; None where there are none."""
    found = []
    for record in row.done:
        best = {phase["name"]: phase["best"] for phase in dig(record, "training", "phases") or ()}
        errors = [best[name] for name in FORWARD_PHASES if best.get(name) is not None]
        if not errors:
            return None
        found.append(min(errors))
    return fmean(found) if found else None


def _text(key: str) -> Any:
    return lambda raw: number(raw[key])


def _ratio(raw: Any) -> str:
    believed, true = raw["believed_median"], raw["resimulated_median"]
    return f"{number(true / believed)} ×" if believed and true is not None else number(None)
