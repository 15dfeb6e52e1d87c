"""What `list` prints: the plug-ins with their options, the presets, the results."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from harness import presets
from harness.errors import TRAINING, not_installed, numbered
from harness.kept import kept
from harness.meanings import bounds_of, meanings
from harness.options import describe, hints, resolve, text_of
from harness.registry import Kind, Plugin, discover
from harness.registry import broken as broken_ones
from harness.store import Store, record_files

WIDTH = 100  # columns of a line where there is no terminal
WIDEST = 120
INDENT = "    "


def plugins(kind: Kind) -> str:
    """All plug-ins of a kind: version, distribution, groups, options with meanings, references; broken ones too."""
    return kept("lists", [kind, columns()], lambda: _plugins(kind), good=lambda: not broken_ones())


def columns() -> int:
    """How wide a line may be."""
    return max(min(shutil.get_terminal_size((WIDTH, 0)).columns, WIDEST), 30 + len(INDENT))


def _plugins(kind: Kind) -> str:
    lines, shown, without = [kind.capitalize()], dict[type, Plugin](), list[str]()
    for plugin in discover(kind).values():
        if plugin.error and _missing(plugin.error):
            without.append(plugin.name)
            continue
        lines += [f"  {line}" for line in (broken(plugin) if plugin.error else described(plugin, shown))]
    if without:
        lines += [f"  {', '.join(without)}", *folded(not_installed(TRAINING[0]))]
    return "\n".join(lines if len(lines) > 1 else [*lines, "  none installed"]) + "\n"


def _missing(error: str) -> bool:
    """Whether what keeps a plug-in from being used is that the packages which train are not installed."""
    return any(f"No module named {package!r}" in error for package in TRAINING)


def described(plugin: Plugin, shown: dict[type, Plugin]) -> list[str]:
    """A plug-in that can be used, as lines; of options that another one in `shown` has, those with other values."""
    loaded: Any = plugin.load()
    first = shown.setdefault(loaded.Options, plugin)
    head = f"{plugin.name}  (version {plugin.version}, {plugin.distribution} {plugin.release})"
    groups = f"  groups: {', '.join(plugin.groups)}" if plugin.groups else ""
    below, values = values_of(first), values_of(plugin)
    names = [name for name in values if first is plugin or values[name] != below[name]]
    texts = list(options(loaded, values, names))
    if len(names) < len(values):
        texts.append(f"{'all other' if names else 'all'} options as those of {first.name}")
    fits = len(INDENT) + len(head + groups) <= columns()
    handled = ", ".join(sorted(getattr(loaded, "handles", ())))
    above = [groups.strip() * (not fits), f"handles: {handled}" * bool(handled), meaning_of(loaded)]
    told = [*filter(None, above), *texts, *map(str, loaded.references)]
    return [head + groups * fits, *(line for text in told for line in folded(text))]


def meaning_of(loaded: type) -> str:
    """The first paragraph of a plug-in's docstring, up to its first full stop; empty where it has none of its own."""
    first = (loaded.__doc__ or "").strip().partition("\n\n")[0]
    return " ".join(first.split()).partition(". ")[0]


def values_of(plugin: Plugin) -> dict[str, Any]:
    """The options of a plug-in with their defaults."""
    loaded: Any = plugin.load()
    return resolve(loaded.Options, getattr(loaded, "defaults", {}), owner=plugin.name)


def options(loaded: Any, values: Mapping[str, Any], names: Sequence[str]) -> Iterator[str]:
    """Some options of a plug-in's class: the value, what is allowed, and what it means."""
    types, texts = hints(loaded.Options), meanings(loaded.Options)
    for item in fields(loaded.Options):
        if item.name in names:
            allowed = ", ".join(filter(None, (describe(types[item.name]), bounds_of(item))))
            meaning = f": {texts[item.name]}" if item.name in texts else ""
            yield f"{item.name} = {text_of(values[item.name])} ({allowed}){meaning}"


def folded(text: str) -> list[str]:
    """A text as lines that fit the terminal below the name of its plug-in, further ones set in."""
    return textwrap.wrap(
        text,
        columns() - len(INDENT),
        initial_indent=INDENT,
        subsequent_indent=2 * INDENT,
        break_on_hyphens=False,
        break_long_words=False,
    )


def broken(plugin: Plugin) -> list[str]:
    """A plug-in that cannot be used, as lines; where it is broken, a warning goes to stderr."""
    if plugin.needs:
        return [f"{plugin.name}  MISSING  ({plugin.distribution} {plugin.release})", *folded(plugin.needs)]
    text = f"{plugin.name}  BROKEN  ({plugin.distribution} {plugin.release})"
    print(f"warning: {plugin.kind.removesuffix('s')} {plugin.name} is broken: {plugin.error}", file=sys.stderr)
    return [text, f"    {plugin.error}"]


def preset_list() -> str:
    """The built-in presets with their sizes."""
    lines = ["Presets"]
    for name in presets.BUILT_IN:
        preset = presets.load(name)
        schedule, data, sizes = preset.schedule, preset.data, preset.sizes
        lines.append(f"  {name}")
        text = (
            f"{numbered(preset.budget, 'parameter')}, {numbered(schedule.epochs, 'epoch')} of batch {schedule.batch} "
            f"({schedule.optimiser} {schedule.learning_rate:g}, {schedule.decay}), "
            f"{numbered(data.targets, 'target')} × {numbered(sizes.proposals, 'proposal')}, "
            f"{numbered(sizes.repeats, 'repeat')}"
        )
        lines += [f"  {line}" for line in folded(text)]
    return "\n".join(lines) + "\n"


def results(root: Path) -> str:
    """The result folders below a folder, or that folder itself, with how many records have which status."""
    lines = ["Results"]
    for folder in [root, *sorted(path for path in root.glob("*/") if not path.name.startswith("."))]:
        if record_files(folder):
            states = Counter(record.status for record in Store(folder).records())
            lines.append(f"  {folder}  " + ", ".join(f"{count} {state}" for state, count in sorted(states.items())))
    return "\n".join(lines if len(lines) > 1 else [*lines, f"  none below {root}"]) + "\n"


def statistics(root: Path) -> str:
    """The statistics of the records below a folder, as claims and ablations refer to them, a line for each protocol.

    Raises:
        UsageError: there are no records.
    """
    from harness.reporting.frame import frame

    table = frame(root).dropna(subset=["value"])
    lines = ["Statistics, as claims and ablations name them: PROTOCOL/METRIC/STATISTIC, or PROTOCOL/STATISTIC"]
    for protocol, rows in table.groupby("protocol", sort=False):
        lines.append(f"  {protocol}")
        metrics = dict.fromkeys(metric for metric in rows["metric"].fillna(""))
        for metric in metrics:
            own = rows[rows["metric"].fillna("") == metric]
            start = f"{protocol}/{metric}/" if metric else f"{protocol}/"
            lines += folded(start + ", ".join(dict.fromkeys(own["statistic"])))
    return "\n".join(lines) + "\n"


LISTINGS: dict[str, Callable[[], str]] = {
    "methods": lambda: plugins("methods"),
    "tasks": lambda: plugins("tasks"),
    "scenarios": lambda: plugins("scenarios"),
    "protocols": lambda: plugins("protocols"),
    "presets": preset_list,
}
