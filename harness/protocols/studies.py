"""Few pairs, gaps in y or noise on it: which records say most of such a condition, and which methods are best there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.comparing import EXACT
from harness.protocols.choosing import Choice, able, choices, counted, judged, text_of_seconds, text_of_simulations
from harness.protocols.evidence import (
    BASE,
    Evidence,
    Known,
    Missing,
    Place,
    asked_for,
    leaders,
    name_of,
    options_of,
    written,
)
from harness.protocols.inference_time import InferenceTime
from harness.protocols.views import TRUE, Scores, Views
from harness.reporting.apart import between
from harness.reporting.groups import Group
from harness.reporting.numbers import number
from harness.reporting.table import VALID

NMSE = "nmse"
"""The metric in which errors are told against the y without noise."""


@dataclass(frozen=True)
class Study:
    """What a condition is read from: the groups, by what is done besides learning."""

    asked: str
    records: str
    groups: tuple[tuple[str, Group], ...]
    truth: float | None = None
    """Where errors are those against the y without noise: the floor of these."""

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
    lone = [group for group in known.of("unpaired") if options_of(group).get("lone") == "none"]
    sized = [(size, group) for group in [*known.of(None), *known.of("pairs"), *lone] if (size := _pairs(group))]
    able = [(size, group) for size, group in sized if size <= pairs]
    if not able:
        fewest = min((size for size, _ in sized), default=0)
        beside = f" (the fewest are {fewest})" if fewest else ""
        return Missing(f"no records with {pairs} pairs or fewer{beside}", f"pairs[n={pairs}]")
    order = (None, "pairs", "unpaired")
    size, group = max(able, key=lambda item: (item[0], -order.index(name_of(item[1])), asked_for(item[1])))
    beside = f" ({size} pairs)" if name_of(group) is None else ""
    return Study(f"{pairs} pairs", written(group, "n", "lone") + beside, (("", group),))


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
        return Missing("no records with gaps in y", f"gaps[share={share:g}],gaps[fill=native,share={share:g}]")
    nearest = min((options_of(group)["share"] for group in found), key=lambda each: (abs(each - share), -each))
    kinds: dict[str, dict[str, Group]] = defaultdict(dict)
    # Whatever the fill, the same entries of the same targets are hidden, so that errors may be compared.
    for group in sorted((group for group in found if options_of(group)["share"] == nearest), key=asked_for):
        kinds[written(group, "share", "hide")][str(options_of(group)["fill"])] = group
    asked = f"{number(100 * share)} % of y not known"
    return [Study(asked, text, tuple(sorted(fills.items()))) for text, fills in sorted(kinds.items())]


def of_noise(known: Known, sd: float) -> Study | Missing:
    """The records with the nearest deviation of noise; errors are those against the y without it.

    Against the noisy y, a method that fits the noise would seem the best.

    Args:
        known: of a task.
        sd: the deviation of the noise, in that of each y.
    """
    found = [group for group in known.of("noise") if options_of(group)["sd"]]
    if not found:
        return Missing("no records with noise on y", f"noise[sd={sd:g}]")
    group = min(found, key=lambda each: (abs(options_of(each)["sd"] - sd), -options_of(each)["sd"], -asked_for(each)))
    truth = known.base.floor(NMSE) if known.base else group.floor(NMSE)
    return Study(f"noise of {sd:g} on y", written(group, "sd"), (("", group),), truth)


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


def _pairs(group: Group) -> int:
    data = group.first.data
    return data.n_train + data.n_valid if data else 0
