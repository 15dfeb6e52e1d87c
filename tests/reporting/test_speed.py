"""Tables answer at once."""

from __future__ import annotations

import resource
import subprocess
import sys

from tests.reporting.records import METHODS, TASKS, record, write

SCRIPT = """
import sys
from harness.reporting import render
text = render("all", sys.argv[1])
assert "Many targets" in text
heavy = {"torch", "scipy", "numpy", "pandas"} & {*sys.modules}
assert not heavy, heavy
"""


def test_all_tables_of_36_records_need_no_heavy_import_and_little_time(tmp_path):
    root = write(tmp_path, *(record(task, method) for task in TASKS for method in METHODS))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", SCRIPT, str(root)], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Processor seconds: other tests may be running.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.5
