"""Whether a task still gives what a record was made from; where it does not, what has changed and what to do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from harness import data, schema
from harness.contracts import Task
from harness.data import Dataset
from harness.errors import UsageError
from harness.options import render, resolve
from harness.registry import PluginSpec, build_task, get
from harness.schema import Declared, Record


def rebuilt(spec: PluginSpec, record: Record, scenario: PluginSpec | None = None) -> Task:
    """The task of a record.

    Raises:
        UsageError: it cannot be built any more, such as where a file of the user's is gone, or its files have changed.
    """
    try:
        task = build_task(spec, scenario)
    except UsageError as error:
        raise UsageError(f"{error}{where(record)}") from error
    require_files(record, task)
    return task


def require_files(record: Record, task: Task) -> None:
    """Refuse a task whose files are no longer those of the record; nothing is simulated for it.

    The fingerprint also knows what no pair shows that the method has learned from: the rows of a file from which the
    forward model is made.

    Raises:
        UsageError: naming the files, and what of them has changed.
    """
    if record.data is None or task.fingerprint == record.declared.task.fingerprint:
        return
    raise _changed(record, _other_pairs(record.data, record.declared, task))


def _other_pairs(known: schema.Data, declared: Declared, task: Task) -> str:
    """How the pairs of a task differ from those that a record knows, in words."""
    if declared.scenario is not None:  # it may learn from fewer pairs, or from more rows, than there are
        return "the pairs that the scenario begins with, or how they are read, are others"
    settings = replace(declared.data, targets_from="validation")  # the others are simulated
    dataset = data.draw(task, settings)
    before, after = known.n_train + known.n_valid, len(dataset.train.x) + len(dataset.valid.x)
    if before != after:
        return f"methods learned from {before} pairs, and there would be {after} now"
    if dataset.hashes()["split"] == known.split:
        return "the pairs that methods learned from are the same, but the others, or how they are read, are not"
    return "the pairs that methods learned from are others"


def require_same(record: Record, dataset: Dataset) -> None:
    """Refuse data that are no longer those of the record.

    Raises:
        UsageError: saying what of them has changed.
    """
    now = dataset.hashes()
    if record.data is not None and now != {"split": record.data.split, "targets": record.data.targets}:
        same = now["split"] == record.data.split
        what = "the targets, or the forward model behind them," if same else "the pairs that methods learned from"
        raise _changed(record, f"{what} are others")


def _changed(record: Record, what: str) -> UsageError:
    named = places(record)
    source = f"What {named} names has changed" if named else "Its files or its source have changed"
    return UsageError(
        f"{record.label.task} now gives other data than when this was recorded. {source}: {what}. Put back what it "
        "was, or run the cell again, which makes a new record."
    )


def places(record: Record) -> str:
    """The options of the record's task that say where something is, such as `[path=pairs.csv]`; empty where none do."""
    task: Any = get("tasks", record.declared.task.name).load()
    defaults, declared = resolve(task.Options, owner=record.declared.task.name), record.declared.task.options
    given = {
        name: value
        for name, value in record.task_options.items()
        if isinstance(value, str) and name not in declared and value != defaults.get(name)
    }
    return render(given)


def where(record: Record) -> str:
    """What to do about a task that cannot be built and was made with options that say where something is."""
    named = places(record)
    if not named:
        return ""
    return (
        f" The record was made with {named}: put back what that names, and call again from the folder in which "
        "the run was started; or give its new place to `run`, which finds the record by the contents."
    )
