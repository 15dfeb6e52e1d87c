"""What papers say of methods, and whether the records of a result folder bear it out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from harness.claims.claim import delivered
from harness.claims.tables import tested_table
from harness.protocols.contract import Protocol, Shown
from harness.reporting.groups import Group
from harness.reporting.table import Table


class Claims(Protocol):
    """The claims that installed packages deliver, judged; it asks nothing of its own."""

    name: ClassVar[str] = "claims"

    def tables(self) -> dict[str, Shown[Table]]:
        return {"claims": Shown(_build, place=94, every=True)}


def _build(groups: Sequence[Group], metric: str | None, published: bool) -> list[Table]:
    """The claims of which anything is known."""
    return tested_table(groups, list(delivered().values())) if published else []
