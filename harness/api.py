"""The Python interface: train a method on a task or on your own pairs, or load a trained one, and ask for designs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from tqdm import tqdm

from harness import config, data, fitting
from harness.cell import lesson
from harness.changed import rebuilt, require_same
from harness.contracts import Method, Task
from harness.data import Dataset
from harness.errors import UsageError
from harness.execution.failures import status_of
from harness.own_pairs import OwnPairs, pairs
from harness.plan import refused, specification
from harness.presets import Preset
from harness.registry import Kind, build_method, build_scenario, build_task
from harness.rescore import cell_of
from harness.schema import Record
from harness.selection import Selection, select
from harness.settings import DataSettings
from harness.show import REPLACE, labelled, none_there, summary
from harness.show import load as read_record
from harness.solver import OutsideRange, Solver, TrainedLittle, whole
from harness.store import RECORD, problems
from harness.training import Report
from harness.undisturbed import undisturbed
from harness.work import MODEL

__all__ = ["OutsideRange", "OwnPairs", "Solver", "TrainedLittle", "fit", "load", "pairs"]


def fit(
    method: str | type[Method],
    task: str | Task,
    *,
    scenario: str = "base",
    preset: str = "quick",
    budget: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    report: Report | None = None,
) -> Solver:
    """Train a method on a task, as a cell of `run` does, whatever defaults of torch the program has set.

    Threads train one after another: the random states that a training begins with are those of the whole process.

    Args:
        method: a name such as `na`, with options as in `na[steps=40]`; or a class of your own.
        task: a name such as `sinewave`, with options; your own pairs, as `harness.pairs` makes them; or any task.
        scenario: another view of the task, such as `pairs[n=300]`, whose pairs are learned from.
        preset: `smoke`, `quick`, `paper` or a TOML file: budget, schedule, and options chosen for the method there.
        budget: trainable parameters, instead of the preset's.
        epochs: passes over the training pairs, instead of the preset's.
        seed: of the method's random numbers.
        device: `cpu`, `cuda` or `cuda:0`.
        report: is told `(phase, epoch, epochs, loss)`; a bar on standard error where omitted, if that is a terminal.

    Raises:
        UsageError: an unknown name or option, a value that is not allowed, a scenario in which the task or the method
            cannot take part, or too little memory.
        BudgetMissed: no size of the method comes within 5 % of the budget.
        Diverged: a loss is no longer finite.

    >>> import harness
    >>> solver = harness.fit("mdn", "sinewave", preset="smoke")
    >>> designs = solver.propose([0.5, 1.0], n=3)
    >>> list(designs.columns)
    ['target', 'x1 [1]', 'x2 [1]', 'believed_nmse', 'y [1] wanted', 'y [1] reached', 'nmse', 'inside', 'nearest']
    >>> designs["target"].tolist()
    [0, 0, 0, 1, 1, 1]
    """
    device, seed = config.device(device, "device"), whole("seed", seed, 0)
    if not (report is None or callable(report)):
        raise UsageError(f"report = {report!r} cannot be called. Give a function of (phase, epoch, epochs, loss).")
    with undisturbed():
        built, task_name = _task(task)
        own = _preset(preset, budget, epochs).for_task(task_name, built.cost, built.n_train)
        name, create = _method(method, own, task_name)
        of_pairs = replace(own.data, n_train=None, targets_from="validation")
        settings = of_pairs if isinstance(built, OwnPairs) else own.data
        built, dataset = _viewed(built, scenario, settings, own, name, create)
        given = fitting.lesson(
            built,
            dataset,
            budget=own.budget,
            schedule=own.schedule,
            seed=seed,
            device=device,
            method=create(),
        )
        try:
            made, _ = fitting.build(given, create)
            with bar(name) as shown:
                phases = fitting.fit(given, made, report or shown)
        except Exception as error:
            if status_of(error) != "out_of_memory":
                raise
            raise UsageError(
                f"{name} with budget = {own.budget} on {len(given.train.x)} rows does not fit into memory ({error}). "
                "Give a smaller budget, or fewer pairs."
            ) from error
    return Solver(name, made, given, built, phases, task if isinstance(task, str) else "", own.name)


def load(path: str | Path) -> Solver:
    """The trained method of a cell that `run` has made.

    Args:
        path: the folder of its record, `RUN/TASK/METHOD/KEY`; or `RUN/TASK/METHOD`, where there is one record, or one
            without a scenario.

    Raises:
        UsageError: there is no record, or several; it is damaged or did not end well; its model is not stored; the
            method, or the task's data, are no longer those of the record.
    """
    folder = _record_folder(Path(path))
    record = read_record(folder)
    if record.status != "ok":
        raise UsageError(f"The cell in {str(folder)!r} is {record.status}. Run it again, or load another.")
    if MODEL not in record.files:
        raise UsageError(
            f"No model is stored in {str(folder)!r}, as in published results, such as results/reference, or of a plain "
            f"function. Train it, as by `python -m harness run --methods {record.declared.method.name} --tasks "
            f"{record.declared.task.name}`, or by harness.fit."
        )
    for problem in problems(folder):
        raise UsageError(f"{problem}. {REPLACE}")
    cell = cell_of(record)
    with undisturbed():
        task = rebuilt(cell.task, record, cell.scenario)
        dataset = data.draw(task, cell.data, build_scenario(cell.scenario))
        require_same(record, dataset)
        given = lesson(cell, task, dataset)
        try:
            method = fitting.rebuild(given, partial(build_method, cell.method), folder / MODEL)
        except ValueError as error:
            raise UsageError(
                f"{cell.method.label} has changed since it was trained: {error}. Run the cell again."
            ) from error
    return Solver(cell.method.label, method, given, task, [], record.label.task, record.preset, scored(record))


def scored(record: Record) -> dict[str, float]:
    """The mean nmse of one proposal over the targets of a record; nothing where it has none.

    Args:
        record: of a cell that was scored.
    """
    score = record.scores.get("multi-target")
    value = ((score.values or {}) if score else {}).get("errors", {}).get("nmse", {}).get("mean")
    return {} if value is None else {"nmse": value}


@contextmanager
def bar(name: str) -> Iterator[Report]:
    """What shows on a terminal how far a training has come; nothing where standard error is none.

    Args:
        name: of the method, which stands before the bar.
    """
    with tqdm(desc=name, disable=None, leave=False, unit="epoch", dynamic_ncols=True) as shown:

        def report(phase: str, done: int, total: int, loss: float | None) -> None:
            if not shown.disable:
                shown.total, shown.n = total, done
                shown.set_description_str(f"{name} {phase}", refresh=False)
                shown.set_postfix_str("" if loss is None else f"loss {loss:.3g}", refresh=False)
                shown.refresh()

        yield report


def _task(task: str | Task) -> tuple[Task, str]:
    """The task, and the name that a preset knows it by."""
    if isinstance(task, Task):
        return task, ""
    if not isinstance(task, str):
        raise UsageError(f"{type(task).__name__} is no task. Give a name, or your own pairs by harness.pairs(x, y).")
    selection = _single("tasks", task)
    return build_task(specification(selection)), selection.plugin.name


def _viewed(
    task: Task, scenario: str, settings: DataSettings, preset: Preset, method: str, create: Callable[[], Method]
) -> tuple[Task, Dataset]:
    """The task as it is in a scenario, and its data there.

    Raises:
        UsageError: the task or the method cannot take part.
    """
    selection = _single("scenarios", scenario)
    if selection.plugin.name == "base":
        return task, data.draw(task, settings)
    spec = specification(selection)
    if reason := refused(method, create, spec, task):
        raise UsageError(f"{spec.label}: {reason}.")
    asked = preset.for_scenario(spec.name).data.targets
    view = build_scenario(spec)
    seen = view.task(task)
    return seen, data.draw(seen, replace(settings, targets=asked), view)


def _method(method: str | type[Method], preset: Preset, task: str) -> tuple[str, Callable[[], Method]]:
    """What the method is called, and what gives a fresh one."""
    if not isinstance(method, str):
        if not (isinstance(method, type) and issubclass(method, Method)):
            raise UsageError(f"{method!r} is no method. Give a name, such as those of `list methods`, or a class.")
        return method.__name__, lambda: method(method.Options(**method.defaults))
    selection = _single("methods", method)
    spec = specification(selection, preset.method_options(selection.plugin.name, task))
    return selection.label, partial(build_method, spec)


def _single(kind: Kind, text: str) -> Selection:
    (found, *more) = select(kind, text)
    if more:
        raise UsageError(f"{text!r} names {len(more) + 1} {kind}. Give one.")
    return found


def _preset(name: str, budget: int | None, epochs: int | None) -> Preset:
    flags = {key: value for key, value in (("budget", budget), ("epochs", epochs)) if value is not None}
    return config.preset_from(config.settings_from({"preset": name, **flags}, spelt=str), {}, "")


def _record_folder(path: Path) -> Path:
    """The folder of the only record at a path, or of the only one with a model, or of that without a scenario.

    Raises:
        UsageError: there is none, or there are several.
    """
    if path.joinpath(RECORD).is_file():
        return path
    inside = (folder for folder in sorted(path.glob("*")) if not folder.name.startswith("."))
    folders = [folder for folder in inside if folder.joinpath(RECORD).is_file()]
    folders = folders or labelled(path)
    if not folders:
        raise none_there(path)
    if len(folders) > 1:
        folders = [folder for folder in folders if folder.joinpath(MODEL).is_file()] or folders
    if len(folders) > 1:
        folders = [folder for folder in folders if read_record(folder).declared.scenario is None] or folders
    if len(folders) > 1:
        each = "".join(f"\n  {folder.parent / summary(folder)}" for folder in folders)
        raise UsageError(f"There are {len(folders)} records in {str(path)!r}. Name one:{each}")
    return folders[0]
