"""The text of one record: JSON with one top-level key per line, and a checksum of its own bytes.

    {
     "checksum": "<SHA-256 of every byte after this line>",
     "schema": 2,
     "key": ...

Any change of any byte is found by `parse`, without a second copy of the content.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from harness.schema import SCHEMA, Record
from harness.texts import clean

HEAD = b'{\n "checksum": "'
TAIL = b'",\n'
FILE = re.compile(r"[\w-][\w.+-]*")
"""What a file beside a record is called: no path leads out of its folder."""


class Damaged(ValueError):
    """A record that cannot be trusted; the text says why."""


class _Version(msgspec.Struct):
    schema: Any = None


def canonical(value: Any) -> str:
    """JSON text that is the same for equal content: sorted keys, no spaces.

    Args:
        value: what `plain` takes.

    >>> canonical({"b": (1, 2), "a": None})
    '{"a":null,"b":[1,2]}'
    """
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def content_key(declared: Any) -> str:
    """The key of a cell, or the digest of a part: SHA-256 of the canonical JSON of what determined it.

    Args:
        declared: what `plain` takes.
    """
    return hashlib.sha256(canonical(declared).encode()).hexdigest()


def plain(value: Any) -> Any:
    """The value as JSON knows it: tuples as lists, scalars of numpy and torch as numbers, NaN and inf as None.

    Args:
        value: scalars, arrays, tensors, dataclasses, and lists, tuples and mappings of them.

    Raises:
        TypeError: a value that JSON cannot hold.

    >>> plain({"shape": (2, 3), "loss": float("nan")})
    {'shape': [2, 3], 'loss': None}
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if hasattr(value, "__dataclass_fields__") or isinstance(value, msgspec.Struct):
        return plain(msgspec.to_builtins(value))
    raise TypeError(f"A record cannot hold {value!r} ({type(value).__name__}). Allowed: numbers, text, lists, dicts.")


def typed(content: Mapping[str, Any]) -> Record:
    """A record from plain values.

    Args:
        content: the parts of a record by name.

    Raises:
        Damaged: a value that a record does not have, or of the wrong type.
    """
    try:
        return msgspec.convert(plain(content), Record)
    except msgspec.ValidationError as error:
        raise Damaged(f"has a value that no record has ({error})") from error


def serialise(record: Record) -> bytes:
    """The bytes of `record.json`; its `checksum` is replaced by the true one.

    Args:
        record: whatever its checksum.
    """
    content = {key: value for key, value in plain(record).items() if key != "checksum"}
    lines = [f" {json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in content.items()]
    body = (",\n".join(lines) + "\n}\n").encode()
    return HEAD + hashlib.sha256(body).hexdigest().encode() + TAIL + body


def parse(raw: bytes, kind: type[Record] = Record) -> Record:
    """The record in these bytes, as this type.

    Args:
        raw: the bytes of `record.json`.
        kind: what is made of them; a subclass may leave parts as JSON.

    Raises:
        Damaged: not JSON, a checksum that does not match, another schema, or a value of the wrong type.
    """
    start, end = len(HEAD), len(HEAD) + 64
    body = raw[end + len(TAIL) :]
    expected = HEAD + hashlib.sha256(body).hexdigest().encode() + TAIL
    if raw[: end + len(TAIL)] != expected:
        stated = raw[start:end].decode(errors="replace")
        raise Damaged(f"does not match its own checksum ({stated[:16]}...); it was edited or truncated")
    try:
        try:
            record = msgspec.json.decode(raw, type=kind)
            schema = record.schema
        except msgspec.ValidationError:
            schema = msgspec.json.decode(raw, type=_Version).schema
            if schema == SCHEMA:
                raise
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise Damaged(f"is not a record ({error}); it was edited") from error
    if schema != SCHEMA:
        raise Damaged(f"has schema {schema!r}, this version reads {SCHEMA}")
    contradiction = next(_contradictions(record), None)
    if contradiction is not None:
        raise Damaged(f"{contradiction}; it was edited")
    names = [*record.files, *record.omitted, *(answer.file for answer in record.answers.values())]
    strange = [name for name in names if not FILE.fullmatch(name)]
    if strange:
        raise Damaged(f"names the file {strange[0]!r}, which is not beside it; it was edited")
    return record


def _contradictions(record: Record) -> Iterator[str]:
    """What cannot be true of a record, though every value is of its type."""
    if record.status == "ok":
        if record.error is not None:
            yield "is ok and has an error"
        for name in ("data", "model"):
            if getattr(record, name) is None:
                yield f"is ok without its part {name!r}"
    elif record.error is None:
        yield f"is {record.status} without an error"
    parts = [record.data, record.model, *record.answers.values(), *record.scores.values()]
    for part in parts:
        if part is not None and not 0 <= part.stamp < len(record.stamps):
            yield f"names the stamp {part.stamp}, of which there are {len(record.stamps)}"
    for name in (record.preset, *msgspec.structs.astuple(record.label)):
        if name != clean(name):
            yield f"is labelled {clean(name)!r} with characters that steer a terminal"


def read(path: str | Path, kind: type[Record] = Record) -> Record:
    """The record in this file, `record.json` in the folder of a cell.

    Args:
        path: of `record.json`.
        kind: as of `parse`.

    Raises:
        Damaged: the file is missing, unreadable or does not pass `parse`.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe would be waited for
            raise Damaged("is no file")
        return parse(Path(path).read_bytes(), kind)
    except OSError as error:
        raise Damaged(f"cannot be read ({error.strerror or error})") from error


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal.

    Args:
        path: of the file.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
