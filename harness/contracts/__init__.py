"""What a plug-in author reads: `Task`, `Method`, and the few values that pass between them and the harness."""

from harness.contracts.family import Condition, Family
from harness.contracts.level import Level
from harness.contracts.method import Loss, Method, Phase, Problem, Proposals
from harness.contracts.task import ATTEMPTS, KINDS, Kind, Pairs, Task, forward, outputs, usable

__all__ = [
    "ATTEMPTS",
    "KINDS",
    "Condition",
    "Family",
    "Kind",
    "Level",
    "Loss",
    "Method",
    "Pairs",
    "Phase",
    "Problem",
    "Proposals",
    "Task",
    "forward",
    "outputs",
    "usable",
]
