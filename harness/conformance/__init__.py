"""The properties that every plug-in must have, each failure with what to fix: `python -m harness check NAME`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from harness.conformance.findings import Finding
from harness.conformance.methods import check_method
from harness.conformance.tasks import check_task

if TYPE_CHECKING:
    from harness.registry import Plugin

__all__ = ["Finding", "check", "check_method", "check_task"]


def check(plugin: Plugin) -> list[Finding]:
    """What is to be fixed in an installed method or task, with its default options; empty where it conforms."""
    try:
        create: Callable[[], Any] = plugin.load()
        findings = check_task(create()) if plugin.kind == "tasks" else check_method(create)
    except Exception as error:  # whatever a stranger's module raises is a finding, not a crash
        findings = [Finding("loading", False, f"{type(error).__name__}: {error}")]
    return [finding for finding in findings if not finding.ok]
