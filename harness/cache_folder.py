"""Where things are kept that can be made again: in the user's cache folder, or where INVERSE_HARNESS_CACHE says."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_dir

VARIABLE = "INVERSE_HARNESS_CACHE"


def root() -> Path:
    """The cache folder; it need not exist."""
    return Path(os.environ.get(VARIABLE) or user_cache_dir("inverse-harness", appauthor=False))
