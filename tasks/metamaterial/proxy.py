"""D4-RCWA-proxy: an ensemble of networks trained on spectra of D4-RCWA, exactly symmetric."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import lru_cache
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save as serialise
from torch import Tensor, nn

from harness.durable import write_whole

WEIGHTS = Path(__file__).with_name("weights.safetensors")
FORMAT = "1"
LOW, HIGH = (30.0,) * 4 + (42.0,) * 4, (55.0,) * 4 + (52.0,) * 4  # um: the box in which the proxy is trained
PERMUTATIONS = ((0, 1, 2, 3), (2, 3, 0, 1), (1, 0, 3, 2), (3, 2, 1, 0))
"""Of cylinders 1 to 4 by the lattice translations of half a period: identity, (1 3)(2 4), (1 2)(3 4), (1 4)(2 3)."""
SIGNS = ((1, 1, 1, 1), (1, -1, 1, -1), (1, 1, -1, -1), (1, -1, -1, 1))  # characters of that group
CHUNK = 512  # designs whose activations are held at once, for the cache


def images(x: Tensor) -> Tensor:
    """The four designs `(4, n, 8)` with exactly the same spectrum; the first is x.

    Args:
        x: designs `(n, 8)` in um: h1 to h4, r1 to r4.
    """
    heights, radii = x.split(4, -1)
    return torch.stack([torch.cat([heights[:, order], radii[:, order]], -1) for order in map(list, PERMUTATIONS)])


def invariants(x: Tensor) -> Tensor:
    """The generators `(n, 19)` of all polynomials in x that the four permutations leave unchanged.

    In the group's eigenbasis, a and b of heights and radii, a permutation multiplies a_i and b_i by sign i. The sign
    of i = 0 is 1 and the other three multiply to 1. Hence a_0 and b_0, the products of two in the same i > 0, and
    the products of three with i = 1, 2, 3 generate the invariants; every smooth symmetric function is a smooth
    function of them (Schwarz 1975, Topology 14, 63), and they tell any two orbits apart.

    Args:
        x: designs `(n, 8)` in um: h1 to h4, r1 to r4.
    """
    scale = torch.tensor([LOW, HIGH], dtype=x.dtype, device=x.device)
    heights, radii = ((2 * x - scale.sum(0)) / (scale[1] - scale[0])).split(4, -1)
    signs = torch.tensor(SIGNS, dtype=x.dtype, device=x.device).T * (math.sqrt(3) / 2)  # unit variance over the box
    a, b = heights @ signs, radii @ signs
    pair = torch.stack([a, b], -1)[:, 1:]
    squares = torch.cat([a**2, a * b, b**2], -1).unflatten(-1, (3, 4))[..., 1:].flatten(1)
    cubes = torch.einsum("ni,nj,nk->nijk", *pair.unbind(1)).flatten(1)
    return torch.cat([a[:, :1], b[:, :1], squares, cubes], -1)


class Proxy(nn.Module):
    """The mean of `members` GELU networks of `depth` hidden layers on the invariants of x `(n, 8)`; T `(n, 300)`.

    Args:
        members: networks of the ensemble.
        width: of their hidden layers.
        depth: hidden layers.
        outputs: frequencies.
    """

    def __init__(self, members: int, width: int, depth: int, outputs: int = 300) -> None:
        super().__init__()
        self.shape = {"members": members, "width": width, "depth": depth, "outputs": outputs}
        self.members = nn.ModuleList(_network([19, *[width] * depth], outputs) for _ in range(members))

    def each(self, x: Tensor) -> Tensor:
        """The answers of all members `(members, n, 300)`.

        Args:
            x: designs `(n, 8)` in um.
        """
        features = invariants(x)
        return torch.stack([member(features) for member in self.members])

    def forward(self, x: Tensor) -> Tensor:
        """T `(n, 300)`, the mean over the members.

        Args:
            x: designs `(n, 8)` in um.
        """
        return torch.cat([self.each(rows).mean(0) for rows in x.split(CHUNK)])


def _network(widths: list[int], outputs: int) -> nn.Sequential:
    hidden = [(nn.Linear(i, o), nn.GELU()) for i, o in pairwise(widths)]
    return nn.Sequential(*chain.from_iterable(hidden), nn.Linear(widths[-1], outputs))


def save(proxy: Proxy, path: Path, facts: Mapping[str, Any]) -> None:
    """Write the weights in half precision, and `facts` about their making; the file appears whole or not at all.

    Args:
        proxy: what is kept.
        path: the file, which is replaced.
        facts: plain values for its metadata.
    """
    tensors = {name: tensor.half().contiguous() for name, tensor in proxy.state_dict().items()}
    metadata = {"proxy": json.dumps({"format": FORMAT, **proxy.shape, **facts})}
    write_whole(path, serialise(tensors, metadata))


def describe(path: Path = WEIGHTS) -> dict[str, Any]:
    """What the file says about itself: format, shape, data, seeds, held-out error, library versions.

    Args:
        path: the file of weights; the task's own where omitted.
    """
    with safe_open(path, "pt") as file:
        facts: dict[str, Any] = json.loads((file.metadata() or {}).get("proxy", "{}"))
    if facts.get("format") != FORMAT:
        raise ValueError(f"{path} holds a proxy of format {facts.get('format')!r}; this version reads {FORMAT!r}.")
    return facts


@lru_cache(maxsize=4)
def load(path: Path = WEIGHTS, device: torch.device | None = None) -> Proxy:
    """The stored proxy in float64, its parameters constants.

    Args:
        path: the file of weights; the task's own where omitted.
        device: where the proxy is wanted; the CPU where omitted.
    """
    facts = describe(path)
    proxy = Proxy(*(facts[name] for name in ("members", "width", "depth", "outputs")))
    with safe_open(path, "pt") as file:
        proxy.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118 (no mapping)
    return proxy.double().requires_grad_(False).to(device)
