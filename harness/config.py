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

    [slurm]
    partition = "gpu"
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from harness import presets
from harness.cluster import Resources
from harness.errors import UsageError, unknown
from harness.meanings import typed
from harness.options import convert, hints, instantiate, text_of, value_of
from harness.presets import Preset
from harness.registry import Kind, discover
from harness.selection import parse
from harness.settings import check, setting

TABLES = (*presets.PARTS, *presets.NESTED)
SIZES = {"budget": "", "steps": "", "epochs": "schedule", "targets": "data", "repeats": "sizes"}
"""The settings of a preset that have a flag, with the table that they stand in."""
SELECTIONS = ("methods", "tasks", "scenarios", "protocols")
UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}
SELECTION = "a comma list of names, groups, globs or `all`, with options as in na[steps=50] or na[steps=50|300]"


@dataclass(frozen=True)
class Settings:
    """A run as the user wants it. None leaves the preset's value. Each field is a flag, its help in its metadata."""

    methods: str = setting("all", help=f"methods to run: {SELECTION}")
    tasks: str = setting("all", help=f"tasks to run them on: {SELECTION}")
    scenarios: str = setting("base", help="other views of the tasks, such as noise[sd=0.05]: a comma list as above")
    protocols: str = setting("all", help="what is asked and scored, such as r_T[bootstrap=200]: a comma list as above")
    seeds: tuple[int, ...] = setting((0,), help="training seeds such as 0, 0,3 or 0-4; 3 is the seed 3")
    preset: str = setting("quick", help="smoke, quick, paper, or a TOML file")
    budget: int | None = setting(None, help="trainable parameters of each method, instead of the preset's", least=1)
    epochs: int | None = setting(None, help="passes over the training data, instead of the preset's", least=1)
    steps: int | None = setting(
        None, help="least optimiser steps of a training, for which few pairs are passed over more often", least=0
    )
    targets: int | None = setting(None, help="number of targets, instead of the preset's", least=1)
    repeats: int | None = setting(None, help="how often proposals are drawn anew, instead of the preset's", least=1)
    validation: bool = setting(
        False, help="take the targets from the validation part, to choose options without looking at the test"
    )
    device: str = setting("cpu", help="cpu, cuda or cuda:0")
    jobs: int | None = setting(None, help="cells that run at once; one per CPU core where omitted, on cuda 1", least=1)
    engine: Literal["local", "slurm"] = setting("local", help="where cells run: local, or slurm, a cluster's queue")
    slurm: Resources | None = setting(
        None, help="with --engine slurm, what each array entry gets: partition=gpu,time=4h,mem=16G,gres=gpu:1"
    )
    timeout: float | None = setting(None, help="time limit of one cell, such as 90s, 30m or 2h; none where omitted")
    out: Path | None = setting(None, help="result folder; results/PRESET where omitted")
    force: bool = setting(False, help="run cells again that have a record")
    retry: bool = setting(False, help="run cells again that failed")
    part: tuple[int, int] | None = setting(
        None, help="only the i-th of N parts of the plan, such as 2/8, for N runs into one result folder"
    )
    fail_fast: bool = setting(False, help="stop at the first cell that fails")
    dry_run: bool = setting(False, help="print the plan with its estimated cost, and run nothing")
    quiet: bool = setting(False, help="no progress bars")


def load(flags: Mapping[str, Any], file: str | None = None) -> tuple[Settings, Preset]:
    """The settings and the preset of a run, from the flags that were given and a run file.

    Raises:
        UsageError: an unreadable file, an unknown setting, or a value that is not allowed.
    """
    plain, tables = read(file) if file else ({}, {})
    given = {**plain, **flags}
    if "slurm" in flags and given.get("engine") != "slurm":
        raise UsageError("--slurm belongs to --engine slurm, which was not given. Give both, or neither.")
    if "slurm" in plain and "slurm" in flags:
        given["slurm"] = {**as_table(plain["slurm"], "[slurm]"), **as_table(flags["slurm"], "--slurm")}
    settings = settings_from(given)
    return settings, preset_from(settings, tables, Path(file).stem if file else "")


def read(file: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The flags and the preset tables of a run file."""
    try:
        content = tomllib.loads(Path(file).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"Run file {file!r} cannot be read: {presets.reason(error)}") from error
    tables = {key: value for key, value in content.items() if isinstance(value, dict) and key not in ("run", "slurm")}
    plain = {key: value for key, value in content.items() if key not in {*tables, "run"}}
    within = content.get("run", {})
    if not isinstance(within, dict):
        raise UsageError(f"Run file {file!r}: run = {within!r} is not allowed. Allowed: a table [run] of flags.")
    flags = {key.replace("-", "_"): value for key, value in {**plain, **within}.items()}
    known = {item.name for item in fields(Settings)}
    for key in tables.keys() - set(TABLES):
        raise unknown(f"table of run file {file!r}", key, {*TABLES, "run", "slurm"})
    for key in flags.keys() - known:
        raise unknown(f"setting of run file {file!r}", key, {*known, *TABLES})
    return flags, tables


def flag(name: str) -> str:
    """A setting as it is written on the command line."""
    return "--" + name.replace("_", "-")


def settings_from(given: Mapping[str, Any], spelt: Callable[[str], str] = flag) -> Settings:
    """Settings from values that are text (flags) or typed (TOML); `spelt` is how errors name one."""
    elsewhere = given.get("engine") == "slurm"  # this machine need not have what the cells run on
    settings = Settings(**{key: converted(key, value, spelt(key), elsewhere=elsewhere) for key, value in given.items()})
    for name in given:  # one by one, so that the message names it
        check(settings, spelt(name), only=name)
    return settings


def converted(name: str, value: Any, shown: str, *, elsewhere: bool = False) -> Any:
    """One setting of the right type; `elsewhere`, a device need not be one of this machine. `shown` is its name."""
    special = {"seeds": numbers, "timeout": duration, "device": device, "part": part, "slurm": resources}
    if name == "device" and elsewhere:
        return value_of(value, Literal["cpu", "cuda"], shown)
    if name in special:
        return special[name](value, shown)
    if name in SELECTIONS:
        every = value if isinstance(value, list) else [value]
        return ",".join(written(item, shown, f"{SELECTION}; or a list of these") for item in every)
    if name == "out":
        return Path(written(value, shown, "the path of a folder, such as results/mine"))
    if name == "preset":
        return written(value, shown, f"{', '.join(presets.BUILT_IN)}, or the path of a TOML file")
    (item,) = (item for item in fields(Settings) if item.name == name)
    return typed(item, hints(Settings)[name], value, shown)


def written(value: Any, name: str, allowed: str) -> str:
    """A value that is text; `allowed` is what it may say, for an error."""
    if not isinstance(value, str):
        raise UsageError(f"{name} = {text_of(value)} is not allowed. Allowed: {allowed}.")
    return value


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


def part(value: Any, name: str) -> tuple[int, int]:
    """Number and count from `2/8`."""
    match = re.fullmatch(r"(\d+)/(\d+)", str(value).strip())
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise UsageError(f"{name} = {value!r} is not allowed. Allowed: i/N with i from 1 to N, such as 1/8 to 8/8.")
    return int(match[1]), int(match[2])


def as_table(value: Any, name: str) -> dict[str, Any]:
    """The table that `partition=gpu,time=4h` stands for; a table as it is."""
    if isinstance(value, Mapping):
        return dict(value)
    text = written(value, name, "a table, or text such as partition=gpu,time=4h")
    return dict(parse(f"{name}[{text}]")[1])


def resources(value: Any, name: str) -> Resources:
    """What each entry of an array gets, from `partition=gpu,time=4h` or a table."""
    table = as_table(value, name)
    if "time" in table:
        table["time"] = duration(table["time"], f"{name}[time]")
    made: Resources = instantiate(Resources, convert(Resources, table, name), name)
    return made


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
    flags = {name: getattr(settings, name) for name in SIZES if getattr(settings, name) is not None}
    if not (flags or tables or settings.validation):
        return base
    changes = {"preset": settings.preset, "budget": flags.get("budget", base.budget)}
    changes |= {"steps": flags["steps"]} if "steps" in flags else {}
    for part in presets.PARTS:
        above = {name: flags[name] for name, table in SIZES.items() if table == part and name in flags}
        changes[part] = {**tables.get(part, {}), **above}
    if settings.validation:
        changes["data"]["targets_from"] = "validation"
    for kind in get_args(Kind):
        changes[kind] = known_only(kind, tables.get(kind, {}))
    parts = [stem if tables else base.name, *(f"{name}{value}" for name, value in flags.items())]
    preset = presets.from_table("-".join(parts + ["validation"] * settings.validation), changes)
    literal = {*flags, *(["steps"] if "epochs" in flags and "steps" not in flags else [])}
    below = {task: _without(table, literal) for task, table in preset.tasks.items()}
    if "steps" in flags:  # a table with epochs or a batch of its own would mean just those
        below = {task: {**table, "steps": flags["steps"]} for task, table in below.items()}
    scenarios = {name: _without(table, flags) for name, table in preset.scenarios.items()}
    return replace(preset, tasks=below, scenarios=scenarios)


def _without(table: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """A task's table without the settings that a flag gives for all tasks."""
    return {
        key: _without(value, names) if isinstance(value, Mapping) else value
        for key, value in table.items()
        if key not in names
    }


def known_only(kind: Kind, tables: Mapping[str, Any]) -> Mapping[str, Any]:
    """The run file's tables `[methods.*]` and so on; one of an unknown plug-in is refused."""
    for name, table in tables.items():
        if name not in discover(kind) and (kind, name) != ("scenarios", "all"):
            raise unknown(f"{kind.removesuffix('s')} in table [{kind}]", name, discover(kind))
        if not isinstance(table, dict):
            raise UsageError(f"{kind}.{name} = {table!r} is not allowed. Write a table [{kind}.{name}].")
        for task, values in table.items() if kind == "methods" else ():
            if isinstance(values, dict) and task not in discover("tasks"):
                raise unknown(f"task in table [methods.{name}]", task, discover("tasks"))
    return tables
