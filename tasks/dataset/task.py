"""Dataset: the user's own pairs (x, y) as a task."""

from __future__ import annotations

import math
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Generator, Tensor

from harness.cache_folder import digest
from harness.contracts import Pairs, Task
from harness.errors import UsageError
from harness.kinds import detect, discrete, merged
from harness.priors import prior
from harness.texts import meant, openable
from tasks.dataset.columns import Columns, axis_of, kinds_of
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

    Columns of x that hold whole numbers or choices do so in all designs that are drawn or proposed (`kinds`). Columns
    that are `given`, such as a temperature, are conditions: inputs of the forward model that nobody chooses. Of a row
    that lacks numbers in y (`missing=keep`), the others are learned from.

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
        columns = Columns.of(self.options, list(frame.columns), self.path)
        self.columns = columns
        x, y, kept = numbers(frame, columns.inputs, columns.y, self.path, self.options.decimal, self.options.missing)
        file_y = torch.full((len(kept), y.shape[1] + len(columns.given)), math.nan, dtype=torch.float64)
        file_y[torch.from_numpy(kept)] = torch.from_numpy(np.concatenate([y, x[:, len(columns.x) :]], 1))
        self.left_out = int((~kept).sum())
        """Rows of the file without a number in x or y."""
        self.rows = Rows.of(x, y)
        """All rows of the file, each design once; the conditions are the last columns of their x."""
        simulated = self.options.simulator is not None
        self.rows.require(1 if simulated else 2, str(self.path))
        known, own = (self.rows[:0], self.rows) if simulated else self.rows.halves(SPLIT_SEED)
        self.known, self.own = known, own
        """The rows that the proxy is trained on, and those that methods learn from."""
        of_x = kinds_of(self.options.kinds, self.rows.x[:, : len(columns.x)], columns.x)
        of_given = detect(self.rows.x[:, len(columns.x) :]) if columns.given else ()
        self.input_kinds = merged([*of_x, *of_given])
        self.draw_rows = prior(self.options.prior, self.rows.x, self.input_kinds)
        # What the contract declares of a class is here for the file to say.
        vars(self).update(
            x_dim=len(columns.x),
            y_dim=file_y.shape[1],
            x_labels=tuple(columns.x),
            y_labels=(*columns.y, *columns.given),
            kinds=of_x,
            y_axis=None if columns.given else axis_of(columns.y),
            n_train=len(own),
            title=self.options.name or ("" if self.root else meant(stem_of(self.path))),
            fixed_target=fixed_target(self.options.target, file_y, Rows(self.rows.x, self._targets(self.rows))),
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
        whole, names = discrete(self.input_kinds, self.rows.x.shape[1]).tolist(), (self.columns.inputs, self.columns.y)
        return SimulatedTruth.of(self.options, self.rows, names, whole, self.draw_rows)

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
        facts = self.path.name, self.rows, len(self.own), self.columns, self.input_kinds, self.fixed_target
        return Description(*facts, self.options, self.left_out, int(self.own.complete.sum()))

    @property
    def bounds(self) -> Tensor:
        return self._box[:, : self.x_dim]

    @property
    def conditions(self) -> Tensor | None:
        return self._box[:, self.x_dim :] if self.columns.given else None

    @property
    def _box(self) -> Tensor:
        return torch.stack([self.rows.x.min(0).values, self.rows.x.max(0).values])

    def sample_prior(self, n: int, generator: Generator) -> Tensor:
        return self.draw_inputs(n, generator)[0]

    def draw_inputs(self, n: int, generator: Generator) -> tuple[Tensor, Tensor | None]:
        """Draws of the prior with their conditions: such as occur together in the rows.

        Args:
            n: how many.
            generator: all randomness comes from it.
        """
        drawn = self.draw_rows(n, generator)
        return drawn[:, : self.x_dim], drawn[:, self.x_dim :] if self.columns.given else None

    def in_support(self, x: Tensor) -> Tensor:
        return self._supported(x)

    def _supported(self, inputs: Tensor) -> Tensor:
        """Mask `(n,)` of the designs, or designs with conditions, that the forward model knows."""
        if self.options.simulator is not None:
            return torch.isfinite(inputs).all(-1)
        low, high = self._box[:, : inputs.shape[-1]].to(inputs.device)
        slack = SLACK * (high - low)
        return ((inputs >= low - slack) & (inputs <= high + slack)).all(-1)  # NaN compares false

    def _targets(self, rows: Rows) -> Tensor:
        """What methods are given with each design, y with the conditions as its last entries `(n, y_dim)`."""
        return torch.cat([rows.y, rows.x[:, len(self.columns.x) :]], 1)

    def pairs(self, n: int, generator: Generator) -> Pairs:
        """At most n of the methods' rows, in random order.

        Args:
            n: how many, at most.
            generator: all randomness comes from it.
        """
        chosen = torch.randperm(len(self.own), generator=generator, device=generator.device)[:n].cpu()
        rows = self.own[chosen]
        return Pairs(rows.x[:, : self.x_dim].to(generator.device), self._targets(rows).to(generator.device))

    def simulate(self, x: Tensor, conditions: Tensor | None = None) -> Tensor:
        """Y `(n, c)` less than the task's entries where there are conditions; NaN where a design cannot be simulated.

        Args:
            x: designs `(n, x_dim)`, physical.
            conditions: of each `(n, c)`, where columns are given.
        """
        inputs = (x if conditions is None else torch.cat([x, conditions.to(x)], -1)).to(torch.float64)
        valid = self._supported(inputs)
        if self.options.simulator is not None:
            y = inputs.new_full((len(x), len(self.columns.y)), math.nan)
            y[valid] = self.truth(inputs[valid])
            return y
        # Whatever cannot be simulated is replaced before a gradient flows: NaN times zero would be NaN.
        safe = torch.where(valid[:, None], inputs, self._box.mean(0).to(x.device))
        return torch.where(valid[:, None], self.truth(safe), math.nan)

    def diagnose(self, x: Tensor) -> dict[str, Tensor]:
        return {} if self.columns.given else self.truth.disagreement(x.to(torch.float64))

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
