"""Recall of symmetric designs: in how many of the places where solutions for y* lie a method's proposals are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from harness.metrics import ACCURATE
from harness.protocols.contract import Material, Number, Protocol, Question
from harness.protocols.shared import single, trials_refused
from harness.settings import Sizes, setting

TRIALS = (1, 10, 20, 25, 30, 40, 50, 100, 200)


@dataclass(frozen=True)
class Options:
    """Options of recall."""

    trials: tuple[int, ...] = setting(TRIALS, help="numbers of proposals, as far as there are so many", least=1)


@dataclass(frozen=True)
class Scores:
    """The share of the sectors of a symmetric design space in which T random proposals for y* are accurate."""

    images: int
    """Designs with exactly the same y, of which each has one in every sector."""
    T: list[int]
    found: list[float]
    """For each T."""


class Recall(Protocol):
    """For tasks that know the images of a design, which have exactly its y; its column stands in `novelty`."""

    name: ClassVar[str] = "recall"
    Options: ClassVar[type] = Options
    score_type: ClassVar[type] = Scores

    def questions(self, sizes: Sizes) -> dict[str, Question]:
        return {"fixed": single(sizes)}

    def score(self, material: Material) -> Scores | None:
        import torch

        from harness.sectors import expected_share, sectors

        answered, task = material.answers["fixed"], material.task
        low, high = task.bounds.cpu()
        images = len(task.images(low[None]))
        if images == 1:
            return None
        x, accurate = answered.answer.x.flatten(0, 1), (answered.errors("nmse") < ACCURATE).flatten()
        reached = torch.zeros(len(x), images, dtype=torch.bool)
        reached[accurate] = sectors(x[accurate], task.images, high - low)
        trials = [count for count in self.options.trials if count <= len(x)]
        return Scores(images, trials, expected_share(reached, trials))

    def refusal(self, sizes: Sizes | None = None) -> str | None:
        return trials_refused(self.options.trials, sizes.fixed_proposals * sizes.repeats if sizes else None)

    def numbers(self, scores: Scores) -> Iterator[Number]:
        return ((None, f"found_{T}", share) for T, share in zip(scores.T, scores.found, strict=True))
