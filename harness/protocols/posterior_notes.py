"""The footnotes of the table `posterior`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.posterior.results import Calibration, Facts, Scores
from harness.reporting.numbers import number, numbered, share

CLASSIFIED = 30
"""Designs on each side from which on the classifier tells even the farthest ones apart: it splits into leaves of 20."""


def said(scores: Scores, found: Sequence[tuple[str, Scores]], task: str) -> Iterator[str]:
    """What the columns mean, how the reference was made, and what the rows need beside them.

    Args:
        scores: any of a task that has a reference.
        found: all that is shown, each with its label, one for each training.
        task: its label.
    """
    facts: Facts | None = scores.reference
    assert facts is not None and scores.floor is not None
    yield (
        f"reference: draws in proportion to prior(x) exp(−‖(f(x) − y) / (tau sd y)‖² / 2), tau = {facts.tolerance:g}; "
        f"for y* {facts.draws} by {facts.how}, {_rate(facts)}, with a mean nmse of {number(facts.nmse)}"
    )
    if facts.observed:
        yield "the norm is over the entries of y that were observed: the posterior is that of these alone"
    yield from _of_targets(facts)
    yield (
        f"MMD²: unbiased, x standardised, inverse multi-quadratic kernels of widths 0.05, 0.2 and 0.9; {facts.n} "
        f"designs against {facts.n} for y*, {facts.n_targets or 'no'} for a target. 0 in the mean for an exact "
        f"sampler; ± over repeats of one trained model. (In parentheses): below {number(scores.floor.mmd)} for y* or "
        f"{number(scores.floor.mmd_targets)} for the mean over targets, under which 95 % of exact samplers stay"
    )
    yield (
        "biased: with each design compared with itself, as papers print it; [in brackets]: the published value, of "
        "which neither the number of designs is known nor the unit of x"
    )
    yield (
        "above chance: share of the targets whose MMD² is above what 95 % of exact samplers stay below. C2ST: accuracy "
        "of a classifier, 0.5 where it cannot tell proposals from the reference; for targets, one classifier of (x, y) "
        f"for all. {facts.classifier}"
    )
    if scores.T:
        yield (
            f"recall: share of the reference for y* with one of T proposals within {number(facts.radii[-1])}, where as "
            "many draws of the reference reach 95 %; diversity: mean distance between accurate proposals for y* "
            "(nmse < 0.01), in that between draws of the reference"
        )
    yield from _too_few(facts, scores.T)
    yield from _calibrated(found)
    if scores.prior and scores.prior.mmd is not None and scores.prior.mmd <= scores.floor.mmd:
        see = ": see C2ST" if classified(facts) else ""
        yield f"MMD² does not tell even the prior from the reference for y* of {task}{see}"
    yield from _uncalibrated(found)


def classified(facts: Facts) -> bool:
    """Whether there are enough designs for y* that a classifier could tell any from others.

    Args:
        facts: of the reference.
    """
    return facts.n >= CLASSIFIED


def _too_few(facts: Facts, trials: Sequence[int]) -> Iterator[str]:
    if not classified(facts):
        yield f"C2ST, y*: a classifier needs {CLASSIFIED} designs on each side, and there are {facts.n}"
    if not trials:
        yield f"recall and modes are of 25 proposals for y* and more, unless trials names fewer; there are {facts.n}"


def _rate(facts: Facts) -> str:
    if facts.how == "rejection":
        return f"accepted {number(100 * facts.rate)} % of {facts.drawn} prior draws"
    return f"effective sample size {facts.rate:.0f}"


def _of_targets(facts: Facts) -> Iterator[str]:
    used = facts.rejection + facts.importance
    left = f"; {facts.targets - used} of {facts.targets} have none and are left out" if used < facts.targets else ""
    found = f". The search found the known design of {share(facts.found)}" if facts.found is not None else ""
    yield (
        f"targets: {facts.rejection} by rejection, {facts.importance} by importance, {facts.least} draws or more"
        f"{left}{found}{f' ({facts.said})' if facts.said else ''}"
    )


def _calibrated(found: Sequence[tuple[str, Scores]]) -> Iterator[str]:
    calibrations: list[Calibration] = [scores.calibration for _, scores in found if scores.calibration]
    for first in calibrations[:1]:
        yield (
            "ranks: greatest distance of the ranks of the known designs among "
            f"{numbered(first.draws, 'proposal')} from uniform ones, over {numbered(first.targets, 'target')}; by "
            f"chance below {number(first.ks_chance)}. Coverage error: mean |expected coverage − level| (TARP); too "
            "wide: coverage less level above one half, below 0 where proposals are too narrow or off. The prior is "
            "calibrated, too: this does not tell how near proposals come"
        )


def _uncalibrated(found: Sequence[tuple[str, Scores]]) -> Iterator[str]:
    why: dict[str, dict[str, None]] = {}
    for label, scores in found:
        if scores.uncalibrated:
            why.setdefault(scores.uncalibrated, {})[label] = None
    for reason, labels in why.items():
        yield f"no calibration of {', '.join(labels)}: {reason}"
