"""The one training loop: the data set on the device, index batches, a schedule, the best validated state."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor, nn

from harness.contracts import Method, Pairs, Phase
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

    Raises:
        Diverged: a training loss or validation value is not finite.
    """
    epochs = max(1, round(schedule.epochs * phase.share))
    log = PhaseLog(phase.name, epochs, forward=phase.forward)
    started = time.perf_counter()
    frozen = _freeze_all_but(method, phase.module)
    try:
        _Loop(phase, train, valid, schedule, epochs, seed, report, log).run()
    finally:
        for parameter in frozen:
            parameter.requires_grad_(True)
    log.seconds = time.perf_counter() - started
    return log


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
        phase: Phase,
        train: Pairs,
        valid: Pairs,
        schedule: Schedule,
        epochs: int,
        seed: int,
        report: Report,
        log: PhaseLog,
    ) -> None:
        self.phase, self.train, self.valid, self.schedule = phase, train, valid, schedule
        self.epochs, self.report, self.log = epochs, report, log
        self.batch = min(schedule.batch, len(train.x))
        self.batches = len(train.x) // self.batch
        self.shuffle = Generator().manual_seed(derive("shuffle", phase.name, seed))
        self.noise_seed = derive("validation", phase.name, seed)
        self.parameters = [parameter for parameter in phase.module.parameters() if parameter.requires_grad]
        self.optimiser = _optimiser(self.parameters, schedule, phase.weight_decay)
        self.rate = schedule.learning_rate
        self.average = [parameter.detach().clone() for parameter in self.parameters] if schedule.average else None
        self.kept: list[Tensor] | None = None
        self.plateau, self.waited = math.inf, 0

    def run(self) -> None:
        for epoch in range(self.epochs):
            loss = self._epoch(epoch)
            if not math.isfinite(loss):
                raise Diverged(f"{self.phase.name}: the training loss is {loss} in epoch {epoch + 1} of {self.epochs}.")
            last = epoch + 1 == self.epochs
            if last or (epoch + 1) % self.schedule.validate_every == 0:
                self._validate(epoch + 1, loss)
            if self.schedule.decay == "plateau" and self.phase.stationary:
                self._halve_on_plateau(loss)
            self.report(self.phase.name, epoch + 1, self.epochs, loss)
        if self.kept is not None:
            _assign(self.parameters, self.kept)

    def _epoch(self, epoch: int) -> float:
        order = torch.randperm(len(self.train.x), generator=self.shuffle).to(self.train.x.device)
        total = torch.zeros((), device=self.train.x.device)
        for batch in range(self.batches):
            rows = order[batch * self.batch : (batch + 1) * self.batch]
            progress = (epoch + batch / self.batches) / self.epochs
            total += self._step(self.train.x[rows], self.train.y[rows], progress)
        return float(total) / self.batches

    def _step(self, x: Tensor, y: Tensor, progress: float) -> Tensor:
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * _factor(self.schedule, progress)
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
            torch._foreach_lerp_(self.average, [item.detach() for item in self.parameters], 1 - decay)
        return loss.detach()

    @torch.no_grad()
    def _validate(self, epoch: int, loss: float) -> None:
        current = [parameter.detach().clone() for parameter in self.parameters]
        state = self.average if self.average is not None else current
        _assign(self.parameters, state)
        measure = self.phase.validate or self.phase.loss
        device = self.valid.x.device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            # The same noise at every validation, so that states are compared and not draws.
            torch.manual_seed(self.noise_seed)
            value = float(measure(self.valid.x, self.valid.y, 1.0))
        self.log.curve.append((epoch, loss, value))
        improved = math.isfinite(value) and value < self.log.best
        if improved:
            self.log.best = value
        if improved or self.phase.keep == "last":
            self.kept = [tensor.clone() for tensor in state]
        _assign(self.parameters, current)
        wanted = value if self.phase.keep == "last" else self.log.best
        if epoch == self.epochs and not math.isfinite(wanted):
            raise Diverged(f"{self.phase.name}: the {self.phase.keep} validation value is {wanted}.")

    def _halve_on_plateau(self, loss: float) -> None:
        if loss < self.plateau * (1 - 1e-4):
            self.plateau, self.waited = loss, 0
            return
        self.waited += 1
        if self.waited > PLATEAU_PATIENCE:
            self.rate, self.waited = self.rate / 2, 0


def _optimiser(parameters: list[nn.Parameter], schedule: Schedule, weight_decay: float) -> torch.optim.Optimizer:
    kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    return kinds[schedule.optimiser](
        parameters, lr=schedule.learning_rate, betas=BETAS[schedule.optimiser], weight_decay=weight_decay, fused=True
    )


def _factor(schedule: Schedule, progress: float) -> float:
    if schedule.decay != "cosine":
        return 1.0
    warm = min(1.0, (progress + 1e-3) / WARM_UP)
    return warm * (0.5 * (1 + math.cos(math.pi * max(0.0, progress - WARM_UP) / (1 - WARM_UP))) + FLOOR)


@torch.no_grad()
def _assign(parameters: list[nn.Parameter], values: list[Tensor]) -> None:
    for parameter, value in zip(parameters, values, strict=True):
        parameter.copy_(value)
