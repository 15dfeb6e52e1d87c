"""All that a method does in a cell: it is built and trained, or brought back from its stored state, and asked."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from harness import answers, budget, fitting
from harness.contracts import Method
from harness.durable import storage_errors
from harness.errors import ContractError
from harness.fitting import Lesson
from harness.questions import Question
from harness.registry import PluginSpec, build_method, build_protocol
from harness.seeds import derive, seeded
from harness.timing import Stopwatch
from harness.training import PhaseLog, Report
from harness.work import LOG, MODEL, answer_name

COMPARED = 4  # targets whose designs the stored model has to propose again
SAME_DESIGN = 1e-3  # in standardised x
SAME_DESIGNS = 0.5  # share: rounding may lead a search elsewhere


@dataclass(frozen=True)
class Order:
    """What a method is to do."""

    method: PluginSpec
    train: bool
    questions: Mapping[str, Question]
    """By the digests of their answers."""
    measures: tuple[PluginSpec, ...]
    """Protocols that examine the trained method itself."""
    exclusive: bool = False
    """Whether nothing else runs on the machine."""


def learn(order: Order, given: Lesson, folder: Path, report: Report) -> Iterator[tuple[str, Any]]:
    """Do all of it; the model, the answers and the training log are written into the folder.

    Yields:
        Named results as soon as they are known: `model` (parameters, phases and memory), `answer` (name and
        description), `measured` (protocol and its scores), `seconds` (by step).

    Raises:
        Diverged, BudgetMissed, or whatever the method raises.
    """
    watch, before = Stopwatch(), memory(given.device)
    method, width, logs = yield from _prepared(order, given, folder, report, watch)
    asker = _asker(method, given, report)
    for digest, question in order.questions.items():
        with watch("proposing"), seeded("propose", given.seed):
            answer = asker(question)
        name = answer_name(question, digest)
        with watch("writing"), storage_errors(folder):
            answers.write(answer, folder / f"{name}.npz")
        yield "answer", (name, {**asdict(question), "digest": digest, "file": f"{name}.npz", **_facts(answer)})
    budget.recount(method, given.budget)
    for spec in order.measures:
        with watch("inference"), seeded("inference", given.seed):
            report("timing", 0, 1, None)
            y = given.scales[1].apply(given.shown["fixed"]).to(given.device, method.dtype)
            yield (
                "measured",
                (spec.name, build_protocol(spec).measure(method, y, given.seed, exclusive=order.exclusive)),
            )
    if order.train:
        peak = max(0, memory(given.device) - before)
        yield "model", {**_model(order, method, width, given, logs, folder), "peak_memory_bytes": peak}
    yield "seconds", dict(watch.seconds)


def _prepared(
    order: Order, given: Lesson, folder: Path, report: Report, watch: Stopwatch
) -> Generator[tuple[str, Any], None, tuple[Method, int | None, list[PhaseLog]]]:
    """The method that its stored state gives back, its width, and what its training did."""

    def create() -> Method:
        return build_method(order.method)

    if not order.train:
        with watch("build"):
            return fitting.rebuild(given, create, folder / MODEL), None, []
    with watch("build"):
        method, width = fitting.build(given, create)
    yield "model", _model(order, method, width, given, [], folder)
    with watch("training"):
        logs = fitting.fit(given, method, report)
    with watch("writing"), storage_errors(folder):
        if method.restorable:
            fitting.store(method, folder / MODEL)
        lines = [f"{log.name}: epoch {e} training {t:.6g} validation {v:.6g}" for log in logs for e, t, v in log.curve]
        (folder / LOG).write_text("\n".join(lines) + "\n", encoding="utf-8")
    yield "model", _model(order, method, width, given, logs, folder)
    if method.restorable:
        with watch("build"):
            method = _restored(method, create, given, folder)
    return method, width, logs


def _restored(trained: Method, create: Callable[[], Method], given: Lesson, folder: Path) -> Method:
    """The stored model, which answers from the start, so that later questions are not put to another.

    Raises:
        ContractError: it proposes other designs than the method that was trained.
    """
    try:
        restored = fitting.rebuild(given, create, folder / MODEL)
    except ValueError as error:
        raise ContractError(f"{error}. Create in `build` all that `fit` fills, or set restorable = False.") from error
    y = given.shown["targets"][:COMPARED]

    def designs(method: Method) -> torch.Tensor:
        with seeded("propose", given.seed):
            generator = torch.Generator().manual_seed(derive("propose", "restored", given.seed))
            return given.scales[0].apply(answers.Asker(method, given).propose(y, 1, generator).x)

    def alike(other: Method) -> float:
        same = torch.isclose(designs(trained), designs(other), rtol=0, atol=SAME_DESIGN, equal_nan=True).all(-1)
        return float(same.double().mean())

    if alike(restored) < SAME_DESIGNS <= alike(trained):
        raise ContractError(
            f"With its stored state {type(trained).__name__} proposes other designs than after training. Keep all that "
            "training finds in parameters or registered buffers, or set restorable = False."
        )
    return restored


def _asker(method: Method, given: Lesson, report: Report) -> answers.Asker:
    def advance(done: int, total: int) -> None:
        report("proposing", done, total, None)

    return answers.Asker(method, given, advance)


def _facts(answer: answers.Answer) -> dict[str, Any]:
    facts = {"ranked": answer.ranked, "pooled": answer.pooled, "generated": answer.generated}
    return {**facts, "repeats_from": answer.repeats_from}


def _model(
    order: Order, method: Method, width: int | None, given: Lesson, logs: list[PhaseLog], folder: Path
) -> dict[str, Any]:
    sizes = {name: getattr(method.options, name) for name in method.finer}
    lowered = {name: value for name, value in sizes.items() if value != order.method.options[name]}
    trainable, exempt = budget.trainable_parameters(method), not method.trainable
    parameters = {
        "trainable": trainable,
        "stored": budget.stored_numbers(method),
        "budget": None if exempt else given.budget,
        "ratio": None if exempt else trainable / given.budget,
        "width": width,
        "lowered": lowered,
        "checkpoint_bytes": (folder / MODEL).stat().st_size if (folder / MODEL).exists() else None,
    }
    return {"parameters": parameters, "phases": [asdict(log) for log in logs]}


def memory(device: str) -> int:
    """Bytes that this process has taken at most so far, on a GPU there."""
    if device.startswith("cuda"):
        return int(torch.cuda.max_memory_allocated(device))
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
