"""One model for all cells that learn the same: one of them is trained, and the others borrow what it has stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from msgspec import structs

from harness.registry import get
from harness.schema import Record
from harness.work import LOG, MODEL, Work

if TYPE_CHECKING:
    from harness.plan import Cell
    from harness.store import Store

STEPS = ("build", "training")
"""What took the time of which a borrowed model saves the cell."""


def arranged(works: Mapping[Cell, Work], store: Store, *, stored: bool = True) -> dict[Cell, Work]:
    """The same work, with no model trained twice: who would train one that another cell has or will have borrows it.

    Args:
        works: what is to be done for each cell of a plan, also where that is nothing.
        store: where models of earlier runs are.
        stored: whether those may be borrowed, too, and not only models that are trained in the same run.
    """
    sharing = {cell.digests["model"] for cell, work in works.items() if work.train and cell.learner is not cell}
    lenders: dict[str, Cell] = {}
    if stored:
        alike = {cell: work for cell, work in works.items() if cell.digests["model"] in sharing}
        kept = [cell for cell, work in alike.items() if not work.train]
        outside = [cell.learner for cell in alike if cell.learner not in works]
        lenders = {cell.digests["model"]: cell for cell in (*kept, *outside) if borrowed(store, cell)}
    found = dict(works)
    for cell in sorted(works, key=lambda cell: cell.scenario is not None):
        digest, work = cell.digests["model"], works[cell]
        if not work.train or cell.refusal or digest not in sharing:
            continue
        if digest in lenders:
            found[cell] = replace(work, train=False, lender=lenders[digest])
        elif _restorable(cell):
            lenders[digest] = cell
    return found


def borrowed(store: Store, lender: Cell) -> Record | None:
    """What the record of a cell begins with that borrows a model: the model, what it cost, and where it was made.

    None where the lender has no such model.

    Args:
        store: where the lender's record is.
        lender: the cell that was trained.
    """
    record = store.read(lender)
    if record is None or record.status != "ok" or record.model is None or MODEL not in record.files:
        return None
    if record.digests.get("model") != lender.digests["model"]:
        return None
    return structs.replace(
        record,
        data=None,
        answers={},
        scores={},
        omitted={},
        model=structs.replace(record.model, stamp=0),
        stamps=[record.stamps[record.model.stamp]],
        seconds={name: record.seconds[name] for name in STEPS if name in record.seconds},
        files={name: record.files[name] for name in (MODEL, LOG) if name in record.files},
    )


def _restorable(cell: Cell) -> bool:
    loaded: Any = get("methods", cell.method.name).load()
    return bool(loaded.restorable)
