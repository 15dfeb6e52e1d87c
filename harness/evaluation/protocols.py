"""The protocols: which targets are asked for, how many proposals are drawn, and how they are scored.

Proposing and scoring are apart: designs are the record, and any score can be computed from them again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from harness.contracts import Method, Proposals, Task
from harness.data import Dataset
from harness.evaluation import metrics, recall, statistics
from harness.presets import Protocol
from harness.seeds import derive

SCORES_VERSION = 2
ROWS_PER_CALL = 20_000
DIVERSITY_TARGETS = 100
DIAGNOSED = 1000

Advance = Callable[[int, int], None]


@dataclass(frozen=True)
class Designs:
    """Everything that a method proposed, in physical units and in the method's dtype."""

    multi: Tensor
    """`(targets, n, x_dim)`: proposals for each target."""
    fixed: Tensor
    """`(repeats, n, x_dim)` for y*; a method that ranks candidates has one pool, `(1, pool, x_dim)`."""
    ranked: bool
    pooled: bool
    """True where repeats are random halves of one ranked pool of candidates."""
    generated: tuple[float, float]
    """Candidates drawn or optimised for each target, and for y* in each repeat or for the pool."""
    multi_believed: Tensor | None = None
    """`(targets, n)`: squared error that the method's surrogate promises, mean over standardised y."""


def collect(method: Method, data: Dataset, protocol: Protocol, seed: int, device: str, advance: Advance) -> Designs:
    """Let the method propose for every target and for y*."""
    ask = _Asker(method, data, seed, device, advance)
    multi = ask("multi-target", data.targets, max(protocol.proposals, protocol.repeats))
    # A method that optimises more candidates than it returns would pay for them in every repeat; its repeats are
    # random halves of one pool of twice the size instead.
    pooled = multi.ranked and method.candidates(1) > 1
    if pooled:
        fixed = ask("fixed target", data.fixed_target, 2 * method.candidates(protocol.fixed_proposals))
    else:
        fixed = ask("fixed target", data.fixed_target.repeat(protocol.repeats, 1), protocol.fixed_proposals)
    generated = tuple((item.generated or 0) / len(item.x) for item in (multi, fixed))
    return Designs(multi.x, fixed.x, multi.ranked, pooled, (generated[0], generated[1]), multi.believed)


class _Asker:
    """Asks a method in chunks, with a random stream for each protocol, and returns physical designs on the CPU."""

    def __init__(self, method: Method, data: Dataset, seed: int, device: str, advance: Advance) -> None:
        self.method, self.data, self.seed, self.device, self.advance = method, data, seed, device, advance

    def __call__(self, protocol: str, targets: Tensor, n: int) -> Proposals:
        generator = Generator().manual_seed(derive("propose", protocol, self.seed))
        chunk = max(1, ROWS_PER_CALL // self.method.candidates(n))
        y = self.data.y_scale.apply(targets).to(self.device, self.method.dtype)
        parts = []
        for done, rows in enumerate(y.split(chunk)):
            self.advance(done * chunk, len(y))
            part = self.method.propose(rows, n, generator)
            self._check(part, len(rows), n)
            x = self.data.x_scale.undo(part.x.detach().cpu().double()).to(self.method.dtype)
            believed = None if part.believed is None else part.believed.detach().cpu()
            generated = part.generated or len(rows) * self.method.candidates(n)
            parts.append(Proposals(x, part.ranked, believed, generated))
        known = [part.believed for part in parts if part.believed is not None]
        believed = torch.cat(known) if len(known) == len(parts) else None
        generated = sum(part.generated or 0 for part in parts)
        return Proposals(torch.cat([part.x for part in parts]), parts[0].ranked, believed, generated)

    def _check(self, part: Proposals, targets: int, n: int) -> None:
        wanted = (targets, n, self.data.train.x.shape[1])
        if tuple(part.x.shape) != wanted:
            raise ValueError(f"propose returned x of shape {tuple(part.x.shape)}; {wanted} was asked for.")
        if part.believed is not None and tuple(part.believed.shape) != wanted[:2]:
            raise ValueError(
                f"propose returned believed of shape {tuple(part.believed.shape)}; it must be {wanted[:2]}."
            )


def score(
    task: Task, data: Dataset, designs: Designs, protocol: Protocol, reached: tuple[Tensor, Tensor]
) -> dict[str, Any]:
    """All scores of a record, from designs and their re-simulation `(multi, fixed)`."""
    variance = data.y_variance
    multi = metrics.squared_errors(reached[0], data.targets[:, None], variance)
    fixed = metrics.squared_errors(reached[1], data.fixed_target[:, None], variance)
    fallback = metrics.constant_errors(variance)
    seed = derive("score", protocol.data_seed)
    return {
        "version": SCORES_VERSION,
        "multi_target": {
            "targets": len(data.targets),
            "repeats": protocol.repeats,
            **_share_valid(task, designs.multi, multi["sse"]),
            **_summaries(multi, fallback, lambda errors: _multi_repeats(errors, designs, protocol, seed)),
        },
        "fixed_target": {
            "target": data.fixed_target[0].tolist(),
            "proposals": protocol.fixed_proposals,
            "repeats": protocol.repeats,
            **_share_valid(task, designs.fixed, fixed["sse"]),
            **_summaries(fixed, fallback, lambda errors: _fixed_repeats(errors, designs, protocol, seed)),
        },
        "r_T": _trials(multi, fallback, designs.ranked, protocol, seed),
        "surrogate_gap": _surrogate_gap(designs, multi["nmse"]),
        "novelty": _novelty(data, designs, multi["nmse"]),
        "recall": _recall(task, designs.fixed, fixed["nmse"], protocol),
        "diagnosis": _diagnosis(task, designs.fixed),
    }


def _share_valid(task: Task, x: Tensor, errors: Tensor) -> dict[str, float]:
    inside = metrics.inside(x.double(), task.bounds.cpu())
    return {"valid": float(torch.isfinite(errors).double().mean()), "in_box": float(inside.double().mean())}


def _summaries(
    errors: dict[str, Tensor], fallback: dict[str, float], repeats: Callable[[statistics.Array], statistics.Array]
) -> dict[str, dict[str, float]]:
    return {name: statistics.summary(repeats(value.numpy()), fallback[name]) for name, value in errors.items()}


def _multi_repeats(errors: statistics.Array, designs: Designs, protocol: Protocol, seed: int) -> statistics.Array:
    """One proposal for each target in each repeat, `(repeats, targets)`."""
    if designs.pooled:
        targets, pool = errors.shape
        best = statistics.first_of_random_half(pool, (protocol.repeats, targets), seed)
        return errors[np.arange(targets), best]
    if designs.ranked:
        return np.repeat(errors[None, :, 0], protocol.repeats, 0)
    return errors[:, : protocol.repeats].T


def _fixed_repeats(errors: statistics.Array, designs: Designs, protocol: Protocol, seed: int) -> statistics.Array:
    """The proposals for y* in each repeat, `(repeats, proposals)`."""
    if designs.pooled:
        pool = errors.shape[1]
        return errors[
            0, statistics.random_halves(pool, protocol.repeats, pool // 2, seed)[:, : protocol.fixed_proposals]
        ]
    return errors


def _trials(
    errors: dict[str, Tensor], fallback: dict[str, float], ranked: bool, protocol: Protocol, seed: int
) -> dict[str, Any]:
    estimate = statistics.best_of_first if ranked else statistics.expected_best
    result: dict[str, Any] = {
        "T": list(protocol.trials),
        "estimator": "best of the first T as ranked" if ranked else "expected best of random T",
    }
    for name, value in errors.items():
        best = np.stack([estimate(value.numpy(), trials, fallback[name]) for trials in protocol.trials], 1)
        low, high = statistics.bootstrap_interval(best, protocol.bootstrap, seed)
        result[name] = {"value": best.mean(0).tolist(), "low": low.tolist(), "high": high.tolist()}
    return result


def _surrogate_gap(designs: Designs, nmse: Tensor) -> dict[str, Any] | None:
    """First proposals: the error that the surrogate promises beside the re-simulated one, both as nmse."""
    if designs.multi_believed is None:
        return None
    columns = {"believed": designs.multi_believed[:, 0].double(), "resimulated": torch.nan_to_num(nmse[:, 0], nan=1.0)}
    return {name: {"mean": float(value.mean()), "median": float(value.median())} for name, value in columns.items()}


def _novelty(data: Dataset, designs: Designs, nmse: Tensor) -> dict[str, float]:
    """How far first proposals are from the training designs, and how far accurate ones are from each other."""
    known = data.x_scale.apply(data.train.x)
    first = data.x_scale.apply(designs.multi[:, 0].double())
    nearest = metrics.nearest_distance(first[torch.isfinite(first).all(1)], known)
    x = data.x_scale.apply(designs.multi[:DIVERSITY_TARGETS].double())
    accurate = nmse[:DIVERSITY_TARGETS] < metrics.ACCURATE
    return {
        "nearest": float(nearest.median()) if len(nearest) else float("nan"),
        "copies": float((nearest < metrics.COPY).double().mean()) if len(nearest) else float("nan"),
        "diversity": float(metrics.mean_pairwise_distance(x, accurate).nanmean()),
        "accurate": float(accurate.double().mean()),
    }


def _recall(task: Task, fixed: Tensor, nmse: Tensor, protocol: Protocol) -> dict[str, Any] | None:
    """Share of the sectors of a symmetric design space in which T random proposals for y* are accurate."""
    low, high = task.bounds.cpu()
    images = len(task.images(low[None]))
    if images == 1:
        return None
    x, accurate = fixed.double().flatten(0, 1), (nmse < metrics.ACCURATE).flatten()
    reached = torch.zeros(len(x), images, dtype=torch.bool)
    reached[accurate] = recall.sectors(x[accurate], task.images, high - low)
    trials = [count for count in protocol.trials if count <= len(x)]
    return {"images": images, "T": trials, "found": recall.expected_share(reached, trials)}


@torch.no_grad()
def _diagnosis(task: Task, fixed: Tensor) -> dict[str, dict[str, float]]:
    """What the task itself has to say of the first proposals for y*: mean and median of each of its numbers."""
    x = fixed.double().flatten(0, 1)[:DIAGNOSED]
    found = task.diagnose(x[torch.isfinite(x).all(1) & task.in_support(x)])
    return {
        name: {"designs": len(value), "mean": float(value.mean()), "median": float(value.nanmedian())}
        for name, value in found.items()
    }
