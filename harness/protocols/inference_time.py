"""What a method costs: size, training, proposals and memory (Ren et al. 2020, Tables 2, 8, 9, 10; iPage Fig. 7)."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from harness.protocols.contract import Number, Protocol, Shown
from harness.reporting import notes
from harness.reporting.apart import by_spread
from harness.reporting.build import base, table
from harness.reporting.groups import Group
from harness.reporting.numbers import count, deviation, number, printed, size
from harness.reporting.published import Published, find
from harness.reporting.rows import Row
from harness.reporting.table import Column, Raw, Table
from harness.settings import setting

if TYPE_CHECKING:
    from torch import Tensor

    from harness.contracts import Method


def _timed(value: float | None) -> str:
    return printed(value) + " s" * (value is not None)


UNITS = {"parameters": count, "checkpoint": size, "training": _timed, "seconds": _timed}


@dataclass(frozen=True)
class Options:
    """Options of the measurement."""

    proposals: int = setting(1000, help="proposals for y* in one batch", least=1)
    rounds: int = setting(6, help="rounds after the warm-up, at most", least=1)
    patience: float = setting(3.0, help="seconds after which no further round begins", above=0)


@dataclass(frozen=True)
class Scores:
    """How long proposals take in one batch, after one warm-up round; medians over rounds."""

    proposals: int
    distinct: int
    """Different designs among them."""
    generated: float
    """Candidates that were drawn or optimised for them."""
    operations: int
    """Floating-point operations of matrix products and convolutions for them, gradients included."""
    seconds: float
    stages: dict[str, float]
    """Seconds of the parts that the method names, such as generation and localisation."""
    noise_floor: float
    """The difference between the medians of the even and of the odd rounds, the same work measured twice."""
    rounds: int
    exclusive: bool
    """Whether nothing else ran on the machine."""


class InferenceTime(Protocol):
    """Seconds for proposals from the trained model; its table shows what a method costs altogether."""

    name: ClassVar[str] = "inference-time"
    references: ClassVar[tuple[str, ...]] = ("Ren, Padilla, Malof 2020, Table 2",)
    Options: ClassVar[type] = Options
    score_type: ClassVar[type] = Scores
    measures: ClassVar[bool] = True

    def measure(self, method: Method, y: Tensor, seed: int, exclusive: bool) -> Scores:
        from torch import Generator

        from harness.distances import distinct
        from harness.operations import Operations
        from harness.seeds import derive
        from harness.timing import Stopwatch, clock

        options, device = self.options, str(y.device)
        generator = Generator().manual_seed(derive("inference", seed))
        with Operations() as operations:  # the warm-up round
            method.propose(y, options.proposals, generator)
        rounds: list[tuple[float, dict[str, float]]] = []
        began = clock(device)
        while len(rounds) < options.rounds and (len(rounds) < 2 or clock(device) - began <= options.patience):
            watch = Stopwatch(device)
            method.stage = watch
            started = clock(device)
            proposals = method.propose(y, options.proposals, generator)
            rounds.append((clock(device) - started, dict(watch.seconds)))
        seconds = [total for total, _ in rounds]
        return Scores(
            proposals=options.proposals,
            distinct=distinct(proposals.x[0].detach()),
            generated=float(proposals.generated or method.candidates(options.proposals)),
            operations=operations.total,
            seconds=statistics.median(seconds),
            stages={name: statistics.median(stages[name] for _, stages in rounds) for name in rounds[0][1]},
            noise_floor=abs(statistics.median(seconds[::2]) - statistics.median(seconds[1::2] or seconds)),
            rounds=len(rounds),
            exclusive=exclusive,
        )

    def numbers(self, scores: Scores) -> Iterator[Number]:
        names = ("seconds", "distinct", "generated", "operations", "noise_floor")
        yield from ((None, name, getattr(scores, name)) for name in names)
        yield from ((None, f"{stage}_seconds", value) for stage, value in scores.stages.items())

    def tables(self) -> dict[str, Shown[Table]]:
        return {"cost": Shown(_build, place=50, plain=True)}


def _build(groups: Sequence[Group], metric: str | None, published: bool) -> list[Table]:
    return [_table(group, published) for group in groups if group.done]


def _table(group: Group, published: bool) -> Table:
    shown = {row.label: _published(group, row) if published else {} for row in group.rows}
    rows = [_raw(row, shown[row.label]) for row in group.rows]
    values = [value for found in shown.values() for value in found.values()]
    extra = list(_notes(rows))
    columns = list(_columns())
    if values:
        columns.append(Column("published", _beside, status=None))
        extra += ["published: parameters, checkpoint, training, 1000 proposals", *notes.published(values)]
    return table("cost", "Cost", group, columns, rows, extra)


def _published(group: Group, row: Row) -> dict[str, Published]:
    found = {measure: find(measure, group.task, row.label) for measure in UNITS}
    return {measure: value for measure, value in found.items() if value is not None}


def _raw(row: Row, shown: dict[str, Published]) -> dict[str, Any]:
    first: Scores | None = row.score(InferenceTime)
    names = ("proposals", "distinct", "generated", "operations", "seconds", "noise_floor")
    stages = first.stages if first else {}
    return {
        **base(row),
        "parameters": row.mean("model.parameters.trainable"),
        "of_budget": row.mean("model.parameters.ratio"),
        "stored_numbers": row.mean("model.parameters.stored"),
        "checkpoint_bytes": row.mean("model.parameters.checkpoint_bytes"),
        "training_seconds": row.mean(lambda record: record.seconds.get("training")),
        "peak_memory_bytes": row.mean("model.peak_memory_bytes"),
        **{name: row.mean(name, InferenceTime) for name in names},
        "per_distinct": row.mean(per_distinct, InferenceTime),
        "per_distinct_floor": row.mean(_floor, InferenceTime),
        "stages": " + ".join(stages),
        **{f"{stage}_seconds": row.mean(partial(_stage, name=stage), InferenceTime) for stage in stages},
        "exclusive": all(scores.exclusive for scores in row.scores(InferenceTime)),
        **{f"published_{measure}": value.value for measure, value in shown.items()},
    }


def _columns() -> Iterator[Column]:
    told = by_spread("per_distinct", "per_distinct_floor")
    yield Column("parameters", _parameters)
    yield Column("of budget", lambda raw: share_of(raw["of_budget"]))
    yield Column("checkpoint", lambda raw: size(raw["checkpoint_bytes"]))
    yield Column("training s", lambda raw: number(raw["training_seconds"]))
    yield Column("1000 proposals s", _seconds)
    yield Column("distinct", lambda raw: _whole(raw["distinct"]))
    yield Column("generated", lambda raw: _whole(raw["generated"]))
    yield Column("GFLOP", lambda raw: number(_giga(raw["operations"])))
    yield Column("s per distinct", lambda raw: number(raw["per_distinct"]), "per_distinct", apart=told)
    yield Column("stages s", _stages)
    yield Column("memory", lambda raw: size(raw["peak_memory_bytes"]))


def _parameters(raw: Raw) -> str:
    """Trainable parameters, or the numbers that a method without any keeps instead."""
    return count(raw["parameters"]) if raw["of_budget"] is not None else f"{count(raw['stored_numbers'])} stored"


def share_of(ratio: float | None) -> str:
    """Actual parameters over the budget; `exempt` for a method without trainable parameters."""
    return "exempt" if ratio is None else f"{100 * ratio:.1f} %"


def _whole(value: float | None) -> str:
    return number(None) if value is None else f"{value:.0f}"


def _giga(value: float | None) -> float | None:
    return None if value is None else value / 1e9


def _seconds(raw: Raw) -> str:
    return ("" if raw["exclusive"] else "~") + deviation(raw["seconds"], raw["noise_floor"], digits=2)


def per_distinct(scores: Scores) -> float | None:
    """Seconds for a distinct design; None where there was none."""
    return scores.seconds / scores.distinct if scores.distinct else None


def _floor(scores: Scores) -> float | None:
    """The noise floor of the seconds for a distinct design."""
    return scores.noise_floor / scores.distinct if scores.distinct else None


def _stage(scores: Scores, name: str) -> float | None:
    return scores.stages.get(name)


def _stages(raw: Raw) -> str:
    names = raw["stages"].split(" + ") if raw["stages"] else []
    return " + ".join(number(raw[f"{name}_seconds"]) for name in names) or number(None)


def _beside(raw: Raw) -> str:
    parts = [text(raw.get(f"published_{measure}")) for measure, text in UNITS.items()]
    return " / ".join(parts) if any(f"published_{measure}" in raw for measure in UNITS) else number(None)


def _notes(rows: Sequence[Raw]) -> Iterator[str]:
    yield "Parameters are the trainable ones; a method without any shows the numbers that it stores"
    yield "1000 proposals in one batch after warm-up ± noise floor, a repeat of the same work"
    yield "distinct: different designs among them; generated: candidates drawn or optimised for them"
    yield "GFLOP: 1e9 floating-point operations for them, in matrix products and convolutions, as torch counts them"
    if stages := {raw["stages"] for raw in rows if " + " in raw["stages"]}:
        yield f"stages: {', '.join(sorted(stages))}"
    yield "memory: what the method's process took at most while it trained and answered, above what it took before"
    if any(not raw["exclusive"] for raw in rows if raw["seconds"] is not None):
        yield "~ other work may have run too; on an idle machine `python -m harness time` measures again, one at a time"
