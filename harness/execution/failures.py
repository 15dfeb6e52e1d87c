"""From an exception to a status and an error text without absolute paths."""

from __future__ import annotations

import errno
import signal
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path

from harness.texts import clean

MEMORY_TEXTS = ("can't allocate memory", "not enough memory", "cannot allocate memory", "out of memory")
"""How torch's CPU allocator, the C library and CUDA say that memory is exhausted in a plain RuntimeError."""


class Told(Exception):
    """What went wrong in the process of a method, as it told it."""

    def __init__(self, status: str, described: dict[str, str]) -> None:
        super().__init__(described["message"])
        self.status, self.described = status, described


def tell(error: BaseException, private: Iterable[Path] = ()) -> tuple[str, dict[str, str]]:
    """The status that an exception leads to, and the exception in words; of what was told, what was told."""
    if isinstance(error, Told):
        return error.status, error.described
    return status_of(error), describe(error, private)


def ended(exit_code: int | None, console: str) -> tuple[str, dict[str, str]]:
    """The same of a method's process that ended without a word; `console` is what it had printed."""
    return "killed", expired(exit_code, console, "process of the method")


def status_of(error: BaseException) -> str:
    """`diverged`, `out_of_memory` or `failed`."""
    from harness.training import Diverged

    if isinstance(error, Diverged):
        return "diverged"
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return "out_of_memory"
    exhausted = any(text in said(error).lower() for text in MEMORY_TEXTS)
    named = any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__)
    return "out_of_memory" if named or (isinstance(error, RuntimeError) and exhausted) else "failed"


def describe(error: BaseException, private: Iterable[Path] = ()) -> dict[str, str]:
    """Type, message and traceback of an exception, all paths relative; `private` folders are cut off too."""
    text = clean("".join(traceback.format_exception(error)))
    kind = type(error)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    message = relative(clean(said(error)), private) or name
    return {"type": clean(name), "message": message, "traceback": relative(text, private)}


def said(error: BaseException) -> str:
    """The message of an exception, also of one that cannot be told in words."""
    if isinstance(error, SystemExit):
        return f"sys.exit({'' if error.code is None else repr(error.code)}) was called"
    try:
        return str(error)
    except Exception as other:
        return f"its message cannot be read ({type(other).__name__})"


def expired(exit_code: int | None, console: str = "", who: str = "worker process") -> dict[str, str]:
    """The error of a process that ended without a word; `console` is what it had printed."""
    if exit_code is not None and exit_code < 0:
        known = {int(number): number.name for number in signal.Signals}
        name = known.get(-exit_code, "of real time")
        message = f"The {who} was ended by signal {-exit_code} ({name})."
        if -exit_code == signal.SIGKILL:
            message += " The system does this where memory runs out: try fewer --jobs."
    else:
        message = f"The {who} exited by itself with code {exit_code}."
    return {"type": "Killed", "message": message, "traceback": console}


def late(timeout: float) -> dict[str, str]:
    """The error of a cell that took longer than allowed."""
    message = f"Not finished after {timeout:g} s. Allow more with --timeout."
    return {"type": "Timeout", "message": message, "traceback": ""}


def relative(text: str, private: Iterable[Path] = ()) -> str:
    """The text with the absolute prefixes of importable files, `private` folders and the home folder cut off."""
    roots = {str(path) for path in (*private, *map(Path, sys.path)) if path.is_absolute() and len(path.parts) > 1}
    for root in sorted(roots, key=len, reverse=True):
        text = text.replace(root + "/", "")
    for root in (sys.prefix, sys.base_prefix):
        text = text.replace(root + "/", "")
    return text.replace(str(Path.home()) + "/", "~/") if len(Path.home().parts) > 1 else text
