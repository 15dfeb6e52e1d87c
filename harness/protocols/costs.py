"""The figures of what a method costs: error against time, time to 1000 proposals, and training curves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import ClassVar

from harness.protocols.contract import Protocol, Shown
from harness.protocols.inference_time import InferenceTime, Scores, per_distinct
from harness.protocols.multi_target import MultiTarget
from harness.reporting import notes
from harness.reporting.figure import Axis, Figure, Panel, Series, headings, log_axis
from harness.reporting.groups import Group
from harness.reporting.rows import Row

LEAST = 1e-4
"""The least share of a fall that counts as one that is still to come."""


class Costs(Protocol):
    """The figures of what a method costs; it asks nothing of its own."""

    name: ClassVar[str] = "costs"

    def figures(self) -> dict[str, Shown[Figure]]:
        return {
            "error-and-time": Shown(error_and_time, place=6, metrics=("nmse", "mse", "sse"), plain=True),
            "error-and-training": Shown(error_and_training, place=8, metrics=("nmse", "mse", "sse"), plain=True),
            "time-to-1000": Shown(stages, place=34, plain=True),
            "training": Shown(training, place=36, plain=True),
        }


def error_and_time(groups: Sequence[Group], metric: str | None, published: bool) -> list[Figure]:
    """The error of one proposal against the time for it, a point a method, one panel a task."""
    axis = Axis("time to propose, per distinct design [s]", log=True)
    return _against("error-and-time", "Error and time for a design", axis, groups, str(metric), _per_distinct)


def error_and_training(groups: Sequence[Group], metric: str | None, published: bool) -> list[Figure]:
    """The error of one proposal against the time of training, a point a method, one panel a task."""
    axis = Axis("training time [s]", log=True)
    found = _against("error-and-training", "Error and time to train", axis, groups, str(metric), _training)
    return [replace(figure, beside="cost") for figure in found]


def _against(
    name: str, title: str, x: Axis, groups: Sequence[Group], metric: str, cost: Callable[[Row], float | None]
) -> list[Figure]:
    y = Axis(f"mean {metric}", log=True)
    each = [tuple(series for row in group.rows for series in _point(row, cost(row), metric)) for group in groups]
    panels = [Panel(heading, x, y, series) for heading, series in zip(headings(groups), each, strict=True) if series]
    said = [f"the mean {metric} of one proposal for each of many targets; lower left is better", *_timed(groups)]
    return [Figure(name, title, tuple(panels), (*said, *notes.hardware(groups)))] if panels else []


def _point(row: Row, seconds: float | None, metric: str) -> Iterator[Series]:
    error = row.mean(lambda scores: scores.errors[metric].mean, MultiTarget)
    if seconds and error is not None:
        yield Series(row.label, (seconds,), (error,), joined=False)


def _per_distinct(row: Row) -> float | None:
    return row.mean(per_distinct, InferenceTime)


def _training(row: Row) -> float | None:
    return row.mean(lambda record: record.seconds.get("training"))


def _timed(groups: Sequence[Group]) -> Iterator[str]:
    """Whether the times were measured on a busy machine."""
    if any(not scores.exclusive for group in groups for row in group.rows for scores in row.scores(InferenceTime)):
        yield "other work may have run while times were measured; `python -m harness time` measures them anew"


def stages(groups: Sequence[Group], metric: str | None, published: bool) -> list[Figure]:
    """Seconds for 1000 proposals, altogether and by the stages that methods name (iPage Fig. 7); a row a task."""
    names = dict.fromkeys(
        stage
        for group in groups
        for row in group.rows
        for scores in row.scores(InferenceTime)
        for stage in scores.stages
    )
    panels = tuple(
        panel
        for heading, group in zip(headings(groups), groups, strict=True)
        if group.scored(InferenceTime)
        for panel in _stages(heading, group, list(names))
    )
    said = ("1000 proposals for y* in one batch", *_timed(groups), *notes.hardware(groups))
    title = "Time to 1000 proposals"
    figure = Figure("time-to-1000", title, panels, said, legend=False, across=1 + len(names), beside="cost")
    return [figure] if panels else []


def _stages(heading: str, group: Group, names: Sequence[str]) -> Iterator[Panel]:
    """The panels of a task, all with the same range of time."""
    timed = [row for row in group.rows if row.score(InferenceTime)]
    readers: dict[str, Callable[[Scores], float | None]] = {"altogether": _altogether}
    readers |= {name: partial(_stage, name=name) for name in names}
    taken = {name: [row.mean(read, InferenceTime) for row in timed] for name, read in readers.items()}
    every = [seconds for each in taken.values() for seconds in each if seconds]
    x, y = log_axis("time [s]", every), Axis("", names=tuple(row.label for row in timed))
    for name, each in taken.items():
        series = tuple(
            Series(row.label, (seconds,), (float(place),), joined=False)
            for place, (row, seconds) in enumerate(zip(timed, each, strict=True))
            if seconds
        )
        yield Panel(f"{heading}: {name}", x, y, series)


def _altogether(scores: Scores) -> float:
    return scores.seconds


def _stage(scores: Scores, name: str) -> float | None:
    return scores.stages.get(name)


def training(groups: Sequence[Group], metric: str | None, published: bool) -> list[Figure]:
    """How far validation losses have still to fall, by epoch; a panel for each task and phase of training."""
    x, y = Axis("epoch of the phase"), Axis("loss left to fall (share)", log=True)
    found = {heading: _by_phase(group) for heading, group in zip(headings(groups), groups, strict=True)}
    names = dict.fromkeys(name for phases in found.values() for name in phases)
    panels = tuple(
        Panel(f"{heading}: {name}", x, y, tuple(phases.get(name, ())))
        for heading, phases in found.items()
        if phases
        for name in names
    )
    said = [
        "share: (loss − best loss) / (first loss − best loss) of the validation loss, so that methods with different "
        "losses can be seen together; 1 at the beginning, above it where the loss has risen; the weights of the best "
        "loss are kept",
        "titles: the phase of training, as methods name it; of the first seed",
    ]
    without = [heading for heading, phases in found.items() if not phases]
    said += [f"no loss that falls: {', '.join(without)}"] if without else []
    figure = Figure("training", "Training", panels, tuple(said), across=len(names), beside="cost")
    return [figure] if panels else []


def _by_phase(group: Group) -> dict[str, list[Series]]:
    """The curves of a task by the phase of training."""
    found: dict[str, list[Series]] = {}
    for row in group.rows:
        for name, curve in zip(_phases(row), row.curves(), strict=False):
            if falling := _falling(curve):
                found.setdefault(name, []).append(Series(row.label, *falling))
    return found


def _phases(row: Row) -> list[str]:
    model = row.first.model
    return [phase.name for phase in model.phases] if model else []


def _falling(
    curve: Sequence[tuple[int, float | None, float | None]],
) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Epochs, and the share of the fall that is to come after each; None where nothing fell."""
    known = [(float(epoch), value) for epoch, _, value in curve if value is not None]
    if not known:
        return None
    first, least = known[0][1], min(value for _, value in known)
    shares = tuple((value - least) / (first - least) if first > least else 0.0 for _, value in known)
    return (tuple(epoch for epoch, _ in known), shares) if sum(share >= LEAST for share in shares) > 1 else None
