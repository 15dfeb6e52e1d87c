"""What changes where one thing of a method is changed: a table for each ablation that was run on a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from harness.claims.ablated import settings_of, tables_of
from harness.claims.ablation import delivered
from harness.protocols.contract import Protocol, Shown
from harness.reporting.groups import Group
from harness.reporting.table import Table


class Ablations(Protocol):
    """The ablations that installed packages deliver; it asks nothing of its own."""

    name: ClassVar[str] = "ablations"

    def tables(self) -> dict[str, Shown[Table]]:
        return {"ablation": Shown(_build, place=93, takes=settings_of, every=True)}


def _build(groups: Sequence[Group], metric: str | None, published: bool) -> list[Table]:
    return [table for ablation in delivered().values() for table in tables_of(groups, ablation)]
