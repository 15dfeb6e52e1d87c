"""The DFT rows beside this file: strained cells, their PBE levels and gaps; see `data/README.md`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor

DATA = Path(__file__).with_name("data")
FILES = ("samples.csv.gz", "levels.csv.gz")
BANDS = 12  # of each k-point: nine O 2p, which are filled, and three Ti 3d t2g


@dataclass(frozen=True)
class Rows:
    """Converged calculations."""

    ids: Tensor
    """`(n,)`: index in the Sobol sequence from which the cells were taken."""
    x: Tensor
    """`(n, 6)`: edges in angstrom, angles in degrees."""
    gap: Tensor
    """`(n,)` in eV; negative where bands overlap."""
    levels: Tensor
    """`(n, 8, 12)` in eV, ascending, at the TRIM points."""

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: Tensor) -> Rows:
        return Rows(self.ids[index], self.x[index], self.gap[index], self.levels[index])


def read() -> Rows:
    """All converged rows, in the order of their ids."""
    samples, levels = (
        torch.from_numpy(np.loadtxt(DATA / name, delimiter=",", skiprows=1, dtype=np.float64)) for name in FILES
    )
    samples = samples[samples[:, -1] == 1]
    ids = samples[:, 0]
    place = torch.searchsorted(levels[:, 0].contiguous(), ids.contiguous())
    energies = levels[place, 1:].reshape(len(ids), -1, BANDS)
    return Rows(ids.long(), samples[:, 1:7], samples[:, 7], energies)


def split(n: int, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Indices of n rows as two random parts, ascending: the second is `share` of them.

    Args:
        n: how many rows.
        share: of them in the second part, 0 to 1.
        seed: of the draw.
    """
    order = torch.randperm(n, generator=Generator().manual_seed(seed))
    held = round(share * n)
    return order[held:].sort().values, order[:held].sort().values


def digests() -> dict[str, str]:
    """SHA-256 of the data files."""
    return {name: hashlib.sha256((DATA / name).read_bytes()).hexdigest() for name in FILES}
