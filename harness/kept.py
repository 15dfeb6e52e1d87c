"""What was worked out before and is still true, kept in the cache folder as Python keeps compiled modules.

It is kept under a digest of the arguments and of the state of all that is installed: the plug-ins, and the size and the
time of change of every file of their packages, of the harness and of the folders that Python imports from. A file that
is missing, damaged or cannot be written costs time and nothing else.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from harness.cache_folder import root
from harness.durable import sweep_files, write_whole
from harness.registry import BASES, discover
from harness.sources import tops_of

MOST = 50  # files of a kind, the latest
Kept = TypeVar("Kept")


def kept(name: str, arguments: object, work: Callable[[], Kept], good: Callable[[], bool] = lambda: True) -> Kept:
    """What `work()` gives, from a former call where there was one with the same arguments in the same state.

    Args:
        name: of the folder in the cache.
        arguments: all that it depends on besides what is installed; their `repr` is compared.
        work: is called where nothing is known.
        good: whether the result may be kept, for it depends on nothing else; asked after the work.
    """
    stated = "\0".join([repr(arguments), *state()])
    path = root() / name / f"{hashlib.sha256(stated.encode()).hexdigest()}.pickle"
    with suppress(Exception):  # whatever is in the file: it is worked out again
        if _private(path):
            found: Kept = pickle.loads(path.read_bytes())
            os.utime(path)
            return found
    result = work()
    if good():
        with suppress(Exception):  # nor does it matter why it cannot be written
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, pickle.dumps(result))
            path.chmod(0o600)
            _prune(path.parent)
    return result


def _private(path: Path) -> bool:
    """Whether this user alone can have written a file: a pickle runs what is in it."""
    found = path.stat()
    return found.st_uid == os.getuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def state() -> Iterator[str]:
    """All that a plug-in's class, and what is planned with it, depends on, as texts."""
    yield sys.version
    tops = {"harness"}
    for kind in BASES:
        for plugin in discover(kind).values():
            yield repr((kind, plugin.entry.name, plugin.entry.value, plugin.distribution, plugin.release))
            tops |= {plugin.module.partition(".")[0], *tops_of(plugin.entry.dist)} - {""}
    for top in sorted(tops):
        spec = find_spec(top)
        for place in (spec.submodule_search_locations or [str(spec.origin)]) if spec else ():
            yield from _files(Path(place))
    for folder in sys.path:  # changes with every package that is installed or removed, and the current one with results
        with suppress(OSError):
            if not Path(folder).samefile("."):
                yield f"{folder} {os.stat(folder).st_mtime_ns}"


def _files(place: Path) -> Iterator[str]:
    """The files of a package, or a single module, with size and time of change."""
    if place.is_file():
        yield _stated(place)
    for folder, inner, names in os.walk(place):
        inner[:] = sorted(name for name in inner if name != "__pycache__")
        for name in sorted(names):
            yield _stated(Path(folder, name))


def _stated(file: Path) -> str:
    try:
        found = file.lstat()
    except OSError:  # removed meanwhile
        return f"{file} gone"
    return f"{file} {found.st_size} {found.st_mtime_ns}"


def _prune(folder: Path) -> None:
    """Keep the latest files only."""
    sweep_files(folder)
    files = sorted(folder.glob("*.pickle"), key=lambda path: path.stat().st_mtime_ns)
    for path in files[:-MOST]:
        path.unlink(missing_ok=True)
