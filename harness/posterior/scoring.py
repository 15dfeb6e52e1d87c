"""From an answer to its scores: which designs are compared with which reference, and what is kept."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import torch
from torch import Generator, Tensor

from harness.contracts import Task
from harness.data import Dataset
from harness.kinds import discrete
from harness.metrics import ACCURATE, METRICS, errors
from harness.posterior import stored
from harness.posterior.c2st import in_words
from harness.posterior.calibration import calibration
from harness.posterior.levels import FEWEST, Designs, Yardstick
from harness.posterior.likelihood import Likelihood
from harness.posterior.reference import Effort, Posing, Reference
from harness.posterior.results import Calibration, Facts, Floor, Level, Scores
from harness.resimulation import resimulate
from harness.seeds import derive


@dataclass(frozen=True)
class Settings:
    """What is compared."""

    tolerance: float
    targets: int
    repeats: int
    trials: tuple[int, ...]


@dataclass(frozen=True)
class Proposals:
    """What a method proposes, physical, whatever it is worth."""

    fixed: Tensor
    """For y* `(repeats, n, x_dim)`."""
    targets: Tensor
    """`(targets, n, x_dim)`."""
    exchangeable: bool
    """Whether the proposals of a row are draws, not in an order and not the best of more."""


def scores(task: Task, data: Dataset, proposals: Proposals, settings: Settings) -> Scores:
    """The scores of what a method proposes.

    Raises:
        UsageError: the cache, in which the reference is kept, cannot be written.
    """
    unknown = refusal(task, data)
    if unknown:
        return Scores(unknown, [], 0.0)
    counts = proposals.fixed.shape[1], proposals.targets.shape[1]
    reference, key = reference_of(task, data, counts, settings.tolerance, settings.targets)
    if reference.fixed.how == "none":
        return Scores(f"no draws for y*: {reference.said or 'too few draws count'}", [], 0.0)
    return _compared(task, data, proposals, settings, reference, key)


def reference_of(
    task: Task, data: Dataset, counts: tuple[int, int], tolerance: float, targets: int
) -> tuple[Reference, str]:
    """The reference of a task, kept from then on, and its digest.

    Args:
        task: one that `refusal` has nothing against.
        data: of the task.
        counts: numbers of proposals for y* and for each target.
        tolerance: how far y may be off, in standard deviations.
        targets: how many of them are wanted.

    Raises:
        UsageError: the cache, in which it is kept, cannot be written.
    """
    posing = _posing(task, data, tolerance, Effort.of(task, *counts, min(targets, len(data.targets.y))))
    return stored.reference(posing, type(task).__name__.lower(), data.settings.data_seed)


def refusal(task: Task, data: Dataset) -> str:
    """Why a task has no reference; empty where it may have one."""
    if task.conditions is not None:
        return "the task has conditions, under which designs would have to be drawn anew for each target"
    if not all(each.at_random or bool(each.y.isfinite().all()) for each in (data.fixed, data.targets)):
        return "which entries of the targets are known may depend on what they are"
    return ""


def _posing(task: Task, data: Dataset, tolerance: float, effort: Effort) -> Posing:
    targets = torch.cat([data.fixed.y, data.targets.y[: effort.targets]])
    designs = data.targets.designs
    known = None if designs is None or bool(discrete(task.kinds, task.x_dim).any()) else designs[: effort.targets]
    return Posing(task, Likelihood(targets, data.y_variance, tolerance), known, Generator(), effort)


def _compared(
    task: Task, data: Dataset, proposals: Proposals, settings: Settings, reference: Reference, key: str
) -> Scores:
    number = len(reference.targets)
    counts = proposals.fixed.shape[1], proposals.targets.shape[1]
    scales, wanted = (data.x_scale, data.y_scale), (data.fixed.y, data.targets.y[:number])
    yardstick = Yardstick(task, reference, scales, wanted, counts, settings.trials)
    if yardstick.n[0] < FEWEST:
        return Scores(f"too few proposals for y* to be compared: {proposals.fixed.shape[1]}", [], 0.0)
    seed = derive("posterior", "scores", data.settings.data_seed)

    def outer() -> dict[str, Any]:
        drawn = _of_prior(task, data, counts, number, settings.repeats, Generator().manual_seed(seed))
        levels = {"itself": yardstick.level(yardstick.itself(reference), own=True), "prior": yardstick.level(drawn[0])}
        floor = yardstick.floor(Generator().manual_seed(seed))
        return {"floor": asdict(floor), **{name: asdict(level) for name, level in levels.items()}}

    scaling = [part.tolist() for scale in scales for part in (scale.mean, scale.scale)]
    known = stored.numbers("levels", [key, counts, settings.repeats, settings.trials, scaling], outer)
    designs, valid = _designs(task, data, proposals.fixed, proposals.targets[:number], counts)
    calibrated, why = _calibrated(task, data, proposals, seed)
    return Scores(
        refusal="",
        T=yardstick.trials,
        valid=valid,
        reference=_facts(reference, yardstick, data.targets.at_random),
        floor=Floor(**known["floor"]),
        own=yardstick.level(designs),
        itself=Level(**known["itself"]),
        prior=Level(**known["prior"]),
        calibration=calibrated,
        uncalibrated=why,
    )


def _of_prior(
    task: Task, data: Dataset, counts: tuple[int, int], number: int, repeats: int, generator: Generator
) -> tuple[Designs, float]:
    """Draws of the prior in place of proposals."""
    fixed = task.sample_prior(repeats * counts[0], generator).unflatten(0, (repeats, counts[0]))
    targets = task.sample_prior(number * counts[1], generator).unflatten(0, (number, counts[1]))
    return _designs(task, data, fixed, targets, counts)


def _designs(
    task: Task, data: Dataset, fixed: Tensor, targets: Tensor, counts: tuple[int, int]
) -> tuple[Designs, float]:
    """The valid designs, which of those for y* are accurate, and the share that is valid."""
    reached, others = resimulate(task, fixed), resimulate(task, targets)
    valid, usable = reached.isfinite().all(-1), others.isfinite().all(-1)
    nmse = errors(METRICS["nmse"], reached[0], data.fixed.y, data.y_variance)
    every = torch.cat([valid.flatten(), usable.flatten()]).double()
    designs = Designs(
        [x[mask] for x, mask in zip(fixed, valid, strict=True)],
        nmse[valid[0]] < ACCURATE,
        [x[mask] for x, mask in zip(targets, usable, strict=True)],
    )
    return designs, float(every.mean())


def _calibrated(task: Task, data: Dataset, proposals: Proposals, seed: int) -> tuple[Calibration | None, str]:
    """The calibration of the proposals for all targets; where there is none, why."""
    continuous = ~discrete(task.kinds, task.x_dim)
    if not proposals.exchangeable:
        return None, "proposals are ranked, so that they are no draws"
    if not bool(continuous.any()):
        return None, "no coordinate of x is continuous"
    designs = data.targets.designs
    if designs is None:
        return None, "the designs behind the targets are not known"
    if int(proposals.targets.isfinite().all(-1).any(1).sum()) < FEWEST:
        return None, f"fewer than {FEWEST} targets have a proposal that is a number"
    generator = Generator().manual_seed(seed)
    points = data.x_scale.apply(task.sample_prior(len(designs), generator))
    draws = data.x_scale.apply(proposals.targets)
    return calibration(draws, data.x_scale.apply(designs), points, continuous, generator), ""


def _facts(reference: Reference, yardstick: Yardstick, observed: bool) -> Facts:
    fixed, targets = reference.fixed, reference.targets
    by = {how: [draws for draws in targets if draws.how == how] for how in ("rejection", "importance")}
    sizes = [len(draws.x) for how in by.values() for draws in how]
    found = [float(bool(draws.found)) for draws in by["importance"] if draws.found is not None]
    return Facts(
        how=fixed.how,
        tolerance=reference.tolerance,
        nmse=fixed.nmse,
        draws=len(fixed.x),
        rate=fixed.rate,
        drawn=fixed.drawn,
        targets=len(targets),
        rejection=len(by["rejection"]),
        importance=len(by["importance"]),
        least=min(sizes, default=0),
        median=round(median(sizes)) if sizes else 0,
        found=sum(found) / len(found) if found else None,
        said=reference.said,
        n=yardstick.n[0],
        n_targets=yardstick.n[1],
        observed=observed,
        radii=yardstick.radii,
        classifier=in_words(),
    )
