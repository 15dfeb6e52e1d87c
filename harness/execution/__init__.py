"""Runs cells: a driver that knows only engines, and an engine that gives each cell a local process of its own."""

from harness.execution.driver import run_cells
from harness.execution.engine import Done, Engine, Job, Lost
from harness.execution.outcome import Outcome, Summary

__all__ = ["Done", "Engine", "Job", "Lost", "Outcome", "Summary", "run_cells"]
