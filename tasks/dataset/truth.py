"""The forward model of a dataset task: a proxy of its rows, or the user's simulator."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Generator, Tensor

from harness import cache_folder
from harness.cores import usable_cores
from harness.errors import UsageError
from harness.priors import Prior
from tasks.dataset.engines import engine, identity
from tasks.dataset.network import Proxy
from tasks.dataset.options import DatasetOptions
from tasks.dataset.proxy import held_out_error, trained
from tasks.dataset.rows import Rows
from tasks.dataset.simulator import Designs, Simulator
from tasks.dataset.training import Training

TRIED, TRIED_ALONE = 16, 3  # rows of the file that a simulator is tried on
SHOWN = 8  # numbers of a design that a message names
DIFFERENT = 1e-6  # nmse from which on simulator and file are said to disagree: printed with four digits it is less


class Truth(Protocol):
    """A forward model with what is known of it."""

    @property
    def floor(self) -> Mapping[str, float]:
        """Error `sse`, `mse`, `nmse` below which no comparison means anything; empty where there is none."""

    def __call__(self, x: Tensor) -> Tensor:
        """Y `(n, y_dim)` of designs, physical and float64, NaN where there is none.

        Args:
            x: designs `(n, x_dim)`, physical and float64.
        """

    def disagreement(self, x: Tensor) -> dict[str, Tensor]:
        """How sure it is of each design, as named numbers `(n,)`.

        Args:
            x: designs `(n, x_dim)`, physical and float64.
        """

    def lines(self) -> list[str]:
        """What is known of it, in words."""


@dataclass(frozen=True)
class ProxyTruth:
    """A proxy, and its error on the rows that the methods learn from, which it was not trained on."""

    proxy: Proxy
    floor: Mapping[str, float]
    rows: int

    @classmethod
    def of(cls, known: Rows, held: Rows, settings: Training) -> ProxyTruth:
        """The proxy of some rows, with its error on others.

        Args:
            known: the rows that it is trained on, unless it is in the cache.
            held: the rows that it is measured on.
            settings: of the training.
        """
        proxy = trained(known, settings)
        return cls(proxy, held_out_error(proxy, held), len(known))

    def __call__(self, x: Tensor) -> Tensor:
        """Y `(n, y_dim)` of designs, physical and float64.

        Args:
            x: designs `(n, x_dim)`, physical and float64.
        """
        return self._on(x)(x)

    def disagreement(self, x: Tensor) -> dict[str, Tensor]:
        """How far the networks differ from their mean: mean square over y, `(n,)`.

        Args:
            x: designs `(n, x_dim)`, physical and float64.
        """
        with torch.no_grad():
            return {"proxy_disagreement": self._on(x).each(x).var(0, correction=0).mean(-1)}

    def lines(self) -> list[str]:
        members = self.proxy.weights[0].shape[0]
        errors = ", ".join(f"{name} {value:.3g}" for name, value in self.floor.items())
        lines = [
            f"Forward model: a proxy of {members} networks, trained on the other {self.rows} designs. Its error on "
            f"those of the methods is {errors}: a difference below it means nothing."
        ]
        if self.floor["nmse"] > 0.5:
            lines.append("The proxy explains less than half of the variance of y: results say little about the data.")
        return lines

    def _on(self, x: Tensor) -> Proxy:
        return self.proxy if self.proxy.low.device == x.device else deepcopy(self.proxy).to(x.device)


@dataclass(frozen=True)
class SimulatedTruth:
    """The user's simulator, and how it compares with some rows of the file."""

    simulator: Simulator
    difference: float
    """nmse between simulator and file over the rows that it was tried on."""
    answered: tuple[int, int]
    """Of how many rows."""
    floor: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        options: DatasetOptions,
        rows: Rows,
        names: tuple[list[str], list[str]],
        whole: Sequence[bool],
        prior: Prior,
    ) -> SimulatedTruth:
        """The simulator that the options name, tried on a few rows, and on draws of the prior until it answers one.

        Args:
            options: those of the task.
            rows: of the file, each design once.
            names: of the columns of x, and of those of y.
            whole: for each column of x, whether it holds whole numbers.
            prior: what designs are drawn from.

        Raises:
            UsageError: it does not answer a single row, or draw.
        """
        assert options.simulator is not None
        y_dim = len(names[1])
        columns = map(str.encode, (*names[0], "", *names[1]))
        described = cache_folder.digest(identity(options.simulator).encode(), *columns)
        simulator = Simulator(
            engine(options.simulator, names[0], whole, y_dim, options.limit),
            y_dim,
            Designs(cache_folder.folder("dataset") / f"designs-{described}.sqlite"),
            options.batch,
            options.workers or usable_cores(),
            options.simulator,
        )
        whole_rows = rows[rows.complete]
        chosen = whole_rows[torch.linspace(0, len(whole_rows) - 1, TRIED).long()]
        y = torch.from_numpy(_tried(simulator, chosen.x.numpy()))
        valid = y.isfinite().all(1)
        simulator.known = chosen.x[int(valid.int().argmax())].numpy()
        _require_draws(simulator, prior(TRIED, Generator().manual_seed(0)).numpy(), options.prior)
        difference = ((y - chosen.y)[valid].square().mean(0) / whole_rows.y.var(0)).mean()
        return cls(simulator, float(difference), (int(valid.sum()), TRIED))

    def __call__(self, x: Tensor) -> Tensor:
        """Y `(n, y_dim)` of designs, float64; NaN where the simulator has no answer.

        Args:
            x: finite designs `(n, x_dim)`, physical and float64.
        """
        y = self.simulator(np.ascontiguousarray(x.detach().cpu().numpy()))
        return torch.from_numpy(y).to(x.device)

    def disagreement(self, x: Tensor) -> dict[str, Tensor]:
        """Nothing: a simulator does not say how sure it is.

        Args:
            x: designs `(n, x_dim)`.
        """
        return {}

    def lines(self) -> list[str]:
        answered, tried = self.answered
        lines = [f"Forward model: {self.simulator.name}, which answers {answered} of {tried} rows of the file."]
        if self.difference > DIFFERENT:
            lines.append(
                f"Its y differ from those of the file: nmse {self.difference:.3g}, where 1 is the error of always "
                "answering with the mean. Methods learn from the file and are judged by the simulator."
            )
        return lines


def _tried(simulator: Simulator, x: np.ndarray) -> np.ndarray:
    """Targets of a few designs `(n, x_dim)`, the first one by one: a program that never ends must not be tried n times.

    Raises:
        UsageError: it answers none of the first.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        alone = np.concatenate([simulator(row[None]) for row in x[:TRIED_ALONE]])
        if not np.isfinite(alone).all(1).any():
            reason = simulator.failure or "It gave nan for each of them."
            raise UsageError(f"simulator={simulator.name} answers none of {TRIED_ALONE} rows of the file. {reason}")
        y = np.concatenate([alone, simulator(x[TRIED_ALONE:])])
    for warning in caught:
        warnings.warn(warning.message, stacklevel=2)
    return y


def _require_draws(simulator: Simulator, x: np.ndarray, prior: str) -> None:
    """Refuse a simulator that answers none of the draws `(n, x_dim)`; they are asked for up to the first answer."""
    shown, simulator.failure = simulator.failure, None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        answered = any(np.isfinite(simulator(row[None])).all() for row in x)
    if not answered:
        raise UsageError(
            f"simulator={simulator.name} answers rows of the file, but none of {len(x)} designs drawn between them "
            f"(prior={prior}), such as {', '.join(f'{value:.6g}' for value in x[0, :SHOWN])}. Let it take such "
            "designs, choose another prior, or name columns that hold whole numbers or choices: kinds=COLUMNS. "
            f"{simulator.failure or 'It gave nan for each of them.'}"
        )
    simulator.failure = shown
