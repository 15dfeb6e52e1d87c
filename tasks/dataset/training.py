"""How a proxy is trained: all members at once, each on four fifths of the rows, the last fifth choosing its weights."""

from __future__ import annotations

import math
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from tqdm import tqdm

from harness.threads import threads
from tasks.dataset.network import Proxy
from tasks.dataset.rows import Rows


@dataclass(frozen=True)
class Training:
    """Sizes and schedule, chosen on ballistics, robotic_arm and crystal with 250 to 5000 rows."""

    members: int = 5
    width: int = 128
    depth: int = 3
    """Hidden layers of a member."""
    steps: int = 8000
    batch: int = 128
    rate: float = 2e-3
    """Learning rate of AdamW, after a warm-up over 5 % of the steps and before its cosine decay."""
    weight_decay: float = 1e-4
    average: float = 0.998
    """Decay of the moving average of the weights, which is validated and kept."""
    every: int = 200
    """Steps between validations."""
    patience: float = 0.3
    """Share of the steps without a better validation of any member after which training ends."""
    work: float = 1.2e12
    """Floating-point operations, about 60 CPU seconds, that end training early where x or y have many columns."""
    seed: int = 0


def train(rows: Rows, settings: Training) -> Proxy:
    """A proxy of rows, in float64. The same rows and settings give the same proxy on the same machine.

    Args:
        rows: what is learned, physical.
        settings: sizes and schedule.
    """
    with threads(1), torch.enable_grad():
        return _Trainer(rows, settings).run()


class _Trainer:
    """The state of a training; x and y are standardised and float32."""

    def __init__(self, rows: Rows, settings: Training) -> None:
        self.settings = settings
        self.random = Generator().manual_seed(settings.seed)
        sizes = [rows.x.shape[1], *[settings.width] * settings.depth, rows.y.shape[1]]
        self.proxy = _scaled(Proxy(settings.members, sizes, self.random), rows)
        self.average, self.best = (deepcopy(self.proxy).requires_grad_(False) for _ in range(2))
        self.x = ((rows.x - self.proxy.x_mean) / self.proxy.x_scale).float()
        self.y, self.low, self.high = (
            ((value - self.proxy.y_mean) / self.proxy.y_scale).float()
            for value in (rows.y, self.proxy.low, self.proxy.high)
        )
        self.known = self.y.isfinite()
        self.complete, self.y = bool(self.known.all()), self.y.nan_to_num()
        self.train, self.valid = _folds(len(rows), settings.members, self.random)
        numbers = sum(parameter.numel() for parameter in self.proxy.parameters())
        self.batch = min(settings.batch, self.train.shape[1])
        self.steps = min(settings.steps, math.ceil(settings.work / (6 * numbers * self.batch)))

    def run(self) -> Proxy:
        """Train to the last step, or until no member gets better."""
        rate = self.settings.rate
        optimiser = torch.optim.AdamW(self.proxy.parameters(), rate, weight_decay=self.settings.weight_decay)
        least, improved = torch.full((self.settings.members,), math.inf), 0
        batches = self._batches()
        for step in tqdm(range(self.steps), desc="training the proxy", unit="step", disable=None, leave=False):
            optimiser.param_groups[0]["lr"] = rate * _shape(step / self.steps)
            loss = self._errors(self.proxy, next(batches)).sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            self._follow(step)
            if (step + 1) % self.settings.every == 0 or step + 1 == self.steps:
                better = self._validate(least)
                improved = step if better else improved
                if step - improved > self.settings.patience * self.steps:
                    break
        return self.best.double()

    def _batches(self) -> Iterator[Tensor]:
        """Indices `(members, batch)`, each member in an order of its own."""
        members, count = self.train.shape
        while True:
            order = torch.rand(members, count, generator=self.random).argsort(1)
            for part in self.train.gather(1, order).split(self.batch, 1):
                if part.shape[1] == self.batch:
                    yield part

    def _errors(self, proxy: Proxy, index: Tensor) -> Tensor:
        """Squared error `(members,)`, none where output and y are both at or beyond a bound: a censored regression.

        It is the mean over the entries of y that are known.
        """
        output, y = proxy.standardised(self.x[index]), self.y[index]
        beyond = ((y <= self.low) & (output < y)) | ((y >= self.high) & (output > y))
        squares = torch.where(beyond, 0.0, output - y).square()
        if self.complete:
            return squares.mean((1, 2))
        known = self.known[index]
        return (squares * known).sum((1, 2)) / known.sum((1, 2)).clamp_min(1)

    @torch.no_grad()
    def _follow(self, step: int) -> None:
        decay = min(self.settings.average, (1 + step) / (10 + step))
        for slow, fast in zip(self.average.parameters(), self.proxy.parameters(), strict=True):
            slow.lerp_(fast, 1 - decay)

    @torch.no_grad()
    def _validate(self, least: Tensor) -> bool:
        """Keep the averaged weights of the members that got better, and their errors in `least`; whether any did."""
        errors = self._errors(self.average, self.valid)
        better = errors < least
        least[better] = errors[better]
        for best, now in zip(self.best.parameters(), self.average.parameters(), strict=True):
            best[better] = now[better]
        return bool(better.any())


def _shape(progress: float) -> float:
    """The learning rate as a share of the highest: a warm-up, then a cosine."""
    return min(1.0, 20 * progress + 0.01) * max(0.5 * (1 + math.cos(math.pi * progress)), 1e-3)


def _folds(rows: int, members: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """Indices of training and validation rows of each member: its own fold validates. A few rows may be left out."""
    parts = torch.randperm(rows, generator=generator)[: rows // members * members].reshape(members, -1)
    others = [torch.cat([*parts[:member], *parts[member + 1 :]]) for member in range(members)]
    return torch.stack(others), parts


def _scaled(proxy: Proxy, rows: Rows) -> Proxy:
    """The proxy with the scales of rows, and with bounds where its y have masses at their ends."""
    for name, values in (("x", rows.x), ("y", rows.y)):
        columns = [column[column.isfinite()] for column in values.T]
        scale = torch.stack([column.std() for column in columns])
        getattr(proxy, f"{name}_mean").copy_(torch.stack([column.mean() for column in columns]))
        getattr(proxy, f"{name}_scale").copy_(torch.where(scale > 0, scale, 1.0))
    for mass in rows.masses():
        column = rows.y[rows.y[:, mass.column].isfinite(), mass.column]
        for bound, end in ((proxy.low, column.min()), (proxy.high, column.max())):
            if end == mass.value:
                bound[mass.column] = end
    return proxy
