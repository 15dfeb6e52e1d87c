"""Imported once, by the server that the processes of a check are forked from."""

from __future__ import annotations

import harness.conformance
from harness.execution import orphans

__all__ = ["harness"]

orphans.serve()
