"""Files of the numbers that a protocol has of each target, one for a protocol, beside the record."""

from __future__ import annotations

import json
import logging
import os
import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.durable import storage_errors

if TYPE_CHECKING:
    from harness.statistics import Array

PREFIX = "by-target-"
NAMED = 10
"""Damaged files that are named; `verify` names all."""
CHECKSUMS = "crc32"
"""The metadata of a file: JSON with the checksum of each array."""

logger = logging.getLogger(__name__)


def file_name(protocol: str) -> str:
    """The name of a protocol's file.

    Args:
        protocol: its name.
    """
    return f"{PREFIX}{protocol}.safetensors"


def write(folder: Path, protocol: str, numbers: Mapping[str, Array]) -> None:
    """Write numbers `(targets,)` by name, in single precision, in place of an earlier file; none where there are none.

    They are safetensors and not NumPy's archives: tables of ten thousand records read them five to ten times as fast.

    Args:
        folder: of the record.
        protocol: its name.
        numbers: an array `(targets,)` for each name; none removes the file.

    Raises:
        ValueError: they are not one number for each target.
    """
    import numpy as np
    from safetensors.numpy import save

    most = np.finfo(np.float32).max
    arrays: dict[str, Any] = {
        name: np.clip(np.asarray(values, float), -most, most).astype(np.float32) for name, values in numbers.items()
    }
    shapes = {values.shape for values in arrays.values()}
    if len(shapes) > 1 or any(len(shape) != 1 for shape in shapes):
        raise ValueError(f"by_target of {protocol} gives arrays of shapes {sorted(shapes)}; give one number a target")
    path = folder / file_name(protocol)
    with storage_errors(folder):
        path.unlink(missing_ok=True)  # it may be a link to that of the record as it is
        if arrays:
            # One entry of metadata: several are written in an order that differs from process to process.
            checksums = {each: _checksum(values) for each, values in arrays.items()}
            path.write_bytes(save(arrays, {CHECKSUMS: json.dumps(checksums)}))


def read(folder: Path | str, protocol: str, name: str | None = None) -> dict[str, Array]:
    """The numbers of each target by name, float64, or those of one name.

    None where there is no file, or a damaged one, with a warning.

    Args:
        folder: of the record.
        protocol: its name.
        name: of the only numbers that are wanted; None for all.

    Returns:
        Arrays `(targets,)` by name.
    """
    from safetensors import safe_open

    path = os.path.join(folder, file_name(protocol))
    try:
        with safe_open(path, framework="numpy") as stored:
            names = stored.keys() if name is None else [name] if name in stored.keys() else []  # noqa: SIM118
            checksums = json.loads((stored.metadata() or {}).get(CHECKSUMS, "{}"))
            arrays = {each: stored.get_tensor(each) for each in names}
        if any(checksums.get(each) != _checksum(values) or values.ndim != 1 for each, values in arrays.items()):
            raise ValueError("the checksum of an array")
        return {each: values.astype(float) for each, values in arrays.items()}
    except FileNotFoundError:
        return {}
    except Exception:  # whatever a spoilt file leads to
        _say_damaged(path)
        return {}


def _checksum(values: Any) -> str:
    """CRC-32 of the bytes of an array."""
    return f"{zlib.crc32(values.tobytes()):08x}"


@cache
def _say_damaged(path: str) -> None:
    """Say it once, however often a table asks, and not of thousands of files."""
    said = _say_damaged.cache_info().currsize
    if said < NAMED:
        logger.warning("%s is damaged and left out; `verify` names all damage.", path)
    elif said == NAMED:
        logger.warning("Further damaged files of targets are left out and not named here; `verify` names all damage.")
