"""What every worker needs, imported and looked up once, by the server that workers are forked from; no plug-in."""

from __future__ import annotations

import scipy.stats
import torch
import torch._dynamo

import harness.apart
import harness.cell
from harness.registry import BASES, discover

__all__ = ["harness", "scipy", "torch"]

for kind in BASES:
    discover(kind)  # type: ignore[arg-type]
