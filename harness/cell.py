"""One cell from plan to record: the only place where task, method, protocols and timing meet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from harness import answers, by_target, data, fitting
from harness.changed import require_files, require_same
from harness.contracts import Task
from harness.data import Dataset
from harness.errors import UsageError
from harness.learning import Order
from harness.metrics import METRICS
from harness.plan import Cell
from harness.protocols.contract import Answered, Material
from harness.questions import Question
from harness.records import plain
from harness.registry import build_method, build_protocol, build_scenario, build_task, discover
from harness.resimulation import resimulate, simulated
from harness.schema import Record
from harness.seeds import derive
from harness.timing import Stopwatch
from harness.training import Report
from harness.work import Work, answer_name

Learn = Callable[[Order, fitting.Lesson, Path, Report], Iterator[tuple[str, Any]]]
"""`harness.learning.learn`, here or in a process of its own."""
Simulate = Callable[[Tensor, Tensor], Tensor]


def update(
    cell: Cell, work: Work, record: Record | None, folder: Path, learn: Learn, report: Report, exclusive: bool = False
) -> Iterator[dict[str, Any]]:
    """Do the work of a cell. The files of its record lie in the folder; new ones are written there.

    Yields:
        Parts of the record as soon as they are known, so that a failure leaves those before it; a later part replaces
        an earlier one of the same name. The stamp of what is new is the last one of the record.

    Raises:
        Diverged, BudgetMissed, Told, or whatever the task raises.
    """
    update = _Update(cell, work, None if work.train else record)
    watch = Stopwatch()
    with watch("total"):
        with watch("data"):
            task = build_task(cell.task, cell.scenario)
            if update.record is not None:
                require_files(update.record, task)
            dataset = data.draw(task, cell.data, build_scenario(cell.scenario))
        yield from update.describe(task, dataset)
        if order := update.order(exclusive):
            given = lesson(cell, task, dataset)
            for name, content in learn(order, given, folder, report):
                yield update.learnt(name, content)

        known = simulated(task, dataset.train) if cell.scenario is None else None

        def simulate(x: Tensor, targets: Tensor) -> Tensor:
            def advance(done: int, total: int) -> None:
                report("re-simulating", done, total, None)

            advance(0, 1)
            with watch("resimulation"):
                return resimulate(task, x, targets, advance=advance, known=known)

        with watch("scoring"):
            scores = update.scored(task, dataset, update.answered(task, dataset, folder, simulate), folder)
        watch.seconds["scoring"] -= watch.seconds["resimulation"]
        yield scores
    yield update.took(watch.seconds)


def lesson(cell: Cell, task: Task, dataset: Dataset) -> fitting.Lesson:
    """What the method of a cell is given.

    Args:
        cell: whose budget, schedule, seed and device are taken.
        task: of the cell, in its scenario.
        dataset: drawn from it.
    """
    return fitting.lesson(
        task,
        dataset,
        budget=cell.budget,
        schedule=cell.schedule,
        seed=cell.seed,
        device=cell.device,
        method=build_method(cell.method),
    )


class _Update:
    """The parts of a record while they are made."""

    def __init__(self, cell: Cell, work: Work, record: Record | None) -> None:
        self.cell, self.work, self.record = cell, work, record
        kept: Mapping[str, Any] = plain(record) if record else {}
        self.stamp = len(kept.get("stamps", ()))
        self.parts: dict[str, dict[str, Any]] = {
            name: dict(kept.get(name) or {}) for name in ("model", "answers", "scores", "seconds")
        }

    def describe(self, task: Task, dataset: Dataset) -> Iterator[dict[str, Any]]:
        """What the method learns from; it stays as it is where nothing is trained.

        Raises:
            UsageError: the data are not those of the record.
        """
        if self.record is not None and self.record.data is not None:
            require_same(self.record, dataset)
        else:
            yield {
                "data": {
                    "stamp": self.stamp,
                    **dataset.hashes(),
                    "n_train": len(dataset.train.x),
                    "n_valid": len(dataset.valid.x),
                    "y_variance": dataset.y_variance.tolist(),
                    "floor": floor(task, dataset),
                    "report": [*task.report, *dataset.report, *data.unscaled_columns(task, dataset)],
                }
            }

    def order(self, exclusive: bool) -> Order | None:
        """What the method is to do; None where it has nothing to do."""
        questions = {self.cell.answer_digest(question): question for question in self.work.ask}
        measures = tuple(
            spec for spec in self.cell.protocols if spec.name in self.work.score and build_protocol(spec).measures
        )
        if not (self.work.train or questions or measures):
            return None
        return Order(self.cell.method, self.work.train, questions, measures, exclusive)

    def learnt(self, name: str, content: Any) -> dict[str, Any]:
        """The part of the record that a result of the method goes into."""
        match name:
            case "model":
                self.parts["model"] = {"stamp": self.stamp, **content}
            case "answer":
                self.parts["answers"][content[0]] = {"stamp": self.stamp, **content[1]}
                name = "answers"
            case "measured":
                self._score(*content)
                name = "scores"
            case _:
                self.parts["seconds"].update(content)
        return {name: self.parts[name]}

    def answered(self, task: Task, dataset: Dataset, folder: Path, simulate: Simulate) -> dict[Question, Answered]:
        """The answers to the questions of the protocols that are to be scored.

        Raises:
            UsageError: an answer is not stored.
            ValueError: a file that holds no answer to its question.
        """
        asked = {question for name in self.work.score for question in self.cell.questions[name].values()}
        found = {}
        for question in sorted(asked, key=str):
            name = answer_name(question, self.cell.answer_digest(question))
            if not (folder / f"{name}.npz").exists():
                raise UsageError(f"{name}.npz, an answer of the model, is not stored here; run the cell again")
            answer = answers.read(folder / f"{name}.npz")
            targets = dataset.asked(question.of)
            rows = len(targets.y) if answer.pooled else len(targets.y) * question.repeats
            if (len(answer.x), answer.x.shape[-1]) != (rows, task.x_dim):
                wanted = f"{rows} rows of designs of {task.x_dim} numbers"
                raise ValueError(f"{name}.npz holds x of shape {tuple(answer.x.shape)}; asked for were {wanted}")
            found[question] = Answered(question, answer, targets, dataset, simulate)
        return found

    def scored(
        self, task: Task, dataset: Dataset, answered: Mapping[Question, Answered], folder: Path
    ) -> dict[str, Any]:
        """The scores, those that are not new included; what is known of each target is written to the folder."""
        seed = derive("score", self.cell.data.data_seed)
        for spec in self.cell.protocols:
            protocol = build_protocol(spec)
            if spec.name in self.work.score and not protocol.measures:
                questions = self.cell.questions[spec.name]
                own = {name: answered[question] for name, question in questions.items()}
                material = Material(task, dataset, own, self.cell.sizes, seed)
                self._score(spec.name, protocol.score(material))
                by_target.write(folder, spec.name, protocol.by_target(material))
        return {"scores": self.parts["scores"]}

    def took(self, seconds: Mapping[str, float]) -> dict[str, Any]:
        """How long each step took; where some scores are as they were, how long it took when all were made."""
        usable = {name: plugin.load() for name, plugin in discover("protocols").items() if plugin.error is None}
        others = {name for name in self.record.scores if name not in self.work.score} if self.record else set()
        kept = any(not getattr(usable.get(name), "measures", False) for name in others)
        known = self.parts["seconds"]
        self.parts["seconds"] = {**seconds, **known} if kept else {**known, **seconds}
        return {"seconds": self.parts["seconds"]}

    def _score(self, name: str, scores: Any) -> None:
        (spec,) = (spec for spec in self.cell.protocols if spec.name == name)
        values = None if scores is None else plain(scores)
        if values is not None:
            try:
                msgspec.convert(values, build_protocol(spec).score_type)
            except msgspec.ValidationError as error:
                raise ValueError(f"the scores of {name} are not what it gives: {error}") from error
        self.parts["scores"][name] = {
            "stamp": self.stamp,
            "digest": self.cell.score_digest(spec),
            "source": spec.source,
            "options": spec.declared,
            "values": values,
        }


def floor(task: Task, dataset: Dataset) -> dict[str, float]:
    """Errors, by metric, below which differences mean nothing: of the forward model itself, or of noise in the targets.

    What all protocols score against may be noisy itself, as a view of the scenario says then.
    """
    asked = dataset.targets
    levels = [view.level for view in asked.views.values() if view.level and torch.equal(view.y, asked.y)]
    if not levels:
        return dict(task.floor)
    squares = max(levels) * dataset.y_variance
    known = torch.ones(len(squares), dtype=torch.bool)
    noise = {name: float(metric.of(squares, known, dataset.y_variance)) for name, metric in METRICS.items()}
    return {name: max(noise[name], task.floor.get(name, 0.0)) for name in noise}


def stamped(content: Mapping[str, Any], stamp: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a record with the stamp of what is new in it, without the stamps that no part has any more."""
    content = {**content, "stamps": [*content.get("stamps", ()), stamp]}
    parts = [content.get("data"), content.get("model")]
    parts += [*content.get("answers", {}).values(), *content.get("scores", {}).values()]
    used = sorted({part["stamp"] for part in parts if part} or {len(content["stamps"]) - 1})
    place = {old: new for new, old in enumerate(used)}

    def moved(part: Any) -> Any:
        return {**part, "stamp": place[part["stamp"]]} if part else part

    for name in ("data", "model"):
        content[name] = moved(content.get(name))
    for name in ("answers", "scores"):
        content[name] = {key: moved(part) for key, part in content.get(name, {}).items()}
    content["stamps"] = [content["stamps"][old] for old in used]
    return content
