"""Few pairs, gaps in y or noise on it: which records say most of such a condition, and which methods are best there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.comparing import EXACT
from harness.protocols.choosing import Choice, able, choices, counted, judged, text_of_seconds, text_of_simulations
from harness.protocols.evidence import (
    BASE,
    Evidence,
    Known,
    Missing,
    Place,
    asked_for,
    labels_of,
    leaders,
    name_of,
    options_of,
    written,
)
from harness.protocols.inference_time import InferenceTime
from harness.protocols.r_t import RT
from harness.protocols.views import TRUE, Scores, Views
from harness.reporting.apart import between
from harness.reporting.groups import Group
from harness.reporting.notes import pairs_of
from harness.reporting.numbers import number
from harness.reporting.table import VALID

NMSE = "nmse"
"""The metric in which errors are told against the y without noise."""
PLAIN: Mapping[str | None, Mapping[str, str]] = {
    None: {},
    "pairs": {},
    "unpaired": {"lone": "none"},
    "fidelity": {"use": "top"},
}
"""Where methods learn from pairs of the task alone: the scenarios, with their options; the task itself first."""


@dataclass(frozen=True)
class Study:
    """What a condition is read from: the groups, by what is done besides learning."""

    asked: str
    records: str
    groups: tuple[tuple[str, Group], ...]
    scenarios: str = ""
    """What methods must be run in to stand here; empty where that is the task itself."""
    truth: float | None = None
    """Where errors are those against the y without noise: the floor of these."""

    def absent(self, known: Known) -> Missing | None:
        """The methods of a task that were not run so; None where all were.

        Args:
            known: of the task.
        """
        here = {label for _, group in self.groups for label in labels_of(group)}
        others = tuple(label for label in known.methods if label not in here)
        if not (others and self.scenarios):
            return None
        text = f"{len(here)} of {len(here) + len(others)} methods were run in {self.records}"
        return Missing(text, self.scenarios, others, makes="runs the others", read=True)

    @property
    def first(self) -> Group:
        """One of them."""
        return self.groups[0][1]

    def choices(self, metric: str, count: int, limit: float | None) -> Iterator[Choice]:
        """The methods of all groups that keep to a budget.

        Args:
            metric: `nmse`, `mse` or `sse`.
            count: of proposals for each target.
            limit: seconds for one design; None for any time.
        """
        for how, group in self.groups:
            if self.truth is None:
                yield from choices(group, metric, count, limit, how)
            else:
                yield from _against_truth(group, self.truth, limit)


def of_pairs(known: Known, pairs: int) -> Study | Missing:
    """The records with the number of pairs that is nearest below what there is.

    Args:
        known: of a task.
        pairs: that the user has.
    """
    plain = [group for name, only in PLAIN.items() for group in known.of(name) if _of(group, only)]
    sized = [(size, group) for group in plain if (size := pairs_of(group))]
    able = [(size, group) for size, group in sized if size <= pairs]
    if not able:
        if any(
            _of(group, only) and pairs_of(group) <= pairs for name, only in PLAIN.items() for group in known.named(name)
        ):
            return unscored(f"so few as {pairs} pairs")
        fewest = min((size for size, _ in sized), default=0)
        beside = f" (the fewest are {fewest})" if fewest else ""
        return Missing(f"no records with {pairs} pairs or fewer{beside}", f"pairs[n={pairs}]")
    size = max(size for size, _ in able)
    groups = _same([group for each, group in able if each == size])
    texts = [written(group, "n", "lone", "budget", "use") for group in groups]
    if name_of(groups[0]) is None:
        texts[0] += f" ({size} pairs)"
    again = "" if name_of(groups[0]) is None else f"pairs[n={size}]"
    return Study(f"{pairs} pairs", ", ".join(texts), tuple(("", group) for group in groups), again)


def of_gaps(known: Known, share: float) -> list[Study] | Missing:
    """The records of gaps with the nearest share, for each kind of gaps; however these are filled.

    Args:
        known: of a task.
        share: of the entries of a target that are not known.
    """
    every = [(options_of(group), group) for group in known.of("gaps")]
    found = [group for options, group in every if options["share"] and not options.get("training")]
    if not found:
        if known.groups[0].y_dim == 1:
            return Missing("y is one number, of which no share can be missing")
        if any(options_of(group)["share"] for group in known.named("gaps")):
            return unscored("gaps in y")
        return Missing("no records with gaps in y", f"gaps[share={share:g}],gaps[fill=native,share={share:g}]")
    nearest = min((options_of(group)["share"] for group in found), key=lambda each: (abs(each - share), -each))
    kinds: dict[str, dict[str, Group]] = defaultdict(dict)
    # Whatever the fill, the same entries of the same targets are hidden, so that errors may be compared.
    for group in sorted((group for group in found if options_of(group)["share"] == nearest), key=asked_for):
        kinds[written(group, "share", "hide")][str(options_of(group)["fill"])] = group
    asked = f"{number(100 * share)} % of y not known"
    return [
        Study(asked, text, tuple(sorted(fills.items())), _selected(fills.values()))
        for text, fills in sorted(kinds.items())
    ]


def of_noise(known: Known, sd: float) -> Study | Missing:
    """The records with the nearest deviation of noise; errors are those against the y without it.

    Against the noisy y, a method that fits the noise would seem the best.

    Args:
        known: of a task.
        sd: the deviation of the noise, in that of each y.
    """
    found = [group for group in known.of("noise") if options_of(group)["sd"]]
    if not found:
        if any(options_of(group)["sd"] for group in known.named("noise")):
            return unscored("noise on y")
        return Missing("no records with noise on y", f"noise[sd={sd:g}]")
    group = min(found, key=lambda each: (abs(options_of(each)["sd"] - sd), -options_of(each)["sd"], -asked_for(each)))
    truth = known.base.floor(NMSE) if known.base else group.floor(NMSE)
    return Study(f"noise of {sd:g} on y", written(group, "sd"), (("", group),), _selected([group]), truth)


def of_base(known: Known) -> Study | Missing:
    """The records without a scenario.

    Args:
        known: of a task.
    """
    return Study("", BASE, (("", known.base),)) if known.base else Missing("no records without a scenario", BASE)


def of_study(
    study: Study, metric: str, seconds: Sequence[float], simulations: Sequence[int]
) -> Iterator[Evidence | Missing]:
    """The best methods of a study within each budget; with one proposal where none is given.

    Args:
        study: as the functions above give it.
        metric: `nmse`, `mse` or `sse`.
        seconds: budgets of time for a design.
        simulations: budgets of simulations for a target; errors against the true y are of one proposal.
    """
    wanted = simulations if study.truth is None else ()
    budgets: list[tuple[str, int, float | None]] = [
        *((text_of_simulations(count), count, None) for count in counted(study.first, wanted)),
        *((text_of_seconds(limit), 1, limit) for limit in seconds),
    ]
    for within, count, limit in budgets or [("", 1, None)]:
        found = sorted(study.choices(metric, count, limit), key=lambda choice: choice.error)
        asked = ", ".join(filter(None, (study.asked, within)))
        raw = judged(found)
        if raw:
            raw |= {"asked": asked, "records": study.records}
            groups = tuple(group for _, group in study.groups)
            yield Evidence(asked, study.records, raw, tuple(_places(found)), found[0].least, groups)
        elif limit is not None and not any(row.score(InferenceTime) for _, group in study.groups for row in group.rows):
            yield Missing(f"in {study.records} there are no times of proposing", times=True)
        else:
            yield Missing(f"no method has numbers in {study.records}{f' within {within}' * bool(within)}")


def _places(found: Sequence[Choice]) -> Iterator[Place]:
    """Where each choice stands; what is below the floor is not told apart."""

    def apart(best: Choice, other: Choice) -> bool | None:
        return False if other.error <= best.floor else between(best.drawn, other.drawn)

    leading = leaders(found, apart)
    learning = leaders([choice for choice in found if not choice.row.baseline], apart)
    for choice in found:
        leads = [any(choice is each for each in some) for some in (leading, learning)]
        yield Place(choice.row.label, choice.label, choice.error, choice.row.baseline, *leads)


def _against_truth(group: Group, truth: float, limit: float | None) -> Iterator[Choice]:
    """The methods by the nmse of first proposals against the y without noise."""
    for row in able(group, limit):
        error, valid = row.mean(_of_truth, Views), row.mean("valid", Views)
        if error is not None and (valid or 0.0) >= VALID:
            least = max(truth, EXACT * group.of_the_mean(NMSE))
            yield Choice(row, error, (Views.name, TRUE), least, truth)


def _of_truth(scores: Scores) -> float | None:
    return scores.views[TRUE].mean if TRUE in scores.views else None


def unscored(what: str, protocol: str = RT.name) -> Missing:
    """What is missing where cells have been run without the protocol that the advice is read from.

    Args:
        what: they were run with.
        protocol: its name.
    """
    return Missing(f"the records with {what} were not scored by {protocol}", unscored=protocol)


def _of(group: Group, only: Mapping[str, str]) -> bool:
    """Whether the options of a scenario are these."""
    return all(options_of(group).get(name) == value for name, value in only.items())


def _same(groups: Sequence[Group]) -> list[Group]:
    """Of groups with as many pairs those of the same pairs and targets, with each method once; the most methods win."""
    alike: dict[tuple[str | None, str | None], list[Group]] = defaultdict(list)
    for group in groups:
        alike[group.split, group.targets].append(group)

    def size(some: Sequence[Group]) -> tuple[int, int]:
        return len({label for group in some for label in labels_of(group)}), asked_for(some[0])

    every = max(alike.values(), key=size)
    home: dict[str, Group] = {}
    for wanted in (True, False):
        for group in every:
            for row in group.rows:
                if row.done or not wanted:
                    home.setdefault(row.first.label.method, group)
    each = (tuple(row for row in group.rows if home[row.first.label.method] is group) for group in every)
    return [replace(group, rows=rows) for group, rows in zip(every, each, strict=True) if rows]


def _selected(groups: Iterable[Group]) -> str:
    """The scenarios of groups as they are written to select them."""
    return ",".join(written(group, *options_of(group)) for group in groups)
