"""Many designs and their stiffness: simulated once, by parallel processes that are fed block by block, and kept.

One simulation gives the modulus along every direction. Each block is kept as soon as it is there, so that what is
interrupted goes on where it was.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from tqdm import tqdm

from harness import cache_folder
from harness.cores import usable_cores
from tasks.architecture.designs import BLOCK, block
from tasks.architecture.material import PIXELS, stiffness
from tasks.workers import Failed, Workers

SOURCES = ("designs.py", "homogenisation.py", "material.py")  # all that decides about the numbers
WORKER = "tasks.architecture.pairs:simulated"
DESIGN_NUMBERS = PIXELS**2 // 64  # float64 numbers with the bits of a design
ENTRIES = 9  # of the stiffness, 3 x 3

UNCACHED = 200  # pairs up to which reading them from a cache is not worth it: a second of one core

Arrays = tuple[np.ndarray, np.ndarray]


def are_kept(n: int) -> bool:
    """Whether so many pairs are kept in the cache, once they are made.

    Args:
        n: how many.
    """
    return n > UNCACHED


def load(n: int, seed: int, compute: Callable[[int, int, Path], Arrays]) -> Arrays:
    """The designs, bit-packed, and the stiffness of `compute(n, seed, blocks)`, from the cache where they are there.

    Args:
        n: how many designs.
        seed: of the designs.
        compute: makes them where the cache has none, as `generate` does; its last argument is the file of finished
            blocks.

    Returns:
        Designs `(n, 128)`, uint8, eight pixels a byte, and their stiffness `(n, 9)`, float64, row by row.

    Raises:
        UsageError: the cache cannot be written.
    """
    path = cache_folder.folder("architecture") / f"{key(n, seed)}.npz"
    with cache_folder.locked(path):
        arrays = _read(path)
        if arrays is None:
            blocks = path.with_suffix(".blocks")
            arrays = compute(n, seed, blocks)
            _write(path, arrays)
            blocks.unlink(missing_ok=True)
    return arrays


def key(n: int, seed: int) -> str:
    """SHA-256 of all that decides about the numbers; the libraries do about their last bits.

    Args:
        n: how many designs.
        seed: of the designs.
    """
    sources = {name: _digest(Path(__file__).with_name(name).read_bytes()) for name in SOURCES}
    inputs = {"n": n, "seed": seed, "numpy": np.__version__, "torch": torch.__version__, **sources}
    return _digest(json.dumps(inputs, sort_keys=True).encode())


def generate(n: int, seed: int, blocks: Path | None = None, workers: int | None = None) -> Arrays:
    """Designs `(n, 128)`, eight pixels a byte, and their stiffness `(n, 9)`: the same whatever the number of workers.

    Args:
        n: how many.
        seed: of the designs.
        blocks: the file of the blocks that an interrupted call has finished, and to which each is appended.
        workers: how many processes simulate; one a core where omitted.

    Raises:
        RuntimeError: a worker has ended.
        UsageError: the file cannot be written.
    """
    found = _finished(blocks) if blocks else []
    questions = [np.array([seed, index]) for index in range(len(found), -(-n // BLOCK))]
    ask = Workers(WORKER)
    threads = ThreadPoolExecutor(max(1, min(len(questions), workers or usable_cores())))
    bar = partial(tqdm, desc="architecture: simulating designs", unit="design", disable=None)
    try:
        with bar(total=n, initial=min(n, BLOCK * len(found))) as shown:
            for answer in threads.map(ask, questions):
                found.append(answer)
                if blocks:
                    _append(blocks, answer)
                shown.update(min(BLOCK, n - shown.n))
    except Failed as failure:
        raise RuntimeError(f"Designs could not be simulated; run the same command again. {failure}") from failure
    finally:
        threads.shutdown(cancel_futures=True)
        ask.close()
    numbers = np.concatenate(found)[:n]
    return numbers[:, :DESIGN_NUMBERS].copy().view(np.uint8), numbers[:, DESIGN_NUMBERS:].copy()


def simulated(question: np.ndarray) -> np.ndarray:
    """In a worker: the designs of a block, their bits as numbers, and their stiffness: `(BLOCK, 25)`, float64.

    Args:
        question: seed of the designs and number of the block `(2,)`.
    """
    x = block(*question.tolist())
    found = stiffness(torch.from_numpy(x)).flatten(1).numpy()
    return np.concatenate([np.packbits(x, axis=1).view(np.float64), found], 1)


def _finished(blocks: Path) -> list[np.ndarray]:
    """The blocks in a file, in order; what is behind the last whole one is cut off."""
    found: list[np.ndarray] = []
    with cache_folder.writable(blocks), blocks.open("a+b") as stream:
        stream.seek(end := 0)
        with suppress(EOFError, ValueError):
            while (block := np.load(stream, allow_pickle=False)).shape == (BLOCK, DESIGN_NUMBERS + ENTRIES):
                found.append(block)
                end = stream.tell()
        stream.truncate(end)
    return found


def _append(blocks: Path, block: np.ndarray) -> None:
    with cache_folder.writable(blocks), blocks.open("ab") as stream:
        np.save(stream, block)


def _read(path: Path) -> Arrays | None:
    """What the file holds; None where there is none or it is damaged."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            designs, entries, digest = stored["designs"], stored["stiffness"], str(stored["digest"])
    except FileNotFoundError:
        return None
    except (BadZipFile, EOFError, KeyError, ValueError):
        digest = ""
    if digest and digest == _digest(designs.tobytes(), entries.tobytes()):
        return designs, entries
    cache_folder.warn_damaged(path)
    return None


def _write(path: Path, arrays: Arrays) -> None:
    designs, entries = arrays
    content = io.BytesIO()
    np.savez(
        content, designs=designs, stiffness=entries, digest=np.array(_digest(designs.tobytes(), entries.tobytes()))
    )
    cache_folder.write(path, content.getvalue())


def _digest(*parts: bytes) -> str:
    """Not that of `harness.cache_folder`: files of the first kind are still good."""
    return hashlib.sha256(b"".join(parts)).hexdigest()
