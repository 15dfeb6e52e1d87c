"""Ctrl-C on the command line: whatever is under way, it ends with one line and exit code 130.

Usually it is a KeyboardInterrupt, so that what is open is put in order. While something is imported that would be lost:
the C code of numpy and torch swallows it or makes another error of it, and what was half imported stays. Then, and when
it comes a second time, the process ends at once; all files are written aside, so that there is nothing to put in order.
"""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False  # `typing` takes longer to import than all that is here
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

INTERRUPTED = 130
SAID = "Interrupted. The same command continues."
IMPORT = "<frozen importlib._bootstrap>"
"""The file of the frames that import a module."""


def guarded(main: Callable[[], int]) -> int:
    """What `main` returns, and 130 where Ctrl-C ended it. Afterwards Ctrl-C is ignored: nothing is left but to exit."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as of a shell's job in the background
        signal.signal(signal.SIGINT, _Interrupts())
    try:
        return main()
    except KeyboardInterrupt:
        print(SAID, file=sys.stderr)
        return INTERRUPTED
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


class _Interrupts:
    """The handler of SIGINT of this process."""

    def __init__(self) -> None:
        self.process, self.before = os.getpid(), False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self.process:  # a fork, whose end is for the one that has forked it to tell
            raise KeyboardInterrupt
        if self.before or _importing(frame):
            os.write(2, f"{SAID}\n".encode())
            os._exit(INTERRUPTED)
        self.before = True
        raise KeyboardInterrupt


def _importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == IMPORT:
            return True
        frame = frame.f_back
    return False
