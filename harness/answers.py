"""Answers: what a method proposed for a question, in physical units, and the files that keep them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from harness import outputs
from harness.contracts import Method, Proposals
from harness.errors import ContractError
from harness.fitting import Lesson
from harness.kinds import snap
from harness.questions import Question
from harness.seeds import derive

ROWS_PER_CALL = {"cpu": 20_000}
ROWS_ELSEWHERE = 2**17  # candidates; a GPU is idle with fewer
STREAMS = {"targets": "multi-target", "fixed": "fixed target"}
"""The random stream of each kind of target."""

Advance = Callable[[int, int], None]


@dataclass(frozen=True)
class Answer:
    """The designs that a method proposed for a question, physical and float64."""

    x: Tensor
    """`(rows, n, x_dim)`: a row is a target, or a repeat of a single one; of a pool there is one row with all of it."""
    ranked: bool
    """True where the designs of a row come best first, by the method's own estimate."""
    pooled: bool
    """True where repeats are random halves of one ranked pool of candidates."""
    generated: float
    """Candidates drawn or optimised for each row."""
    believed: Tensor | None = None
    """`(rows, n)`: squared error that the method's surrogate promises, mean over standardised y."""

    @property
    def repeats_from(self) -> str:
        """What the repeats of a question differ in, in words."""
        if self.pooled:
            return "random halves of one candidate pool"
        return "the same ranked proposals in every repeat" if self.ranked else "fresh proposals"


@dataclass(frozen=True)
class Asker:
    """Puts questions to a trained method, in chunks, with a random stream for each question."""

    method: Method
    given: Lesson
    advance: Advance = lambda done, total: None

    def __call__(self, question: Question) -> Answer:
        """The answer. A method that ranks more candidates than it returns is asked for one pool in place of repeats.

        Args:
            question: which targets, and how many designs for each.

        Raises:
            ContractError: the method's answer has a wrong shape, type or count.
        """
        targets, n, method = self.given.shown[question.of], question.n, self.method
        pooled = outputs.candidates(method, 1) > 1 and self._asked(targets[:1], 1, "ranking").ranked
        if question.repeats > 1 and pooled:
            n = 2 * outputs.candidates(method, n)
        elif question.repeats > 1:
            targets = targets.repeat(question.repeats, 1)
        found = self._asked(targets, n, STREAMS[question.of])
        generated = (found.generated or 0) / len(found.x)
        return Answer(found.x, found.ranked, pooled, generated, found.believed)

    def _asked(self, targets: Tensor, n: int, purpose: str) -> Proposals:
        return self.propose(targets, n, Generator().manual_seed(derive("propose", purpose, self.given.seed)))

    def propose(self, targets: Tensor, n: int, generator: Generator) -> Proposals:
        """N designs for each target: x `(m, n, x_dim)`, physical and float64.

        Args:
            targets: `(m, y_dim)`, physical and float64; NaN is an entry that may be anything (see `handles`).
            n: designs for each.
            generator: all randomness comes from it.

        Raises:
            ContractError: the method's answer has a wrong shape, type or count.
        """
        candidates = outputs.candidates(self.method, n)
        y = self.given.scales[1].apply(targets).to(self.given.device, self.method.dtype)
        chunk = max(1, ROWS_PER_CALL.get(y.device.type, ROWS_ELSEWHERE) // candidates)
        parts: list[Proposals] = []
        for done, rows in enumerate(y.split(chunk)):
            self.advance(done * chunk, len(y))
            part = self.method.propose(rows, n, generator)
            self._check(part, len(rows), n)
            if parts and (part.ranked, part.believed is None) != (parts[0].ranked, parts[0].believed is None):
                raise ContractError("ranked and believed change from call to call; give them always, or never.")
            believed = None if part.believed is None else part.believed.detach().cpu()
            generated = part.generated or len(rows) * candidates
            parts.append(Proposals(self._physical(part), bool(part.ranked), believed, int(generated)))
        known = [part.believed for part in parts if part.believed is not None]
        believed = torch.cat(known) if known else None
        generated = sum(part.generated or 0 for part in parts)
        return Proposals(torch.cat([part.x for part in parts]), parts[0].ranked, believed, generated)

    def _check(self, part: Proposals, targets: int, n: int) -> None:
        given, dtype = self.given, self.method.dtype

        def designs(rows: Tensor) -> Tensor:
            return given.scales[0].apply(given.train.x[rows]).to(dtype)

        sizes = {"targets": targets, "n": n, "x_dim": given.problem.x_dim, "known": len(given.train.x)}
        outputs.check(part, **sizes, dtype=dtype, designs=designs)

    def _physical(self, part: Proposals) -> Tensor:
        """The designs, physical and on the CPU, each one that the task has: training designs as they are."""
        if part.rows is not None:
            return self.given.train.x[part.rows.cpu()]
        x = self.given.scales[0].undo(part.x.detach().cpu().double())
        return snap(x, self.given.problem.kinds, self.given.box)


def write(answer: Answer, path: Path) -> None:
    """Keep an answer as an NPZ file; designs of few values, such as pixels, take little room there.

    Args:
        answer: what is kept.
        path: the file, which is replaced.
    """
    arrays: dict[str, Any] = {"x": answer.x.numpy(), "flags": np.array([answer.ranked, answer.pooled])}
    if answer.believed is not None:
        arrays["believed"] = answer.believed.numpy()
    np.savez_compressed(path, generated=np.array(answer.generated), **arrays)


def read(path: Path) -> Answer:
    """The answer that `write` kept.

    Args:
        path: the file.

    Raises:
        ValueError: the file is not one that `write` made.
    """
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            tensors = {name: torch.from_numpy(stored[name]) for name in ("x", "believed") if name in stored}
            (ranked, pooled), generated = (bool(flag) for flag in stored["flags"]), float(stored["generated"])
    except Exception as error:  # zip, pickle, key, shape: whatever a spoilt file leads to
        raise ValueError(f"{path.name} cannot be read ({type(error).__name__}: {error})") from error
    x, believed = tensors["x"], tensors.get("believed")
    if x.ndim != 3 or x.dtype != torch.float64 or (believed is not None and believed.shape != x.shape[:2]):
        raise ValueError(f"{path.name} holds x of shape {tuple(x.shape)} and type {x.dtype}, which is not an answer")
    return Answer(x, ranked, pooled, generated, believed)
