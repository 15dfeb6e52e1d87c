"""Many simulated designs at once, by parallel worker processes that are fed block by block.

The workers are programs of their own and not children of `multiprocessing`, which a daemonic process, such as that of
a cell, may not have.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.connection import wait
from pathlib import Path
from subprocess import PIPE, Popen
from typing import IO, Any, cast

import numpy as np
from tqdm import tqdm

from harness.allocator import ALLOCATOR
from tasks.architecture.designs import BLOCK
from tasks.architecture.material import PIXELS

WORKER = "tasks.architecture.worker"
DESIGN_BYTES = PIXELS**2 // 8
NUMBER_BYTES = 8  # of a float64


def generate(n: int, seed: int, workers: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Designs `(n, 128)`, eight pixels a byte, and their y `(n, 1)`: the same whatever the number of workers.

    Raises:
        RuntimeError: a worker has ended, with a reason on standard error.
    """
    blocks = -(-n // BLOCK)
    waiting, found = iter(range(blocks)), {}
    with ExitStack() as stack:
        bar = stack.enter_context(tqdm(total=n, desc="simulating designs", unit="design", disable=None))
        busy: dict[IO[bytes], tuple[Popen[bytes], int]] = {}
        for index in (next(waiting) for _ in range(min(blocks, workers or usable_cores()))):
            _ask(stack.enter_context(_worker(seed)), index, busy)
        while busy:
            streams: list[Any] = list(busy)
            for stream in wait(streams):
                process, index = busy.pop(cast("IO[bytes]", stream))
                found[index] = _answer(process)
                bar.update(min(BLOCK, n - index * BLOCK))
                following = next(waiting, None)
                if following is not None:
                    _ask(process, following, busy)
    return _joined([found[index] for index in range(blocks)], n)


def _joined(answers: list[bytes], n: int) -> tuple[np.ndarray, np.ndarray]:
    size = BLOCK * DESIGN_BYTES
    designs = np.frombuffer(b"".join(answer[:size] for answer in answers), np.uint8).reshape(-1, DESIGN_BYTES)
    y = np.frombuffer(b"".join(answer[size:] for answer in answers), np.float64)
    return designs[:n].copy(), y[:n, None].copy()


def _ask(process: Popen[bytes], index: int, busy: dict[IO[bytes], tuple[Popen[bytes], int]]) -> None:
    """Send the process a block's number; that it has ended is found when it does not answer."""
    assert process.stdin is not None and process.stdout is not None
    with suppress(BrokenPipeError):
        os.write(process.stdin.fileno(), b"%d\n" % index)
    busy[process.stdout] = process, index


def _answer(process: Popen[bytes]) -> bytes:
    assert process.stdout is not None
    expected = BLOCK * (DESIGN_BYTES + NUMBER_BYTES)
    answer = process.stdout.read(expected)
    if len(answer) < expected:
        raise RuntimeError(
            f"A process that simulates designs has ended with status {process.wait()}; the reason is on standard "
            "error. Remove it and run the same command again."
        )
    return answer


@contextmanager
def _worker(seed: int) -> Iterator[Popen[bytes]]:
    """A worker process, killed when the block ends."""
    with Popen([sys.executable, "-m", WORKER, str(seed)], stdin=PIPE, stdout=PIPE, env=_environment()) as process:
        try:
            yield process
        finally:
            process.kill()


def _environment() -> dict[str, str]:
    """One thread for each worker, memory that it keeps, and this package where its parent found it."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, **threads, **ALLOCATOR, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def usable_cores() -> int:
    """Logical cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
