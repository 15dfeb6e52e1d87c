"""The one training loop: the data set on the device, index batches, a schedule, the best validated state.

Validation is in evaluation mode. The state that is kept is that of the phase's module as a whole: its parameters, and
its buffers, such as the statistics of a normalisation.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Generator, Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from harness.contracts import Method, Pairs, Phase
from harness.errors import ContractError
from harness.seeds import derive

if TYPE_CHECKING:
    from harness.settings import Schedule

Report = Callable[[str, int, int, float | None], None]
"""`report(phase, done, total, loss)` is told how far a cell has come."""

WARM_UP = 0.05
FLOOR = 1e-3
PLATEAU_PATIENCE = 10  # epochs, as in the published code (Ren et al. 2020)
BETAS = {"adam": (0.9, 0.999), "adamw": (0.9, 0.99)}


class Diverged(ArithmeticError):
    """A loss or a validation value is no longer finite."""


@dataclass
class PhaseLog:
    """What one training phase did. A point of the curve is (epoch, training loss, validation value)."""

    name: str
    epochs: int
    steps: int = 0
    seconds: float = 0.0
    best: float = math.inf
    curve: list[tuple[int, float, float]] = field(default_factory=list)
    forward: bool = False


def train(
    method: Method, phase: Phase, train: Pairs, valid: Pairs, schedule: Schedule, seed: int, report: Report
) -> PhaseLog:
    """Minimise the phase's loss over the parameters of its module, then load the state that it keeps.

    Args:
        method: what holds the module; all its other parameters are frozen meanwhile.
        phase: loss, module and what is kept.
        train: pairs `(n, x_dim)` and `(n, y_dim)`, standardised, on the method's device.
        valid: pairs that are held back, likewise.
        schedule: epochs, batches and optimiser.
        seed: of the batches.
        report: is told `(phase, epoch, epochs, loss)` after each epoch.

    Raises:
        Diverged: a training loss or validation value is not finite.
        ValueError: there is no row that the phase learns from.
    """
    started = time.perf_counter()
    parts = chosen(train, phase, "training"), chosen(valid, phase, "validation")
    # A phase that learns from some of the rows takes as many steps as its share of those over all of them.
    more = batches(len(train.x), schedule) / batches(len(parts[0].x), schedule)
    epochs = max(1, round(schedule.epochs * phase.share * more))
    log = PhaseLog(phase.name, epochs, forward=phase.forward)
    frozen = _freeze_all_but(method, phase.module)
    try:
        _Loop(method, phase, *parts, schedule, epochs, seed, report, log).run()
    finally:
        for parameter in frozen:
            parameter.requires_grad_(True)
    log.seconds = time.perf_counter() - started
    return log


def batches(rows: int, schedule: Schedule) -> int:
    """Steps of one pass.

    Args:
        rows: that are passed over.
        schedule: with the rows of a step.
    """
    return rows // min(schedule.batch, rows)


def chosen(pairs: Pairs, phase: Phase, part: str) -> Pairs:
    """The rows that a phase learns from, as they are where that is all of them.

    Args:
        pairs: `(n, x_dim)` and `(n, y_dim)`; NaN is not known.
        phase: whose `rows` say what must be known.
        part: what an error calls the pairs.

    Raises:
        ValueError: there are none.
    """
    known = {name: ~rows.isnan().any(1) for name, rows in (("x", pairs.x), ("y", pairs.y))}
    known["some of y"] = ~pairs.y.isnan().all(1)
    wanted = {"pairs": ("x", "y"), "partial": ("x", "some of y"), "x": ("x",), "y": ("y",), "any": ()}[phase.rows]
    rows = torch.ones(len(pairs.x), dtype=torch.bool, device=pairs.x.device)
    for name in wanted:
        rows &= known[name]
    if bool(rows.all()):
        return pairs
    if not bool(rows.any()):
        raise ValueError(
            f"{phase.name} learns from rows in which {' and '.join(wanted)} are known (rows = {phase.rows!r}), and of "
            f"the {len(rows)} {part} rows there is none. Give it others, or let the phase take other rows."
        )
    return Pairs(pairs.x[rows], pairs.y[rows])


def _freeze_all_but(method: nn.Module, module: nn.Module) -> list[nn.Parameter]:
    """Freeze the parameters outside the module, so that no gradient is spent on them; returns what was frozen."""
    trained = {id(parameter) for parameter in module.parameters()}
    frozen = [item for item in method.parameters() if item.requires_grad and id(item) not in trained]
    for parameter in frozen:
        parameter.requires_grad_(False)
    return frozen


class _Loop:
    """State of one running phase."""

    def __init__(
        self,
        method: Method,
        phase: Phase,
        train: Pairs,
        valid: Pairs,
        schedule: Schedule,
        epochs: int,
        seed: int,
        report: Report,
        log: PhaseLog,
    ) -> None:
        self.method, self.phase, self.train, self.valid, self.schedule = method, phase, train, valid, schedule
        self.epochs, self.report, self.log = epochs, report, log
        self.batch = min(schedule.batch, len(train.x))
        self.batches = batches(len(train.x), schedule)
        self.shuffle = Generator().manual_seed(derive("shuffle", phase.name, seed))
        self.kinds = _kinds(train, phase.pairs)
        self.noise_seed = derive("validation", phase.name, seed)
        self.parameters = [parameter for parameter in phase.module.parameters() if parameter.requires_grad]
        if not self.parameters:
            raise ContractError(
                f"Phase {phase.name!r} of {type(method).__name__} has no parameters to train. Create them in `build`, "
                "or write a `fit` that trains none."
            )
        self.optimiser = _optimiser(self.parameters, schedule, phase.weight_decay)
        halved = schedule.decay == "plateau" and phase.stationary
        self.plateau = (
            ReduceLROnPlateau(self.optimiser, factor=0.5, patience=PLATEAU_PATIENCE, eps=0) if halved else None
        )
        self.statistics = _statistics(phase.module)
        self.average = [tensor.clone() for tensor in self._moving()] if schedule.average else None
        self.kept: list[Tensor] | None = None

    def run(self) -> None:
        for epoch in range(self.epochs):
            loss = self._epoch(epoch)
            if not math.isfinite(loss):
                raise Diverged(f"{self.phase.name}: the training loss is {loss} in epoch {epoch + 1} of {self.epochs}.")
            last = epoch + 1 == self.epochs
            if last or (epoch + 1) % self.schedule.validate_every == 0:
                self._validate(epoch + 1, loss)
            if self.plateau is not None:
                self.plateau.step(loss)
            self.report(self.phase.name, epoch + 1, self.epochs, loss)
        if self.kept is not None:
            _assign(_state(self.phase.module), self.kept)

    def _epoch(self, epoch: int) -> float:
        order = self._order().to(self.train.x.device)
        total = torch.zeros((), device=self.train.x.device)
        for batch in range(self.batches):
            rows = order[batch * self.batch : (batch + 1) * self.batch]
            progress = (epoch + batch / self.batches) / self.epochs
            total += self._step(self.train.x[rows], self.train.y[rows], progress)
        return float(total) / self.batches

    def _order(self) -> Tensor:
        """The rows of the batches of an epoch, by number, one batch after the other."""
        if self.kinds is None:
            return torch.randperm(len(self.train.x), generator=self.shuffle)
        paired = round(self.phase.pairs * self.batch)
        parts = zip(self.kinds, (paired, self.batch - paired), strict=True)
        each = [self._again(rows, self.batches * count).view(self.batches, count) for rows, count in parts]
        return torch.cat(each, 1).flatten()

    def _again(self, rows: Tensor, count: int) -> Tensor:
        """So many of the rows, in random order, none more than once more often than another."""
        passes = -(-count // len(rows))
        order = [rows[torch.randperm(len(rows), generator=self.shuffle)] for _ in range(passes)]
        return torch.cat(order)[:count] if order else rows[:0]

    def _step(self, x: Tensor, y: Tensor, progress: float) -> Tensor:
        if self.schedule.decay == "cosine":
            for group in self.optimiser.param_groups:
                group["lr"] = self.schedule.learning_rate * _factor(progress)
        loss = self.phase.loss(x, y, progress)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if self.phase.clip is not None:
            nn.utils.clip_grad_norm_(self.parameters, self.phase.clip)
        self.optimiser.step()
        self.log.steps += 1
        if self.average is not None:
            # A short memory at first: otherwise the average would hold on to the initial weights.
            decay = min(self.schedule.average, (1 + self.log.steps) / (10 + self.log.steps))
            torch._foreach_lerp_(self.average, self._moving(), 1 - decay)
        return loss.detach()

    def _moving(self) -> list[Tensor]:
        """What is averaged: the parameters, and the statistics that belong to them."""
        return [*(item.detach() for item in self.parameters), *(owner[name] for owner, name in self.statistics)]

    @torch.no_grad()
    def _validate(self, epoch: int, loss: float) -> None:
        current = [tensor.clone() for tensor in self._moving()]
        if self.average is not None:
            _assign(self._moving(), self.average)
        value = self._measured()
        self.log.curve.append((epoch, loss, value))
        improved = math.isfinite(value) and value < self.log.best
        if improved:
            self.log.best = value
        if improved or self.phase.keep == "last":
            self.kept = [tensor.clone() for tensor in _state(self.phase.module)]
        if self.average is not None:
            _assign(self._moving(), current)
        wanted = value if self.phase.keep == "last" else self.log.best
        if epoch == self.epochs and not math.isfinite(wanted):
            raise Diverged(f"{self.phase.name}: the {self.phase.keep} validation value is {wanted}.")

    def _measured(self) -> float:
        measure, device = self.phase.validate or self.phase.loss, self.valid.x.device
        modules = (*self.method.modules(), *self.phase.module.modules())
        with evaluating(modules), torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            # The same noise at every validation, so that states are compared and not draws.
            torch.manual_seed(self.noise_seed)
            return float(measure(self.valid.x, self.valid.y, 1.0))


def _kinds(train: Pairs, least: float) -> tuple[Tensor, Tensor] | None:
    """The rows that are pairs and those of x or y alone, by number; None where enough of them are pairs, or none is."""
    paired = ~(train.x.isnan().any(1) | train.y.isnan().all(1)).cpu()
    if not 0 < int(paired.sum()) < least * len(paired):
        return None
    return paired.nonzero()[:, 0], (~paired).nonzero()[:, 0]


@contextmanager
def evaluating(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Evaluation mode; afterwards each module is in the mode that it was in, also where these differ.

    Args:
        modules: all of them, submodules included.
    """
    modes = {module: module.training for module in modules}
    for module in modes:
        module.training = False
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def _state(module: nn.Module) -> list[Tensor]:
    return [*(parameter.detach() for parameter in module.parameters()), *module.buffers()]


def _statistics(module: nn.Module) -> list[tuple[dict[str, Any], str]]:
    """The buffers that can be averaged, as places: a method may replace the tensor there.

    Those with infinite entries, such as masks, are constants, of which no average can be computed.
    """
    owners = [owner._buffers for owner in module.modules()]
    return [
        (owner, name)
        for owner in owners
        for name, buffer in owner.items()
        if buffer is not None and buffer.is_floating_point() and bool(buffer.isfinite().all())
    ]


def _optimiser(parameters: list[nn.Parameter], schedule: Schedule, weight_decay: float) -> torch.optim.Optimizer:
    kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    return kinds[schedule.optimiser](
        parameters, lr=schedule.learning_rate, betas=BETAS[schedule.optimiser], weight_decay=weight_decay, fused=True
    )


def _factor(progress: float) -> float:
    """What the learning rate is multiplied with at this share of a phase: a linear warm-up, then a cosine."""
    warm = min(1.0, (progress + 1e-3) / WARM_UP)
    return warm * (0.5 * (1 + math.cos(math.pi * max(0.0, progress - WARM_UP) / (1 - WARM_UP))) + FLOOR)


@torch.no_grad()
def _assign(tensors: list[Tensor], values: list[Tensor]) -> None:
    for tensor, value in zip(tensors, values, strict=True):
        tensor.copy_(value)
