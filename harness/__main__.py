"""`python -m harness`."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    try:
        from harness.cli import main

        sys.exit(main())
    except KeyboardInterrupt:  # while it was still being imported
        print("Interrupted. The same command continues.", file=sys.stderr)
        sys.exit(130)
