"""Records as the tables need them: ten thousand fit into memory.

Scores stay JSON, the long ones compressed, until a protocol reads them. What several records have in common is kept
once, and what no table shows is left out: answers, files, training curves, and when something was done.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator
from typing import Any

import msgspec

from harness.schema import Model, PhaseLog, Record, Score
from harness.store import Store

SHARED = ("data", "sizes", "label", "groups", "task_options", "sources")
DECLARED = ("task", "method", "scenario", "data", "schedule")  # not the seed
LEFT_OUT: dict[str, dict[str, Any]] = {"answers": {}, "files": {}, "omitted": {}, "digests": {}}
LONG = 300
"""Bytes of JSON from which on scores are compressed."""


class _Phase(PhaseLog, frozen=True, kw_only=True):
    curve: msgspec.Raw  # type: ignore[assignment]


class _Model(Model, frozen=True, kw_only=True):
    phases: list[_Phase] = msgspec.field(default_factory=list)  # type: ignore[assignment]


class _Score(Score, frozen=True, kw_only=True):
    values: msgspec.Raw  # type: ignore[assignment]


class _Record(Record, frozen=True, kw_only=True):
    model: _Model | None = None
    scores: dict[str, _Score] = msgspec.field(default_factory=dict)  # type: ignore[assignment]


def records(store: Store, skipped: Collection[str] = (), *, packed: bool = True) -> Iterator[Record]:
    """The intact records of a result folder with less in them; the values of their scores are for `unpacked`.

    Args:
        store: the result folder.
        skipped: protocols whose scores nobody will read.
        packed: whether long scores are compressed, for memory: they take longer to read, which a report does often.
    """
    known: dict[tuple[type, bytes], Any] = {}

    def shared(part: Any) -> Any:
        return known.setdefault((type(part), msgspec.json.encode(part)), part)

    for record in store.records(_Record):
        common = {name: shared(getattr(record, name)) for name in SHARED}
        given = {name: shared(getattr(record.declared, name)) for name in DECLARED}
        common["declared"] = msgspec.structs.replace(record.declared, **given)
        stamps = [shared(msgspec.structs.replace(stamp, started="", ended="", load=[])) for stamp in record.stamps]
        scores = {name: _lean(score, shared, packed) for name, score in record.scores.items() if name not in skipped}
        model = record.model and msgspec.structs.replace(
            record.model, phases=[msgspec.structs.replace(phase, curve=[]) for phase in record.model.phases]
        )
        yield msgspec.structs.replace(
            record, **common, **LEFT_OUT, checksum="", stamps=stamps, scores=scores, model=model
        )


def unpacked(values: Any, kind: type) -> Any:
    """The values of a score as this type, also those of a record that is not lean.

    Raises:
        msgspec.ValidationError: they are not of this type.
    """
    if isinstance(values, bytes):
        return msgspec.json.decode(zlib.decompress(values) if values[:1] != b"{" else values, type=kind)
    return msgspec.convert(values, kind)


def _lean(score: Score, shared: Any, packed: bool) -> Score:
    text = bytes(score.values)  # type: ignore[arg-type]
    values = None if text == b"null" else zlib.compress(text, 1) if packed and len(text) >= LONG else text
    return msgspec.structs.replace(
        score, values=values, options=shared(score.options), source=shared(score.source), digest=""
    )
