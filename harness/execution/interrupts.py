"""Ctrl-C, SIGTERM and SIGHUP to a run: the first one is noted, and ends it in order; further ones change nothing."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Noted:
    """The first signal that has arrived; None before."""

    number: int | None = None

    def __call__(self, number: int, frame: Any) -> None:
        """Note a signal."""
        if self.number is None:
            self.number = number


@contextmanager
def signals_noted() -> Iterator[Noted]:
    """Inside, the signals are noted and raise nothing.

    Only the main thread of a process is told of signals; elsewhere nothing changes.
    """
    noted = Noted()
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return
    found = {number: signal.getsignal(number) for number in SIGNALS}
    # What is ignored, such as SIGHUP under nohup, stays so.
    before = {number: handler for number, handler in found.items() if handler not in (signal.SIG_IGN, None)}
    for number in before:
        signal.signal(number, noted)
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
