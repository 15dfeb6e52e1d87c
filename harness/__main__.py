"""`python -m harness`."""

from __future__ import annotations

import sys

from harness.ctrl_c import guarded


def run() -> int:
    """The command line, imported where Ctrl-C is heeded already."""
    from harness.cli import main

    return main()


if __name__ == "__main__":
    sys.exit(guarded(run))
