"""What a program has set for torch, or does in other threads, changes nothing of what is trained or proposed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch

ONE = threading.RLock()
"""The random states, and the count of the parameters that optimisers change, are those of the whole process."""


@contextmanager
def undisturbed() -> Iterator[None]:
    """Alone among the threads, and with torch's own defaults of precision, device and gradients, as in a cell."""
    device = torch.device("cpu") if torch.get_default_device().type != "cpu" else nullcontext()
    with ONE, device, torch.inference_mode(False), torch.enable_grad():
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            torch.set_default_dtype(before)
