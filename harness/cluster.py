"""What a run asks of a SLURM cluster for each of its array entries."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.settings import setting

MOST = 999
"""The most entries of one array: SLURM's `MaxArraySize` is 1001 unless a site changes it, and caps the index."""


@dataclass(frozen=True)
class Resources:
    """What each array entry is given; what is None is worked out, or left to the cluster's own defaults."""

    partition: str | None = setting(None, help="partition of the cluster")
    account: str | None = setting(None, help="account that pays")
    qos: str | None = setting(None, help="quality of service")
    constraint: str | None = setting(None, help="features that a node must have")
    time: float | None = setting(None, help="time limit of one entry, such as 4h; from the estimate where omitted")
    mem: str | None = setting(None, help="memory of one entry, such as 16G; from the estimate where omitted")
    cpus: int | None = setting(None, help="cores of one entry; as many as cells run in it at once", least=1)
    gres: str | None = setting(None, help="generic resources such as gpu:h100:1; gpu:1 with --device cuda")
    gpu: str | None = setting(None, help="what torch calls that GPU, such as NVIDIA H100 80GB HBM3")
    entries: int | None = setting(None, help="array entries; about one hour of work each", least=1, most=MOST)

    def __post_init__(self) -> None:
        if self.mem is not None and not re.fullmatch(r"[1-9]\d*[KMGT]", self.mem):
            raise ValueError(f"mem = {self.mem!r} is not allowed. Allowed: a number with K, M, G or T, such as 16G.")
