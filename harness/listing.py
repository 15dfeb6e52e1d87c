"""What `list` prints: the plug-ins with their options, the presets, the results."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import presets
from harness.options import describe, hints, resolve, text_of
from harness.registry import Kind, Plugin, discover
from harness.store import RECORD, Store


def plugins(kind: Kind) -> str:
    """All plug-ins of a kind: version, distribution, groups, options with defaults, references; broken ones too."""
    lines = [kind.capitalize()]
    for plugin in discover(kind).values():
        lines += [f"  {line}" for line in (broken(plugin) if plugin.error else described(plugin))]
    return "\n".join(lines if len(lines) > 1 else [*lines, "  none installed"]) + "\n"


def described(plugin: Plugin) -> list[str]:
    """A plug-in that can be used, as lines."""
    loaded: Any = plugin.load()
    lines = [
        f"{plugin.name}  (version {plugin.version}, {plugin.distribution} {plugin.release})"
        + (f"  groups: {', '.join(plugin.groups)}" if plugin.groups else "")
    ]
    types = hints(loaded.Options)
    values = resolve(loaded.Options, getattr(loaded, "defaults", {}), owner=plugin.name)
    lines += [f"    {key}={text_of(value)}  ({describe(types[key])})" for key, value in values.items()]
    return lines + [f"    {reference}" for reference in loaded.references]


def broken(plugin: Plugin) -> list[str]:
    """A plug-in that cannot be used, as lines; a warning goes to stderr."""
    text = f"{plugin.name}  BROKEN  ({plugin.distribution} {plugin.release})"
    print(f"warning: {plugin.kind.removesuffix('s')} {plugin.name} is broken: {plugin.error}", file=sys.stderr)
    return [text, f"    {plugin.error}"]


def preset_list() -> str:
    """The built-in presets with their sizes."""
    lines = ["Presets"]
    for name in presets.BUILT_IN:
        preset = presets.load(name)
        schedule, data, sizes = preset.schedule, preset.data, preset.sizes
        lines.append(
            f"  {name}  {preset.budget} parameters, {schedule.epochs} epochs of batch {schedule.batch} "
            f"({schedule.optimiser} {schedule.learning_rate:g}, {schedule.decay}), {data.targets} targets × "
            f"{sizes.proposals} proposals, {sizes.repeats} repeats"
        )
    return "\n".join(lines) + "\n"


def results(root: Path) -> str:
    """The result folders below a folder, or that folder itself, with how many records have which status."""
    lines = ["Results"]
    for folder in [root, *sorted(path for path in root.glob("*/") if not path.name.startswith("."))]:
        if any(folder.glob(f"*/*/*/{RECORD}")):
            states = Counter(record.status for record in Store(folder).records())
            lines.append(f"  {folder}  " + ", ".join(f"{count} {state}" for state, count in sorted(states.items())))
    return "\n".join(lines if len(lines) > 1 else [*lines, f"  none below {root}"]) + "\n"


LISTINGS: dict[str, Callable[[], str]] = {
    "methods": lambda: plugins("methods"),
    "tasks": lambda: plugins("tasks"),
    "scenarios": lambda: plugins("scenarios"),
    "protocols": lambda: plugins("protocols"),
    "presets": preset_list,
}
