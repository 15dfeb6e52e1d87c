"""What is left to do for a cell: from the first part of its record on that is no longer what it would be now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.records import plain

if TYPE_CHECKING:
    from harness.plan import Cell
    from harness.questions import Question
    from harness.registry import PluginSpec
    from harness.schema import Record

MODEL, LOG = "model.safetensors", "log.txt"
"""Files beside a record: the state of its method, and the curves of its training."""


@dataclass(frozen=True)
class Work:
    """What a run does for one cell; nothing where all of it is empty."""

    train: bool = False
    ask: tuple[Question, ...] = ()
    """Questions to be put to the model."""
    score: tuple[str, ...] = ()
    """Protocols to be scored."""
    reasons: tuple[str, ...] = ()
    lender: Cell | None = None
    """The cell whose model is asked instead of training the same one again."""

    def __bool__(self) -> bool:
        return bool(self.train or self.ask or self.score)

    @property
    def anew(self) -> bool:
        """Whether nothing of an earlier record of the cell is kept."""
        return self.train or self.lender is not None


def everything(cell: Cell, reason: str) -> Work:
    """All that there is to do for a cell."""
    asked = dict.fromkeys(question for questions in cell.questions.values() for question in questions.values())
    return Work(True, tuple(asked), tuple(cell.questions), (reason,))


def due(cell: Cell, record: Record | None) -> Work:
    """What is to be done for a cell, given its intact record, or None where there is none.

    A cell that failed has nothing due as long as the same would happen again.
    """
    if record is None:
        return everything(cell, "no record")
    if record.digests != cell.digests:
        return everything(cell, changed(cell, record))
    if record.status != "ok":
        return Work()
    stale = tuple(spec.name for spec in cell.protocols if _score_digest(record, spec.name) != cell.score_digest(spec))
    reasons = tuple(dict.fromkeys(_reason(cell, record, spec) for spec in cell.protocols if spec.name in stale))
    missing = _unanswered(cell, record, stale)
    measured = any(not cell.questions[name] for name in stale)
    if (missing or measured) and MODEL not in record.files:
        return everything(cell, f"{', '.join(reasons)}, and the model is not stored here")
    return Work(False, missing, stale, reasons)


def _reason(cell: Cell, record: Record, spec: PluginSpec) -> str:
    """Why a protocol is scored."""
    score = record.scores.get(spec.name)
    if score is None:
        return f"{spec.name} is new"
    if score.options != plain(spec.declared):
        return f"{spec.name} has other options"
    if score.source != spec.source:
        return f"the source of {spec.name} has changed"
    if cell.questions[spec.name] and record.sources.get("re-simulation") != cell.sources["re-simulation"]:
        return "the source of re-simulation has changed"
    return f"{spec.name} has other answers"


def changed(cell: Cell, record: Record) -> str:
    """What differs between the sources of a record and those of now, in words."""
    now = cell.sources
    names = [name for name in now if record.sources.get(name) != now[name]]
    return f"the source of {' and '.join(names)} has changed" if names else "what it was made from has changed"


def answer_name(question: Question, digest: str) -> str:
    """What the answer to a question is called, in a record and as a file."""
    return f"{question.of}-{digest[:8]}"


def _score_digest(record: Record, protocol: str) -> str | None:
    score = record.scores.get(protocol)
    return None if score is None else score.digest


def _unanswered(cell: Cell, record: Record, protocols: Iterable[str]) -> tuple[Question, ...]:
    """The questions of these protocols whose answers are not stored, or are not those of the model as it is now."""
    found: dict[Question, None] = {}
    for question in (question for name in protocols for question in cell.questions[name].values()):
        digest = cell.answer_digest(question)
        answer = record.answers.get(answer_name(question, digest))
        if answer is None or answer.digest != digest or answer.file not in record.files:
            found[question] = None
    return tuple(found)


def in_words(works: Iterable[Work]) -> str:
    """What is done altogether: `train 3, ask 12, score 104`, as numbers of cells."""
    counts = Counter[str]()
    for work in works:
        counts.update(train=int(work.train), ask=int(bool(work.ask)), score=int(bool(work.score)))
    return ", ".join(f"{name} {counts[name]}" for name in ("train", "ask", "score"))
