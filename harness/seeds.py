"""Seeds from named axes, and one helper that seeds every global generator and restores it."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager


def derive(*axes: str | int) -> int:
    """A 63-bit seed from the SHA-256 of named axes, so that no two purposes share a random stream.

    Args:
        *axes: what the random numbers are for, such as `"shuffle", "training", 0`; their order counts.

    >>> derive("train", 0)
    4090116489324459536
    """
    digest = hashlib.sha256("\x1f".join(str(axis) for axis in axes).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


@contextmanager
def seeded(*axes: str | int) -> Iterator[int]:
    """Seed torch, numpy and python for the block and restore their states after it.

    Args:
        *axes: what the random numbers are for, as of `derive`.

    Yields:
        The seed.
    """
    import numpy as np
    import torch

    seed = derive(*axes)
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    try:
        yield seed
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
        if gpus:
            torch.cuda.set_rng_state_all(gpus)
