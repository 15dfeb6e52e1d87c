"""The settings of a run: flags over a TOML run file over defaults, validated in one place.

A run file holds flags by their names and the tables of a preset. Flags stand at its top or in a table `[run]`:

    [run]
    methods = "paper,na[boundary_loss=off]"
    seeds = "0-4"
    timeout = "30m"

    [schedule]
    epochs = 300

    [methods.na.sinewave]
    candidates = 100
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from harness import presets
from harness.errors import UsageError, unknown
from harness.options import value_of
from harness.presets import Preset
from harness.registry import discover

TABLES = ("schedule", "protocol", "methods", "tasks")
SIZES = ("budget", "epochs", "targets", "repeats")
UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}
SWITCHES = ("validation", "force", "retry", "fail_fast", "dry_run", "quiet")


@dataclass(frozen=True)
class Settings:
    """A run as the user wants it. None leaves the preset's value."""

    methods: str = "all"
    tasks: str = "all"
    seeds: tuple[int, ...] = (0,)
    preset: str = "quick"
    budget: int | None = None
    epochs: int | None = None
    targets: int | None = None
    repeats: int | None = None
    validation: bool = False
    device: str = "cpu"
    jobs: int | None = None
    timeout: float | None = None
    """Seconds for one cell."""
    out: Path | None = None
    force: bool = False
    retry: bool = False
    fail_fast: bool = False
    dry_run: bool = False
    quiet: bool = False


def load(flags: Mapping[str, Any], file: str | None = None) -> tuple[Settings, Preset]:
    """The settings and the preset of a run, from the flags that were given and a run file.

    Raises:
        UsageError: an unreadable file, an unknown setting, or a value that is not allowed.
    """
    plain, tables = read(file) if file else ({}, {})
    settings = settings_from({**plain, **flags})
    return settings, preset_from(settings, tables, Path(file).stem if file else "")


def read(file: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The flags and the preset tables of a run file."""
    try:
        content = tomllib.loads(Path(file).read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"Run file {file!r} cannot be read: {error}") from error
    tables = {key: value for key, value in content.items() if isinstance(value, dict) and key != "run"}
    plain = {key: value for key, value in content.items() if key not in {*tables, "run"}}
    within = content.get("run", {})
    if not isinstance(within, dict):
        raise UsageError(f"Run file {file!r}: run = {within!r} is not allowed. Allowed: a table [run] of flags.")
    flags = {key.replace("-", "_"): value for key, value in {**plain, **within}.items()}
    known = {item.name for item in fields(Settings)}
    for key in tables.keys() - set(TABLES):
        raise unknown(f"table of run file {file!r}", key, {*TABLES, "run"})
    for key in flags.keys() - known:
        raise unknown(f"setting of run file {file!r}", key, {*known, *TABLES})
    return flags, tables


def settings_from(given: Mapping[str, Any]) -> Settings:
    """Settings from values that are text (flags) or typed (TOML)."""
    return Settings(**{key: setting(key, value) for key, value in given.items()})


def setting(name: str, value: Any) -> Any:
    """One setting, converted and checked."""
    flag = "--" + name.replace("_", "-")
    if name in ("methods", "tasks"):
        return ",".join(value_of(item, str, flag) for item in (value if isinstance(value, list) else [value]))
    if name in SWITCHES:
        return value_of(value, bool, flag)
    if name == "seeds":
        return numbers(value, flag)
    if name == "timeout":
        return duration(value, flag)
    if name == "device":
        return device(value, flag)
    if name == "out":
        return Path(value_of(value, str, flag))
    if name == "preset":
        return value_of(value, str, flag)
    number: int = value_of(value, int, flag)
    if number < 1:
        raise UsageError(f"{flag} = {number} is not allowed. Allowed: 1 or more.")
    return number


def numbers(value: Any, name: str) -> tuple[int, ...]:
    """Seeds from `0,3`, `0-4`, a number or a list of them; without duplicates, in the order given."""
    found: list[int] = []
    for item in value if isinstance(value, list) else str(value).split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", str(item).strip())
        if not match or int(match[2] or match[1]) < int(match[1]):
            raise UsageError(f"{name} = {value!r} is not allowed. Allowed: seeds such as 0, 0,3 or 0-4.")
        found.extend(range(int(match[1]), int(match[2] or match[1]) + 1))
    if not found:
        raise UsageError(f"{name} = {value!r} names no seed. Allowed: seeds such as 0, 0,3 or 0-4.")
    return tuple(dict.fromkeys(found))


def duration(value: Any, name: str) -> float:
    """Seconds from `90s`, `30m`, `2h`, `1h30m` or a number of seconds."""
    text = str(value).strip()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        text += "s"
    if not re.fullmatch(r"(\d+(\.\d+)?[hms])+", text):
        raise UsageError(f"{name} = {value!r} is not allowed. Allowed: a time such as 90s, 30m, 2h or 1h30m.")
    seconds = sum(float(number) * UNITS[unit] for number, _, unit in re.findall(r"(\d+(\.\d+)?)([hms])", text))
    if seconds <= 0:
        raise UsageError(f"{name} = {value!r} is not allowed. Allowed: more than 0 seconds.")
    return seconds


def device(value: Any, name: str) -> str:
    """`cpu`, `cuda` or `cuda:0`, and one that this machine has."""
    text = str(value)
    if text == "cpu":
        return text
    match = re.fullmatch(r"cuda(?::(\d+))?", text)
    if not match:
        raise unknown(f"value of {name}", text, ("cpu", "cuda", "cuda:0"))
    import torch

    if int(match[1] or 0) >= torch.cuda.device_count():
        raise UsageError(f"{name} = {text!r}: torch finds {torch.cuda.device_count()} CUDA devices. Allowed: cpu.")
    return text


def preset_from(settings: Settings, tables: Mapping[str, Any], stem: str) -> Preset:
    """The preset with the run file's tables and the flags on top; its name tells that it was changed, and how."""
    base = presets.load(settings.preset)
    sizes = {name: getattr(settings, name) for name in SIZES}
    flags = {name: value for name, value in sizes.items() if value is not None}
    if not (flags or tables or settings.validation):
        return base
    schedule = {name: flags[name] for name in ("epochs",) if name in flags}
    protocol: dict[str, Any] = {name: flags[name] for name in ("targets", "repeats") if name in flags}
    if settings.validation:
        protocol["targets_from"] = "validation"
    changes = {
        "preset": settings.preset,
        "budget": flags.get("budget", base.budget),
        "schedule": {**tables.get("schedule", {}), **schedule},
        "protocol": {**tables.get("protocol", {}), **protocol},
        "methods": checked(tables.get("methods", {})),
        "tasks": checked_tasks(tables.get("tasks", {})),
    }
    parts = [stem if tables else base.name, *(f"{name}{value}" for name, value in flags.items())]
    preset = presets.from_table("-".join(parts + ["validation"] * settings.validation), changes)
    return replace(preset, tasks={task: _without(table, flags) for task, table in preset.tasks.items()})


def _without(table: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """A task's table without the settings that a flag gives for all tasks."""
    return {
        key: _without(value, names) if isinstance(value, Mapping) else value
        for key, value in table.items()
        if key not in names
    }


def checked(tables: Mapping[str, Any]) -> Mapping[str, Any]:
    """The run file's `[methods.*]`; an unknown method or task is refused."""
    for method, options in tables.items():
        if method not in discover("methods"):
            raise unknown("method in table [methods]", method, discover("methods"))
        if not isinstance(options, dict):
            raise UsageError(f"methods.{method} = {options!r} is not allowed. Write a table [methods.{method}].")
        for task, values in options.items():
            if isinstance(values, dict) and task not in discover("tasks"):
                raise unknown(f"task in table [methods.{method}]", task, discover("tasks"))
    return tables


def checked_tasks(tables: Mapping[str, Any]) -> Mapping[str, Any]:
    """The run file's `[tasks.*]`; an unknown task is refused."""
    for task, table in tables.items():
        if task not in discover("tasks"):
            raise unknown("task in table [tasks]", task, discover("tasks"))
        if not isinstance(table, dict):
            raise UsageError(f"tasks.{task} = {table!r} is not allowed. Write a table [tasks.{task}].")
    return tables
