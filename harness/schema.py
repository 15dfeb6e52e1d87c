"""What a record holds, as types: reading checks every value, and nothing reads a record by the names in its text.

A record describes one cell: a method, trained on a task in a scenario with one seed. It has parts, each with the stamp
of when, where and by which versions it was made: `data`, `model`, an entry of `answers` for each question, and an entry
of `scores` for each protocol.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from harness.settings import DataSettings, Schedule, Sizes

SCHEMA = 2
Status = Literal["ok", "failed", "diverged", "out_of_memory", "timeout", "killed", "cannot"]


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The base of all that a record holds."""


class Failure(Part, frozen=True, kw_only=True):
    """Why a cell has no numbers."""

    type: str
    message: str
    traceback: str = ""


class Named(Part, frozen=True, kw_only=True):
    """Task, method and scenario as the user wrote them."""

    task: str
    method: str
    scenario: str = "base"


class Groups(Part, frozen=True, kw_only=True):
    """The groups that task and method name themselves members of."""

    task: list[str]
    method: list[str]


class Plugin(Part, frozen=True, kw_only=True):
    """A plug-in with all its options, resolved."""

    name: str
    version: str
    options: dict[str, Any]
    fingerprint: str = ""
    """Hash of what it reads besides its source, such as the user's data."""


class Declared(Part, frozen=True, omit_defaults=True, kw_only=True):
    """What was asked for: its hash is the cell's key. The base scenario leaves no trace."""

    task: Plugin
    method: Plugin
    scenario: Plugin | None = None
    data: DataSettings
    budget: int
    schedule: Schedule
    seed: int
    device: str
    """`cpu`, or `cuda` with the model of the GPU."""


class Stamp(Part, frozen=True, omit_defaults=True, kw_only=True):
    """Versions, commit, hardware and times."""

    versions: dict[str, str | None]
    """Of this package, Python and the libraries that numbers depend on."""
    git: dict[str, str | bool] | None
    platform: str
    cpu: str
    cores: dict[str, int | None]
    memory_bytes: int
    device: str
    device_name: str | None
    gpu: dict[str, str | int | None] | None
    threads: int
    load: list[float]
    started: str
    ended: str


class Data(Part, frozen=True, kw_only=True):
    """What the method learned from and was asked for."""

    stamp: int
    """Number of the stamp in the record's `stamps`; so in all parts."""
    split: str
    """SHA-256 of the training and validation pairs."""
    targets: str
    """SHA-256 of the targets as they were shown."""
    n_train: int
    n_valid: int
    y_variance: list[float]
    """Of each y on the training part."""
    floor: dict[str, float]
    """Errors of the forward model itself; empty where it has none."""
    report: list[str]
    """What a reader must know of the data."""


class Parameters(Part, frozen=True, kw_only=True):
    """The size of a method."""

    trainable: int
    stored: int
    """All numbers in its state."""
    budget: int | None
    """None for a method without trainable parameters, which is exempt; so `ratio` and `width`."""
    ratio: float | None
    width: int | None
    lowered: dict[str, int] = {}
    """Options that were lowered to meet the budget, where no width alone did."""
    checkpoint_bytes: int | None = None


class PhaseLog(Part, frozen=True, kw_only=True):
    """What one training phase did."""

    name: str
    epochs: int
    steps: int
    seconds: float
    best: float | None
    curve: list[tuple[int, float | None, float | None]]
    """Epoch, training loss and validation value."""
    forward: bool = False
    """Whether the validation value is the error of a forward model, mean over standardised y."""


class Model(Part, frozen=True, kw_only=True):
    """The trained method."""

    stamp: int
    parameters: Parameters
    phases: list[PhaseLog] = []
    peak_memory_bytes: int | None = None
    """Of the method's process while it trained and answered, above what it took before."""


class Answer(Part, frozen=True, kw_only=True):
    """A question and the file that holds the answer."""

    stamp: int
    digest: str
    """Of the model and the question."""
    of: str
    n: int
    repeats: int
    file: str
    ranked: bool
    pooled: bool
    repeats_from: str
    """What the repeats differ in, in words."""
    generated: float
    """Candidates drawn or optimised for each row."""


class Score(Part, frozen=True, kw_only=True):
    """What a protocol found."""

    stamp: int
    digest: str
    """Of the answers, the protocol, its options and the source of its score."""
    source: str
    """Digest of the source of the protocol's score."""
    options: dict[str, Any]
    values: dict[str, Any] | None
    """The protocol's `Scores`; None where it does not apply."""


class Record(Part, frozen=True, kw_only=True):
    """One cell."""

    checksum: str = ""
    schema: int
    key: str
    status: Status
    error: Failure | None
    preset: str
    label: Named
    groups: Groups
    declared: Declared
    sizes: Sizes
    task_options: dict[str, Any] = {}
    """All options of the task, also those that determine no numbers, such as where a file lies."""
    sources: dict[str, str]
    """Digests of the sources that the cell was made with, by what they are the source of."""
    digests: dict[str, str]
    """Of data and model: what determined them, in short."""
    stamps: list[Stamp] = []
    data: Data | None = None
    model: Model | None = None
    answers: dict[str, Answer] = {}
    """By question."""
    scores: dict[str, Score] = {}
    """By protocol."""
    seconds: dict[str, float] = {}
    """How long each step took when it was last done."""
    files: dict[str, str] = {}
    """SHA-256 of the files beside the record."""
    omitted: dict[str, str] = {}
    """SHA-256 of the files that an export left out."""

    @property
    def stamp(self) -> Stamp | None:
        """Where and when the model was made, or failed to be; None where no process was started."""
        return self.stamps[0] if self.stamps else None
