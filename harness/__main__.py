"""`python -m harness`."""

from __future__ import annotations

import gc
import sys

from harness.ctrl_c import guarded

SELDOM = (100_000, 50, 50)
"""Thresholds of the garbage collector: a command ends soon, and its objects live to its end. With those of Python a
tenth of the time of a large report went into looking through ten thousand records again and again."""


def run() -> int:
    """The command line, imported where Ctrl-C is heeded already."""
    gc.set_threshold(*SELDOM)
    from harness.cli import main

    return main()


if __name__ == "__main__":
    sys.exit(guarded(run))
