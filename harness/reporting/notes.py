"""Footnotes: the settings, hardware, spread and published differences that a table's numbers depend on."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from harness.reporting.groups import OLDER, Group
from harness.reporting.numbers import count, number, printed
from harness.reporting.published import Published
from harness.reporting.rows import Row, dig

METRICS = {
    "sse": "sse = ‖f(x) − y‖², summed over y, physical units",
    "mse": "mse = ‖f(x) − y‖² / dim y, physical units",
    "nmse": "nmse = mse in units of the training variance of each y; 1 = always answering with the mean",
}
INVALID = "an invalid design counts with the variance of y"
BEST = "bold: best of the column; italic: best without the baselines, where a baseline is best"
MESSAGE = 110
FRESH = "fresh proposals"


def facts(group: Group, metric: str | None = None) -> dict[str, Any]:
    """What holds for every row of a group, for machine-readable formats."""
    settings = json.loads(group.settings)
    return {
        "task": group.task,
        "metric": metric,
        "preset": ", ".join(_presets([group])),
        "budget": settings["budget"],
        "split": group.split,
        "targets": group.targets,
    }


def settings(groups: Sequence[Group]) -> Iterator[str]:
    """Preset, schedule, protocol, seeds and hardware behind the groups, which share their settings."""
    values = json.loads(groups[0].settings)
    schedule, protocol = values["schedule"], values["protocol"]
    records = [record for group in groups for record in group.records]
    seeds = sorted({record["declared"]["seed"] for record in records})
    yield (
        f"Preset {', '.join(_presets(groups))}: {count(values['budget'])} parameters, {schedule['epochs']} epochs of "
        f"batches of {schedule['batch']}, {schedule['optimiser']} {printed(schedule['learning_rate'])} "
        f"{schedule['decay']}; seed{'s' if len(seeds) > 1 else ''} {_series(seeds)}"
    )
    yield (
        f"Protocol: {protocol['targets']} {protocol['targets_from']} targets × {protocol['proposals']} proposals, "
        f"{protocol['fixed_proposals']} for the fixed target, {protocol['repeats']} repeats, data seed "
        f"{protocol['data_seed']}"
    )
    yield from (_data(group) for group in groups)
    yield f"Hardware: {'; '.join(dict.fromkeys(_hardware(record) for record in records))}"


def spread(rows: Iterable[Row], groups: Sequence[Group]) -> Iterator[str]:
    """What the ± of a table comes from."""
    seeds = sorted({len(row.done) for row in rows if row.done})
    repeats = json.loads(groups[0].settings)["protocol"]["repeats"]
    several = [str(number) for number in seeds if number > 1]
    over = f"over {' or '.join(several)} seeds (trainings); mean, median and quantile are means over them"
    within = f"over {repeats} repeats of one trained model"
    if several and 1 in seeds:
        yield f"± {over}; where only one seed is done, {within}"
    elif several:
        yield f"± {over}"
    elif seeds:
        yield f"± {within}"
    origins: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        origins[str(dig(row.first, "candidates", "repeats_from"))].append(row.label)
    for origin, labels in origins.items():
        if origin not in (FRESH, "None") and not several:
            yield f"Repeats are {origin}: {', '.join(labels)}"


def floor(group: Group, metric: str | None) -> Iterator[str]:
    """What the values in parentheses are."""
    value = group.floor(metric) if metric else 0.0
    if value:
        yield (
            f"(in parentheses): below {number(value)}, the error of the forward model of {group.task} itself, where "
            "differences mean nothing"
        )


def failures(rows: Iterable[Row]) -> Iterator[str]:
    """Why cells have no numbers, one note a row."""
    for row in rows:
        for record in row.records:
            if record["status"] != "ok":
                what = record["status"].replace("_", " ")
                message = " ".join(str(dig(record, "error", "message") or "no message").split())
                short = message if len(message) <= MESSAGE else message[:MESSAGE] + "…"
                yield f"{row.label} on {record['label']['task']}, seed {record['declared']['seed']}: {what} ({short})"


def code(rows: Sequence[Row]) -> Iterator[str]:
    """Which rows were made by older code, and which by different code of the harness itself."""
    if any(OLDER in row.label for row in rows):
        yield f"{OLDER}: the sources of harness, task or method have changed since; remove such records to hide the row"
    made: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if OLDER not in row.label:
            made[str(dig(row.first, "declared", "harness", "source"))[:6]].append(row.label)
    if len(made) > 1:
        parts = (f"{', '.join(dict.fromkeys(labels))} by {source}" for source, labels in made.items())
        yield f"The code of the harness changed between these rows: {'; '.join(parts)}"


def partial(rows: Iterable[Row]) -> Iterator[str]:
    """The mark of rows in which some seeds have no numbers."""
    if any(row.status != "ok" and row.done for row in rows):
        yield "† some seeds have no numbers: the mean is over the others and takes no part in best"


def published(values: Sequence[Published | None]) -> Iterator[str]:
    """How the published values of a table were measured differently, each difference with where it applies."""
    sources: dict[str, list[str]] = defaultdict(list)
    where: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for value in values:
        if value is None:
            continue
        (_, general), *special = value.differences
        sources[general].append(value.source)
        for place, text in special:
            where[general][text].append(place)
    for general, names in sources.items():
        special_texts = (f"{', '.join(dict.fromkeys(places))}: {text}" for text, places in where[general].items())
        yield f"{', '.join(dict.fromkeys(names))}, which differs: {'; '.join((general, *special_texts))}"


def _presets(groups: Sequence[Group]) -> list[str]:
    return sorted({record["preset"] for group in groups for record in group.records})


def _data(group: Group) -> str:
    pairs = sum(dig(group.first, "data", part) or 0 for part in ("n_train", "n_valid"))
    return f"Data of {group.task}: {pairs} pairs, split {str(group.split)[:8]}, targets {str(group.targets)[:8]}"


def _series(seeds: Sequence[int]) -> str:
    run = len(seeds) > 2 and list(seeds) == list(range(seeds[0], seeds[-1] + 1))
    return f"{seeds[0]}–{seeds[-1]}" if run else ", ".join(str(seed) for seed in seeds)


def _hardware(record: Mapping[str, Any]) -> str:
    origin = record.get("provenance", {})
    parts = [str(origin.get("cpu") or "unknown processor")]
    usable = dig(origin, "cores", "usable")
    if usable:
        parts.append(f"{usable} cores")
    if origin.get("threads"):
        parts.append(f"{origin['threads']} thread{'s' if origin['threads'] != 1 else ''} a cell")
    if str(origin.get("device", "cpu")).startswith("cuda"):
        parts.append(str(origin.get("device_name") or origin["device"]))
    return ", ".join(parts)
