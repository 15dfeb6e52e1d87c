"""Dataset: the user's own pairs (x, y) as a task."""

from __future__ import annotations

import math
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor

from harness.cache_folder import digest
from harness.contracts import Pairs, Task
from harness.errors import UsageError
from harness.kinds import discrete
from harness.priors import prior
from harness.texts import meant, openable
from tasks.dataset.columns import axis_of, choose, kinds_of
from tasks.dataset.engines import identity
from tasks.dataset.numbers import numbers
from tasks.dataset.options import DatasetOptions, fixed_target
from tasks.dataset.reading import read, stem_of
from tasks.dataset.report import Description
from tasks.dataset.rows import Rows
from tasks.dataset.training import Training
from tasks.dataset.truth import ProxyTruth, SimulatedTruth, Truth

SPLIT_SEED = 0
SLACK = 1e-5  # of the box's sides: float32 rounding of a method's answer must not push a design off its edge


class DatasetTask(Task):
    """Pairs (x, y) from a text (CSV), Parquet or NPZ file: `dataset[path=pairs.csv,x=a:f,y=gap]`.

    Half of the designs, drawn at random, are what methods learn from. The forward model is a proxy, an ensemble of
    networks that was trained on the other half; its error on the first half is `floor`, below which no difference
    means anything. It knows nothing outside the box of the rows: designs there are invalid and NaN. If the user names a
    simulator, that is the forward model instead, the methods learn from all rows, and it alone decides what is
    invalid. Rows with the same design count once, with the mean of their y.

    Columns of x that hold whole numbers or choices do so in all designs that are drawn or proposed (`kinds`).

    A subclass in a package of its own sets `root` and the defaults of its `Options`.
    """

    cost: float = 0.02
    required: ClassVar[tuple[str, ...]] = ("path",)
    """Options without which the task cannot be built."""
    root: ClassVar[Path | None] = None
    """Where a relative path begins; the current folder where omitted."""
    training: ClassVar[Training] = Training()
    Options: ClassVar[type] = DatasetOptions

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        if self.options.path is None:
            raise UsageError("dataset needs a file of pairs. Write dataset[path=pairs.csv,x=a:f,y=gap].")
        self.path = (self.root or Path()) / Path(openable(self.options.path)).expanduser()
        frame = read(self.path, self.options.form)
        names = list(frame.columns)
        self.names = choose(self.options.x, names, "x"), choose(self.options.y, names, "y")
        x, y, kept = numbers(frame, *self.names, self.path, self.options.decimal, self.options.missing)
        file_y = torch.full((len(kept), y.shape[1]), math.nan, dtype=torch.float64)
        file_y[torch.from_numpy(kept)] = torch.from_numpy(y)
        self.left_out = int((~kept).sum())
        """Rows of the file without a number in x or y."""
        self.rows = Rows.of(x, y)
        """All rows of the file, each design once."""
        simulated = self.options.simulator is not None
        self.rows.require(1 if simulated else 2, str(self.path))
        known, own = (self.rows[:0], self.rows) if simulated else self.rows.halves(SPLIT_SEED)
        self.known, self.own = known, own
        """The rows that the proxy is trained on, and those that methods learn from."""
        kinds = kinds_of(self.options.kinds, self.rows.x, self.names[0])
        self.draw_design = prior(self.options.prior, self.rows.x, kinds)
        # What the contract declares of a class is here for the file to say.
        vars(self).update(
            x_dim=x.shape[1],
            y_dim=y.shape[1],
            x_labels=tuple(self.names[0]),
            y_labels=tuple(self.names[1]),
            kinds=kinds,
            y_axis=axis_of(self.names[1]),
            n_train=len(own),
            title=self.options.name or ("" if self.root else meant(stem_of(self.path))),
            fixed_target=fixed_target(self.options.target, file_y, self.rows),
            cost=type(self).cost if self.options.cost is None else self.options.cost,
        )

    @cached_property
    def truth(self) -> Truth:
        """The forward model, which is trained or tried when it is first asked for.

        Raises:
            UsageError: the simulator does not answer, or the cache cannot be written.
        """
        if self.options.simulator is None:
            return ProxyTruth.of(self.known, self.own, self.training)
        whole = discrete(self.kinds, self.x_dim).tolist()
        return SimulatedTruth.of(self.options, self.rows, self.names, whole, self.sample_prior)

    @property
    def judge(self) -> str:
        """What the forward model is, in words."""
        if self.options.simulator is not None:
            return str(self.options.simulator)
        return f"a proxy that was trained on the other {len(self.known)} designs of {self.path.name}"

    @property
    def ahead(self) -> str:
        """What is made before the first cell."""
        if self.options.simulator is not None:
            return "asks its simulator for designs of the file, to see whether it answers"
        return "trains its proxy, the forward model, for about half a minute"

    @property
    def floor(self) -> dict[str, float]:
        """The error `sse`, `mse`, `nmse` below which no comparison means anything; empty with a simulator."""
        return dict(self.truth.floor)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the file, of how it is read, and of the simulator as far as it can be seen."""
        simulator, reading = self.options.simulator, map(str.encode, self.options.reading)
        return digest(self.path.read_bytes(), identity(simulator).encode() if simulator else b"", *reading)

    @property
    def report(self) -> list[str]:
        """What a reader of results should know of the data, in lines of text."""
        return [*self.description.lines(), *self.truth.lines()]

    @property
    def description(self) -> Description:
        """What the file says of the data; nothing is trained or simulated for it."""
        facts = self.path.name, self.rows, len(self.own), *self.names, self.kinds, self.fixed_target, self.options
        return Description(*facts, self.left_out)

    @property
    def bounds(self) -> Tensor:
        return torch.stack([self.rows.x.min(0).values, self.rows.x.max(0).values])

    def sample_prior(self, n: int, generator: Generator) -> Tensor:
        return self.draw_design(n, generator)

    def in_support(self, x: Tensor) -> Tensor:
        if self.options.simulator is not None:
            return super().in_support(x)
        low, high = self.bounds.to(x.device)
        slack = SLACK * (high - low)
        return ((x >= low - slack) & (x <= high + slack)).all(-1)  # NaN compares false

    def pairs(self, n: int, generator: Generator) -> Pairs:
        """At most n of the methods' rows, in random order.

        Args:
            n: how many, at most.
            generator: all randomness comes from it.
        """
        chosen = torch.randperm(len(self.own), generator=generator, device=generator.device)[:n].cpu()
        return Pairs(self.own.x[chosen].to(generator.device), self.own.y[chosen].to(generator.device))

    def simulate(self, x: Tensor) -> Tensor:
        x = x.to(torch.float64)
        valid = self.in_support(x)
        if self.options.simulator is not None:
            y = x.new_full((len(x), self.y_dim), math.nan)
            y[valid] = self.truth(x[valid])
            return y
        # Whatever cannot be simulated is replaced before a gradient flows: NaN times zero would be NaN.
        safe = torch.where(valid[:, None], x, self.bounds.mean(0).to(x.device))
        return torch.where(valid[:, None], self.truth(safe), math.nan)

    def diagnose(self, x: Tensor) -> dict[str, Tensor]:
        return self.truth.disagreement(x.to(torch.float64))

    def sketch(self, axes: Any, x: Tensor) -> None:
        """A bar for each coordinate, from the least to the greatest value in the rows.

        Args:
            axes: matplotlib's.
            x: a design `(x_dim,)`, physical.
        """
        low, high = self.bounds
        axes.barh(self.x_labels, ((x.detach().cpu() - low) / (high - low)).tolist())
        axes.set(xlim=(0, 1), xlabel="least to greatest of the rows")
        axes.invert_yaxis()
