"""A result folder with real records: a few cells that run once for all tests of a session, and variants of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from filelock import FileLock

from harness import presets, provenance
from harness.cell import stamped, update
from harness.learning import learn
from harness.plan import Cell, Wanted, plan
from harness.records import content_key, plain, serialise, typed
from harness.reporting import protocols
from harness.running import refuse
from harness.schema import Record
from harness.selection import select
from harness.store import Store, carry, scratch
from harness.work import Work, due

TINY = {
    "preset": "smoke",
    "schedule": {"epochs": 2},
    "data": {"targets": 20, "n_train": 300},
    "sizes": {"proposals": 8, "repeats": 3, "fixed_proposals": 12},
    "protocols": {"r_T": {"bootstrap": 50, "trials": (1, 2, 4, 8)}, "inference-time": {"rounds": 2, "proposals": 50}},
    "methods": {"na": {"candidates": 12, "steps": 5}},
}
METHODS, TASKS = ("mdn", "na", "lookup", "prior"), ("sinewave", "robotic_arm")


def cells(
    methods: str = ",".join(METHODS),
    tasks: str = ",".join(TASKS),
    scenarios: str = "base",
    seeds: Sequence[int] = (0,),
    asked: str = "all",
) -> list[Cell]:
    """The cells that a small run would have."""
    chosen = (select(kind, text) for kind, text in zip(
        ("methods", "tasks", "scenarios", "protocols"), (methods, tasks, scenarios, asked), strict=True
    ))  # fmt: skip
    return plan(Wanted(*chosen, seeds=seeds), presets.from_table("tiny", TINY))


def run(root: Path, wanted: Iterable[Cell]) -> dict[Cell, Work]:
    """Bring the records of cells up to date as `run` does, here and not in processes; returns what was done."""
    store, done = Store(root), {}
    store.prepare()
    for cell in wanted:
        record = store.read(cell)
        done[cell] = work = due(cell, record)
        if cell.refusal:
            refuse(cell, store, "cannot", {"type": "Cannot", "message": cell.refusal, "traceback": ""})
        elif work:
            _bring_up_to_date(cell, work, None if work.train else record, store)
    return done


def _bring_up_to_date(cell: Cell, work: Work, record: Record | None, store: Store) -> None:
    content: dict[str, Any] = {"status": "ok", "error": None}
    if record is not None:
        content |= {name: plain(getattr(record, name)) for name in KEPT}
    started = provenance.now()
    with scratch(store.path(cell)) as folder:
        if record is not None:
            carry(store.path(cell), folder, record.files)
        for part in update(cell, work, record, folder, learn, lambda *_: None):
            content |= plain(part)
        stamp = provenance.stamp(environment(), device="cpu", threads=1, started=started)
        store.commit(cell, folder, stamped(content, stamp))


KEPT = ("data", "model", "answers", "scores", "seconds", "stamps")


@cache
def environment() -> dict[str, Any]:
    """What a stamp says of this machine."""
    return provenance.environment()


def shared(tmp_path_factory: Any) -> Path:
    """The result folder that all tests of a session share: read it, and copy it to change it."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    root = base / "tiny"
    with FileLock(base / "tiny.lock"):
        if not (root / "complete").exists():
            run(root, cells())
            run(root, cells("lookup,mdn", "robotic_arm", "noise,shift,gaps,gaps[fill=native]"))
            new = "transfer[n=20],transfer[n=20,source=none],transfer[n=60,source=none]"
            new += ",corrupted[share=0.2],active[calls=20,acquire=random],active[calls=20,acquire=maximin]"
            run(root, cells("lookup", "robotic_arm", f"{new},metered[calls=12,targets=3]"))
            (root / "complete").touch()
    return root


def load(root: Path) -> dict[tuple[str, str, str], Record]:
    """The records below a root by task, method and scenario, as the user wrote them."""
    return {(item.label.task, item.label.method, item.label.scenario): item for item in Store(root).records()}


def variant(record: Record, **changes: Any) -> Record:
    """The same record with other values, its key in accord with what it declares; checked as on reading."""
    if "seed" in changes:
        changes["declared"] = msgspec.structs.replace(record.declared, seed=changes.pop("seed"))
    changed = msgspec.structs.replace(record, **changes)
    return typed(plain(msgspec.structs.replace(changed, key=content_key(changed.declared))))


def scored(record: Record, protocol: str, **values: Any) -> Record:
    """The same record with some other scores of a protocol, of the protocol's own type."""
    known = protocols()[protocol]
    before = record.scores[protocol].values if protocol in record.scores else None
    scores = msgspec.convert({**(before or {}), **plain(values)}, known.score_type)
    score = msgspec.structs.replace(next(iter(record.scores.values())), options=plain(known.options))
    if protocol in record.scores:
        score = record.scores[protocol]
    return variant(record, scores={**record.scores, protocol: msgspec.structs.replace(score, values=plain(scores))})


def failed(record: Record, status: str = "timeout", kept: Sequence[str] = (), **changes: Any) -> Record:
    """What would have been left of a cell that failed, with the parts that were known by then."""
    gone = {name: empty for name, empty in EMPTY.items() if name not in kept}
    error = {"type": "TimeoutError", "message": "the cell ran\nlonger than 30 m", "traceback": ""}
    return variant(record, status=status, error=error, **gone, **changes)


EMPTY: dict[str, Any] = {"data": None, "model": None, "answers": {}, "scores": {}, "seconds": {}}


def write(root: Path, *records: Record) -> Path:
    """Put records where a run would have put them, without the files beside them; returns the root."""
    for item in records:
        folder = root / item.declared.task.name / item.declared.method.name / item.key[:16]
        folder.mkdir(parents=True)
        (folder / "record.json").write_bytes(serialise(msgspec.structs.replace(item, files={})))
    return root


def renamed(record: Record, method: str, groups: Sequence[str] = ("paper",)) -> Record:
    """The record as one of another method."""
    declared = msgspec.structs.replace(
        record.declared, method=msgspec.structs.replace(record.declared.method, name=method)
    )
    label = msgspec.structs.replace(record.label, method=method)
    return variant(
        record, declared=declared, label=label, groups=msgspec.structs.replace(record.groups, method=list(groups))
    )


def erring(record: Record, mean: float | None, valid: float = 1.0, protocol: str = "multi-target") -> Record:
    """The record with this mean, median and quantile of the error, in all metrics."""
    known = plain(record.scores[protocol].values)["errors"]
    errors = {metric: {**found, "mean": mean, "median": mean, "q90": mean} for metric, found in known.items()}
    values = {**plain(record.scores[protocol].values), "errors": errors, "valid": valid}
    score = msgspec.structs.replace(record.scores[protocol], values=values)
    return variant(record, scores={**record.scores, protocol: score})
