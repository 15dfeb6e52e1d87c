"""What a task is called in tables and headings: its own short title where it has one, told apart from the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.options import text_of
from harness.selection import Selection


def labels(chosen: Sequence[Selection], titles: Sequence[str]) -> list[str]:
    """A label for each selected task: `dataset[pairs]` by its title, or by the options that the user gave.

    Where tasks have the same title, the shortest option that differs in all of them is added, or all that differ.
    """
    pairs = zip(chosen, titles, strict=True)
    named = [f"{item.plugin.name}[{title}]" if title else item.label for item, title in pairs]
    found = []
    for label, item, title in zip(named, chosen, titles, strict=True):
        twins = [other.options for other, name in zip(chosen, named, strict=True) if name == label]
        more = _apart(item.options, twins) if title else ""
        found.append(f"{label.removesuffix(']')},{more}]" if more else label)
    return found


def _apart(options: Mapping[str, Any], twins: Sequence[Mapping[str, Any]]) -> str:
    """The options that tell one of several tasks from the others, as text."""
    texts = {key: [_text(key, twin) for twin in twins] for twin in twins for key in sorted(twin)}
    differing = [key for key, each in texts.items() if len(set(each)) > 1]
    enough = [key for key in differing if len(set(texts[key])) == len(twins)]
    shortest = sorted(enough, key=lambda key: sum(map(len, texts[key])))[:1]
    return ",".join(filter(None, (_text(key, options) for key in shortest or differing)))


def _text(key: str, options: Mapping[str, Any]) -> str:
    return f"{key}={text_of(options[key])}" if key in options else ""
