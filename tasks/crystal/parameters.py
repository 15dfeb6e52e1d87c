"""The constants of the tight-binding model, and the file that holds the frozen ones."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

FROZEN = Path(__file__).with_name("parameters.json")
CHANNELS = (
    *("pd_sigma", "pd_pi", "pp_sigma", "pp_pi", "pp_far_sigma", "pp_far_pi", "dd_sigma", "dd_pi", "dd_delta"),
    *("d_O_sigma", "d_O_pi", "d_O_delta", "d_Sr_sigma", "d_Sr_pi"),
    *("p_Ti_sigma", "p_Ti_pi", "p_O_sigma", "p_O_pi", "p_Sr_sigma", "p_Sr_pi"),
)
"""Hopping, then the fields of O and Sr at Ti, then those of Ti, O and Sr at O; `far`: one cell edge apart."""


@dataclass(frozen=True)
class Parameters:
    """Energies in eV and distances in angstrom, float64."""

    levels: Tensor
    """`(2,)`: e_d and e_p."""
    reference: Tensor
    """`(20,)`: r0 of each of `CHANNELS`."""
    amplitude: Tensor
    """`(20,)`: V0."""
    exponent: Tensor
    """`(20,)`: n."""

    def integral(self, channel: str, distance: Tensor) -> Tensor:
        """V(r) = V0 (r / r0)^-n of a channel in eV, at distances of any shape (Harrison 1980).

        Args:
            channel: one of `CHANNELS`.
            distance: r in angstrom.
        """
        i = CHANNELS.index(channel)
        return self.amplitude[i] * (distance / self.reference[i]) ** -self.exponent[i]

    def to(self, device: torch.device) -> Parameters:
        """The same constants on another device.

        Args:
            device: where they are wanted.
        """
        return Parameters(*(getattr(self, item.name).to(device) for item in fields(self)))

    def declared(self) -> dict[str, Any]:
        """What a file holds: six decimals, which are the definition."""
        rows = zip(*(column.tolist() for column in (self.reference, self.amplitude, self.exponent)), strict=True)
        channels = {
            name: {key: round(value, 6) for key, value in zip(("r0", "V0", "n"), row, strict=True)}
            for name, row in zip(CHANNELS, rows, strict=True)
        }
        e_d, e_p = self.levels.tolist()
        return {"e_d": round(e_d, 6), "e_p": round(e_p, 6), "channels": channels}

    @classmethod
    def of(cls, declared: dict[str, Any]) -> Parameters:
        """The inverse of `declared`.

        Args:
            declared: what a file holds.
        """
        columns = [[declared["channels"][name][key] for name in CHANNELS] for key in ("r0", "V0", "n")]
        levels = [declared["e_d"], declared["e_p"]]
        return cls(*(torch.tensor(values, dtype=torch.float64) for values in (levels, *columns)))


def read(path: Path = FROZEN) -> dict[str, Any]:
    """The file that `python -m tasks.crystal.fit` writes: version, parameters, what they were fitted to, errors.

    Args:
        path: the file; the frozen one where omitted.
    """
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
