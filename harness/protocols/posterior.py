"""Whether proposals are spread as the solutions are: distances from a reference posterior, and calibration.

`docs/posterior.md` says what each number can tell, and what it cannot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from harness.posterior.results import Level, Scores
from harness.protocols import posterior_notes
from harness.protocols.contract import Answered, Material, Number, Protocol, Question, Shown
from harness.protocols.shared import in_repeats, many, single, trials_refused
from harness.reporting import notes
from harness.reporting.apart import by_spread
from harness.reporting.build import base, table
from harness.reporting.figure import Axis, Figure, Guide, Panel, Series, headings
from harness.reporting.groups import Group
from harness.reporting.numbers import deviation, number, printed, share
from harness.reporting.published import Published, find
from harness.reporting.rows import Row
from harness.reporting.table import Column, Raw, Table
from harness.scenarios.contract import Targets
from harness.settings import Sizes, setting

TRIALS = (25, 50, 100, 200)
"""Those of iPage Fig. 5."""
LEVELS = ("mmd", "mmd_biased", "c2st", "mmd_targets", "above", "c2st_targets", "diversity")
EACH = 2
"""Of the levels whose coverage is kept, every second one is drawn."""
ITSELF, PRIOR = "the reference itself", "draws of the prior"
"""Rows that are no method."""


@dataclass(frozen=True)
class Reference:
    """Which reference is meant."""

    tolerance: float = setting(
        0.02,
        help="tau: how far y may be off in each entry, in its standard deviations; of noisy targets it is the noise",
        least=1e-6,  # a few times less, and matrices of its inverse square are singular in double precision
    )
    targets: int = setting(50, help="targets besides y*; fewer where simulations take long", least=1)


@dataclass(frozen=True)
class Options(Reference):
    """Options of the comparison."""

    repeats: int = setting(10, help="repeats of the proposals for y* that are compared", least=1)
    trials: tuple[int, ...] = setting(TRIALS, help="numbers of proposals, as far as there are so many", least=1)


class Posterior(Protocol):
    """How far the proposals are from draws of the posterior, and whether they are calibrated."""

    name: ClassVar[str] = "posterior"
    references: ClassVar[tuple[str, ...]] = (
        "Ren, Padilla, Malof 2020, Table 4",
        "Gretton et al. 2012, JMLR 13",
        "Lopez-Paz, Oquab 2017, arXiv:1610.06545",
        "Talts et al. 2018, arXiv:1804.06788",
        "Lemos et al. 2023, arXiv:2302.03026",
    )
    Options: ClassVar[type] = Options
    score_type: ClassVar[type] = Scores

    def questions(self, sizes: Sizes) -> dict[str, Question]:
        return {"targets": many(sizes), "fixed": single(sizes)}

    def score(self, material: Material) -> Scores | None:
        from harness.posterior.scoring import Proposals, Settings, scores

        targets, fixed = material.answers["targets"], material.answers["fixed"]
        if material.task.conditions is None and asks_otherwise(targets, fixed):
            return None
        options = self.options
        proposals = Proposals(
            fixed=in_repeats(fixed.answer.x, fixed, options.repeats, material.seed),
            targets=targets.answer.x,
            exchangeable=not (targets.answer.ranked or targets.answer.pooled),
        )
        tolerance = likelihood_of(material, options)
        settings = Settings(tolerance, options.targets, options.repeats, options.trials)
        return scores(material.task, material.data, proposals, settings)

    def refusal(self, sizes: Sizes | None = None) -> str | None:
        return trials_refused(self.options.trials, None)

    def numbers(self, scores: Scores) -> Iterator[Number]:
        yield None, "valid", scores.valid
        for name, level in (("", scores.own), ("itself_", scores.itself), ("prior_", scores.prior)):
            yield from _level_numbers(name, scores.T, level)
        if scores.floor is not None:
            yield None, "floor_mmd", scores.floor.mmd
            yield None, "floor_mmd_targets", scores.floor.mmd_targets
        if scores.calibration is not None:
            for name in ("ks", "ks_chance", "error", "width"):
                yield None, f"calibration_{name}", getattr(scores.calibration, name)

    def tables(self) -> dict[str, Shown[Table]]:
        return {"posterior": Shown(_build, place=72, reads=(), plain=_same_posterior)}

    def figures(self) -> dict[str, Shown[Figure]]:
        return {"coverage": Shown(_coverage, place=72, plain=_same_posterior)}


def likelihood_of(material: Material, options: Reference) -> float:
    """Deviation of the normal likelihood, in that of each y: of the noise on the targets, or the tolerance without any.

    Args:
        material: whose targets may be noisy.
        options: the tolerance.
    """
    return material.data.targets.noise or options.tolerance


def asks_otherwise(*answers: Answered) -> bool:
    """Whether a scenario asks something whose posterior is not known, such as targets that cannot be reached.

    Args:
        *answers: to the questions of this protocol.
    """
    targets = [each.targets for each in answers]
    known = (bool(each.noise) or each.at_random for each in targets)
    return any(
        not one and (bool(each.views) or not _as_they_are(each)) for one, each in zip(known, targets, strict=True)
    )


def _as_they_are(targets: Targets) -> bool:
    y, shown = targets.y, targets.shown
    return bool(((y == shown) | (y.isnan() & shown.isnan())).all())


def _same_posterior(group: Group, base: Group) -> bool:
    """Whether a scenario has no posterior of its own, such as one of noisy y or of those entries that are known."""
    own, usual = (found.reference if (found := each.score(Posterior)) else None for each in (group, base))
    return own is None or (usual is not None and not own.observed and own.tolerance == usual.tolerance)


def _level_numbers(name: str, trials: Sequence[int], level: Level | None) -> Iterator[Number]:
    if level is None:
        return
    yield from ((None, f"{name}{key}", getattr(level, key)) for key in LEVELS)
    yield None, f"{name}mmd_deviation", level.mmd_deviation
    for count, value in zip(trials, level.recall, strict=True):
        yield None, f"{name}recall_{count}", value
    for count, value in zip(trials, level.modes or (), strict=False):
        yield None, f"{name}modes_{count}", value


def _build(groups: Sequence[Group], metric: str | None, published: bool) -> list[Table]:
    return [_table(group, published) for group in groups if group.scored(Posterior)]


def _table(group: Group, published: bool) -> Table:
    first: Scores = group.score(Posterior)
    own = [_raw(row, find(Posterior.name, group.task, row.label) if published else None) for row in group.rows]
    if first.refusal:
        return table("posterior", TITLE, group, [], own, [f"no reference posterior of {group.task}: {first.refusal}"])
    rows = [*own, _other(ITSELF, first.itself, first), _other(PRIOR, first.prior, first)]
    found = [(row.label, scores) for row in group.rows for scores in row.scores(Posterior)]
    said = [*posterior_notes.said(first, found, group.task)]
    if any(raw["published"] is not None for raw in own):
        said += notes.published([find(Posterior.name, group.task, row.label) for row in group.rows])
    return table("posterior", TITLE, group, _columns(first, rows), rows, said)


TITLE = "Distance to the posterior"


def _raw(row: Row, paper: Published | None) -> dict[str, Any]:
    """A row's values; what is compared between rows has a name of its own, which the other rows lack."""

    def of(read: Callable[[Scores], float | None]) -> float | None:
        return row.mean(read, Posterior)

    levels = {name: of(partial(_of_level, name=name)) for name in (*LEVELS, "mmd_deviation")}
    spread = row.spread(partial(_of_level, name="mmd"), Posterior)
    first: Scores | None = row.score(Posterior)
    trials = first.T if first else []
    return {
        **base(row),
        **levels,
        "c2st": levels["c2st"] if first and first.reference and posterior_notes.classified(first.reference) else None,
        "mmd_deviation": levels["mmd_deviation"] if len(row.done) < 2 else spread,
        **{f"recall_{count}": of(partial(_of_trials, name="recall", place=i)) for i, count in enumerate(trials)},
        **{f"modes_{count}": of(partial(_of_trials, name="modes", place=i)) for i, count in enumerate(trials)},
        **{name: of(partial(_of_calibration, name=name)) for name in ("ks", "error", "width")},
        **{f"own_{name}": levels[name] for name in ("mmd", "mmd_targets")},
        "valid": of(lambda scores: scores.valid),
        "published": paper.value if paper else None,
    }


def _other(name: str, level: Level | None, scores: Scores) -> dict[str, Any]:
    """The row of what is no method."""
    values = {key: getattr(level, key) if level else None for key in (*LEVELS, "mmd_deviation")}
    lists = [(key, getattr(level, key) or [] if level else []) for key in ("recall", "modes")]
    by_count = {f"{key}_{count}": value for key, found in lists for count, value in zip(scores.T, found, strict=False)}
    if scores.reference is None or not posterior_notes.classified(scores.reference):
        values["c2st"] = None
    none = dict.fromkeys(("ks", "error", "width", "own_mmd", "own_mmd_targets", "valid", "published"))
    return {"method": name, "status": "ok", "baseline": True, "seeds": 0, **values, **by_count, **none}


def _of_level(scores: Scores, name: str) -> float | None:
    return None if scores.own is None else getattr(scores.own, name)


def _of_trials(scores: Scores, name: str, place: int) -> float | None:
    found = None if scores.own is None else getattr(scores.own, name)
    return None if found is None or place >= len(found) else found[place]


def _of_calibration(scores: Scores, name: str) -> float | None:
    return None if scores.calibration is None else getattr(scores.calibration, name)


def _columns(first: Scores, rows: Sequence[Raw]) -> list[Column]:
    floor = first.floor
    last = first.T[-1] if first.T else 0
    columns = [
        Column(
            "MMD², y*",
            lambda raw: deviation(raw["mmd"], raw["mmd_deviation"], digits=2),
            best="own_mmd",
            apart=by_spread("mmd", "mmd_deviation"),
            floor=floor.mmd if floor else 0.0,
        ),
        Column("biased", lambda raw: number(raw["mmd_biased"]), beside=_bracket),
        Column("C2ST, y*", lambda raw: number(raw["c2st"])),
        Column(
            "MMD², targets",
            lambda raw: number(raw["mmd_targets"]),
            value="own_mmd_targets",
            floor=floor.mmd_targets or 0.0 if floor else 0.0,
        ),
        Column("above chance", lambda raw: share(raw["above"])),
        Column("C2ST, targets", lambda raw: number(raw["c2st_targets"])),
    ]
    if last:
        columns.append(Column(f"recall, T={last}", lambda raw: share(raw.get(f"recall_{last}"))))
    if any(raw.get(f"modes_{first.T[0]}") is not None for raw in rows if first.T):
        columns += [Column(f"modes, T={T}", partial(_share, key=f"modes_{T}")) for T in {first.T[0]: 0, last: 0}]
    columns.append(Column("diversity", lambda raw: number(raw["diversity"])))
    if any(raw["error"] is not None for raw in rows):
        columns += [Column(title, partial(_number, key=key)) for title, key in CALIBRATED]
    return columns


CALIBRATED = (("ranks", "ks"), ("coverage error", "error"), ("too wide", "width"))


def _number(raw: Raw, key: str) -> str:
    return number(raw[key])


def _share(raw: Raw, key: str) -> str:
    return share(raw.get(key))


def _bracket(raw: Raw) -> str:
    return "" if raw["published"] is None else f" [{printed(raw['published'])}]"


def _coverage(groups: Sequence[Group], metric: str | None, published: bool) -> list[Figure]:
    """Expected coverage against its level, one panel a task."""
    axes = Axis("level", low=0, high=1), Axis("expected coverage", low=0, high=1)
    diagonal = (Guide("diagonal", label="calibrated"),)
    panels = tuple(
        Panel(heading, *axes, series, diagonal, square=True)
        for heading, group in zip(headings(groups), groups, strict=True)
        if (series := tuple(each for row in group.rows for each in _curve(row)))
    )
    said = (
        "how many of the designs behind the targets lie in the regions of a level, which are balls about random points "
        "(TARP): above the diagonal in the right half, proposals are spread too widely; below it, too narrowly or off",
        "methods that rank their proposals have no such curve",
    )
    return [Figure("coverage", "Expected coverage", panels, said, beside="posterior")] if panels else []


def _curve(row: Row) -> Iterator[Series]:
    """The mean over seeds."""
    every = [found.calibration.coverage for found in row.scores(Posterior) if found.calibration is not None]
    if every:
        mean = [sum(values) / len(values) for values in zip(*every, strict=True)]
        levels = [place / len(mean) for place in range(1, len(mean) + 1)]
        yield Series(row.label, (0.0, *levels[EACH - 1 :: EACH]), (0.0, *mean[EACH - 1 :: EACH]))
