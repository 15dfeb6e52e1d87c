"""Optional packages: what to install for a plug-in that needs one."""

from __future__ import annotations

import re
from importlib.metadata import Distribution

REQUIREMENT = re.compile(r"""([\w.-]+)(?:.*\bextra *== *["']([\w.-]+))?""")
"""The name in a requirement, and the extra that it belongs to; that is None where it is always installed."""


def needed(error: BaseException, distribution: Distribution | None) -> str | None:
    """What a plug-in needs whose import failed for want of a package that an extra of its distribution installs.

    None where it failed for another reason.
    """
    if not isinstance(error, ModuleNotFoundError) or error.name is None or distribution is None:
        return None
    package = error.name.partition(".")[0]
    found = [REQUIREMENT.match(text) for text in distribution.requires or ()]
    extras = [item[2] for item in found if item and _canonical(item[1]) == _canonical(package)]
    return f'needs {package}: pip install "{distribution.name}[{extras[0]}]"' if all(extras) and extras else None


def _canonical(name: str) -> str:
    """A name of a package as indices compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()
