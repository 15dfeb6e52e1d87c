"""Texts that others wrote, such as errors and console output, made fit for records, tables and terminals."""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterable, Mapping
from io import TextIOWrapper
from typing import Any

ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|[ -/]*[0-~])"
)
"""Sequences that steer a terminal (ECMA-48): colours, cursor, titles."""
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
ESCAPED = re.compile(r"(?:\\udc[89a-f][0-9a-f])+")
SURROGATES = re.compile("[\ud800-\udfff]")


LEGIBLE = "legible"
"""The name of the error handler that `legible` registers with Python's encoders."""
PLAIN = {
    "×": "x",
    "±": "+-",
    "–": "-",
    "−": "-",
    "—": "-",
    "…": "...",
    "†": "+",
    "·": "*",
    "→": "->",
    "≤": "<=",
    "≥": ">=",
    "²": "^2",
    "‖": "||",
    "µ": "u",
    "μ": "u",
    "λ": "lambda",
    "σ": "sigma",
    "ŷ": "y^",
    "’": "'",
    "“": '"',
    "”": '"',
}
"""What stands for a character where a stream's encoding has none for it; for all others a question mark."""


def legible(streams: Iterable[Any]) -> None:
    """Let text streams write in ASCII what their encoding has no character for, in place of raising an error."""
    codecs.register_error(LEGIBLE, _replaced)
    for stream in streams:
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=LEGIBLE)


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(PLAIN.get(character, "?") for character in error.object[error.start : error.end]), error.end


def meant(text: str) -> str:
    """A text of the command line as it was written, in UTF-8, also where the locale has no characters beyond ASCII."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


def spelt(text: str) -> str:
    """A message in which `repr` has escaped the bytes of an argument that the locale has no characters for."""
    return ESCAPED.sub(lambda found: meant(found[0].encode().decode("unicode_escape")), text)


def openable(text: str) -> str:
    """The name of a file as the system takes it, from what was meant."""
    return os.fsdecode(text.encode("utf-8", "surrogateescape"))


def clean(text: str) -> str:
    """The text as a terminal would finally show it, without anything that would steer a terminal or break a file.

    Of a line that was written over, only the last state stays. What is no character becomes U+FFFD.
    """
    shown = "\n".join(map(_last_state, ESCAPES.sub("", text).split("\n")))
    return SURROGATES.sub("\ufffd", CONTROLS.sub("", shown))


def _last_state(line: str) -> str:
    """Of a line, what stands after the last return to its beginning; a pattern for it would take time in its square."""
    return line.removesuffix("\r").rpartition("\r")[2]


def cleaned(value: Any) -> Any:
    """A value of plain JSON with all its texts clean."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {clean(key): cleaned(item) for key, item in value.items()}
    return [cleaned(item) for item in value] if isinstance(value, list) else value
