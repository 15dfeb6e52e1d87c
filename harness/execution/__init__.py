"""Runs cells: one isolated local process each."""

from harness.execution.local import run_cells
from harness.execution.outcome import Outcome, Summary

__all__ = ["Outcome", "Summary", "run_cells"]
