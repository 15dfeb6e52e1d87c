"""Tables answer at once: what takes seconds to import is not imported for them."""

from __future__ import annotations

import subprocess
import sys

from tests import results

SCRIPT = """
import sys
from harness.reporting import render
text = render("all", sys.argv[1])
assert "Many targets" in text and "own errors" in text
print(*sorted({"torch", "scipy", "pandas", "matplotlib"} & {*sys.modules}))
"""


def test_all_tables_are_rendered_without_torch(ran):
    found = subprocess.run([sys.executable, "-c", SCRIPT, str(ran)], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == ""
    assert len(results.load(ran)) > 10
