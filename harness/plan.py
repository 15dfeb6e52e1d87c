"""The plan: methods × tasks × scenarios × seeds as a list of cells, and of each the digests of what determines it.

The key of a cell says what was asked for; the digests say what its parts were made from, sources included. A record
whose digests are the cell's is current; from the first that differs on, it is brought up to date.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial
from itertools import product
from typing import TYPE_CHECKING, Any

from harness import schema, sources
from harness.kept import kept
from harness.labels import labels
from harness.options import identity, resolve
from harness.presets import Preset
from harness.provenance import device_kind
from harness.questions import Question
from harness.records import content_key
from harness.registry import (
    Kind,
    PluginSpec,
    broken,
    build_method,
    build_protocol,
    build_scenario,
    build_task,
    require_scorable,
)
from harness.selection import Selection, select
from harness.settings import DataSettings, Schedule, Sizes

if TYPE_CHECKING:
    from harness.config import Settings
    from harness.contracts import Method, Task

SOURCES = {
    "data": ("harness.data",),
    "training": ("harness.fitting", "harness.adapter"),
    "asking": ("harness.answers",),
    "re-simulation": ("harness.resimulation",),
}
"""The modules of the harness that determine numbers, with all that they import: of the data, the model, the answers and
the scores."""


@dataclass(frozen=True)
class Made:
    """What a record was made from."""

    sources: Mapping[str, str] = field(hash=False)
    digests: Mapping[str, str] = field(hash=False)


@dataclass(frozen=True)
class Cell:
    """One method trained on one task in one scenario with one seed, and what is then asked of it."""

    task: PluginSpec
    method: PluginSpec
    preset: str
    budget: int
    schedule: Schedule
    data: DataSettings
    sizes: Sizes
    seed: int
    protocols: tuple[PluginSpec, ...] = ()
    scenario: PluginSpec | None = None
    """None for the base."""
    base: DataSettings | None = None
    """The data settings without the scenario, where it asks for another number of targets; None where not."""
    device: str = "cpu"
    threads: int = 1
    refusal: str = ""
    """Why there can be no such cell; empty where there can."""
    model: str = ""
    """What the key says of the device, where that is not for this machine to tell; such as `cuda NVIDIA H100`."""
    made: Made | None = None
    """What a stored record was made from, for a cell that stands for it; None for one that is planned."""

    def declared(self) -> schema.Declared:
        """What is asked for, as the record keeps it; not the preset's name, labels or threads."""
        return schema.Declared(
            task=_declared(self.task),
            method=_declared(self.method),
            scenario=_declared(self.scenario) if self.scenario else None,
            data=self.data,
            budget=self.budget,
            schedule=self.schedule,
            seed=self.seed,
            device=self.model or device_kind(self.device),
        )

    @cached_property
    def key(self) -> str:
        """SHA-256 of the canonical JSON of `declared()`, in hexadecimal digits."""
        return content_key(self.declared())

    @property
    def label(self) -> str:
        """The cell in words: `sinewave/na[boundary_loss=off]/0`, with the scenario where it is not the base."""
        return "/".join((self.task.label, self.method.label, *self.scenario_label, str(self.seed)))

    @property
    def scenario_label(self) -> tuple[str, ...]:
        """The scenario as the user wrote it; nothing for the base."""
        return (self.scenario.label,) if self.scenario else ()

    @cached_property
    def learner(self) -> Cell:
        """The cell that learns the same: the one without the scenario where that changes no pair, or else itself."""
        if self.scenario is None or build_scenario(self.scenario).learns:
            return self
        return replace(self, scenario=None, data=self.base or self.data, base=None)

    @cached_property
    def sources(self) -> dict[str, str]:
        """Digests of the sources that the numbers come from, by what they are the source of."""
        if self.made is not None:
            return {**self.made.sources, "re-simulation": harness_sources()["re-simulation"]}
        plugins = {"task": self.task.source, "method": self.method.source}
        if self.scenario:
            plugins["scenario"] = self.scenario.source
        return {**plugins, **harness_sources()}

    @cached_property
    def digests(self) -> dict[str, str]:
        """Digests of what determines the data and the model, the latter with the data's."""
        if self.made is not None:
            return dict(self.made.digests)
        declared = self.declared()
        data = content_key([declared.task, declared.scenario, declared.data, self._sources("task", "scenario", "data")])
        if self.learner is not self:
            return {"data": data, "model": self.learner.digests["model"]}
        rest = [declared.method, declared.budget, declared.schedule, declared.seed, declared.device]
        return {"data": data, "model": content_key([data, rest, self._sources("method", "training")])}

    @cached_property
    def questions(self) -> dict[str, dict[str, Question]]:
        """What each protocol asks, by its name and its names for the questions."""
        return {spec.name: build_protocol(spec).questions(self.sizes) for spec in self.protocols}

    def answer_digest(self, question: Question) -> str:
        """What determines the answer to a question: the model, the question, and how it is put."""
        asked = [question.of, question.n, question.repeats]
        # Where the base is the learner, the model's digest says nothing of the targets of the scenario.
        shown = [] if self.learner is self else [self.digests["data"]]
        return content_key([self.digests["model"], *shown, asked, self._sources("asking")])

    def score_digest(self, protocol: PluginSpec) -> str:
        """What determines a protocol's score: the answers, or the model that it measures, its options, its source."""
        asked = {name: self.answer_digest(question) for name, question in self.questions[protocol.name].items()}
        parts = [self.digests["model"], asked, self.sizes, _declared(protocol), protocol.source]
        return content_key([*parts, self._sources("re-simulation")] if asked else parts)

    def _sources(self, *names: str) -> list[str | None]:
        return [self.sources.get(name) for name in names]


@cache
def harness_sources() -> dict[str, str]:
    """Digests of the sources of the harness that numbers come from."""
    return {name: sources.of_modules(*modules) for name, modules in SOURCES.items()}


def _declared(spec: PluginSpec) -> schema.Plugin:
    return schema.Plugin(name=spec.name, version=spec.version, options=spec.declared, fingerprint=spec.fingerprint)


@dataclass(frozen=True)
class Wanted:
    """What a plan is made of."""

    methods: Sequence[Selection]
    tasks: Sequence[Selection]
    scenarios: Sequence[Selection]
    protocols: Sequence[Selection]
    seeds: Sequence[int]
    device: str = "cpu"
    threads: int = 1
    model: str = ""


@dataclass(frozen=True)
class Plan:
    """The cells of a run."""

    cells: list[Cell]
    axes: tuple[int, int, int]
    """How many methods, tasks and scenarios."""
    ahead: tuple[str, ...]
    """What is made once before the first cell, in words."""
    reporting: tuple[PluginSpec, ...]
    """The tasks that have something to say of their data."""

    def remarks(self) -> Iterator[str]:
        """What the tasks say of their data; a forward model that is learned from them is trained for it."""
        for spec in self.reporting:
            yield from (f"{spec.label}: {line}" for line in build_task(spec).report)


def planned(settings: Settings, preset: Preset, model: str = "") -> Plan:
    """The plan that a user's settings describe, kept for the next time unless a task reads files of the user's.

    Raises:
        UsageError: as `select` and `plan`.
    """
    texts = settings.methods, settings.tasks, settings.scenarios, settings.protocols

    def work() -> Plan:
        kinds: tuple[Kind, ...] = ("methods", "tasks", "scenarios", "protocols")
        methods, tasks, scenarios, protocols = (select(kind, text) for kind, text in zip(kinds, texts, strict=True))
        chosen.extend(tasks)
        wanted = Wanted(methods, tasks, scenarios, protocols, settings.seeds, settings.device, model=model)
        cells = plan(wanted, preset)
        for cell in cells:  # what is worked out from sources is kept with the plan
            assert cell.key and cell.digests and cell.questions is not None
        built = {spec: build_task(spec) for spec in dict.fromkeys(cell.task for cell in cells)}
        ahead = tuple(f"{spec.label} {text}" for spec, task in built.items() if (text := getattr(task, "ahead", "")))
        reporting = tuple(spec for spec, task in built.items() if _reports(type(task)))
        return Plan(cells, (len(methods), len(tasks), len(scenarios)), ahead, reporting)

    chosen: list[Selection] = []
    arguments = [*texts, settings.seeds, settings.device, model, preset]
    if settings.device != "cpu":  # the key names the model of the GPU that is there
        return work()
    return kept("plans", arguments, work, good=lambda: not broken() and not any(map(_reads_files, chosen)))


def _reads_files(task: Selection) -> bool:
    """Whether what a task is depends on more than its source."""
    from harness.contracts import Task

    loaded: Any = task.plugin.load()
    return loaded.fingerprint is not Task.fingerprint or _reports(loaded)


def _reports(loaded: Any) -> bool:
    from harness.contracts import Task

    return loaded.report is not Task.report


def plan(wanted: Wanted, preset: Preset) -> list[Cell]:
    """All cells, task by task, scenario by scenario, then method by method, then seed by seed; none twice.

    Raises:
        UsageError: a preset option that a method or protocol refuses, data that a task refuses, or a protocol that
            cannot be scored at these sizes.
    """
    cells: dict[str, Cell] = {}
    given = [specification(item, preset.protocols.get(item.plugin.name)) for item in wanted.protocols]
    # The last of a name, so that `all,r_T[bootstrap=50]` says what is to differ from the others.
    asked = tuple({spec.name: spec for spec in given if _scores(spec)}.values())
    scenarios = [None if item.plugin.name == "base" else specification(item) for item in wanted.scenarios]
    every = [build_task(specification(task)) for task in wanted.tasks]
    titles = labels(wanted.tasks, [getattr(built, "title", "") for built in every])
    for task, built, label in zip(wanted.tasks, every, titles, strict=True):
        spec = replace(specification(task), fingerprint=built.fingerprint, label=label)
        own = preset.for_task(task.plugin.name, built.cost, built.n_train)
        views = {item: own.for_scenario(item.name) if item else own for item in scenarios}
        for protocol, view in product(asked, views.values()):
            require_scorable(build_protocol(protocol), view.sizes)
        for scenario, method, seed in product(scenarios, wanted.methods, wanted.seeds):
            options = preset.method_options(method.plugin.name, task.plugin.name)
            chosen = specification(method, options)
            cell = Cell(
                task=spec,
                method=chosen,
                preset=preset.name,
                budget=own.budget,
                schedule=own.schedule,
                data=views[scenario].data,
                sizes=views[scenario].sizes,
                seed=seed,
                protocols=asked,
                scenario=scenario,
                base=own.data if views[scenario].data != own.data else None,
                device=wanted.device,
                threads=wanted.threads,
                model=wanted.model,
                refusal=refusal(chosen, scenario, built),
            )
            cells.setdefault(cell.key, cell)
    return list(cells.values())


def part_of(cells: Sequence[Cell], part: tuple[int, int] | None) -> list[Cell]:
    """The cells of one part, number and count; all of them where there are no parts.

    A cell's key alone decides, so that the parts of a plan are disjoint and complete wherever they are worked out.
    """
    if part is None:
        return list(cells)
    number, count = part
    return [cell for cell in cells if int(cell.key, 16) % count == number % count]


def _scores(spec: PluginSpec) -> bool:
    """Whether a protocol scores anything of its own, rather than show what others have."""
    protocol = build_protocol(spec)
    return protocol.measures or bool(protocol.questions(Sizes()))


def refusal(method: PluginSpec, scenario: PluginSpec | None, task: Task) -> str:
    """Why a method cannot take part in a scenario of a task; empty where it can."""
    return "" if scenario is None else refused(method.name, partial(build_method, method), scenario, task)


def refused(method: str, create: Callable[[], Method], scenario: PluginSpec, task: Task) -> str:
    """The same of a method of this name, of which `create` gives a fresh one."""
    built = build_scenario(scenario)
    if task.conditions is not None and not (built.leaves_conditions or "conditions" in built.needs):
        return f"{scenario.label} does not know which entries of y are conditions, and the task has some"
    reason = built.refusal(task)
    missing = sorted(built.needs - create().handled) if built.needs else []
    if reason is None and missing:
        reason = f"{method} does not handle {', '.join(missing)}, which {scenario.label} needs"
    return reason or ""


def misfits(cells: Iterable[Cell]) -> dict[Cell, str]:
    """The cells whose method comes near enough to the budget at no size, and why; no data, nothing is trained."""
    by_key = {cell.key: cell for cell in cells}
    found: dict[str, str] = {}

    def work() -> dict[str, str]:
        found.update(_misfits(by_key.values()))
        return found

    # What does not fit is looked at anew each time, as a user mends it, perhaps where nobody looks for changes.
    known = kept("misfits", sorted(by_key), work, good=lambda: not found) if by_key else {}
    return {by_key[key]: why for key, why in known.items()}


def _misfits(cells: Iterable[Cell]) -> dict[str, str]:
    from harness.budget import BudgetMissed, predict

    pairs = {(cell.task, cell.scenario) for cell in cells if not cell.refusal}
    tasks = {pair: build_task(*pair) for pair in pairs}
    known: dict[Any, str] = {}
    found = {}
    for cell in cells:
        if cell.refusal:
            continue
        task = tasks[cell.task, cell.scenario]
        conditions = 0 if task.conditions is None else task.conditions.shape[1]
        dims = task.x_dim, task.y_dim, cell.budget
        key = cell.method.name, content_key(cell.method.options), *dims, task.kinds, conditions
        if key not in known:
            known[key] = ""
            method = partial(build_method, cell.method)
            try:
                predict(method, *dims, kinds=task.kinds, condition_dim=conditions)
            except BudgetMissed as error:
                known[key] = str(error)
            except (Exception, SystemExit):  # whatever a stranger's `build` raises is told by its cell
                continue
        if known[key]:
            found[cell.key] = known[key]
    return found


def specification(selection: Selection, preset: Any = None) -> PluginSpec:
    """A selected plug-in with all its options: its own defaults, then the preset's, then the user's."""
    plugin = selection.plugin
    loaded: Any = plugin.load()
    own = getattr(loaded, "defaults", {})
    options = resolve(loaded.Options, own, preset or {}, selection.options, owner=plugin.name)
    known = identity(loaded.Options, options)
    return PluginSpec(plugin.name, plugin.version, options, selection.label, plugin.source, plugin.groups, known)
