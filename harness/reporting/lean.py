"""Records as the tables need them: ten thousand fit into memory.

Scores stay JSON until a protocol reads them, what several records have in common is kept once, and what no table shows
is left out: answers, files, training curves, and when something was done.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from harness.schema import Record, Score

SHARED = ("data", "sizes", "label", "groups", "task_options", "sources")
DECLARED = ("task", "method", "scenario", "data", "schedule")  # not the seed
LEFT_OUT: dict[str, dict[str, Any]] = {"answers": {}, "files": {}, "omitted": {}, "digests": {}}


def lean(records: Iterable[Record]) -> Iterator[Record]:
    """The same records with less in them; the values of their scores are `msgspec.Raw`."""
    known: dict[tuple[type, bytes], Any] = {}

    def shared(part: Any) -> Any:
        return known.setdefault((type(part), msgspec.json.encode(part)), part)

    for record in records:
        common = {name: shared(getattr(record, name)) for name in SHARED}
        given = {name: shared(getattr(record.declared, name)) for name in DECLARED}
        common["declared"] = msgspec.structs.replace(record.declared, **given)
        stamps = [shared(msgspec.structs.replace(stamp, started="", ended="", load=[])) for stamp in record.stamps]
        scores = {name: _lean(score, shared) for name, score in record.scores.items()}
        model = record.model and msgspec.structs.replace(
            record.model, phases=[msgspec.structs.replace(phase, curve=[]) for phase in record.model.phases]
        )
        yield msgspec.structs.replace(
            record, **common, **LEFT_OUT, checksum="", stamps=stamps, scores=scores, model=model
        )


def _lean(score: Score, shared: Any) -> Score:
    values: Any = None if score.values is None else msgspec.Raw(msgspec.json.encode(score.values))
    return msgspec.structs.replace(
        score, values=values, options=shared(score.options), source=shared(score.source), digest=""
    )
