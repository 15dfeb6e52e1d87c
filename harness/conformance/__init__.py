"""The properties that every plug-in must have, each failure with what to fix: `python -m harness check NAME`."""

from __future__ import annotations

from harness.conformance.apart import check, check_here
from harness.conformance.findings import Finding
from harness.conformance.methods import check_method
from harness.conformance.tasks import check_task

__all__ = ["Finding", "check", "check_here", "check_method", "check_task"]
