"""Checks each plug-in in a process of its own: what it breaks there, or its crash, is a finding and harms no other."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from harness.conformance.findings import Finding
from harness.conformance.imports import forbidden_imports
from harness.conformance.methods import check_method
from harness.conformance.tasks import check_task
from harness.execution.console import append_to, bound, last_words
from harness.execution.failures import expired
from harness.execution.orphans import adopt, end_descendants, end_group_with
from harness.execution.server import begin, started
from harness.registry import get
from harness.store import CONSOLE

if TYPE_CHECKING:
    from harness.registry import Kind, Plugin

PRELOAD = ["harness.conformance.preload"]
"""Imported once, by the server that the processes are forked from."""
POLL = 0.05  # seconds


def check(plugin: Plugin) -> list[Finding]:
    """What is to be fixed in an installed method or task, with its default options; empty where it conforms.

    What it prints is printed afterwards, clean, and of very much only the end.

    Args:
        plugin: whether or not it can be imported.
    """
    with TemporaryDirectory() as name:
        folder = Path(name).resolve()
        findings = _apart(plugin, folder)
        printed = last_words(folder, [folder, Path.cwd()]) if (folder / CONSOLE).is_file() else ""
    if printed.strip():
        print(f"{plugin.name} prints:\n{printed.rstrip()}")
    return findings


def _apart(plugin: Plugin, folder: Path) -> list[Finding]:
    """The findings of a process that prints into a folder, and that has ended with all that it started."""
    context = started(PRELOAD)
    here, there = context.Pipe(duplex=False)
    lifeline, held = context.Pipe(duplex=False)
    process = context.Process(target=_main, args=(plugin.kind, plugin.name, folder, there, lifeline))
    with here, held:
        with there, lifeline:
            begin(process)
        try:
            while not here.poll(POLL):
                bound(folder / CONSOLE)
            findings: list[Finding] = here.recv()
        except EOFError:
            process.join()
            findings = [Finding("process", False, _ended(process.exitcode))]
        finally:
            _end(process.pid)
            process.join()
    return findings


def check_here(plugin: Plugin) -> list[Finding]:
    """The same in this process, which what the plug-in does may change or end.

    Args:
        plugin: whether or not it can be imported.
    """
    try:
        create: Callable[[], Any] = plugin.load()
        findings = check_task(create()) if plugin.kind == "tasks" else check_method(create)
        if plugin.kind == "methods":
            findings.append(forbidden_imports(plugin))
    except (Exception, SystemExit) as error:  # whatever a stranger's module raises is a finding, not a crash
        findings = [Finding("loading", False, f"{type(error).__name__}: {error}")]
    return [finding for finding in findings if not finding.ok]


def _main(kind: Kind, name: str, folder: Path, messages: Connection, lifeline: Connection) -> None:
    os.setpgid(0, 0)  # so that what the plug-in starts ends with it
    adopt()
    end_group_with(lifeline)
    append_to(folder)
    process = os.getpid()
    try:
        findings = check_here(get(kind, name))
    finally:
        if os.getpid() != process:  # a copy that the plug-in has made by `os.fork`, and let come back
            os._exit(0)
    try:
        messages.send(findings)
        messages.close()
    finally:
        end_descendants()
        # Whatever the interpreter still says while it ends has no reader; the plug-in may have closed its streams.
        sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (for the rest of this process)


def _end(group: int | None) -> None:
    if group is not None:
        end_descendants(group)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


def _ended(code: int | None) -> str:
    told = expired(code, "")["message"].replace("The worker process", "The process of the check")
    return f"{told} Let the plug-in raise an exception where it cannot go on, and never end its process."
