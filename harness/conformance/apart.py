"""Checks each plug-in in a process of its own: what it breaks there, or its crash, is a finding and harms no other."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any

from harness.conformance.findings import Finding
from harness.conformance.imports import forbidden_imports
from harness.conformance.methods import check_method
from harness.conformance.tasks import check_task
from harness.execution.failures import expired
from harness.execution.orphans import adopt, end_descendants
from harness.registry import get

if TYPE_CHECKING:
    from harness.registry import Kind, Plugin

PRELOAD = ["harness.conformance"]
"""Imported once, by the server that the processes are forked from."""


def check(plugin: Plugin) -> list[Finding]:
    """What is to be fixed in an installed method or task, with its default options; empty where it conforms."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_main, args=(plugin.kind, plugin.name, there))
    process.start()
    there.close()
    try:
        findings: list[Finding] = here.recv()
    except EOFError:
        process.join()
        findings = [Finding("process", False, _ended(process.exitcode))]
    finally:
        _end(process.pid)
        process.join()
        here.close()
    return findings


def check_here(plugin: Plugin) -> list[Finding]:
    """The same in this process, which what the plug-in does may change or end."""
    try:
        create: Callable[[], Any] = plugin.load()
        findings = check_task(create()) if plugin.kind == "tasks" else check_method(create)
        if plugin.kind == "methods":
            findings.append(forbidden_imports(plugin))
    except (Exception, SystemExit) as error:  # whatever a stranger's module raises is a finding, not a crash
        findings = [Finding("loading", False, f"{type(error).__name__}: {error}")]
    return [finding for finding in findings if not finding.ok]


def _main(kind: Kind, name: str, messages: Connection) -> None:
    os.setpgid(0, 0)  # so that what the plug-in starts ends with it
    adopt()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        messages.send(check_here(get(kind, name)))
        messages.close()
    finally:
        end_descendants()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        _end(os.getpid())


def _end(group: int | None) -> None:
    if group is not None:
        end_descendants(group)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


def _ended(code: int | None) -> str:
    told = expired(code, "")["message"].replace("The worker process", "The process of the check")
    return f"{told} Let the plug-in raise an exception where it cannot go on, and never end its process."
