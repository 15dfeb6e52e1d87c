"""Footnotes: the settings, hardware, spread and published differences that a table's numbers depend on."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from harness.reporting.groups import Group
from harness.reporting.numbers import count, number, numbered, printed
from harness.reporting.published import Published
from harness.reporting.rows import Row
from harness.reporting.table import VALID, Raw
from harness.schema import Data, Stamp

INVALID = (
    "an invalid design counts with the mean error of a draw from the prior, in a mean and in a best of T alike, so "
    "that no method gains by returning nothing and r_T never grows with T"
)
BEST = (
    "bold: clearly the best of the column; ≈: the difference to the best may be chance, or does not show in these "
    "digits; italic: the same without the baselines, where one of these is the best. Rows are compared target by "
    "target (see table compare), and speak of other trainings only from three seeds on. Rows with less than "
    f"{VALID:.0%} valid designs take no part"
)
OF_ALL = (
    "valid, in box: of all proposals for each target; of a method that ranks its proposals, those that come first may "
    "be valid far more often (see table invalid)"
)
LONE = {"x": 1, "y": 1, "both": 2}
"""Kinds of lone rows by the option `lone` of a scenario, each with as many as its option `rows` says."""
ASKED = "multi-target"
"""The protocol whose numbers say how many targets were asked for."""
MESSAGE = 300
"""Characters of an error that a note shows."""
FEW_STEPS = 500
"""Steps of training below which a method that has learned nothing is called untrained; `quick` has 1250 or more."""
MOOT = 0.3
"""The nmse of a floor above which little is left to compare."""
WHOLE = "all"
"""Where a difference applies that is one of all values of a table."""
FRESH = "fresh proposals"
POOLED = "random halves of one candidate pool"
ABOVE = ". Each takes the best of its half, so that their mean error is above r_1, which takes the best of all"


def facts(group: Group, metric: str | None = None) -> dict[str, Any]:
    """What holds for every row of a group, for machine-readable formats.

    Args:
        group: the rows.
        metric: that the table shows; None where it shows no error.
    """
    settings = json.loads(group.settings)
    return {
        "task": group.task,
        "scenario": group.first.label.scenario,
        "metric": metric,
        "preset": ", ".join(_presets([group])),
        "budget": settings["budget"],
        "split": group.split,
        "targets": group.targets,
    }


def of_several(group: Group, title: str, metric: str | None = None) -> dict[str, Any]:
    """The facts of a table whose rows are of several tasks: what the groups share.

    Args:
        group: one of them.
        title: of the table.
        metric: that it shows; None where it shows no error.
    """
    own = dict.fromkeys(("task", "scenario", "split", "targets"))
    return {**facts(group, metric), "title": title, **own}


def settings(groups: Sequence[Group]) -> Iterator[str]:
    """Preset, schedule, protocol, seeds and hardware behind the groups, which share their settings.

    Args:
        groups: of equal settings, one at least.
    """
    values = json.loads(groups[0].settings)
    schedule, data, sizes = values["schedule"], values["data"], values["sizes"]
    records = [record for group in groups for record in group.records]
    seeds = sorted({record.declared.seed for record in records})
    yield (
        f"Preset {', '.join(_presets(groups))}: {count(values['budget'])} parameters, "
        f"{numbered(schedule['epochs'], 'epoch')} of batches of {schedule['batch']}, {schedule['optimiser']} "
        f"{printed(schedule['learning_rate'])} {schedule['decay']}; seed{'s' if len(seeds) > 1 else ''} "
        f"{_series(seeds)}"
    )
    yield (
        f"Questions: {data['targets']} {data['targets_from']} target{'s' * (data['targets'] != 1)} × "
        f"{numbered(sizes['proposals'], 'proposal')}, {sizes['fixed_proposals']} for the fixed target, "
        f"{numbered(sizes['repeats'], 'repeat')}, data seed {data['data_seed']}"
    )
    yield from (_data(group, group.first.data) for group in groups if group.first.data)
    yield from hardware(groups)


def hardware(groups: Sequence[Group]) -> Iterator[str]:
    """What the records of groups were made on.

    Args:
        groups: any.
    """
    stamps = [record.stamp for group in groups for record in group.records if record.stamp]
    if stamps:
        yield f"Hardware: {'; '.join(dict.fromkeys(map(_hardware, stamps)))}"


def spread(rows: Iterable[Row], groups: Sequence[Group], origins: Iterable[tuple[str, str]]) -> Iterator[str]:
    """What the ± of a table comes from.

    Args:
        rows: of the table.
        groups: that they are of, with equal settings.
        origins: pairs of a row's label and what its repeats differ in.
    """
    seeds = sorted({len(row.done) for row in rows if row.done})
    repeats = json.loads(groups[0].settings)["sizes"]["repeats"]
    several = [str(number) for number in seeds if number > 1]
    over = f"over {' or '.join(several)} seeds (trainings); mean, median and quantile are means over them"
    within = f"over {numbered(repeats, 'repeat')} of one trained model"
    if several and 1 in seeds:
        yield f"± {over}; where only one seed is done, {within}"
    elif several:
        yield f"± {over}"
    elif seeds:
        yield f"± {within}"
    labels: dict[str, list[str]] = defaultdict(list)
    for label, origin in origins:
        labels[origin].append(label)
    for origin, names in labels.items():
        if origin != FRESH and not several:
            yield f"Repeats are {origin}: {', '.join(names)}{ABOVE if origin == POOLED else ''}"


def untrained(group: Group, metric: str, errors: Mapping[str, float | None]) -> Iterator[str]:
    """Which methods, by row, have learned nothing yet: worse than the mean of y after a training of a moment.

    An answer drawn from what is known of x may be so bad after any training; after a few steps it is for want of them.

    Args:
        group: the rows.
        metric: of the errors.
        errors: of one proposal, by the labels of the rows.
    """
    mean = group.of_the_mean(metric)
    sized = {row.label for row in group.rows if row.first.model and row.first.model.parameters.budget is not None}
    names = [label for label, error in errors.items() if label in sized and error is not None and error > mean]
    if names and 0 < group.steps < FEW_STEPS:
        yield (
            f"untrained on {group.task}: after {numbered(group.steps, 'step')}, worse than always answering with the "
            f"mean of y ({metric} {number(mean)}): {', '.join(names)}. To compare methods, give more epochs or another "
            "preset"
        )


def floor(group: Group, metric: str | None) -> Iterator[str]:
    """What the values in parentheses are, and where they leave nothing to compare.

    Args:
        group: the rows.
        metric: that the table shows; None where it shows no error.
    """
    value = group.floor(metric) if metric else 0.0
    if metric and group.floor("nmse") > MOOT:
        yield (
            f"moot on {group.task}: the error of its forward model, or the noise in its targets, is nmse "
            f"{number(group.floor('nmse'))}, where 1 is that of always answering with the mean of y, so that "
            "differences say little of the methods. Give more or better data"
        )
    if value:
        yield (
            f"(in parentheses): below {number(value)}, the error of the forward model of {group.task} itself or of "
            "noise in its targets, where differences mean nothing"
        )


def shortened(message: str, size: int = MESSAGE) -> str:
    """A message with its middle left out where it is long: what to do about an error stands at its end.

    Args:
        message: of an error.
        size: about how many characters are left.

    >>> shortened("It went wrong in this and in that place. Do this.", 30)
    'It went … place. Do this.'
    """
    if len(message) <= size:
        return message
    head, tail = message[: size // 3], message[-(size - size // 3) :]
    return f"{head.rpartition(' ')[0] or head} … {tail.partition(' ')[2] or tail}"


def failures(rows: Iterable[Row]) -> Iterator[str]:
    """Why cells have no numbers, one note for each reason and cell, or for all methods of which it is the same.

    Args:
        rows: of the table.
    """
    found: dict[tuple[str, str, bool], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        for record in row.records:
            if record.status != "ok":
                message = " ".join((record.error.message if record.error else "no message").split())
                scenario = f", {record.label.scenario}" if record.declared.scenario else ""
                place = f"{record.label.task}{scenario}, seed {record.declared.seed}"
                reason = message.removeprefix(f"{record.label.method} ")
                found[record.status.replace("_", " "), reason, reason != message][place].append(row.label)
    for (what, reason, named), places in found.items():
        together: dict[str, list[str]] = defaultdict(list)
        for place, labels in places.items():
            together[", ".join(dict.fromkeys(labels))].append(place)
        for methods, several in together.items():
            who = f"{methods} " * (named and ", " not in methods)
            yield f"{methods} on {'; '.join(several)}: {what} ({shortened(who + reason)})"


def code(rows: Sequence[Row], protocol: str = "") -> Iterator[str]:
    """Whether rows were trained, or scored, by different code.

    Args:
        rows: of the table.
        protocol: whose scores it shows; empty for none.
    """
    trained: dict[str, list[str]] = defaultdict(list)
    scored: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        trained[row.first.sources.get("training", "")[:6]].append(row.label)
        if protocol in row.first.scores:
            scored[row.first.scores[protocol].source[:6]].append(row.label)
    for made, verb in ((trained, "run"), (scored, "rescore")):
        if len(made) > 1:
            parts = (f"{', '.join(dict.fromkeys(labels))} by {source}" for source, labels in made.items())
            what = "The code that trains" if verb == "run" else f"The score of {protocol}"
            yield f"{what} changed between these rows: {'; '.join(parts)}. `{verb}` brings them up to date"


def of_all(raws: Iterable[Raw]) -> Iterator[str]:
    """What the shares of valid designs are of, where they are not all of them.

    Args:
        raws: the rows of a table, with `valid` where it is known.
    """
    if any(raw.get("valid") not in (None, 1.0) for raw in raws):
        yield OF_ALL


def partial(rows: Iterable[Row]) -> Iterator[str]:
    """The mark of rows in which some seeds have no numbers.

    Args:
        rows: of the table.
    """
    if any(row.status != "ok" and row.done for row in rows):
        yield "† some seeds have no numbers: the mean is over the others and takes no part in best"


def published(values: Sequence[Published | None]) -> Iterator[str]:
    """How the published values of a table were measured differently, each difference with where it applies.

    Args:
        values: of the table, None where a row has none.
    """
    sources: dict[str, list[str]] = defaultdict(list)
    where: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for value in values:
        if value is None:
            continue
        general = "; ".join(text for place, text in value.differences if place == WHOLE) or "nothing that is known"
        sources[general].append(value.source)
        for place, text in value.differences:
            if place != WHOLE:
                where[general][text].append(place)
    for general, names in sources.items():
        special_texts = (f"{', '.join(dict.fromkeys(places))}: {text}" for text, places in where[general].items())
        yield f"{', '.join(dict.fromkeys(names))}, which differs: {'; '.join((general, *special_texts))}"


def _presets(groups: Sequence[Group]) -> list[str]:
    return sorted({record.preset for group in groups for record in group.records})


def pairs_of(group: Group) -> int:
    """How many pairs are learned from, the validation part included and lone rows not; 0 where that is not known.

    Args:
        group: any.
    """
    data = group.first.data
    return data.n_train + data.n_valid - lone_of(group) if data else 0


def lone_of(group: Group) -> int:
    """How many rows of x or of y alone are learned from.

    Args:
        group: any.
    """
    scenario = group.first.declared.scenario
    options = scenario.options if scenario else {}
    return LONE.get(options.get("lone", ""), 0) * int(options.get("rows", 0))


def _data(group: Group, data: Data) -> str:
    asked, all_of_them, lone = _asked(group), group.first.declared.data.targets, lone_of(group)
    pairs = numbered(pairs_of(group), "pair") + f" and {numbered(lone, 'row')} of x or y alone" * bool(lone)
    fewer = f"; it asks for {asked} of {all_of_them} targets" if asked is not None and asked < all_of_them else ""
    return f"Data of {group.task}: {pairs}, split {data.split[:8]}, targets {data.targets[:8]}{fewer}"


def _asked(group: Group) -> int | None:
    """How many targets a scenario asks for, which may be a part of them; None without one, or where it is not known."""
    if group.first.declared.scenario is None:
        return None
    every = (row.of_first(ASKED, "nmse") for row in group.rows)
    return next((len(errors) for errors in every if errors is not None), None)


def _series(seeds: Sequence[int]) -> str:
    run = len(seeds) > 2 and list(seeds) == list(range(seeds[0], seeds[-1] + 1))
    return f"{seeds[0]}–{seeds[-1]}" if run else ", ".join(str(seed) for seed in seeds)


def _hardware(stamp: Stamp) -> str:
    parts = [stamp.cpu or "unknown processor"]
    usable = stamp.cores.get("usable")
    if usable:
        parts.append(numbered(usable, "core"))
    parts.append(f"{numbered(stamp.threads, 'thread')} a cell")
    if stamp.device.startswith("cuda"):
        parts.append(stamp.device_name or stamp.device)
    return ", ".join(parts)
