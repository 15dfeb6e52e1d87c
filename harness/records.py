"""The text of one record: JSON with one top-level key per line, and a checksum of its own bytes.

    {
     "checksum": "<SHA-256 of every byte after this line>",
     "schema": 1,
     "key": ...

Any change of any byte is found by `parse`, without a second copy of the content.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SCHEMA = 1
STATUSES = ("ok", "failed", "diverged", "out_of_memory", "timeout", "killed")
HEAD = b'{\n "checksum": "'
TAIL = b'",\n'


class Damaged(ValueError):
    """A record that cannot be trusted; the text says why."""


def canonical(value: Any) -> str:
    """JSON text that is the same for equal content: sorted keys, no spaces."""
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def content_key(declared: Mapping[str, Any]) -> str:
    """The key of a cell: SHA-256 of the canonical JSON of its declared inputs."""
    return hashlib.sha256(canonical(declared).encode()).hexdigest()


def plain(value: Any) -> Any:
    """The value as JSON knows it: tuples as lists, scalars of numpy and torch as numbers, NaN and inf as None.

    Raises:
        TypeError: a value that JSON cannot hold.
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
    raise TypeError(f"A record cannot hold {value!r} ({type(value).__name__}). Allowed: numbers, text, lists, dicts.")


def serialise(record: Mapping[str, Any]) -> bytes:
    """The bytes of `record.json`. A `checksum` in the record is replaced by the true one."""
    content = plain({key: value for key, value in record.items() if key != "checksum"})
    lines = [f" {json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in content.items()]
    body = (",\n".join(lines) + "\n}\n").encode()
    return HEAD + hashlib.sha256(body).hexdigest().encode() + TAIL + body


def parse(raw: bytes) -> dict[str, Any]:
    """The record in these bytes.

    Raises:
        Damaged: not JSON, a checksum that does not match, or an unknown schema.
    """
    try:
        record = json.loads(raw)
    except ValueError as error:
        raise Damaged(f"is not readable JSON ({error}); it was truncated or edited") from error
    start, end = len(HEAD), len(HEAD) + 64
    body = raw[end + len(TAIL) :]
    expected = HEAD + hashlib.sha256(body).hexdigest().encode() + TAIL
    if raw[: end + len(TAIL)] != expected:
        stated = raw[start:end].decode(errors="replace")
        raise Damaged(f"does not match its own checksum ({stated[:16]}...); it was edited or truncated")
    if record.get("schema") != SCHEMA:
        raise Damaged(f"has schema {record.get('schema')!r}, this version reads {SCHEMA}")
    return dict(record)


def read(path: Path) -> dict[str, Any]:
    """The record in this file.

    Raises:
        Damaged: the file is missing, unreadable or does not pass `parse`.
    """
    try:
        return parse(path.read_bytes())
    except OSError as error:
        raise Damaged(f"cannot be read ({error.strerror or error})") from error


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
