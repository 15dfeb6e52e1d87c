"""Train D4-RCWA-proxy on generated spectra: `python -m tasks.metamaterial.train FOLDER [FOLDER ...]`.

Writes the weights that the task uses, or prints a learning curve with `--curve`. The held-out part is drawn by orbit
of the exact symmetries before anything else, and used for nothing but the error that is reported.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional as F
from tqdm import tqdm

from tasks.metamaterial.generate import SEED
from tasks.metamaterial.proxy import WEIGHTS, Proxy, images, load, save

WARM_UP = 200  # steps
HELD_OUT = 400  # spectra
CURVE = (700, 1400, 2800)  # spectra, the points of the learning curve below all


@dataclass(frozen=True)
class Recipe:
    """How one member of the ensemble is trained; a step sees `batch` spectra."""

    width: int = 384  # with depth and steps what a quarter of an hour of two cores allowed, not a search's optimum
    depth: int = 5
    steps: int = 14_000
    batch: int = 256
    rate: float = 1e-3
    weight_decay: float = 1e-4


@dataclass(frozen=True)
class Spectra:
    """Designs x `(n, 8)` in um and their spectra T `(n, 300)`, float32."""

    x: Tensor
    t: Tensor

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows: Any) -> Spectra:
        return Spectra(self.x[rows], self.t[rows])


def read(folders: Iterable[Path]) -> Spectra:
    """All chunks of the folders, in order of their names. Raises FileNotFoundError where there is none.

    Args:
        folders: with chunk_XXXX.npz, as `tasks.metamaterial.generate` writes them.
    """
    paths = sorted((path for folder in folders for path in folder.glob("chunk_*.npz")), key=lambda path: path.name)
    if not paths:
        raise FileNotFoundError("No chunk_*.npz in the folders given; make some with tasks.metamaterial.generate.")
    chunks = [np.load(path) for path in paths]
    x, t = (torch.from_numpy(np.concatenate([chunk[name] for chunk in chunks])) for name in ("x", "T"))
    return Spectra(x, t)


def orbits(x: Tensor) -> Tensor:
    """Number `(n,)` of the orbit of each design: equal where one is a symmetric image of the other.

    Args:
        x: designs `(n, 8)` in um.
    """
    candidates = images(x)
    # Of the four images the one that comes first in lexicographic order stands for the orbit.
    rank = candidates.flatten(0, 1).unique(dim=0, return_inverse=True)[1].unflatten(0, candidates.shape[:2])
    return rank.amin(0)


def split(x: Tensor, held_out: int, seed: int) -> tuple[Tensor, Tensor]:
    """Rows to train on and rows held out: whole orbits, until at least `held_out` rows are.

    Args:
        x: designs `(n, 8)` in um.
        held_out: rows to hold out, at least.
        seed: of the draw.

    Returns:
        Numbers of the rows `(m,)` and `(k,)`, ascending.
    """
    names, orbit, sizes = orbits(x).unique(return_inverse=True, return_counts=True)
    order = torch.randperm(len(names), generator=Generator().manual_seed(seed))
    chosen = order[: int((sizes[order].cumsum(0) < held_out).sum()) + 1]
    held = torch.isin(orbit, chosen)
    return (~held).nonzero()[:, 0], held.nonzero()[:, 0]


def train(data: Spectra, recipe: Recipe, seed: int, quiet: bool = False) -> Proxy:
    """One network, AdamW with a cosine schedule; the same seed and thread count give the same weights.

    Args:
        data: the spectra to learn.
        recipe: size and schedule.
        seed: of the first weights and of the batches.
        quiet: show no bar.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Proxy(1, recipe.width, recipe.depth, data.t.shape[1])
        with torch.no_grad():
            network.members[0][-1].bias.copy_(data.t.mean(0))  # type: ignore[index]
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.rate, weight_decay=recipe.weight_decay)
    batches = _batches(len(data), recipe.batch, Generator().manual_seed(seed))
    for step in (bar := tqdm(range(recipe.steps), disable=quiet, mininterval=5)):
        batch = data[next(batches)]
        optimiser.param_groups[0]["lr"] = recipe.rate * schedule(step, recipe.steps)
        loss = F.mse_loss(network(batch.x), batch.t)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % 500 == 0:
            bar.set_postfix(mse=f"{loss.item():.1e}")
    return network


def schedule(step: int, steps: int) -> float:
    """Factor of the learning rate: linear warm-up, then half a cosine down to zero.

    Args:
        step: from 0.
        steps: how many there are.
    """
    return min(1, (step + 1) / WARM_UP) * (1 + math.cos(math.pi * step / steps)) / 2


def _batches(n: int, size: int, generator: Generator) -> Iterator[Tensor]:
    while True:
        yield from torch.randperm(n, generator=generator).split(size)


def ensemble(networks: Sequence[Proxy]) -> Proxy:
    """One proxy of all the networks, in float64 with parameters rounded to half precision as they are stored.

    Args:
        networks: proxies of one member each, of the same shape.
    """
    shape = networks[0].shape
    proxy = Proxy(len(networks), shape["width"], shape["depth"], shape["outputs"])
    for member, network in zip(proxy.members, networks, strict=True):
        member.load_state_dict(network.members[0].state_dict())
    return proxy.half().double()


def errors(proxy: Proxy, data: Spectra, variance: Tensor | float = 1.0) -> Tensor:
    """Mean square error `(n,)` of each spectrum by a proxy in float64.

    Args:
        proxy: the forward model, in float64.
        data: the spectra to compare with.
        variance: at each frequency, the unit of the square error `(300,)`; 1 leaves it as it is.
    """
    with torch.no_grad():
        return ((proxy(data.x.double()) - data.t).square() / variance).mean(1)


def curve(data: Spectra, held: Spectra, recipe: Recipe, seed: int) -> None:
    """Print the held-out error of one network for some numbers of training spectra.

    Args:
        data: the spectra to learn.
        held: the spectra that errors are measured on.
        recipe: size and schedule.
        seed: of the networks.
    """
    for size in [*(size for size in CURVE if size < len(data)), len(data)]:
        error = errors(ensemble([train(data[:size], recipe, seed)]), held)
        print(f"{size:6d} spectra: held-out MSE {error.mean():.2e}, median {error.median():.1e}", flush=True)


def release(
    data: Spectra, held: Spectra, recipe: Recipe, seeds: Iterable[int], path: Path, quiet: bool = False
) -> None:
    """Train one network per seed; after each write the ensemble so far, with its held-out error.

    Args:
        data: the spectra to learn.
        held: the spectra that errors are measured on.
        recipe: size and schedule of each network.
        seeds: of the networks.
        path: the file of weights, which is replaced.
        quiet: show no bar.
    """
    networks: list[Proxy] = []
    used: list[int] = []
    for seed in seeds:
        networks.append(train(data, recipe, seed, quiet))
        used.append(seed)
        proxy = ensemble(networks)
        error = errors(proxy, held)
        measured = {"mean": float(error.mean()), "median": float(error.median()), "worst": float(error.max())}
        relative = errors(proxy, held, data.t.double().var(0))
        save(
            proxy,
            path,
            {
                "operator": "D4-RCWA, order 6",
                "data": f"{len(data) + len(held)} spectra, generator seed {SEED}",
                "trained_on": len(data),
                "trained_mse": float(errors(proxy, data[: len(held)]).mean()),
                "held_out": len(held),
                "held_out_mse": measured,
                "held_out_nmse": float(relative.mean()),
                "seeds": used,
                "recipe": asdict(recipe),
                "torch": torch.__version__,
                "numpy": np.__version__,
            },
        )
        load.cache_clear()
        print(f"{len(networks)} networks: held-out MSE {measured}", flush=True)


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description="Train D4-RCWA-proxy.")
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="with chunk_*.npz")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="the weights' file (the task's own)")
    parser.add_argument("--members", type=int, default=3, help="networks of the ensemble (3)")
    parser.add_argument("--steps", type=int, default=Recipe.steps, help=f"of each ({Recipe.steps})")
    parser.add_argument("--seed", type=int, default=0, help="of the split and the first network (0)")
    parser.add_argument("--curve", action="store_true", help="print a learning curve and write nothing")
    parser.add_argument("--threads", type=int, default=1, help="of torch (1)")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    data, recipe = read(given.folders), replace(Recipe(), steps=given.steps)
    trained, held = (data[rows] for rows in split(data.x, HELD_OUT, given.seed))
    if given.curve:
        curve(trained, held, recipe, given.seed)
    else:
        release(trained, held, recipe, range(given.seed, given.seed + given.members), given.out)


if __name__ == "__main__":
    main()
