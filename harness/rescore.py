"""`rescore`: all scores anew from stored designs, without training."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.cell import DESIGNS, read_designs, resimulated
from harness.errors import UsageError
from harness.evaluation import protocols
from harness.replay import Unusable, cell_of, dataset_of, intact
from harness.store import Store


def rescore(root: Path) -> Iterator[str]:
    """Re-simulate the designs of every record below the root and replace its scores; yields a line for each cell."""
    for folder, found in intact(root, DESIGNS):
        place = folder.relative_to(root)
        if isinstance(found, str):
            yield f"{place}: left as it is: {found}"
            continue
        try:
            yield f"{place}: {_rescore(root, folder, found)}"
        except (Unusable, UsageError) as reason:
            yield f"{place}: left as it is: {reason}"


def _rescore(root: Path, folder: Path, record: dict[str, Any]) -> str:
    cell = cell_of(record)
    task, dataset = dataset_of(cell, record)
    designs = read_designs(folder)
    scores = protocols.score(task, dataset, designs, cell.protocol, resimulated(task, designs))
    Store(root).revise(folder, {"scores": scores})
    before, after = (part["multi_target"]["mse"]["mean"] for part in (record["scores"], scores))
    return f"rescored; multi-target mse {before:.6g} before, {after:.6g} now"
