"""The ledger: every number that papers print beside ours, how many times ours is as large, and what differs.

It asks nothing: ours are the numbers of other protocols. A verdict is of errors alone, for times and sizes depend on
machines and budgets, and of values that measure the same problem.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal

from harness.errors import unknown
from harness.protocols.contract import Protocol, Shown
from harness.protocols.fixed_target import FixedTarget
from harness.protocols.inference_time import InferenceTime
from harness.protocols.multi_target import MultiTarget
from harness.protocols.posterior import Posterior
from harness.protocols.r_t import curve
from harness.reporting.groups import Group
from harness.reporting.numbers import count, number, printed, size
from harness.reporting.published import Published, every
from harness.reporting.rows import Row
from harness.reporting.table import Column, Raw, Table

Verdict = Literal["better", "within 2x", "worse", "not comparable", "not run"]
NEAR = 2.0
"""How many times as large as the published error ours is at most where it is called `within 2x`."""
ALL = "all"


def _mean(row: Row, metric: str, protocol: type[Protocol]) -> float | None:
    return row.mean(lambda scores: scores.errors[metric].mean, protocol)


def _best(row: Row, metric: str, key: str) -> float | None:
    found: float | None = curve(row, metric, {}).get(key)
    return found


ERRORS: dict[str, Callable[[Row, str], float | None]] = {
    "multi-target": partial(_mean, protocol=MultiTarget),
    "fixed-target": partial(_mean, protocol=FixedTarget),
    "r_1": partial(_best, key="r_1"),
    "r_200": partial(_best, key="r_200"),
}
COSTS: dict[str, Callable[[Row, str], float | None]] = {
    "seconds": lambda row, _: row.mean("seconds", InferenceTime),
    "training": lambda row, _: row.mean(lambda record: record.seconds.get("training")),
    "parameters": lambda row, _: row.mean("model.parameters.trainable"),
    "checkpoint": lambda row, _: row.mean("model.parameters.checkpoint_bytes"),
}
POSTERIOR = "posterior"
DISTANCES: dict[str, Callable[[Row, str], float | None]] = {
    POSTERIOR: lambda row, _: row.mean(lambda scores: scores.own and scores.own.mmd_biased, Posterior),
}
"""To the posterior, with the estimator that papers use."""
OURS = {**ERRORS, **COSTS, **DISTANCES}
TEXTS: dict[str, Callable[[float | None], str]] = {"parameters": count, "checkpoint": size}


class Ledger(Protocol):
    """The published errors beside ours."""

    name: ClassVar[str] = "ledger"

    def tables(self) -> dict[str, Shown[Table]]:
        return {"published": Shown(_build, place=95)}


@dataclass(frozen=True)
class Entry:
    """A published value beside ours."""

    value: Published
    row: Row | None
    """Ours; None where there is none."""
    why: tuple[str, str]
    """Why there is none of ours, and of what; empty where there is one."""

    @property
    def ours(self) -> float | None:
        """Our number; None where there is none."""
        if self.row is None or self.value.measure not in OURS:
            return None
        return OURS[self.value.measure](self.row, self.value.metric)

    @property
    def ratio(self) -> float | None:
        """How many times as large ours is; None where there is none, or the published one is 0."""
        ours = self.ours
        return None if ours is None or not self.value.value else ours / self.value.value

    @property
    def verdict(self) -> Verdict:
        """How ours compares, where it does."""
        if self.value.measure not in ERRORS or not self.value.comparable:
            return "not comparable"
        ratio = self.ratio
        if ratio is None:
            return "not run"
        return "better" if ratio <= 1 else "within 2x" if ratio <= NEAR else "worse"


def entries(groups: Sequence[Group], papers: Sequence[str] = (), tasks: Sequence[str] = ()) -> list[Entry]:
    """All published values, or those of some papers and tasks, beside the rows of groups of one preset.

    Args:
        groups: records as `harness.reporting.grouped` gives them, of one preset.
        papers: short names, such as `ren2020`; none for all.
        tasks: names; none for all.
    """
    rows = {(group.task, row.label): row for group in groups for row in group.rows}
    known = {task for task, _ in rows}
    found = []
    for value in every():
        if (papers and value.paper not in papers) or (tasks and value.task not in tasks):
            continue
        row = rows.get((value.task, value.method))
        found.append(Entry(value, row, _why(value, row, known)))
    return found


def _why(value: Published, row: Row | None, tasks: set[str]) -> tuple[str, str]:
    """Why there is no number of ours, and of what."""
    if value.measure not in OURS:
        return "not measured here", value.measure
    if value.task not in tasks:
        return "tasks that were not run", value.task
    if row is None:
        return "methods that were not run", value.method
    if OURS[value.measure](row, value.metric) is None:
        return "fewer proposals, or none", f"{value.measure} on {value.task}"
    return "", ""


def ledger(groups: Sequence[Group], papers: Sequence[str] = (), tasks: Sequence[str] = ()) -> list[Table]:
    """All published values beside ours, a table for each preset.

    Args:
        groups: ours.
        papers: short names such as `ren2020`; all where omitted.
        tasks: all where omitted.

    Raises:
        UsageError: a paper or a task of which no value is known.
    """
    values = every()
    for kind, wanted, allowed in (
        ("paper", papers, {value.paper for value in values}),
        ("task", tasks, {value.task for value in values}),
    ):
        for name in wanted:
            if name not in allowed:
                raise unknown(kind, name, {*allowed, ALL} if kind == "paper" else allowed)
    return [_table(together, entries(together, papers, tasks)) for together in _by_preset(groups)]


def _build(groups: Sequence[Group], metric: str | None, published: bool) -> list[Table]:
    """The errors of which there is one of ours."""
    if not published:
        return []
    every_one = [(together, entries(together)) for together in _by_preset(groups)]
    shown = [(own, [one for one in found if one.value.measure in ERRORS and one.ratio]) for own, found in every_one]
    return [_table(together, found) for together, found in shown if found]


def _by_preset(groups: Sequence[Group]) -> list[list[Group]]:
    """The groups of each preset in which each task stands once; of twins, such as other data, the first counts."""
    found: dict[str, dict[str, Group]] = {}
    for group in groups:
        found.setdefault(group.first.preset, {}).setdefault(group.task, group)
    return [list(by_task.values()) for by_task in found.values()]


def _table(groups: Sequence[Group], found: Sequence[Entry]) -> Table:
    numbers = {text: place for place, text in enumerate(dict.fromkeys(_differences(found)), 1)}
    rows = tuple(_raw(entry, numbers) for entry in found)
    columns = (
        Column("source", lambda raw: str(raw["source"]), status=None),
        Column("task", lambda raw: str(raw["task"]), status=None),
        Column("method", lambda raw: str(raw["method"]), status=None),
        Column("what", lambda raw: str(raw["measure"]), status=None),
        Column("published", _published, status=None, value="published"),
        Column("ours", partial(_text, key="ours"), status=None, value="ours"),
        Column("ours / published", lambda raw: number(raw["ratio"]), status=None, value="ratio"),
        Column("verdict", lambda raw: str(raw["verdict"]), status=None),
        Column("parameters", _parameters, status=None),
        Column("differs", lambda raw: ", ".join(map(str, raw["notes"])), status=None),
    )
    preset = groups[0].first.preset
    facts = {"task": None, "metric": None, "preset": preset, "budget": None, "split": None, "targets": None}
    facts["title"] = "Published numbers beside ours"
    said = (*_notes(found), *(f"{place}: {text}" for text, place in numbers.items()))
    return Table("published", f"Published numbers beside ours ({preset})", facts, columns, rows, said)


def _differences(found: Sequence[Entry]) -> Iterator[str]:
    for entry in found:
        yield from (text for _, text in entry.value.differences)


def _raw(entry: Entry, numbers: Mapping[str, int]) -> dict[str, Any]:
    value = entry.value
    texts = [text for _, text in value.differences]
    size_of = next((one for one in every() if _is_size_of(one, value)), None)
    return {
        **{"source": value.source, "paper": value.paper, "task": value.task, "method": value.method},
        **{"measure": value.measure, "metric": value.metric, "published": value.value, "deviation": value.std},
        **{
            "ours": entry.ours,
            "ratio": entry.ratio,
            "verdict": entry.verdict,
            "why": ": ".join(filter(None, entry.why)),
        },
        "published_parameters": size_of.value if size_of else None,
        "parameters": entry.row.mean("model.parameters.trainable") if entry.row else None,
        "second_hand": value.second_hand,
        "baseline": bool(entry.row and entry.row.baseline),
        "notes": sorted(numbers[text] for text in texts),
        "differences": texts,
        "evidence": list(value.evidence),
    }


def _is_size_of(one: Published, value: Published) -> bool:
    """Whether a value is the number of parameters behind another."""
    own = one.paper, one.task, one.method
    return one.measure == "parameters" and own == (value.paper, value.task, value.method)


def _published(raw: Raw) -> str:
    text = _text(raw, "published") + (f" ± {printed(raw['deviation'])}" if raw["deviation"] is not None else "")
    return text + " (second-hand)" * bool(raw["second_hand"])


def _text(raw: Raw, key: str) -> str:
    value = raw[key]
    if raw["measure"] in TEXTS:
        return TEXTS[raw["measure"]](value)
    return printed(value) if key == "published" else number(value)


def _parameters(raw: Raw) -> str:
    return f"{count(raw['published_parameters'])} / {count(raw['parameters'])}"


def _notes(found: Sequence[Entry]) -> Iterator[str]:
    errors = [entry for entry in found if entry.value.measure in ERRORS and not (entry.row and entry.row.baseline)]
    for second_hand in (False, True):
        verdicts = Counter(entry.verdict for entry in errors if entry.value.second_hand == second_hand)
        judged = sum(verdicts[name] for name in ("better", "within 2x", "worse"))
        if judged:
            yield (
                f"of {judged} {'second-hand' if second_hand else 'published'} errors of the same problem ours is "
                f"smaller in {verdicts['better']}, at most twice as large in {verdicts['within 2x']}, and larger in "
                f"{verdicts['worse']}; {verdicts['not comparable']} are of another problem, and of "
                f"{verdicts['not run']} there is none of ours"
            )
    for entry in errors:
        if entry.verdict == "worse":
            value = entry.value
            tried = f"; tried: {value.tried}" if value.tried else ""
            yield f"worse: {value.method} on {value.task}, {value.source}, {number(entry.ratio)} times as large{tried}"
    yield (
        "what: sse of one proposal for each of many targets (multi-target) or for y* (fixed-target), mse of the best "
        "of 1 or of 200 proposals (r_1, r_200); seconds of 1000 proposals, training in seconds, parameters, checkpoint"
    )
    yield from _of_posteriors(found)
    yield "verdicts are of errors alone: times depend on the machine, and sizes were not matched between methods"
    yield "parameters: those of the published method / of ours"
    yield "differs: what the numbers below say of how the published value was measured"
    missing: dict[str, list[str]] = {}
    for entry in found:
        if entry.why[0]:
            missing.setdefault(entry.why[0], []).append(entry.why[1])
    for why, names in missing.items():
        yield f"none of ours in {len(names)}, {why}: {', '.join(dict.fromkeys(names))}"


def _of_posteriors(found: Sequence[Entry]) -> Iterator[str]:
    """What the distances to a posterior are, and what an exact sampler has of them."""
    exact: dict[str, str] = {}
    for entry in found:
        if entry.value.measure == POSTERIOR and entry.row and entry.ours is not None:
            level = entry.row.mean(lambda scores: scores.itself and scores.itself.mmd_biased, Posterior)
            exact.setdefault(entry.value.task, number(level))
    if exact:
        yield (
            "posterior: squared MMD to draws of the posterior for y*, by the biased estimator that papers use. It is "
            "above 0 for an exact sampler, too, the more the fewer designs there are: our draws of the posterior have "
            f"{', '.join(f'{value} ({task})' for task, value in exact.items())} beside other such draws"
        )
