"""The proxy of some rows: trained once, kept in the cache, and with what is known of its error."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from harness import cache_folder
from tasks.dataset.network import Proxy
from tasks.dataset.rows import Rows
from tasks.dataset.training import Training, train

SOURCES = ("network.py", "rows.py", "training.py")  # all that decides about the weights


def trained(rows: Rows, settings: Training) -> Proxy:
    """The proxy of these rows, from the cache where it is there; who comes second waits for the first.

    Args:
        rows: what it is trained on, physical.
        settings: sizes and schedule.

    Raises:
        UsageError: the cache cannot be written.
    """
    path = cache_folder.folder("dataset") / f"proxy-{key(rows, settings)}.safetensors"
    sizes = [rows.x.shape[1], *[settings.width] * settings.depth, rows.y.shape[1]]
    with cache_folder.locked(path):
        proxy = _read(path, Proxy(settings.members, sizes).double())
        if proxy is None:
            proxy = train(rows, settings)
            _write(path, proxy)
    return proxy.requires_grad_(False).eval()


def key(rows: Rows, settings: Training) -> str:
    """SHA-256 of all that decides about the weights; the library does about their last bits.

    Args:
        rows: what the proxy is trained on, physical.
        settings: sizes and schedule.
    """
    sources = [Path(__file__).with_name(name).read_bytes() for name in SOURCES]
    described = json.dumps({**asdict(settings), "torch": torch.__version__, "shape": list(rows.y.shape)})
    return cache_folder.digest(described.encode(), rows.x.numpy().tobytes(), rows.y.numpy().tobytes(), *sources)


def held_out_error(proxy: Proxy, rows: Rows) -> dict[str, float]:
    """The error on rows that it was not trained on, as the metrics of the harness: `sse`, `mse`, `nmse`.

    Args:
        proxy: the forward model, from physical x to physical y.
        rows: pairs that it was not trained on; those whose y is not known in every entry do not count.
    """
    rows = rows[rows.complete]
    squared = (proxy(rows.x) - rows.y).square()
    variance = rows.y.var(0)
    return {
        "sse": float(squared.sum(1).mean()),
        "mse": float(squared.mean()),
        "nmse": float((squared.mean(0) / torch.where(variance > 0, variance, 1.0)).mean()),
    }


def _read(path: Path, proxy: Proxy) -> Proxy | None:
    """The stored proxy; None where there is none or it is damaged."""
    try:
        content = path.read_bytes()
        stated, _, weights = content.partition(b"\n")
        if stated == cache_folder.digest(weights).encode():
            proxy.load_state_dict(load(weights))
            return proxy
    except FileNotFoundError:
        return None
    except (SafetensorError, RuntimeError):
        pass
    cache_folder.warn_damaged(path)
    return None


def _write(path: Path, proxy: Proxy) -> None:
    """Its weights, after their digest."""
    weights = save({name: tensor.contiguous() for name, tensor in proxy.state_dict().items()})
    cache_folder.write(path, cache_folder.digest(weights).encode() + b"\n" + weights)
