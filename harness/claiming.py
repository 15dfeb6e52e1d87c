"""The verb `claims`: what papers say of methods, whether it holds in a result folder, and what is missing to tell."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from harness import config
from harness.claims import claim, files
from harness.claims.judging import restricted
from harness.claims.tables import claims_table, evidence_tables
from harness.config import SELECTIONS, Settings
from harness.errors import UsageError, unknown
from harness.performing import perform, root_of, together, without_summary
from harness.registry import Kind, discover
from harness.reporting import grouped
from harness.reporting.formats import FORMATS
from harness.reporting.frame import OF_RECORDS
from harness.reporting.groups import Group
from harness.selection import parse, placed, split, validated
from harness.show import existing

Made = TypeVar("Made")
READING = ("preset", "out")
"""The flags of `run` that also say where results are read."""


def claims(arguments: Namespace) -> int:
    """Say which claims of papers hold here, and with which evidence; run what is missing."""
    known = with_own(claim.delivered(), arguments.own, claim.made)
    tasks = {task for one in known.values() for task in one.needs()}
    chosen = restricted(named("claim", arguments.names, known), tasks_of(arguments.only, tasks))
    if not chosen:
        raise UsageError(f"No claim that was named is about {arguments.only}. Name another task, or none.")
    needs: dict[str, tuple[str, ...]] = {}
    for one in chosen:
        for task, labels in one.needs().items():
            needs[task] = (*needs.get(task, ()), *labels)
    code, root = carried_out(arguments, needs)
    if root is None:
        return code
    groups = grouped(root)
    require_known(chosen, arguments.own, groups)
    tables = claims_table(groups, chosen)
    if not tables:
        raise UsageError(
            f"Claims speak of tasks without a scenario, and no record below {str(root)!r} is of one. Run what they "
            "need with --run, or name another result folder with --out."
        )
    for one in chosen if arguments.names else ():
        tables += evidence_tables(groups, one)
    print(FORMATS[arguments.format](tables).rstrip("\n"))
    return code


def carried_out(
    arguments: Namespace, needs: Mapping[str, Sequence[str]], usual: Mapping[str, Any] | None = None
) -> tuple[int, Path | None]:
    """Run the cells that are needed, with `--run`; the exit code, and the folder to read, None where nothing is read.

    Args:
        arguments: of the command line.
        needs: labels of methods, by task.
        usual: flags where none are given.
    """
    if arguments.format not in FORMATS:
        raise unknown("format", arguments.format, FORMATS)
    own = {item.name for item in fields(Settings)} - {*SELECTIONS}
    flags = {key: value for key, value in vars(arguments).items() if key in own}
    given = [key for key in flags if key not in READING]
    if given and not arguments.go:
        raise UsageError(f"{config.flag(given[0])} belongs to --run, which was not given. Give both, or neither.")
    settings, preset = config.load({**(usual or {}), **flags}, arguments.config)
    if not arguments.go:
        return 0, existing(str(root_of(settings, preset)))
    code = perform(together(needs, settings, preset), settings, preset, without_summary)
    interrupted = code > 2  # nothing ran, or a signal
    return code, None if settings.dry_run or interrupted else root_of(settings, preset)


def with_own(known: Mapping[str, Made], paths: Sequence[str], made: Callable[..., Made]) -> dict[str, Made]:
    """What is installed and what a reader's own files hold, which take the place of installed ones of the same name.

    Raises:
        UsageError: two files of one name.
    """
    own: dict[str, Made] = {}
    for path in paths:
        name, one = files.own(Path(path), made)
        if name in own:
            raise UsageError(f"Two files of --from are called {name}{files.SUFFIX}. Rename one of them.")
        own[name] = one
    return {**known, **own}


def require_known(chosen: Sequence[Any], paths: Sequence[str], groups: Sequence[Group]) -> None:
    """Refuse a name or an option in a reader's own file that is neither installed nor among the records: nobody could
    run its cells.

    Args:
        chosen: claims or ablations.
        paths: the reader's own files.
        groups: the records.

    Raises:
        UsageError: naming the file, the name, and what there is.
    """
    own = {Path(path).stem: path for path in paths}
    for one in chosen:
        if one.name not in own:
            continue
        path = own[one.name]
        for task, labels in one.needs().items():
            _require(path, "tasks", [task], {group.first.declared.task.name for group in groups})
            there = {record.declared.method.name for group in groups for record in group.records}
            methods, scenarios = zip(*map(placed, labels), strict=True)
            _require(path, "methods", methods, there)
            _require(path, "scenarios", [name for name in scenarios if name], ())
        scored = {name for group in groups for record in group.records for name in record.scores}
        _require(path, "protocols", [each.protocol for each in one.compared()], {*scored, *OF_RECORDS})


def _require(path: str, kind: Kind, labels: Sequence[str], there: Collection[str]) -> None:
    plugins = discover(kind)
    known = {*plugins, *there}
    for label in labels:
        try:
            name, options = parse(label)
            if name not in known:
                raise unknown(kind.removesuffix("s"), name, known)
            if options and name in plugins and plugins[name].error is None:
                validated(plugins[name], options)
        except UsageError as error:
            raise UsageError(f"{path}: {error}") from error


def named(kind: str, names: Sequence[str], known: Mapping[str, Made]) -> list[Made]:
    """Those that are named; all where none is."""
    for name in names:
        if name not in known:
            raise unknown(kind, name, known)
    return [known[name] for name in dict.fromkeys(names)] if names else list(known.values())


def tasks_of(text: str | None, known: Iterable[str], what: str = "") -> list[str]:
    """The tasks that a flag names; none where it is not given.

    Args:
        text: as it was given.
        known: those that there are.
        what: the one ablation that has them, for an error.

    Raises:
        UsageError: one that is not among the known.
    """
    wanted = split(text) if text is not None else []
    for name in wanted:
        if name not in known:
            raise unknown(f"task of {what}:" if what else "task", name, known)
    return wanted
