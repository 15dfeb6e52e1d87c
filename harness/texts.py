"""Texts that others wrote, such as errors and console output, made fit for records, tables and terminals."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|[ -/]*[0-~])"
)
"""Sequences that steer a terminal (ECMA-48): colours, cursor, titles."""
OVERWRITTEN = re.compile(r"[^\n]*\r(?!\n|$)", re.MULTILINE)
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
SURROGATES = re.compile("[\ud800-\udfff]")


def clean(text: str) -> str:
    """The text as a terminal would finally show it, without anything that would steer a terminal or break a file.

    Of a line that was written over, only the last state stays. What is no character becomes U+FFFD.
    """
    shown = OVERWRITTEN.sub("", ESCAPES.sub("", text))
    return SURROGATES.sub("\ufffd", CONTROLS.sub("", shown))


def cleaned(value: Any) -> Any:
    """A value of plain JSON with all its texts clean."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {clean(key): cleaned(item) for key, item in value.items()}
    return [cleaned(item) for item in value] if isinstance(value, list) else value
