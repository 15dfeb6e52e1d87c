"""Settings of all tests."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A test states a property; how long a busy machine takes to try it is none.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# Started in the background, as by nohup, tests would hand on that these signals are ignored to all that they start.
for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)

SLOW = (
    "tasks/",
    "methods/",
    "test_processes",
    "test_execution",
    "test_cluster",
    "test_task_extras",
    "test_conformance",
    "test_new",
)
SLOW += ("test_methods", "test_portrait")
"""What `make quick-test` leaves out: tests of physics and of trained methods, and those that start processes."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of these files as slow."""
    root = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(root) and item.path.relative_to(root).as_posix().startswith(SLOW):
            item.add_marker("slow")
